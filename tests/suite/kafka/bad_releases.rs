//! Bad releases on a real broker: whatever is wrong with files, what runs goes on with each record once, or comes back.

mod drip;
mod signed;
mod stand;

use std::time::Duration;

use tailwater_tests::artifacts::{circling, copy_slowly, marked};
use tailwater_tests::guest;

use stand::{Files, Stand, model};

/// A component that exports nothing; a core module that has nothing.
const COMPONENT: &[u8] = b"\0asm\x0d\0\x01\0";
const MODULE: &[u8] = b"\0asm\x01\0\0\0";

/// Files are looked at twice a second: two looks see the same if nothing changes for so long.
const BETWEEN_LOOKS: Duration = Duration::from_millis(450);

/// Fewer than 16 rows that fail are nothing yet: in two threads, twice.
const DEAD_LETTERS: usize = 60;

/// What is to be said of it, and what is wrong with its files.
type Bad = (&'static [&'static str], fn(&mut Files));

#[test]
fn what_can_not_be_loaded_never_runs() {
    let mut stand = Stand::start("unloadable", false);
    let bad: [Bad; 18] = [
        (&["TW203", "does not export `decide`", "made for the world features"], |files| {
            files.rules.clone_from(&files.features);
        }),
        (&["TW203", "does not export `describe` and `compute`", "exports nothing"], |files| {
            files.features = COMPONENT.to_vec();
        }),
        (&["TW202", "rules.wasm", "is no WebAssembly"], |files| files.rules = b"#!/bin/sh\n".to_vec()),
        (&["TW202", "a core module without a component type"], |files| files.rules = MODULE.to_vec()),
        (&["TW202", "features.wasm"], |files| files.features.truncate(files.features.len() / 2)),
        (&["TW204", "imports `log`", "grants = [\"log\"]"], |files| {
            files.edit("key = \"card\"", "key = \"card\"\ngrants = []");
        }),
        (&["TW205", "refuses its settings"], |files| files.edit("mode", "moods")),
        (&["TW206", "describe has no answer"], |files| files.rules_do("describe-trap")),
        (&["TW303", "takes 3 features, but 2 are named"], |files| files.model = model("short_names")),
        (&["TW303", "wants features that nobody provides"], |files| files.model = model("mlp")),
        (&["TW303", "takes 3 features"], |files| {
            files.model = model("bare");
            files.edit("file = \"model.onnx\"", "file = \"model.onnx\"\nfeatures = [\"a\", \"b\"]");
        }),
        (&["TW301", "model.onnx", "no ONNX model"], |files| files.model = b"{\"not\": \"a model\"}".to_vec()),
        (&["TW307", "TreeEnsembleClassifier", "Is the file whole?"], |files| {
            files.model = circling(&model("trees"));
            let score = "[model.scores.fraud]\noutput = \"probabilities\"\n[rules]";
            files.edit("[rules]", score);
        }),
        (&["TW704", "key: card text -> n int"], |files| files.edit("key = \"card\"", "key = \"n\"")),
        (&["TW704", "order: arrival -> event-time"], |files| {
            files.edit("[kafka]", "order = \"event-time\"\n[kafka]");
        }),
        (&["TW704", "source"], |files| files.edit("-in\"", "-other\"")),
        (&["TW102"], |files| files.edit("[model]", "[model")),
        (&["TW102", "unknown field `mood`"], |files| files.edit("[model]", "[model]\nmood = 1")),
    ];
    for (words, change) in bad {
        stand.refuses(words, change);
    }
    // Half of a file is nothing to be tried; the whole of it is.
    let whole = marked(&std::fs::read(guest("hostile-features")).expect("readable"), "whole");
    stand.change(|_| {});
    let longest = copy_slowly(&stand.path("features.wasm"), &whole, 12, Duration::from_millis(150));
    let said = stand.runs(2);
    let is_refused = said.iter().any(|line| line.contains("what runs goes on"));
    // Where the machine stood still, the half of it may have been looked at twice.
    assert!(!is_refused || longest > BETWEEN_LOOKS, "half of a file is tried");
    let ids = stand.end(&[1, 2], 0);
    assert_ne!(ids[0], ids[1]);
}

#[test]
fn what_fails_with_records_of_just_now_never_runs() {
    let mut stand = Stand::start("untried", true);
    let bad: [Bad; 6] = [
        (&["TW703", "rules", "TW206", "thirteen is too much"], |files| files.rules_do("trap")),
        (&["TW703", "features", "did not end within 20ms"], |files| {
            files.features_do("spin");
            files.edit("time_limit = \"5s\"", "time_limit = \"20ms\"");
        }),
        (&["TW703", "TW208"], |files| {
            files.features_do("allocate");
            files.edit("memory_limit = \"64MiB\"", "memory_limit = \"4MiB\"");
        }),
        (&["TW703", "rules", "TW209"], |files| files.rules_do("rows")),
        (&["TW703", "TW209"], |files| files.features_do("matrix")),
        (&["TW703", "score", "TW306", "score is NaN"], |files| files.model = model("log")),
    ];
    for (words, change) in bad {
        stand.refuses(words, change);
    }
    // Whoever applies it hears the same.
    let said = stand.apply(|files| files.rules_do("count"));
    assert!(said.contains("TW703") && said.contains("TW209"), "{said}");
    let history = stand.history();
    let refused = history.iter().find(|event| event["what"] == "refused").expect("it is told");
    assert_eq!((&refused["code"], &refused["how"]), (&"TW703".into(), &"apply".into()));
    stand.end(&[1], 0);
}

#[test]
fn what_turns_bad_later_goes_back() {
    let mut stand = Stand::start("later", false);
    // Something to compare with: of too little work nothing is said.
    stand.drip.pour(120_000);
    stand.goes_on();
    stand.takes(2, |files| files.features_do("slow"));
    let said = stand.runs(3);
    let is_told =
        |line: &String| line.contains("release 2 is no good: a record takes") && line.contains("release 1");
    assert!(said.iter().any(is_told), "{said:?}");
    stand.goes_on();
    // Bad with records that nobody has seen yet.
    for (number, words, change) in [
        (4, "TW206", (|files| files.rules_do("trap")) as fn(&mut Files)),
        (6, "TW306", |files| files.model = model("log")),
    ] {
        stand.takes(number, change);
        stand.drip.turn(true);
        let said = stand.runs(number + 1);
        assert!(said.iter().any(|line| line.contains("is no good") && line.contains(words)), "{said:?}");
        stand.drip.turn(false);
        stand.goes_on();
    }
    let history = stand.history();
    let back = history.iter().filter(|event| event["how"] == "probation" && event["what"] == "released");
    let numbers: Vec<_> =
        back.map(|event| (event["number"].as_u64(), event["returns_to"].as_u64())).collect();
    assert_eq!(numbers, [(Some(3), Some(1)), (Some(5), Some(3)), (Some(7), Some(5))]);
    let ids = stand.end(&[1, 2, 3, 4, 5, 6, 7], DEAD_LETTERS);
    assert!(ids[0] == ids[2] && ids[0] == ids[4] && ids[0] == ids[6], "{ids:?}");
}

/// Nothing can be taken back then: what was under way comes again, by the release that came back.
#[test]
fn what_spins_goes_back_at_least_once_too() {
    let mut stand = Stand::start_with("spins", false, &[("TAILWATER__DELIVERY", "at-least-once")]);
    stand.takes(2, |files| {
        files.rules_do("spin");
        files.edit("[rules]", "[rules]\n            time_limit = \"20ms\"");
    });
    stand.drip.turn(true);
    let said = stand.runs(3);
    assert!(said.iter().any(|line| line.contains("is no good") && line.contains("time limit")), "{said:?}");
    let is_told = |line: &String| line.contains("TW210 release 2-") && line.contains("come again");
    assert!(said.iter().any(is_told), "{said:?}");
    stand.drip.turn(false);
    stand.goes_on();
    let ids = stand.end_at_least_once(&[1, 2, 3], DEAD_LETTERS);
    assert_eq!(ids[0], ids[2]);
}
