//! What becomes of windows.

use super::*;
use crate::pipeline::succession::windows::of_stages;

/// The first stage's windows, with other aggregates.
fn of(aggregates: Vec<contract::Aggregate>) -> StageWindows {
    let mut new = Parts::good();
    new.card.aggregates = aggregates;
    changes(&new).windows.remove(0)
}

fn names_and_fates(stage: &StageWindows) -> Vec<(&str, Fate)> {
    stage.aggregates.iter().map(|one| (one.name.as_str(), one.fate)).collect()
}

fn with(more: contract::Aggregate) -> StageWindows {
    of([Parts::good().card.aggregates, vec![more]].concat())
}

#[test]
fn other_cells_of_the_same_values_are_kept() {
    let named = of(vec![
        aggregate("n7", Fold::Count, Window::Sliding(7 * DAY)),
        aggregate("average", Fold::Mean, Window::Sliding(7 * DAY)),
    ]);
    assert_eq!(named.windows, Windows::Kept);
    assert_eq!(names_and_fates(&named), [("average", Fate::Kept), ("mean7", Fate::Gone)]);
}

#[test]
fn a_shorter_window_is_made_of_what_is_kept() {
    let stage = with(aggregate("sum1", Fold::Sum, Window::Sliding(DAY)));
    assert_eq!(stage.windows, Windows::Rebuilt);
    assert_eq!(names_and_fates(&stage), [("sum1", Fate::Rebuilt)]);
    assert_eq!(stage.aggregates[0].to.as_deref(), Some("sum of amount, sliding 1d"));
    let mut filtered = aggregate("nights", Fold::Count, Window::Tumbling(DAY));
    filtered.filter = Some(1);
    let stage = with(filtered);
    assert_eq!(stage.windows, Windows::Rebuilt);
    assert_eq!(stage.aggregates[0].to.as_deref(), Some("count where night, tumbling 1d"));
}

#[test]
fn what_goes_further_back_than_entries_begins() {
    for (window, after) in [
        (Window::Sliding(30 * DAY), Some(30 * DAY)),
        (Window::Hopping { size: 8 * DAY, slide: DAY }, Some(8 * DAY)),
        (Window::Last(3), None),
        (Window::Session(1000), None),
        (Window::Forever, None),
    ] {
        let stage = with(aggregate("new", Fold::Count, window));
        assert_eq!(stage.windows, Windows::Partial);
        assert_eq!(names_and_fates(&stage), [("new", Fate::Begins(after))]);
    }
}

/// Entries have no column that was not kept; where one is gone, nothing is missing.
#[test]
fn columns_that_entries_have_not() {
    let mut more = Parts::good();
    let browser = column("browser", Kind::Int);
    more.preprocessor.output.push(browser.clone());
    more.card.inputs[0].columns.push(browser);
    more.card.inputs[0].kept.push(2);
    let mut unused = more.clone();
    more.card.aggregates.push(contract::Aggregate {
        column: Some(2),
        ..aggregate("browsers", Fold::Distinct, Window::Sliding(DAY))
    });
    let stage = changes(&more).windows.remove(0);
    assert_eq!(
        (stage.windows, names_and_fates(&stage)),
        (Windows::Partial, vec![("browsers", Fate::Begins(Some(DAY)))])
    );

    let all = changes(&unused);
    assert_eq!((all.windows[0].windows, all.windows[0].aggregates.len()), (Windows::Rebuilt, 0));
    assert!(!all.is_empty());

    unused.card.inputs[0].kept.truncate(1);
    assert_eq!(changes(&unused).windows[0].windows, Windows::Rebuilt);
}

/// Two sources of equal columns, which another stage takes too, and whose numbers in the plugin are exchanged.
#[test]
fn windows_are_of_their_sources() {
    const LABELS: &str = "[[source]]\n    name = \"labels\"\n    topic = \"tx.labels\"\n    event_time = \"at\"\n    \
        columns = { card = \"text\", shop = \"text\", at = \"time\", fraud = \"boolean\" }\n";
    let with = |names: [&str; 2]| {
        let labels = format!("{LABELS}    partitioned_by = [\"card\"]\n");
        let both = format!("{labels}    {}", labels.replace("labels", "returns"));
        let mut parts = Parts::good().with(LABELS, &both).with("key = \"shop\"", "key = \"card\"");
        let input = |name| input(name, &[column("fraud", Kind::Boolean)], 1);
        parts.card.inputs.extend(["labels", "returns"].map(input));
        parts.shop.inputs.truncate(1);
        parts.shop.inputs.extend(names.map(input));
        let count = aggregate("n", Fold::Count, Window::Sliding(DAY));
        parts.shop.aggregates = vec![contract::Aggregate { input: 1, ..count }];
        parts.pipeline()
    };
    let [old, new] = [["labels", "returns"], ["returns", "labels"]].map(with);
    assert_eq!(old.features[1].plan.fingerprint(), new.features[1].plan.fingerprint());
    assert_eq!(succession(&old, &new).unwrap_err().code, Code::NoSuccession);
    let windows = of_stages(&old, &new);
    assert_eq!(windows[1].windows, Windows::Partial);
    let changes = Changes { windows, ..Changes::default() };
    let declared = "count, sliding 1d, from labels -> count, sliding 1d, from returns: whole after 1d";
    assert!(changes.to_string().ends_with(declared), "{changes}");
    assert_eq!(succession(&old, &old).unwrap().windows[1].windows, Windows::Kept);
}

#[test]
fn windows_that_close_keep_no_entries() {
    let closing = |window, more: Option<contract::Aggregate>| {
        let mut parts =
            Parts::good().with("[[features]]\n    plugin = \"shop.wasm\"\n    key = \"shop\"\n", "");
        parts.file = parts.file.replace("[[source]]\n    name", "[[nothing]]\n    name");
        let (before, rest) = parts.file.split_once("[[nothing]]").unwrap();
        let (_, rest) = rest.split_once("[preprocess]").unwrap();
        parts.file = format!("{before}[preprocess]{rest}");
        parts.card.trigger = Trigger::Close(Vec::new());
        parts.card.aggregates = vec![aggregate("n", Fold::Count, window)];
        parts.card.aggregates.extend(more);
        parts.rules.input.clear();
        parts.pipeline()
    };
    let old = closing(Window::Tumbling(DAY), None);
    let with = closing(Window::Tumbling(DAY), Some(aggregate("sum", Fold::Sum, Window::Tumbling(DAY))));
    let stage = of_stages(&old, &with).remove(0);
    assert_eq!(stage.windows, Windows::Partial);
    assert_eq!(names_and_fates(&stage), [("sum", Fate::Begins(Some(DAY)))]);
    assert_eq!(succession(&old, &with).unwrap_err().code, Code::NoSuccession);
    assert_eq!(of_stages(&with, &old)[0].windows, Windows::Rebuilt);
    let longer = of_stages(&old, &closing(Window::Tumbling(2 * DAY), None));
    assert_eq!(longer[0].windows, Windows::Lost);
    let longer = Changes { windows: longer, ..Changes::default() };
    let expected = "\
windows card  all begin anew
              ~ n  count, tumbling 1d -> count, tumbling 2d: whole after 2d";
    assert_eq!(longer.to_string(), expected);
}

#[test]
fn folds_of_plugins_are_told_by_name_and_version() {
    let custom = |version| {
        let mut parts = Parts::good();
        parts.card.custom_folds = vec![CustomFold {
            name: "burst".to_owned(),
            version,
            register_bytes: 8,
            invertible: true,
            cell: column("cell", Kind::Float),
        }];
        parts.card.aggregates.push(aggregate("burst", Fold::Custom(0), Window::Sliding(DAY)));
        parts.card.aggregates.push(aggregate("ever", Fold::Custom(0), Window::Forever));
        parts
    };
    let [first, second] = [1, 2].map(|version| custom(version).pipeline());
    let between = |old: &Pipeline, new: &Pipeline| of_stages(old, new).remove(0);
    assert_eq!(between(&first, &first).windows, Windows::Kept);
    let newer = succession(&first, &second).expect("the version is higher");
    assert_eq!(newer.windows[0].windows, Windows::Rebuilt);
    assert_eq!(names_and_fates(&newer.windows[0]), [("burst", Fate::Rebuilt), ("ever", Fate::Migrated)]);
    let page = newer.to_string();
    assert!(
        page.contains("~ ever   burst (version 1), forever -> burst (version 2), forever: migrated"),
        "{page}"
    );
    let mut seen = custom(1);
    seen.card.inputs[0].kept.truncate(1);
    // It saw a column that is there no more.
    assert_eq!(names_and_fates(&between(&first, &seen.pipeline())), []);
}

#[test]
fn versions_of_folds_over_all_time_do_not_fall() {
    let of = |version, window| {
        let mut parts = Parts::good();
        let (name, cell) = ("burst".to_owned(), column("cell", Kind::Float));
        parts.card.custom_folds =
            vec![CustomFold { name, version, register_bytes: 8, invertible: true, cell }];
        parts.card.aggregates.push(aggregate("ever", Fold::Custom(0), window));
        parts.pipeline()
    };
    let [first, second] = [1, 2].map(|version| of(version, Window::Forever));
    let refused = succession(&second, &first).unwrap_err();
    assert_eq!(refused.code, Code::NoSuccession);
    for text in ["features card: windows: custom fold burst", "version 2 -> 1"] {
        assert!(refused.message.contains(text), "{}", refused.message);
    }
    assert!(succession_beside(&second, Some(&first), &first).is_ok(), "its windows are kept still");
    let [first, second] = [1, 2].map(|version| of(version, Window::Sliding(DAY)));
    let back = succession(&second, &first).expect("entries are kept");
    assert_eq!(names_and_fates(&back.windows[0]), [("ever", Fate::Rebuilt)]);
}

#[test]
fn how_far_back_entries_go() {
    use super::super::windows::covers;
    use crate::window::SpanKind::{Hopping, Sliding};
    let hopping = |size, slide| Hopping { size, slide };
    for (kept, wanted, enough) in [
        (hopping(10, 2), Sliding(9), true),
        (hopping(10, 2), Sliding(10), false),
        (hopping(10, 10), Sliding(2), false),
        (hopping(10, 2), hopping(10, 4), true),
        (hopping(10, 2), hopping(10, 5), false),
        (hopping(10, 2), hopping(9, 5), true),
        (Sliding(10), hopping(10, 10), true),
        (Sliding(10), hopping(11, 1), false),
    ] {
        assert_eq!(covers(kept, wanted), enough, "{kept}: {wanted}");
        // The law itself: no row sees an entry longer than it is kept.
        let sees = |kind: crate::window::SpanKind, time| kind.last_seen(time).unwrap();
        let holds = (0..200).all(|time| sees(wanted, time) <= sees(kept, time));
        assert!(holds || !enough, "{kept}: {wanted}");
    }
}
