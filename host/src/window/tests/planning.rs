//! What a plan is made of, and what it refuses.

use super::*;
use crate::contract::CustomFold;
use crate::error::Code;

fn named(name: &str, fold: Fold, window: Window) -> Aggregate {
    Aggregate { name: name.to_owned(), ..aggregate(fold, window) }
}

fn on_close(aggregates: Vec<Aggregate>) -> FeaturesDescription {
    FeaturesDescription { trigger: Trigger::Close(Vec::new()), ..description(aggregates) }
}

fn with_custom(mut description: FeaturesDescription) -> FeaturesDescription {
    description.inputs.iter_mut().for_each(|input| input.kept = vec![0, 1, 2]);
    let cell = Column::nullable("cell", Kind::Int);
    let name = "own".to_owned();
    description.custom_folds =
        vec![CustomFold { name, version: 1, register_bytes: 8, invertible: false, cell }];
    description
}

fn refused(description: &FeaturesDescription, code: Code, says: &[&str]) {
    let error = Plan::new(description).expect_err("refused");
    assert_eq!(error.code, code, "{error}");
    assert!(says.iter().all(|text| error.message.contains(text)), "{error}");
}

#[test]
fn lanes_and_spans_are_shared() {
    let folds = [Fold::Count, Fold::Mean, Fold::Variance, Fold::Sum, Fold::Latest, Fold::SinceLatest];
    let quantiles = [Fold::Quantile(0.5), Fold::Quantile(0.9), Fold::TopK(1), Fold::TopK(2)];
    let windows = [Window::Tumbling(5), Window::Hopping { size: 5, slide: 5 }, Window::Sliding(5)];
    let all = windows.iter().flat_map(|window| folds.iter().chain(&quantiles).map(|fold| (*fold, *window)));
    let plan = Plan::new(&description(all.map(|(fold, window)| aggregate(fold, window)).collect()));
    let plan = plan.expect("all supported");
    assert_eq!(
        plan.spans.iter().map(|span| span.kind).collect::<Vec<_>>(),
        [SpanKind::Hopping { size: 5, slide: 5 }, SpanKind::Sliding(5)]
    );
    // Count, sum, squares, latest, quantiles, frequencies.
    assert_eq!(plan.lanes.len(), 2 * 6);
    assert_eq!(plan.cells.len(), 3 * 10);
}

#[test]
fn only_windows_that_end_keep_entries() {
    let labels = Aggregate { input: 1, ..aggregate(Fold::Count, Window::Last(2)) };
    let plan = Plan::new(&description(vec![aggregate(Fold::Count, Window::Forever), labels]));
    let plan = plan.expect("all supported");
    assert_eq!([plan.keeps_entries(0), plan.keeps_entries(1)], [false, true]);
}

#[test]
fn texts_are_only_counted() {
    for fold in [Fold::Sum, Fold::Min, Fold::Latest, Fold::TopK(3)] {
        let text = Aggregate { column: Some(3), ..aggregate(fold, Window::Forever) };
        refused(&description(vec![text]), Code::NotYet, &["aggregate x: ", fold.name(), "text"]);
    }
    let own = Aggregate { column: None, ..aggregate(Fold::Custom(0), Window::Forever) };
    let mut description = with_custom(description(vec![own]));
    description.inputs[0].kept.push(3);
    Plan::new(&description).expect("folds don't see the text");
    description.inputs[0].columns[3].kind = Kind::Floats;
    refused(&description, Code::NotYet, &["column city", "floats"]);
}

#[test]
fn limits() {
    let mut many = with_custom(description(vec![aggregate(Fold::Custom(0), Window::Forever); 16]));
    Plan::new(&many).expect("as many as there may be");
    many.aggregates.push(aggregate(Fold::Custom(0), Window::Forever));
    refused(&many, Code::NotYet, &["17 aggregates with custom folds; 16 is the limit"]);
    many.inputs[1].columns = vec![Column::new("c", Kind::Int); 65];
    many.inputs[1].kept = (0..65).collect();
    refused(&many, Code::NotYet, &["keeping 65 columns; 64 is the limit"]);
}

#[test]
fn one_window_on_close() {
    let session = named("s", Fold::Sum, Window::Session(5));
    let labels = Aggregate { input: 1, ..named("l", Fold::Distinct, Window::Session(5)) };
    let plan = Plan::new(&on_close(vec![session.clone(), labels])).expect("one window");
    assert_eq!(plan.closing, Some(SpanKind::Session(5)));
    let row = Plan::new(&description(vec![session.clone()])).expect("a window");
    assert_eq!(row.closing, None);

    let others = [Window::Session(6), Window::Session(5), Window::Tumbling(5)];
    let others = others.map(|window| named(&format!("of-{}", window.name()), Fold::Count, window));
    let all = [vec![session], others.to_vec()].concat();
    refused(&on_close(all), Code::Mismatch, &["one window", "of s: of-session, of-tumbling"]);
    for window in [Window::Sliding(5), Window::Last(5), Window::Forever] {
        let never = on_close(vec![named("n", Fold::Count, window)]);
        refused(&never, Code::Mismatch, &["aggregate n", window.name(), "never closes"]);
    }
    refused(&on_close(Vec::new()), Code::Mismatch, &["needs an aggregate"]);
}

#[test]
fn not_on_close() {
    for fold in [Fold::Latest, Fold::SinceLatest] {
        let latest = on_close(vec![named("n", fold, Window::Tumbling(5))]);
        refused(&latest, Code::Mismatch, &["aggregate n: ", fold.name()]);
    }
    for window in [Window::Hopping { size: 6, slide: 2 }, Window::Tumbling(6), Window::Session(6)] {
        let own = with_custom(on_close(vec![named("n", Fold::Custom(0), window)]));
        refused(&own, Code::NotYet, &["aggregate n: ", "custom on close"]);
    }
}

#[test]
fn fingerprints_tell_plans_apart() {
    let windows = [Window::Sliding(5), Window::Tumbling(8), Window::Session(3), Window::Last(4)];
    let own = Aggregate { column: None, ..aggregate(Fold::Custom(0), Window::Forever) };
    let mut base = with_custom(description(vec![own]));
    base.aggregates.extend(windows.map(|window| aggregate(Fold::DecayedMean(7), window)));
    base.aggregates.push(Aggregate { filter: Some(2), ..aggregate(Fold::Quantile(0.5), windows[0]) });
    let of = |change: &dyn Fn(&mut FeaturesDescription)| {
        let mut changed = base.clone();
        change(&mut changed);
        Plan::new(&changed).expect("all supported").fingerprint()
    };
    let plain = of(&|_| ());
    assert_eq!(plain, 13_683_810_086_285_583_105, "it never changes");
    let changes: [&dyn Fn(&mut FeaturesDescription); 19] = [
        &|it| it.inputs[0].columns[0].name = "price".to_owned(),
        &|it| it.inputs[0].columns[0].kind = Kind::Single,
        &|it| it.inputs[0].columns[1].nullable = false,
        &|it| it.inputs[0].kept = vec![0, 1, 2, 3],
        &|it| it.inputs[0].kept = vec![1, 0, 2],
        &|it| drop(it.inputs.pop()),
        &|it| it.aggregates[1].window = Window::Sliding(6),
        &|it| it.aggregates[2].window = Window::Hopping { size: 8, slide: 4 },
        &|it| it.aggregates[3].window = Window::Sliding(3),
        &|it| it.aggregates[1].input = 1,
        &|it| it.aggregates[1].fold = Fold::DecayedMean(8),
        &|it| it.aggregates[1].fold = Fold::Min,
        &|it| it.aggregates[5].filter = None,
        &|it| it.aggregates[5].column = Some(1),
        &|it| drop(it.aggregates.pop()),
        &|it| it.custom_folds[0].name = "other".to_owned(),
        &|it| it.custom_folds[0].version = 2,
        &|it| it.custom_folds[0].register_bytes = 9,
        &|it| it.custom_folds[0].invertible = true,
    ];
    let mut all: Vec<u64> = changes.iter().map(|change| of(change)).collect();
    all.push(plain);
    all.sort_unstable();
    all.dedup();
    assert_eq!(all.len(), changes.len() + 1);
    // What is read from a state, and under which name, is no matter of the state.
    assert_eq!(plain, of(&|it| it.aggregates[5].fold = Fold::Quantile(0.9)));
    assert_eq!(plain, of(&|it| it.aggregates[5].name = "other".to_owned()));
    let closing = |it: &mut FeaturesDescription| {
        it.aggregates = vec![aggregate(Fold::Count, Window::Session(3))];
        it.trigger = Trigger::Row;
    };
    assert_ne!(of(&closing), of(&|it| (closing(it), it.trigger = Trigger::Close(Vec::new())).1));
}
