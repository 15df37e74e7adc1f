use std::path::Path;

use std::collections::{BTreeMap, BTreeSet};

use super::*;

const MINIMAL: &str = r#"
name = "clicks"
routes.output.topic = "click_predictions"
dead_letters.topic = "bad"

[kafka]
brokers = "one:9092"
commit_interval = "50ms"

[[source]]
topic = "user_clicks"

[preprocess]
plugin = "clean.wasm"
settings = { most = 5 }
"#;

fn parse(text: &str) -> Result<Config> {
    with_environment(text, &[])
}

fn with_environment(text: &str, environment: &[(&str, &str)]) -> Result<Config> {
    let environment = environment.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    Config::parse(text, Path::new("etc"), environment)
}

/// The error after one replacement in the minimal file.
fn broken(from: &str, to: &str) -> Error {
    assert!(MINIMAL.contains(from), "{from}");
    parse(&MINIMAL.replacen(from, to, 1)).expect_err("an error")
}

#[test]
fn a_minimal_file() {
    let config = parse(MINIMAL).expect("valid");
    assert_eq!(
        config.path(&config.preprocess.as_ref().expect("given").plugin().plugin),
        Path::new("etc/clean.wasm")
    );
    assert_eq!(config.kafka.commit_interval.get(), std::time::Duration::from_millis(50));
    assert_eq!(config.limits.batch_rows, 1024);
}

#[test]
fn unknown_keys_are_refused_with_their_place() {
    let error = broken("commit_interval", "comit_interval");
    assert_eq!(error.code, Code::ConfigSyntax);
    assert!(error.message.contains("line 8") && error.message.contains("comit_interval"), "{error}");
    assert!(broken("settings", "setings").message.contains("unknown field `setings`"));
}

#[test]
fn values_are_checked() {
    for (from, to, code, says) in [
        ("\"50ms\"", "\"50\"", Code::ConfigSyntax, "is not a duration such as"),
        ("\"50ms\"", "50", Code::ConfigSyntax, "a duration such as"),
        ("\"50ms\"", "\"0s\"", Code::ConfigValue, "kafka.commit_interval"),
        ("\"clicks\"", "\"clicks and more\"", Code::ConfigValue, "name: "),
        ("[preprocess]", "delivery = 1\n[preprocess]", Code::ConfigSyntax, "delivery"),
        ("commit_interval", "commit_pause = \"1s\"\ncommit_interval", Code::ConfigValue, "commit_pause"),
        ("commit_interval", "instance = \"a b\"\ncommit_interval", Code::ConfigValue, "instance"),
        ("name = \"clicks\"", "name = \"clicks\"\nthreads = 0", Code::ConfigValue, "threads"),
        (
            "topic = \"user_clicks\"",
            "topic = \"a\"\n[[source]]\ntopic = \"a\"\nname = \"b\"\ncolumns.a = \"int\"",
            Code::ConfigValue,
            "the topic of two sources",
        ),
        ("topic = \"user_clicks\"", "topic = \"a\"\ntable = true", Code::ConfigValue, "can't be a table"),
        ("[kafka]", "late.topic = \"user_clicks\"\n[kafka]", Code::ConfigValue, "endless loop"),
        (
            "topic = \"user_clicks\"",
            "topic = \"a\"\ncolumns.a = \"int\"",
            Code::ConfigValue,
            "source.columns",
        ),
        ("[kafka]", "[limits]\nbatch_rows = 0\n[kafka]", Code::ConfigValue, "limits.batch_rows"),
        ("[kafka]", "[limits]\nmemory = \"1TiB\"\n[kafka]", Code::ConfigSyntax, "is not a size such as"),
        (
            "[kafka]",
            "[limits]\nmemory = \"11MiB\"\n[kafka]",
            Code::ConfigValue,
            "are too few for 1 threads with",
        ),
        ("[kafka]", "[limits]\nstate_per_key = \"1KiB\"\n[kafka]", Code::ConfigValue, "limits.state_per_key"),
        ("[kafka]", "[limits]\nfailures = 1.5\n[kafka]", Code::ConfigValue, "limits.failures"),
        ("[kafka]", "[limits]\nrecord = \"15KiB\"\n[kafka]", Code::ConfigValue, "limits.record"),
        ("[kafka]", "[releases]\nslowdown = 1.0\n[kafka]", Code::ConfigValue, "releases.slowdown"),
        ("[kafka]", "[releases]\nkeep = 1\n[kafka]", Code::ConfigValue, "releases.keep"),
        ("[kafka]", "[releases]\nprobation = \"2d\"\n[kafka]", Code::ConfigValue, "releases.probation"),
        ("routes.output.topic = \"click_predictions\"", "", Code::ConfigSyntax, "missing field `routes`"),
    ] {
        let error = broken(from, to);
        assert_eq!(error.code, code, "{error}");
        assert!(error.message.contains(says), "{error}");
    }
}

#[test]
fn the_environment_overrides() {
    let environment = [
        ("TAILWATER__KAFKA__BROKERS", "two:9092"),
        ("TAILWATER__THREADS", "4"),
        ("TAILWATER__SOURCE__0__TOPIC", "tx"),
        ("TAILWATER__PREPROCESS__SETTINGS__MOST", "7.5"),
        ("HOME", "x"),
    ];
    let config = with_environment(MINIMAL, &environment).expect("valid");
    assert_eq!((config.kafka.brokers.as_str(), config.threads), ("two:9092", 4));
    assert_eq!(config.source[0].topic, "tx");
    assert_eq!(config.preprocess.expect("given").plugin().settings["most"].as_float(), Some(7.5));
}

#[test]
fn keys_in_capitals_are_found() {
    let text = MINIMAL.replace("most = 5", "rates = { GBP = 1.0 }");
    let environment = [("TAILWATER__PREPROCESS__SETTINGS__RATES__GBP", "1.25")];
    let settings =
        with_environment(&text, &environment).expect("valid").preprocess.expect("given").plugin().settings;
    assert_eq!(settings["rates"].as_table().map(toml::Table::len), Some(1));
    assert_eq!(settings["rates"]["GBP"].as_float(), Some(1.25));
}

#[test]
fn a_wrong_override_names_its_variable() {
    let error = with_environment(MINIMAL, &[("TAILWATER__KAFKA__BROKER", "x")]).expect_err("an error");
    assert!(
        error.message.contains("TAILWATER__KAFKA__BROKER") && error.message.contains("unknown field"),
        "{error}"
    );
    let error = with_environment(MINIMAL, &[("TAILWATER__SOURCE__7__TOPIC", "x")]).expect_err("an error");
    assert!(error.message.contains("no place \"7\""), "{error}");
}

/// With a model and another stage, whose files lie elsewhere.
const LARGER: &str = r#"
[model]
file = "models/m.onnx"
[[features]]
plugin = "../built/f.wasm"
key = "user"
[limits]
record = "32KiB"
state_per_key = "1MiB"
batch_rows = 7
"#;

#[test]
fn results_go_over_to_another_host_and_its_own_settings_stay() {
    let environment = [("TAILWATER__SOURCE__0__TOPIC", "tx")];
    let text = format!("{MINIMAL}{LARGER}").replace("most = 5", "most = inf");
    let ours = with_environment(&text, &environment).expect("valid");
    let text = MINIMAL.replace("one:9092", "two:9092").replace("clean.wasm", "old.wasm");
    let theirs = parse(&format!("threads = 3\n{text}")).expect("valid");
    let results = toml::to_string(&ours.results()).expect("plain data");
    assert!(!results.contains("brokers") && !results.contains("built/"), "{results}");
    let both = theirs.with_results(toml::from_str(&results).expect("TOML")).expect("valid");
    assert_eq!((both.kafka.brokers.as_str(), both.threads, both.limits.batch_rows), ("two:9092", 3, 1024));
    assert_eq!((both.source[0].topic.as_str(), both.limits.record.bytes()), ("tx", 32 << 10));
    assert_eq!(both.limits.state_per_key.bytes(), 1 << 20);
    assert_eq!(both.stage_name(0), "f");
    assert_eq!(
        both.preprocess.as_ref().expect("given").plugin().settings["most"].as_float(),
        Some(f64::INFINITY)
    );
    assert_eq!(toml::to_string(&both.results()).expect("plain data"), results);
    let other = toml::from_str(&results.replace("name = \"clicks\"", "name = \"other\"")).expect("TOML");
    assert!(theirs.with_results(other).expect_err("another pipeline").message.contains("other"));
}

#[test]
fn a_file_may_lie_elsewhere_than_its_name_says() {
    let mut config = parse(&format!("{MINIMAL}{LARGER}")).expect("valid");
    let files = |config: &Config| {
        let files = config.artifacts().into_iter();
        files.map(|(role, path)| format!("{role} {}", path.display())).collect::<Vec<_>>()
    };
    assert_eq!(
        files(&config),
        ["preprocess etc/clean.wasm", "features/0 etc/../built/f.wasm", "model etc/models/m.onnx"]
    );
    for (role, path) in config.artifacts() {
        assert_eq!(role.to_string().parse(), Ok(role));
        assert!(config.locate(role, Path::new("depot").join(path.file_name().expect("a name"))));
    }
    assert!(!config.locate(Role::Rules, PathBuf::new()));
    assert_eq!(
        files(&config),
        ["preprocess depot/clean.wasm", "features/0 depot/f.wasm", "model depot/m.onnx"]
    );
    assert_eq!(config.stage_name(0), "f");
}

#[test]
fn settings_that_wait_for_a_restart_are_named() {
    let config = parse(&format!("{MINIMAL}{LARGER}")).expect("valid");
    let other = MINIMAL.replace("one:9092", "two:9092").replace("click_predictions", "elsewhere");
    let other = parse(&format!("threads = 3\n{other}{LARGER}")).expect("valid");
    assert_eq!(config.settled_at_start(&other), ["kafka"]);
    let other =
        parse(&format!("{MINIMAL}{LARGER}").replace("batch_rows = 7", "batch_rows = 8")).expect("valid");
    assert_eq!(config.settled_at_start(&other), ["limits"]);
    let other = parse(&format!("{MINIMAL}{LARGER}").replace("32KiB", "33KiB")).expect("valid");
    assert!(config.settled_at_start(&other).is_empty());
}

/// The keys that a section takes, as the parser names them when it meets another one.
fn keys_of(section: &str) -> BTreeSet<String> {
    let bogus = |place: &str| format!("{MINIMAL}\n{place}\nno_such_key = 1\n");
    let text = match section {
        "" => format!("no_such_key = 1\n{MINIMAL}"),
        "[kafka]" => MINIMAL.replace("[kafka]", "[kafka]\nno_such_key = 1"),
        "[[source]]" => MINIMAL.replace("[[source]]", "[[source]]\nno_such_key = 1"),
        "[preprocess]" => MINIMAL.replace("[preprocess]", "[preprocess]\nno_such_key = 1"),
        "[model.scores.NAME]" => bogus("[model]\nfile = \"m\"\n[model.scores.a]"),
        "[routes.NAME]" => bogus("[routes.a]"),
        "[dead_letters]" => MINIMAL.replace("dead_letters.topic", "dead_letters.no_such_key"),
        "[store.postgres.tls]" => bogus(&format!(
            "[[store]]\nname = \"s\"\n[store.postgres]\nurl = \"u\"\ntable = \"t\"\n{section}"
        )),
        "[store.postgres]" | "[store.parquet]" => bogus(&format!("[[store]]\nname = \"s\"\n{section}")),
        other => bogus(other),
    };
    let message = parse(&text).expect_err("the key is unknown").message;
    let (_, expected) = message.split_once("unknown field `no_such_key`, expected ").expect(&message);
    expected.lines().next().expect("a line").split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

#[test]
fn the_reference_lists_every_key() {
    let text = include_str!("../../pipeline.md");
    let mut documented: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let mut sections = Vec::new();
    for line in text.lines() {
        if let Some(heading) = line.strip_prefix("## ") {
            sections = heading.split('`').skip(1).step_by(2).map(str::to_owned).collect();
            if heading == "Top level" {
                sections.push(String::new());
            }
        } else if let Some(key) = line.strip_prefix("| `").and_then(|rest| rest.split('`').next()) {
            for section in &sections {
                assert!(documented.entry(section.clone()).or_default().insert(key.to_owned()), "{key} twice");
            }
        }
    }
    assert_eq!(documented.len(), 20);
    for (section, keys) in documented {
        assert_eq!(keys, keys_of(&section), "{section}");
    }
}

#[test]
fn stores_are_checked() {
    let stores = |text: &str| parse(&format!("{MINIMAL}\n{text}"));
    let postgres = "[[store]]\nname = \"a\"\npostgres = { url = \"postgresql://h/d\", table = \"s.t\" }\n";
    let parquet = "[[store]]\nname = \"b\"\nroutes = [\"output\"]\nparquet = { directory = \"d\" }\n";
    let config = stores(&format!("{postgres}{parquet}")).expect("valid");
    assert_eq!(config.store_group(&config.store[0]), "clicks.store.a");
    assert!(
        matches!(config.store[0].kind(), Some(StoreKind::Postgres(section)) if section.place() == (Some("s"), "t"))
    );
    assert!(
        config.store[0].keeps("output") && config.store[1].keeps("output") && !config.store[1].keeps("other")
    );
    for (from, to, says) in [
        ("\"s.t\"", "\"s.t.u\"", "store.postgres.table"),
        ("\"s.t\"", "\"\"", "store.postgres.table"),
        ("name = \"a\"", "name = \"b\"", "two stores are called"),
        ("name = \"a\"", "name = \"a b\"", "store.name"),
        ("[\"output\"]", "[\"others\"]", "no [routes.others]"),
        ("[\"output\"]", "[]", "store.routes"),
        ("directory = \"d\"", "directory = \"\"", "store.parquet.directory"),
        ("directory = \"d\"", "directory = \"d\", file_rows = 0", "store.parquet.file_rows"),
        ("directory = \"d\"", "directory = \"d\", file_age = \"0s\"", "store.parquet.file_age"),
        ("directory = \"d\"", "directory = \"d\", memory = \"1B\"", "store.parquet.memory"),
        ("table = \"s.t\"", "table = \"s.t\", tls = { key = \"k\" }", "store.postgres.tls"),
        ("parquet = { directory = \"d\" }", "", "one of `postgres` and `parquet`"),
    ] {
        let text = format!("{postgres}{parquet}");
        assert!(text.contains(from), "{from}");
        let error = stores(&text.replacen(from, to, 1)).expect_err("an error");
        assert_eq!(error.code, Code::ConfigValue, "{error}");
        assert!(error.message.contains(says), "{error}");
    }
    let twice = parquet.replacen("\"b\"", "\"c\"", 1);
    assert!(
        stores(&format!("{parquet}{twice}")).expect_err("an error").message.contains("that of two stores")
    );
}
