//! Core modules in WebAssembly text that know their component type, as a compiler makes them.
//!
//! Memory: answers at [`ANSWER`], static data from [`DATA`], from [`HEAP`] on what `cabi_realloc`
//! hands out, until `$reset`.

use wit_parser::Resolve;

use super::layout::{Describes, Memory};
use crate::columns::{Column, Kind};
use crate::contract::{
    Aggregate, CustomFold, FeaturesDescription, Fold, From, Input, Lookup, PreprocessorDescription,
    RulesDescription, Trigger, WINDOW_END, WINDOW_REVISION, WINDOW_START, Wanted, Window,
};

pub(super) const WIT: &str = include_str!("../../../../plugin-sdk/wit/tailwater.wit");

const ANSWER: u32 = 64;
const DATA: u32 = 1024;
/// At least; static data may need more.
const HEAP: u32 = 32 << 10;
const PAGE: u32 = 64 << 10;

/// A plugin to be.
pub(super) struct Guest {
    /// The contract, as the plugin knows it.
    pub(super) wit: String,
    /// Its world, in the first package of `wit`.
    pub(super) world: &'static str,
    pub(super) imports: String,
    pub(super) realloc: &'static str,
    /// Body of `describe`; the empty one answers with the description.
    pub(super) describe: String,
    /// Functions beside `describe`.
    pub(super) functions: String,
    data: Memory,
    described: u32,
}

impl Guest {
    fn new(world: &'static str, description: &(impl Describes + ?Sized), functions: String) -> Self {
        let mut data = Memory::at(DATA);
        let answer = description.lay(&mut data);
        let described = data.put(&answer);
        let (wit, imports, describe) = (WIT.into(), String::new(), String::new());
        Self { wit, world, imports, realloc: REALLOC, describe, functions, data, described }
    }

    /// Gives all rows back as they came.
    pub(super) fn echo() -> Self {
        Self::preprocessor(ECHO)
    }

    /// A preprocessor with this body of `process`.
    pub(super) fn preprocessor(body: &str) -> Self {
        Self::described(&pass(), body)
    }

    /// A preprocessor with this description, or refusal.
    pub(super) fn described(description: &(impl Describes + ?Sized), body: &str) -> Self {
        Self::new("preprocessor", description, batch_function("process", body))
    }

    /// Gives for each row a vector of ones, folds nothing, and takes registers of all versions but 0 as they are.
    pub(super) fn features(world: &'static str, description: &FeaturesDescription) -> Self {
        let mut functions = batch_function("compute", COMPUTE);
        if world == "custom-features" {
            functions += FOLD;
            functions += MIGRATE;
        }
        Self::new(world, description, functions)
    }

    /// Sends all rows, as they came, on way 0.
    pub(super) fn rules(description: &RulesDescription) -> Self {
        Self::new("rules", description, batch_function("decide", DECIDE))
    }

    /// Lets it call `$log` and `$count`; returns where this text lies.
    pub(super) fn with_host(mut self, text: &str) -> (Self, u32) {
        self.imports = HOST.into();
        let position = self.data.put(text.as_bytes());
        (self, position)
    }

    /// Where the answer of `describe` lies.
    pub(super) fn described_at(&self) -> u32 {
        self.described
    }

    pub(super) fn module(&self) -> Vec<u8> {
        let Self { imports, functions, described, realloc, .. } = self;
        let data = self.data.text();
        let heap = self.data.end().max(HEAP);
        let pages = heap.div_ceil(PAGE) + 1;
        let describe =
            if self.describe.is_empty() { format!("(i32.const {described})") } else { self.describe.clone() };
        let text = format!(
            r#"(module {imports}
              (memory (export "memory") {pages})
              (global $heap (mut i32) (i32.const {heap}))
              (data (i32.const {DATA}) "{data}")
              (func $reset (global.set $heap (i32.const {heap})))
              {realloc}
              (func $describe (export "describe") (param i32 i32 i32 i32 i32 i32 i32) (result i32) {describe})
              {functions})"#
        );
        let mut module = wat::parse_str(text).unwrap();
        let mut resolve = Resolve::default();
        let package = resolve.push_str("plugin.wit", &self.wit).unwrap();
        let world = resolve.select_world(&[package], Some(self.world)).unwrap();
        wit_component::embed_component_metadata(&mut module, &resolve, world, Default::default()).unwrap();
        module
    }

    pub(super) fn component(&self) -> Vec<u8> {
        let module = self.module();
        wit_component::ComponentEncoder::default().module(&module).unwrap().encode().unwrap()
    }
}

fn batch_function(name: &str, body: &str) -> String {
    format!(
        r#"(func ${name} (export "{name}")
             (param $rows i32) (param $spans i32) (param $spans_len i32) (param $data i32) (param $data_len i32)
             (result i32) (local $list i32) (local $n i32) {body})"#
    )
}

const HOST: &str = r#"
    (import "tailwater:plugin/host@0.1.0" "log" (func $log (param i32 i32 i32)))
    (import "tailwater:plugin/host@0.1.0" "count" (func $count (param i32 i32 i64)))"#;

/// Takes what is next, growing memory where it must.
const REALLOC: &str = r#"
    (func $realloc (export "cabi_realloc") (param i32 i32) (param $align i32) (param $size i32) (result i32)
      (local $at i32)
      (local.set $at (i32.and (i32.add (global.get $heap) (i32.const 7)) (i32.const -8)))
      (global.set $heap (i32.add (local.get $at) (local.get $size)))
      (loop $grow
        (if (i32.gt_u (global.get $heap) (i32.mul (memory.size) (i32.const 65536)))
          (then
            (if (i32.eq (memory.grow (i32.const 1)) (i32.const -1)) (then unreachable))
            (br $grow))))
      (local.get $at))"#;

/// Lays the batch that came, and room for a list of a number a row, from the given place on.
macro_rules! answer_rows {
    ($at:literal) => {
        concat!(
            "(i32.store (i32.const ",
            $at,
            ") (local.get $rows))",
            "(i32.store offset=4 (i32.const ",
            $at,
            ") (local.get $spans))",
            "(i32.store offset=8 (i32.const ",
            $at,
            ") (local.get $spans_len))",
            "(i32.store offset=12 (i32.const ",
            $at,
            ") (local.get $data))",
            "(i32.store offset=16 (i32.const ",
            $at,
            ") (local.get $data_len))",
            "(local.set $list (call $realloc (i32.const 0) (i32.const 0) (i32.const 4)",
            "  (i32.mul (local.get $rows) (i32.const 4))))",
        )
    };
}

/// Fills the list with what the expression gives for row `$n`.
macro_rules! fill_list {
    ($store:literal, $value:literal) => {
        concat!(
            "(block $done (loop $next",
            "  (br_if $done (i32.ge_u (local.get $n) (local.get $rows)))",
            "  (",
            $store,
            " (i32.add (local.get $list) (i32.mul (local.get $n) (i32.const 4))) ",
            $value,
            ")",
            "  (local.set $n (i32.add (local.get $n) (i32.const 1)))",
            "  (br $next)))",
        )
    };
}

pub(super) const ECHO: &str = concat!(
    answer_rows!("64"),
    fill_list!("i32.store", "(local.get $n)"),
    "(i32.store (i32.const 84) (local.get $list)) (i32.store (i32.const 88) (local.get $rows))",
    "(i64.store (i32.const 92) (i64.const 0)) (call $reset) (i32.const 64)",
);

const COMPUTE: &str = concat!(
    answer_rows!("72"),
    fill_list!("f32.store", "(f32.const 1)"),
    "(i32.store (i32.const 64) (local.get $list)) (i32.store (i32.const 68) (local.get $rows))",
    "(i64.store (i32.const 92) (i64.const 0)) (call $reset) (i32.const 64)",
);

const DECIDE: &str = concat!(
    answer_rows!("64"),
    fill_list!("i32.store", "(i32.const 0)"),
    "(i32.store (i32.const 84) (local.get $list)) (i32.store (i32.const 88) (local.get $rows))",
    "(i64.store (i32.const 92) (i64.const 0)) (call $reset) (i32.const 64)",
);

/// Gives the registers back; the cells are the tape, as a batch of so many rows.
const FOLD: &str = r#"
    (func $fold (export "fold") (param $custom i32)
      (param $rows i32) (param $spans i32) (param $spans_len i32) (param $data i32) (param $data_len i32)
      (param $tape i32) (param $tape_len i32) (param $registers i32) (param $registers_len i32) (result i32)
      (i32.store (i32.const 64) (local.get $registers)) (i32.store (i32.const 68) (local.get $registers_len))
      (i32.store (i32.const 72) (local.get $custom))
      (i32.store (i32.const 76) (local.get $tape)) (i32.store (i32.const 80) (local.get $tape_len))
      (i32.store (i32.const 84) (local.get $data)) (i32.store (i32.const 88) (local.get $data_len))
      (call $reset) (i32.const 64))"#;

const MIGRATE: &str = r#"
    (func $migrate (export "migrate") (param $custom i32) (param $version i32) (param $count i32)
      (param $registers i32) (param $registers_len i32) (result i32)
      (i32.store (i32.const 64) (i32.eqz (local.get $version)))
      (i32.store (i32.const 68) (local.get $registers)) (i32.store (i32.const 72) (local.get $registers_len))
      (call $reset) (i32.const 64))"#;

/// A body that answers with these words at [`ANSWER`].
pub(super) fn answering(words: &[u32]) -> String {
    let stores = words.iter().enumerate();
    let stores: String = stores
        .map(|(n, word)| {
            format!("(i32.store (i32.const {}) (i32.const {}))", ANSWER + 4 * n as u32, *word as i32)
        })
        .collect();
    format!("{stores} (call $reset) (i32.const {ANSWER})")
}

/// Of [`Guest::echo`], for the rows of the tests.
pub(super) fn pass() -> PreprocessorDescription {
    let columns = vec![Column::new("name", Kind::Text), Column::nullable("amount", Kind::Float)];
    PreprocessorDescription { input: columns.clone(), output: columns }
}

/// One of everything that goes with a vector for each row.
pub(super) fn rich_features() -> FeaturesDescription {
    let folds = [
        (Fold::Count, None),
        (Fold::Sum, Some(0)),
        (Fold::Mean, Some(0)),
        (Fold::Variance, Some(0)),
        (Fold::Min, Some(0)),
        (Fold::Max, Some(0)),
        (Fold::Latest, Some(0)),
        (Fold::SinceLatest, None),
        (Fold::Distinct, Some(2)),
        (Fold::Quantile(0.9), Some(0)),
        (Fold::DecayedMean(60_000), Some(0)),
        (Fold::TopK(3), Some(0)),
        (Fold::Custom(0), None),
    ];
    let windows = [
        Window::Sliding(7 << 40),
        Window::Tumbling(2),
        Window::Hopping { size: 10, slide: 3 },
        Window::Session(4),
        Window::Last(5),
        Window::Forever,
    ];
    let aggregate = |(n, (fold, column)): (usize, (Fold, Option<u32>))| Aggregate {
        name: format!("a{n}"),
        input: 0,
        fold,
        column,
        filter: (n % 2 == 1).then_some(1),
        window: windows[n % windows.len()],
    };
    let columns = ["amount", "fraud", "country", "odd"].into_iter();
    let kinds = [Kind::Float, Kind::Boolean, Kind::Text, Kind::Bytes];
    let columns: Vec<_> = columns.zip(kinds).map(|(name, kind)| Column::new(name, kind)).collect();
    let labels =
        Input { source: "labels".into(), updates_only: true, columns: columns.clone(), kept: vec![] };
    let lookup = |table: &str, key: &str| Lookup {
        table: table.into(),
        key: key.into(),
        columns: vec![Column::nullable("name", Kind::Text), Column::nullable("vector", Kind::Floats)],
    };
    let cell = Column::nullable("cell", Kind::Single);
    FeaturesDescription {
        inputs: vec![
            Input { source: String::new(), updates_only: false, columns, kept: vec![0, 1, 2] },
            labels,
        ],
        lookups: vec![lookup("countries", "country"), lookup("countries", "odd"), lookup("oddities", "odd")],
        aggregates: folds.into_iter().enumerate().map(aggregate).collect(),
        custom_folds: vec![CustomFold {
            name: "own".into(),
            version: 3,
            register_bytes: 16,
            invertible: true,
            cell,
        }],
        trigger: Trigger::Row,
        features: vec!["one".into(), "two".into()],
        ids: vec![Column::new("card", Kind::Int), Column::new("at", Kind::Time)],
    }
}

/// The same, with a vector for each window that closes.
pub(super) fn closing_features() -> FeaturesDescription {
    let mut description = rich_features();
    let on_close = |fold| !matches!(fold, Fold::Latest | Fold::SinceLatest | Fold::Custom(_));
    description.aggregates.retain(|aggregate| on_close(aggregate.fold));
    for aggregate in &mut description.aggregates {
        aggregate.window = Window::Hopping { size: 10, slide: 3 };
    }
    description.lookups.truncate(1);
    description.trigger = Trigger::Close(vec![
        Column::new("country", Kind::Text),
        Column::new(WINDOW_START, Kind::Time),
        Column::new(WINDOW_END, Kind::Time),
        Column::new(WINDOW_REVISION, Kind::Int),
    ]);
    description
}

pub(super) fn rich_rules() -> RulesDescription {
    let wanted = |name: &str, kind, from| Wanted { column: Column::new(name, kind), from };
    RulesDescription {
        input: vec![
            wanted("amount", Kind::Float, From::Record),
            wanted("amount", Kind::Single, From::Feature),
            wanted("*", Kind::Floats, From::Feature),
            wanted("score", Kind::Single, From::Score),
        ],
        output: vec![Column::new("name", Kind::Text), Column::nullable("vector", Kind::Floats)],
        routes: vec!["approve".into(), "review".into()],
    }
}
