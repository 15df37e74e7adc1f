//! Plans that serve several releases: what they hold, what they refuse, and how they are written down.

use super::frozen::damages;
use super::rows::{everything, windows};
use super::*;
use crate::bytes::Reader;
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
fn custom_folds_are_the_same_in_all_plans() {
    let plain = with_customs(&[("a", 1, false, 8), ("b", 1, false, 8)]);
    let mut more = plain.clone();
    more.aggregates.insert(0, aggregate(Fold::Sum, Window::Last(9)));
    more.custom_folds.insert(0, CustomFold { name: "unused".to_owned(), ..plain.custom_folds[0].clone() });
    more.aggregates.iter_mut().for_each(|aggregate| {
        if let Fold::Custom(fold) = &mut aggregate.fold {
            *fold += 1;
        }
    });
    let plans = [&plain, &more].map(|description| Plan::new(description).expect("all supported"));
    let all = union(&plans);
    assert_eq!(Plan::read(&mut Reader(&written(&all))), Some(all.clone()));
    for plan in &plans {
        let view = plan.view(&all).expect("it holds this plan");
        for (custom, own) in view.customs.iter().zip(&plan.customs) {
            assert_eq!((custom.fold, custom.cell), (own.fold, own.cell));
        }
        let shown: Vec<_> = view.inputs[0].shown.iter().map(|(_, column)| column.name.as_str()).collect();
        assert_eq!(shown, ["amount", "items", "declined"]);
    }
    for (other, says) in [
        (vec![("a", 1, false, 8)], ["aggregates with custom folds", "2"]),
        (vec![("b", 1, false, 8), ("a", 1, false, 8)], ["fold a", "fold b"]),
        (vec![("a", 1, false, 8), ("b", 2, false, 8)], ["fold b", "version 2"]),
        (vec![("a", 1, false, 8), ("b", 1, true, 8)], ["fold b", "invertible true"]),
        (vec![("a", 1, false, 8), ("b", 1, false, 9)], ["fold b", "9 bytes"]),
    ] {
        refused(&plain, &with_customs(&other), &says);
    }
    for change in [
        |aggregate: &mut Aggregate| aggregate.window = Window::Last(5),
        |aggregate: &mut Aggregate| aggregate.filter = None,
        |aggregate: &mut Aggregate| aggregate.input = 1,
    ] {
        let mut other = plain.clone();
        change(&mut other.aggregates[1]);
        refused(&plain, &other, &["fold b"]);
    }
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
    refused(&plain, &with_customs(&[]), &["aggregates with custom folds", "0"]);
    let whole = Plan::new(&plain).expect("all supported");
    for nullable_float_or_text in [0, 1, 3] {
        let other = Plan::new(&without(nullable_float_or_text)).expect("all supported");
        assert!(whole.view(&union(&[whole.clone(), other])).is_some());
    }
    let mut nullable = plain.clone();
    nullable.inputs[0].columns[2].nullable = true;
    refused(&plain, &nullable, &["input 0", "declined"]);
    // Where no fold runs, it may be so.
    nullable.inputs = plain.inputs.clone();
    nullable.inputs[1].columns[2].nullable = true;
    assert!(union(&[whole, Plan::new(&nullable).unwrap()]).inputs[1].layout.kept[2].nullable);
}
