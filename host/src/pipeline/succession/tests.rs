//! Pipelines that follow each other.

mod windows;

use std::path::Path;

use super::*;
use crate::columns::{Column, Kind};
use crate::config::Config;
use crate::contract::{
    self, CustomFold, FeaturesDescription, Fold, From, Input, PreprocessorDescription, RulesDescription,
    Trigger, Wanted, Window,
};
use crate::error::Code;
use crate::pipeline::{Declared, Front, Identity};

const FILE: &str = r#"
    name = "cards"
    order = "event-time"
    [[source]]
    topic = "tx"
    event_time = "at"
    partitioned_by = ["card"]
    [[source]]
    name = "labels"
    topic = "tx.labels"
    event_time = "at"
    columns = { card = "text", shop = "text", at = "time", fraud = "boolean" }
    [[source]]
    name = "shops"
    topic = "shops"
    table = true
    columns = { city = "text" }
    [preprocess]
    plugin = "clean.wasm"
    [[features]]
    plugin = "card.wasm"
    key = "card"
    [[features]]
    plugin = "shop.wasm"
    key = "shop"
    [rules]
    plugin = "rules.wasm"
    [routes.pass]
    topic = "tx.passed"
    [routes.alert]
    topic = "tx.alerts"
    [dead_letters]
    topic = "tx.dead"
"#;

/// What makes a pipeline.
#[derive(Clone)]
struct Parts {
    file: String,
    preprocessor: PreprocessorDescription,
    card: FeaturesDescription,
    shop: FeaturesDescription,
    rules: RulesDescription,
    identity: Identity,
}

fn column(name: &str, kind: Kind) -> Column {
    Column::new(name, kind)
}

fn aggregate(name: &str, fold: Fold, window: Window) -> contract::Aggregate {
    let column = (!matches!(fold, Fold::Count | Fold::Custom(_))).then_some(0);
    contract::Aggregate { name: name.to_owned(), input: 0, fold, column, filter: None, window }
}

fn features(inputs: Vec<Input>, names: &[&str]) -> FeaturesDescription {
    FeaturesDescription {
        inputs,
        lookups: Vec::new(),
        aggregates: Vec::new(),
        custom_folds: Vec::new(),
        trigger: Trigger::Row,
        features: names.iter().map(|name| (*name).to_owned()).collect(),
        ids: Vec::new(),
    }
}

fn input(source: &str, columns: &[Column], kept: usize) -> Input {
    let kept = (0..kept as u32).collect();
    Input { source: source.to_owned(), updates_only: !source.is_empty(), columns: columns.to_vec(), kept }
}

impl Parts {
    fn good() -> Self {
        let rows = [
            column("card", Kind::Text),
            column("shop", Kind::Text),
            column("at", Kind::Time),
            column("amount", Kind::Float),
            column("night", Kind::Boolean),
        ];
        let lookup = contract::Lookup {
            table: "shops".to_owned(),
            key: "shop".to_owned(),
            columns: vec![Column::nullable("city", Kind::Text)],
        };
        let card = FeaturesDescription {
            aggregates: vec![
                aggregate("n7", Fold::Count, Window::Sliding(7 * DAY)),
                aggregate("mean7", Fold::Mean, Window::Sliding(7 * DAY)),
            ],
            ..features(vec![input("", &[rows[3].clone(), rows[4].clone()], 2)], &["count", "mean"])
        };
        let labels = input("labels", &[column("fraud", Kind::Boolean)], 1);
        let shop = FeaturesDescription {
            lookups: vec![lookup],
            ..features(vec![input("", &rows[1..2], 0), labels], &["risk"])
        };
        let rules = RulesDescription {
            input: vec![Wanted { column: column("risk", Kind::Single), from: From::Feature }],
            output: vec![column("decision", Kind::Text)],
            routes: vec!["pass".to_owned(), "alert".to_owned()],
        };
        Self {
            file: FILE.to_owned(),
            preprocessor: PreprocessorDescription { input: rows.to_vec(), output: rows.to_vec() },
            card,
            shop,
            rules,
            identity: Identity { features: vec!["a".repeat(64), "b".repeat(64)], ..Identity::default() },
        }
    }

    /// In the file.
    fn with(mut self, from: &str, to: &str) -> Self {
        assert!(self.file.contains(from), "{from}");
        self.file = self.file.replacen(from, to, 1);
        self
    }

    fn pipeline(&self) -> Pipeline {
        let config = Config::parse(&self.file, Path::new(""), []).expect("valid");
        let stages = [&self.card, &self.shop];
        let declared = Declared {
            preprocessor: config.preprocess.is_some().then_some(&self.preprocessor),
            features: stages[..config.features.len()].to_vec(),
            rules: Some(&self.rules),
        };
        let front = Front::new(&config, &declared).expect("fits");
        front.complete(&config, &declared, None, self.identity.clone()).expect("fits")
    }
}

const DAY: u64 = 86_400_000;

fn changes(new: &Parts) -> Changes {
    succession(&Parts::good().pipeline(), &new.pipeline()).expect("a succession")
}

#[test]
fn the_same_changes_nothing() {
    let changes = changes(&Parts::good());
    assert!(changes.is_empty() && changes.topics.is_empty());
    assert_eq!(changes.to_string(), "nothing changes");
}

#[test]
fn what_only_computes_may_change() {
    let mut new = Parts::good()
        .with("tx.alerts", "tx.alarms")
        .with("[dead_letters]", "[late]\ntopic = \"tx.late\"\n[dead_letters]")
        .with("event_time = \"at\"", "event_time = \"at\"\nout_of_orderness = \"1m\"\ntime_unit = \"s\"");
    new.identity.features[0] = "c".repeat(64);
    new.identity.model = Some("d".repeat(64));
    new.preprocessor.input.push(column("browser", Kind::Text));
    new.preprocessor.output.insert(0, Column::nullable("browser", Kind::Text));
    new.card.features = vec!["mean".to_owned(), "std".to_owned()];
    new.rules.output[0] = column("decision", Kind::Int);
    new.rules.routes.swap(0, 1);
    let changes = changes(&new);
    assert!(!changes.is_empty());
    assert_eq!(changes.topics, ["tx.alarms", "tx.late"]);
    let expected = "\
source tx      reads + browser text
               time_unit ms -> s
               out_of_orderness 10s -> 1m
preprocess     gives + browser text?
features card  plugin aaaaaaaaaaaa -> cccccccccccc
               gives + std - count
model          file none -> dddddddddddd
output         has + decision int - decision text
route alert    to tx.alerts -> tx.alarms
late           to the dead letters -> tx.late
windows card   kept, 2 aggregates";
    assert_eq!(changes.to_string(), expected);
}

#[test]
fn from_history_all_may_change_but_what_is_read() {
    let old = Parts::good().pipeline();
    for (from, to, says) in [
        ("key = \"card\"", "key = \"shop\"", "key card text -> shop text"),
        ("event-time\"\n", "arrival\"\n", "rows are taken by event-time -> arrival"),
        ("key = \"card\"", "key = \"card\"\nexpire_after = \"90d\"", "expire_after never -> 90d"),
    ] {
        let new = Parts::good().with(from, to).pipeline();
        assert!(succession(&old, &new).is_err(), "{from}");
        let changes = succession_from_history(&old, &new).expect("it may change").to_string();
        assert!(changes.contains(says) && changes.contains("made anew, of what is read again"), "{changes}");
    }
    for (from, to) in [("topic = \"tx\"", "topic = \"tx2\""), ("topic = \"tx.labels\"", "topic = \"labels\"")]
    {
        let new = Parts::good().with(from, to).pipeline();
        let error = succession_from_history(&old, &new).unwrap_err();
        assert_eq!(error.code, Code::NoSuccession);
        assert!(
            error.message.contains("the topics of the sources: tx, tx.labels, shops (table) -> "),
            "{error}"
        );
    }
    let same = succession_from_history(&old, &old).expect("windows may be made anew as they were");
    assert!(!same.is_empty());
}

/// Each alone, and what the error says of it.
#[test]
fn what_decides_where_rows_are_stays() {
    let cases = [
        ("name = \"cards\"", "name = \"card\"", "name: cards -> card"),
        ("event-time\"\n", "arrival\"\n", "order: event-time -> arrival"),
        (
            "key = \"card\"",
            "key = \"card\"\nexpire_after = \"90d\"",
            "features card: expire_after: never -> 90d",
        ),
        ("topic = \"tx\"", "topic = \"ty\"\nname = \"tx\"", "source tx: topic: tx -> ty"),
        ("[\"card\"]", "[\"shop\"]", "source tx: partitioned_by: card -> shop"),
        ("[\"card\"]", "[\"card\"]\ncustom_partitioner = true", "custom_partitioner: false -> true"),
        (
            "[\"card\"]",
            "[]",
            "features card: rows come: straight from the source -> through repartition topic 1",
        ),
        (
            "key = \"card\"",
            "key = [\"card\", \"shop\"]",
            "features card: key: card text -> card text, shop text",
        ),
        (
            "\"card.wasm\"",
            "\"card-v2.wasm\"",
            "called after its plugin's file: with name = \"card\" in the section of card-v2",
        ),
        (
            "city = \"text\"",
            "city = \"text\", zip = \"text\"",
            "source shops: columns: city text -> city text, zip text",
        ),
        (
            "\"boolean\" }",
            "\"boolean\" }\nallowed_lateness = \"1h\"",
            "features shop: allowed_lateness of its sources: 0 ms -> 3600000 ms",
        ),
        (
            "[preprocess]",
            "[limits]\nrecord = \"2MiB\"\n[preprocess]",
            "limits.record: 1024000 bytes -> 2097152 bytes",
        ),
    ];
    let old = Parts::good().pipeline();
    for (from, to, why) in cases {
        let new = Parts::good().with(from, to).pipeline();
        assert!(succession(&new, &old).is_err(), "{from}: there would be no way back");
        let error = succession(&old, &new).unwrap_err();
        assert_eq!(error.code, Code::NoSuccession);
        // Most can be had with windows that are made anew.
        let from_history = succession_from_history(&old, &new);
        let advice = if from_history.is_ok() { "release apply --bootstrap" } else { "state reset" };
        assert!(error.message.contains(why) && error.message.contains(advice), "{}", error.message);
    }
    let mut other = Parts::good();
    other.preprocessor.output[0] = column("card", Kind::Int);
    let error = succession(&old, &other.pipeline()).unwrap_err();
    assert!(error.message.contains("features card: key: card text -> card int"), "{}", error.message);
    let mut other = Parts::good();
    other.preprocessor.output.push(column("paid", Kind::Time));
    let other = other.with("event_time = \"at\"", "event_time = \"paid\"");
    let error = succession(&old, &other.pipeline()).unwrap_err();
    assert!(error.message.contains("source tx: event_time: at -> paid"), "{}", error.message);
}

/// All that is in the way at once, not the first alone.
#[test]
fn stages_and_sources_are_as_many() {
    let mut fewer = Parts::good()
        .with("[[features]]\n    plugin = \"shop.wasm\"\n    key = \"shop\"\n", "")
        .with("tx.labels", "tx.tags");
    fewer.card.lookups = fewer.shop.lookups.clone();
    fewer.card.inputs[0].columns.push(column("shop", Kind::Text));
    fewer.card.inputs.push(fewer.shop.inputs[1].clone());
    fewer.rules.input.clear();
    let error = succession(&Parts::good().pipeline(), &fewer.pipeline()).unwrap_err();
    assert!(error.message.contains("how many [[features]]: 2 -> 1"), "{}", error.message);
    assert!(error.message.contains("source labels: topic: tx.labels -> tx.tags"), "{}", error.message);
}
