//! Every type of the contract, by hand here, against what the WIT resolves to: names, their order, and
//! where they lie.

use std::fmt::Debug;
use std::mem::offset_of;

use wit_parser::{Function, Int, Resolve, SizeAlign, Type, TypeDef, TypeDefKind, TypeOwner, WorldItem};

use super::layout::{Area, Lower};
use super::wire;
use crate::column::{Column, Kind};
use crate::describe::{
    Aggregate, CustomFold, FeaturesDescription, Fold, Input, Lookup, Origin, PreprocessorDescription,
    RulesDescription, Trigger, Wanted, Window,
};
use crate::log::Level;

struct Wit {
    resolve: Resolve,
    sizes: SizeAlign,
}

impl Wit {
    fn read() -> Self {
        let mut resolve = Resolve::default();
        resolve.push_str("tailwater.wit", include_str!("../../wit/tailwater.wit")).unwrap();
        let mut sizes = SizeAlign::default();
        sizes.fill(&resolve);
        Self { resolve, sizes }
    }

    /// A type that `owner`, a world or an interface, defines itself.
    fn find(&self, owner: &str, name: &str) -> (Type, &TypeDef) {
        let is_owner = |of: &TypeOwner| match *of {
            TypeOwner::World(world) => self.resolve.worlds[world].name == owner,
            TypeOwner::Interface(interface) => {
                self.resolve.interfaces[interface].name.as_deref() == Some(owner)
            }
            TypeOwner::None => false,
        };
        let mut types = self.resolve.types.iter();
        let found = types.find(|(_, ty)| ty.name.as_deref() == Some(name) && is_owner(&ty.owner));
        let (id, ty) = found.unwrap_or_else(|| panic!("{owner} has no type {name}"));
        (Type::Id(id), ty)
    }

    /// Size and alignment.
    fn space(&self, ty: &Type) -> (usize, usize) {
        (self.sizes.size(ty).size_wasm32(), self.sizes.align(ty).align_wasm32())
    }

    /// Names and places of a record's fields.
    fn fields(&self, record: &TypeDef) -> Vec<(String, usize)> {
        let TypeDefKind::Record(record) = &record.kind else { panic!("{:?} is no record", record.name) };
        let places = self.sizes.field_offsets(record.fields.iter().map(|field| &field.ty));
        let names = record.fields.iter().map(|field| field.name.replace('-', "_"));
        names.zip(places.iter().map(|(at, _)| at.size_wasm32())).collect()
    }

    /// Names of the lists and numbers that a function takes, records being taken apart.
    fn flat(&self, name: &str, ty: Type) -> Vec<String> {
        let kind = if let Type::Id(id) = ty { Some(&self.resolve.types[id].kind) } else { None };
        match kind {
            Some(TypeDefKind::Record(record)) => {
                record.fields.iter().flat_map(|field| self.flat(&field.name, field.ty)).collect()
            }
            Some(TypeDefKind::Type(ty)) => self.flat(name, *ty),
            _ => vec![name.to_owned()],
        }
    }

    fn export(&self, world: &str, name: &str) -> &Function {
        let (_, world) = self.resolve.worlds.iter().find(|(_, found)| found.name == world).unwrap();
        let functions = world.exports.values().filter_map(|item| match item {
            WorldItem::Function(function) => Some(function),
            _ => None,
        });
        functions.into_iter().find(|function| function.name == name).unwrap()
    }

    fn check_record(&self, owner: &str, name: &str, space: (usize, usize), fields: &[(&str, usize)]) {
        let (ty, record) = self.find(owner, name);
        assert_eq!(space, self.space(&ty), "{owner}.{name}");
        let expected = self.fields(record);
        let expected: Vec<_> = expected.iter().map(|(name, at)| (name.as_str(), *at)).collect();
        assert_eq!(fields, expected, "{owner}.{name}");
    }

    fn check_enum(&self, owner: &str, name: &str, cases: &[impl Lower + Debug]) {
        let (ty, found) = self.find(owner, name);
        let TypeDefKind::Enum(found) = &found.kind else { panic!("{name} is no enum") };
        let numbered: Vec<_> = cases.iter().map(|case| (Area::of(case).relocate(0), kebab(case))).collect();
        let expected = (0..).zip(&found.cases).map(|(index, case)| (vec![index], case.name.clone()));
        assert_eq!(numbered, expected.collect::<Vec<_>>(), "{name}");
        assert_eq!(self.space(&ty), (1, 1), "{name}");
    }

    /// `cases`: one of each, and its payload's bytes.
    fn check_variant<T: Lower + Debug>(&self, owner: &str, name: &str, cases: &[(T, &[u8])]) {
        let (ty, found) = self.find(owner, name);
        let TypeDefKind::Variant(found) = &found.kind else { panic!("{name} is no variant") };
        assert_eq!((T::SIZE, T::ALIGN), self.space(&ty), "{name}");
        let payload = self.sizes.payload_offset(found.tag(), found.cases.iter().map(|case| case.ty.as_ref()));
        let payload = payload.size_wasm32();
        assert_eq!(cases.len(), found.cases.len(), "{name}");
        for (index, ((case, bytes), expected)) in cases.iter().zip(&found.cases).enumerate() {
            let lowered = Area::of(case).relocate(0);
            assert_eq!((usize::from(lowered[0]), kebab(case)), (index, expected.name.clone()), "{name}");
            let size = expected.ty.map_or(0, |ty| self.space(&ty).0);
            assert_eq!((bytes.len(), &lowered[payload..payload + size]), (size, *bytes), "{name}: {case:?}");
        }
    }
}

/// The case's name as the WIT has it.
fn kebab(case: &impl Debug) -> String {
    let name = format!("{case:?}");
    let mut kebab = String::new();
    for letter in name.chars().take_while(char::is_ascii_alphanumeric) {
        if letter.is_uppercase() && !kebab.is_empty() {
            kebab.push('-');
        }
        kebab.extend(letter.to_lowercase());
    }
    kebab
}

#[test]
fn descriptions_lie_as_the_wit_has_them() {
    let wit = Wit::read();
    macro_rules! check {
        ($($owner:literal, $name:literal: $type:ty;)*) => {
            $(wit.check_record($owner, $name, (<$type>::SIZE, <$type>::ALIGN), <$type>::FIELDS);)*
        };
    }
    check! {
        "columns", "column": Column;
        "preprocessor", "description": PreprocessorDescription;
        "features-types", "input": Input;
        "features-types", "lookup": Lookup;
        "features-types", "aggregate": Aggregate;
        "features-types", "custom-fold": CustomFold;
        "features-types", "description": FeaturesDescription;
        "rules", "wanted": Wanted;
        "rules", "description": RulesDescription;
    }
}

#[test]
fn cases_are_numbered_as_the_wit_has_them() {
    let wit = Wit::read();
    wit.check_enum("columns", "kind", &Kind::ALL);
    wit.check_enum("rules", "origin", &[Origin::Record, Origin::Feature, Origin::Score]);
    let TypeDefKind::Enum(levels) = &wit.find("host", "level").1.kind else { panic!("level is no enum") };
    let levels: Vec<_> = (0..).zip(levels.cases.iter().map(|case| case.name.clone())).collect();
    let ours =
        [Level::Debug, Level::Info, Level::Warn, Level::Error].map(|level| (level as i32, kebab(&level)));
    assert_eq!(levels, ours);
}

#[test]
fn folds_and_windows_lie_as_the_wit_has_them() {
    let wit = Wit::read();
    let (five, two) = (5_u64.to_le_bytes(), [2, 0, 0, 0]);
    wit.check_variant(
        "features-types",
        "fold",
        &[
            (Fold::Count, &[]),
            (Fold::Sum, &[]),
            (Fold::Mean, &[]),
            (Fold::Variance, &[]),
            (Fold::Min, &[]),
            (Fold::Max, &[]),
            (Fold::Latest, &[]),
            (Fold::SinceLatest, &[]),
            (Fold::Distinct, &[]),
            (Fold::Quantile(0.25), &0.25_f64.to_le_bytes()),
            (Fold::DecayedMean(5), &five),
            (Fold::TopK(2), &two),
            (Fold::Custom(2), &two),
        ],
    );
    let hopping = [five, 3_u64.to_le_bytes()].concat();
    wit.check_variant(
        "features-types",
        "window",
        &[
            (Window::Sliding(5), &five),
            (Window::Tumbling(5), &five),
            (Window::Hopping { size: 5, slide: 3 }, &hopping),
            (Window::Session(5), &five),
            (Window::Last(2), &two),
            (Window::Forever, &[]),
        ],
    );
    // Behind the variant lies the one column, of 12 bytes: where, and how many.
    let columns = [[12, 0, 0, 0], [1, 0, 0, 0]].concat();
    let close = Trigger::Close(vec![Column::new("@start", Kind::Time)]);
    wit.check_variant("features-types", "trigger", &[(Trigger::Row, &[]), (close, &columns)]);
    wit.check_record("features-types", "hopping", (16, 8), &[("size", 0), ("slide", 8)]);
}

#[test]
fn batches_and_answers_lie_as_the_wit_has_them() {
    let wit = Wit::read();
    macro_rules! check {
        ($($owner:literal, $name:literal: $type:ident { $($field:ident),+ };)*) => {$(
            let space = (size_of::<wire::$type>(), align_of::<wire::$type>());
            let fields = [$((stringify!($field), offset_of!(wire::$type, $field))),+];
            wit.check_record($owner, $name, space, &fields);
        )*};
    }
    check! {
        "columns", "column": Column { name, kind, nullable };
        "columns", "batch": Batch { rows, spans, data };
        "columns", "rejection": Rejection { row, code, message };
        "preprocessor", "processed": Processed { rows, origin, rejected };
        "features-types", "computed": Computed { matrix, ids, rejected };
        "features-types", "folded": Folded { registers, cells };
        "rules", "decided": Decided { rows, route, rejected };
    }
}

/// Registers, or why there are none: both are a list of bytes.
#[test]
fn what_is_made_of_registers_lies_as_the_wit_has_it() {
    let wit = Wit::read();
    let result = wit.export("custom-features", "migrate").result.expect("it gives something");
    let Type::Id(id) = result else { panic!("it gives no number") };
    let TypeDefKind::Result(sides) = &wit.resolve.types[id].kind else { panic!("it may fail") };
    let place = wit.sizes.payload_offset(Int::U8, [sides.ok.as_ref(), sides.err.as_ref()]).size_wasm32();
    assert_eq!((offset_of!(wire::Migrated, failed), offset_of!(wire::Migrated, bytes)), (0, place));
    assert_eq!((size_of::<wire::Migrated>(), align_of::<wire::Migrated>()), wit.space(&result));
}

/// The parameters of the exports, each list being a pointer and a length.
#[test]
fn exports_take_what_the_wit_has() {
    let wit = Wit::read();
    let batch = ["rows", "spans", "data"].as_slice();
    let settings = ["columns", "rows", "spans", "data"].as_slice();
    let fold = ["custom", "rows", "spans", "data", "tape", "registers"].as_slice();
    for (world, function, expected) in [
        ("preprocessor", "describe", settings),
        ("preprocessor", "process", batch),
        ("features", "describe", settings),
        ("features", "compute", batch),
        ("custom-features", "describe", settings),
        ("custom-features", "compute", batch),
        ("custom-features", "fold", fold),
        ("custom-features", "migrate", ["custom", "version", "count", "registers"].as_slice()),
        ("rules", "describe", settings),
        ("rules", "decide", batch),
    ] {
        let parameters = wit.export(world, function).params.iter();
        let flat: Vec<_> = parameters.flat_map(|parameter| wit.flat(&parameter.name, parameter.ty)).collect();
        assert_eq!(flat, expected, "{world}.{function}");
    }
}
