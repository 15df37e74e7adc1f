//! Plans that serve several releases: what they hold, what they refuse, and how they are written down.

use super::frozen::damages;
use super::rows::{everything, windows};
use super::*;
use crate::bytes::{Reader, Write};
use crate::columns::position;
use crate::contract::CustomFold;
use crate::error::Code;

/// Some of the aggregates over some windows, the columns of each input kept in any order, `least` of them at least.
pub fn descriptions(windows: Vec<Window>, least: usize) -> impl Strategy<Value = FeaturesDescription> {
    let all = everything(&windows);
    let count = all.len();
    let some = prop::sample::subsequence(all, 1..=count.min(30));
    let order = || (Just(vec![0, 1, 2, 3]).prop_shuffle(), least..=4usize);
    (some, order(), order()).prop_map(|(aggregates, first, second)| {
        let kept = [first, second].map(|(mut order, count)| {
            order.truncate(count);
            order
        });
        keeping(aggregates, kept)
    })
}

/// The aggregates that can be made of columns kept in that order.
pub fn keeping(aggregates: Vec<Aggregate>, kept: [Vec<u32>; 2]) -> FeaturesDescription {
    let aggregates = aggregates.into_iter().filter_map(|aggregate| {
        let place = |column: Option<u32>| match column {
            None => Some(None),
            Some(column) => {
                let kept = &kept[aggregate.input as usize];
                kept.iter().position(|own| *own == column).map(|place| Some(place as u32))
            }
        };
        Some(Aggregate {
            column: place(aggregate.column)?,
            filter: place(aggregate.filter)?,
            ..aggregate.clone()
        })
    });
    let mut description = description(aggregates.collect());
    description.inputs.iter_mut().zip(kept).for_each(|(input, kept)| input.kept = kept);
    description
}

fn plans() -> impl Strategy<Value = Plan> {
    let some = windows().prop_flat_map(|windows| descriptions(windows, 1));
    some.prop_map(|description| Plan::new(&description).expect("all supported"))
}

fn union(plans: &[Plan]) -> Plan {
    Plan::union(&plans.iter().collect::<Vec<_>>()).expect("they fit together")
}

fn written(plan: &Plan) -> Vec<u8> {
    let mut bytes = Vec::new();
    plan.write(&mut bytes);
    bytes
}

proptest! {
    #[test]
    fn a_union_depends_on_its_plans_alone(
        plans in prop::collection::vec(plans(), 1..4), again in any::<prop::sample::Index>(), turn in 0usize..4,
    ) {
        let all = union(&plans);
        let mut others = plans.clone();
        others.push(again.get(&plans).clone());
        let turn = turn % others.len();
        others.rotate_left(turn);
        prop_assert_eq!(&union(&others), &all);
        others.push(all.clone());
        others.reverse();
        prop_assert_eq!(&union(&others), &all);
    }

    #[test]
    fn each_plan_has_a_view(plans in prop::collection::vec(plans(), 1..4)) {
        let all = union(&plans);
        for plan in &plans {
            for kept_by in [&all, &all.clone().loosened(), &union(std::slice::from_ref(plan))] {
                let view = plan.view(kept_by).expect("it holds this plan");
                prop_assert_eq!(view.fingerprint(), kept_by.fingerprint());
                prop_assert_eq!(&view.columns, &plan.columns);
                for (view, own) in view.inputs.iter().zip(&plan.inputs) {
                    let own = &own.layout.kept;
                    for (column, from) in view.layout.kept.iter().zip(&view.kept_from) {
                        prop_assert_eq!(*from, position(own, &column.name));
                    }
                }
                prop_assert_eq!(view.view(kept_by), Some(view));
            }
        }
        for input in 0..2 {
            let keeps = |plan: &Plan| plan.keeps_entries(input);
            prop_assert_eq!(keeps(&all), plans.iter().any(keeps));
        }
    }

    #[test]
    fn what_was_written_is_read(plans in prop::collection::vec(plans(), 1..4)) {
        let all = union(&plans);
        for plan in [&all, &all.clone().loosened()] {
            let bytes = written(plan);
            let mut reader = Reader(&bytes);
            prop_assert_eq!(Plan::read(&mut reader), Some(plan.clone()));
            prop_assert_eq!(reader.end(), Some(()));
        }
        let read = Plan::read(&mut Reader(&written(&plans[0]))).expect("any plan is written");
        prop_assert_eq!(read.fingerprint(), plans[0].fingerprint());
    }

    #[test]
    fn damaged_plans_do_no_harm(
        plan in plans(), arrivals in arrivals(-7..8, 20, 20), damages in prop::collection::vec(damages(), 20),
    ) {
        let frozen = written(&union(&[plan]));
        for damages in damages {
            let mut damaged = frozen.clone();
            damages.iter().for_each(|damage| damage.apply(&mut damaged));
            let Some(plan) = Plan::read(&mut Reader(&damaged)) else { continue };
            prop_assert_eq!(Plan::read(&mut Reader(&written(&plan))), Some(plan.clone()));
            use_of(&plan, &arrivals);
        }
    }

    #[test]
    fn any_bytes_are_none_or_a_plan(any: Vec<u8>) {
        let mut bytes = vec![1];
        bytes.extend(any);
        if let Some(plan) = Plan::read(&mut Reader(&bytes)) {
            use_of(&plan, &[]);
        }
    }
}

/// One input with an int and a boolean, one span, one lane; each part can be put in another way.
#[test]
fn plans_that_break_a_law_are_not_read() {
    let text = |text: &str| [&[text.len() as u8], text.as_bytes()].concat();
    let column = |name: &str, kind: &str| [text(name), text(kind), vec![0]].concat();
    let inputs = [vec![1, 0, 2], column("items", "int"), column("declined", "boolean")].concat();
    let span = |tag: u8, numbers: &[u64]| {
        let mut span = vec![1, 0, tag];
        numbers.iter().for_each(|number| span.number(*number));
        span
    };
    let lane = |places: [u8; 3], kind: &str| [vec![1], places.to_vec(), text(kind)].concat();
    let custom = |filter: u8, bytes: u64| {
        let mut custom = [vec![1], text("own"), vec![7, 0, filter, 1]].concat();
        custom.number(bytes);
        custom
    };
    let (sliding, sum, none) = (span(0, &[5]), lane([0, 1, 2], "int sum"), vec![0]);
    let reads = |parts: [&[u8]; 5]| Plan::read(&mut Reader(&[&[1], &parts.concat()[..]].concat())).is_some();
    let fine = [&inputs[..], &sliding, &sum, &none, &none];
    let with = |part: usize, bytes: &[u8]| {
        let mut parts = fine;
        parts[part] = bytes;
        reads(parts)
    };
    assert!(reads(fine) && Plan::read(&mut Reader(&[&[2], &fine.concat()[..]].concat())).is_none());
    let twice = [vec![1, 0, 2], column("items", "int"), column("items", "boolean")].concat();
    let list = [vec![1, 0, 2], column("items", "floats"), column("declined", "boolean")].concat();
    assert!(!with(0, &[0]) && !with(0, &twice) && !with(0, &list));
    for good in [span(1, &[6, 2]), span(1, &[6, 6]), span(2, &[1 << 53]), span(3, &[1]), span(4, &[])] {
        assert!(with(1, &good), "{good:?}");
    }
    for bad in [
        span(0, &[0]),
        span(0, &[(1 << 53) + 1]),
        span(1, &[6, 0]),
        span(1, &[6, 7]),
        span(3, &[1 << 32]),
        span(5, &[]),
        vec![1, 1, 4],
        vec![2, 0, 4, 0, 4],
    ] {
        assert!(!with(1, &bad), "{bad:?}");
    }
    let decayed = |half_life: u8| [lane([0, 1, 0], "decayed mean"), vec![half_life]].concat();
    for good in [lane([0, 0, 0], "count"), lane([0, 0, 2], "latest"), lane([0, 2, 0], "distinct"), decayed(1)]
    {
        assert!(with(2, &good), "{good:?}");
    }
    for bad in [
        lane([1, 1, 2], "int sum"),
        lane([0, 3, 0], "int sum"),
        lane([0, 1, 1], "int sum"),
        lane([0, 1, 3], "int sum"),
        lane([0, 0, 0], "int sum"),
        lane([0, 1, 0], "product"),
        decayed(0),
        [vec![2], [0, 0, 0].to_vec(), text("count"), [0, 0, 0].to_vec(), text("count")].concat(),
    ] {
        assert!(!with(2, &bad), "{bad:?}");
    }
    assert!(with(3, &custom(2, 65_536)));
    for bad in
        [custom(1, 8), custom(2, 0), custom(2, 65_537), [vec![17], custom(0, 8)[1..].repeat(17)].concat()]
    {
        assert!(!with(3, &bad), "{bad:?}");
    }
    let closing = |kind: &[u8]| [&[1], kind].concat();
    assert!(reads([&inputs, &span(2, &[5]), &sum, &none, &closing(&[2, 5])]));
    assert!(!reads([&inputs, &span(2, &[5]), &sum, &none, &closing(&[2, 6])]));
    assert!(!reads([&inputs, &span(2, &[5]), &sum, &custom(2, 8), &closing(&[2, 5])]));
    assert!(!reads([&inputs, &span(2, &[5]), &lane([0, 1, 0], "latest"), &none, &closing(&[2, 5])]));
    assert!(!with(4, &closing(&[0, 5])), "a sliding window never closes");
}

/// Everything that is done with a plan can be done with this one.
fn use_of(plan: &Plan, arrivals: &[Arrival]) {
    let unioned = union(std::slice::from_ref(plan));
    assert!(plan.view(&unioned).is_some());
    if plan.closing.is_some() {
        Closing::new(plan).describe(plan);
        return;
    }
    let (mut history, mut scripts) = (History::new(plan), Scripts::new(plan));
    let mut builder = crate::columns::Builder::new(plan.columns.as_slice().into());
    let mut scratch = Scratch::default();
    for arrival in arrivals {
        let input = arrival.event.input.min(plan.inputs.len() - 1);
        let layout = &plan.inputs[input].layout;
        let mut words = vec![u64::MAX; layout.stride];
        words[0] = arrival.event.time.cast_unsigned();
        match input {
            0 => history.admit(plan, &mut scratch, &mut words, &mut Cells(&mut builder), &mut scripts),
            input => history.update(plan, input, &mut words, &mut scripts),
        }
        history.forget(plan, arrival.event.time - 9);
    }
    history.describe(plan);
    history.convert(plan, &unioned).expect("the same windows");
}

fn with_customs(customs: &[(&str, u32, bool, u32)]) -> FeaturesDescription {
    let own = (0..).zip(customs).map(|(fold, _)| Aggregate {
        column: None,
        filter: Some(2),
        ..aggregate(Fold::Custom(fold), Window::Last(4))
    });
    let mut description = description(own.collect());
    let cell = Column::nullable("cell", Kind::Int);
    let folds = customs.iter().map(|(name, version, invertible, register_bytes)| CustomFold {
        name: (*name).to_owned(),
        version: *version,
        invertible: *invertible,
        register_bytes: *register_bytes,
        cell: cell.clone(),
    });
    description.custom_folds = folds.collect();
    description
}

fn refused(one: &FeaturesDescription, other: &FeaturesDescription, says: &[&str]) {
    let plans = [one, other].map(|description| Plan::new(description).expect("all supported"));
    for plans in [[&plans[0], &plans[1]], [&plans[1], &plans[0]]] {
        let error = Plan::union(&plans).expect_err("refused");
        assert_eq!(error.code, Code::NotYet);
        assert!(says.iter().all(|text| error.message.contains(text)), "{error}");
    }
}

#[test]
fn what_can_not_be_kept_together_is_named() {
    let plain = description(vec![aggregate(Fold::Sum, Window::Last(4))]);
    let with = |change: &dyn Fn(&mut FeaturesDescription)| {
        let mut changed = plain.clone();
        change(&mut changed);
        changed
    };
    refused(&plain, &with(&|it| drop(it.inputs.pop())), &["inputs"]);
    refused(
        &plain,
        &with(&|it| it.inputs[1].source = "refunds".to_owned()),
        &["input 1", "labels", "refunds"],
    );
    let text = with(&|it| it.inputs[1].columns[1].kind = Kind::Text);
    refused(&plain, &text, &["items of input 1", "int", "text"]);
    let many = |from: u32| {
        with(&|it| {
            it.inputs[1].columns =
                (from..from + 40).map(|n| Column::new(format!("c{n}"), Kind::Int)).collect();
            it.inputs[1].kept = (0..40).collect();
        })
    };
    Plan::union(&[&Plan::new(&many(0)).unwrap(), &Plan::new(&many(24)).unwrap()]).expect("64 columns");
    refused(&many(0), &many(25), &["input 1", "65 columns", "64"]);
    assert_eq!(Plan::union(&[]).expect_err("refused").code, Code::Internal);
}

#[test]
fn windows_that_close_stay_as_they_are() {
    let on_close = |aggregates: Vec<Aggregate>| FeaturesDescription {
        trigger: Trigger::Close(Vec::new()),
        ..description(aggregates)
    };
    let of = |folds: &[Fold], window| on_close(folds.iter().map(|fold| aggregate(*fold, window)).collect());
    let plain = of(&[Fold::Sum, Fold::Count, Fold::Quantile(0.5)], Window::Session(5));
    let turned = of(&[Fold::Quantile(0.9), Fold::Count, Fold::Sum], Window::Session(5));
    let plans = [&plain, &turned].map(|description| Plan::new(description).expect("all supported"));
    let all = union(&plans);
    assert_eq!(all, union(&plans[..1]));
    assert_eq!(Plan::read(&mut Reader(&written(&all))), Some(all.clone()));
    assert!(plans.iter().all(|plan| plan.view(&all).is_some_and(|view| view.closing == plan.closing)));
    assert!(History::new(&all).convert(&all, &all).is_none(), "there are no histories");
    refused(&plain, &of(&[Fold::Sum], Window::Session(5)), &["close"]);
    refused(&plain, &of(&[Fold::Sum], Window::Session(6)), &["close", "session 5 ms", "session 6 ms"]);
    let rows = FeaturesDescription { trigger: Trigger::Row, ..plain.clone() };
    refused(&plain, &rows, &["close", "none"]);
}

#[test]
fn custom_folds_go_by_name_and_version() {
    let plain = with_customs(&[("a", 1, false, 8), ("b", 1, false, 8)]);
    let mut more = plain.clone();
    more.aggregates.insert(0, aggregate(Fold::Sum, Window::Last(9)));
    more.custom_folds.insert(0, CustomFold { name: "unused".to_owned(), ..plain.custom_folds[0].clone() });
    more.aggregates.iter_mut().for_each(|aggregate| {
        if let Fold::Custom(fold) = &mut aggregate.fold {
            *fold += 1;
        }
    });
    let twice = with_customs(&[("a", 1, false, 8), ("b", 1, false, 8), ("b", 1, false, 8)]);
    let plans = [&plain, &more, &twice].map(|description| Plan::new(description).expect("all supported"));
    let all = union(&plans);
    assert_eq!(all.customs.len(), 2);
    assert_eq!(Plan::read(&mut Reader(&written(&all))), Some(all.clone()));
    for (plan, cells, fold) in [(&plans[0], [vec![0], vec![1]], 0), (&plans[1], [vec![1], vec![2]], 1)] {
        let view = plan.view(&all).expect("it holds this plan");
        for ((custom, cells), own) in view.customs.iter().zip(cells).zip(&plan.customs) {
            assert_eq!(custom.cells, cells);
            assert_eq!(custom.runs.as_ref().map(|runs| runs.fold), own.runs.as_ref().map(|runs| runs.fold));
        }
        assert_eq!(view.customs[0].runs.as_ref().map(|runs| runs.fold), Some(fold));
        let shown: Vec<_> = view.customs[0].shown().iter().map(|(_, column)| column.name.as_str()).collect();
        assert_eq!(shown, ["amount", "items", "declined"]);
    }
    let both = plans[2].view(&all).expect("it holds this plan");
    assert_eq!(both.customs[1].cells, [1, 2], "one fold fills both");
    for (other, says) in [
        (vec![("a", 1, false, 8), ("b", 1, true, 8)], ["fold b", "invertible true", "version 1"]),
        (vec![("a", 1, false, 8), ("b", 1, false, 9)], ["fold b", "9 bytes", "version 1"]),
    ] {
        refused(&plain, &with_customs(&other), &says);
    }
}

/// Each release keeps what only it has, and has no part in the others'.
#[test]
fn custom_folds_of_several_releases_are_kept_beside_each_other() {
    let plain = with_customs(&[("a", 1, false, 8), ("b", 1, false, 8)]);
    let changes: [&dyn Fn(&mut FeaturesDescription); 6] = [
        &|it| it.custom_folds[1].version = 2,
        &|it| it.custom_folds[1].name = "c".to_owned(),
        &|it| it.aggregates[1].window = Window::Last(5),
        &|it| it.aggregates[1].filter = None,
        &|it| it.aggregates[1].input = 1,
        &|it| it.aggregates.truncate(1),
    ];
    let own = Plan::new(&plain).expect("all supported");
    for (index, change) in changes.into_iter().enumerate() {
        let mut other = plain.clone();
        change(&mut other);
        let other = Plan::new(&other).expect("all supported");
        let all = union(&[own.clone(), other.clone()]);
        assert_eq!(all.customs.len(), if index == 5 { 2 } else { 3 });
        for plan in [&own, &other] {
            let view = plan.view(&all).expect("it holds both");
            assert_eq!(view.customs.iter().filter(|custom| custom.is_own()).count(), plan.customs.len());
        }
        assert_eq!(own.view(&all).and_then(|view| view.view(&all)), own.view(&all));
    }
    let many = |from: u32| {
        let names: Vec<String> = (from..from + 10).map(|n| format!("f{n}")).collect();
        let folds: Vec<_> = names.iter().map(|name| (name.as_str(), 1, false, 8)).collect();
        with_customs(&folds)
    };
    union(&[many(0), many(6)].map(|description| Plan::new(&description).unwrap()));
    refused(&many(0), &many(7), &["17 aggregates with custom folds", "16"]);
}

/// Of later versions only what is made of entries can be gone back from.
#[test]
fn what_a_later_version_left_is_of_no_use_to_an_earlier_one() {
    let of = |version, window| {
        let mut description = with_customs(&[("a", version, false, 8)]);
        description.aggregates[0].window = window;
        Plan::new(&description).expect("all supported")
    };
    let [first, second] = [1, 2].map(|version| of(version, Window::Forever));
    assert_eq!(second.falls_behind(&[&first]), None);
    let said = first.falls_behind(&[&second]).expect("it falls behind");
    assert!(["fold a", "version 2 -> 1"].iter().all(|text| said.contains(text)), "{said}");
    assert_eq!(first.falls_behind(&[&second, &first]), None, "it is kept still");
    assert_eq!(first.falls_behind(&[&union(&[second.clone(), first.clone()])]), None);
    assert_eq!(of(1, Window::Last(3)).falls_behind(&[&of(2, Window::Last(3))]), None);
    assert_eq!(first.falls_behind(&[&of(2, Window::Last(3))]), None, "that was no such window");
}

/// A fold can't be shown an entry without a value in a column that always has one.
#[test]
fn a_column_that_custom_folds_see_has_a_value_in_all_entries() {
    let plain = with_customs(&[("a", 1, false, 8)]);
    let without = |column: u32| {
        let mut other = plain.clone();
        other.inputs[0].kept.retain(|own| *own != column);
        other.aggregates[0].filter =
            other.inputs[0].kept.iter().position(|own| *own == 2).map(|at| at as u32);
        other
    };
    let whole = Plan::new(&plain).expect("all supported");
    for nullable_float_or_text in [0, 1, 3] {
        let other = Plan::new(&without(nullable_float_or_text)).expect("all supported");
        assert!(whole.view(&union(&[whole.clone(), other])).is_some());
    }
    let mut nullable = plain.clone();
    nullable.inputs[0].columns[2].nullable = true;
    refused(&plain, &nullable, &["input 0", "fold a", "declined"]);
    // A fold of one release alone goes without the entries of the other.
    nullable.custom_folds[0].version = 2;
    union(&[whole.clone(), Plan::new(&nullable).unwrap()]);
    nullable.custom_folds[0].version = 1;
    // Where no fold runs, it may be so.
    nullable.inputs = plain.inputs.clone();
    nullable.inputs[1].columns[2].nullable = true;
    assert!(union(&[whole, Plan::new(&nullable).unwrap()]).inputs[1].layout.kept[2].nullable);
}
