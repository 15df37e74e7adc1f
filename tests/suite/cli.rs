//! Wrong configuration of all kinds, as a user meets it: the program says what is wrong, and where.

use tailwater_tests::{guest, onnxruntime, program, repository};

/// What `tailwater validate` says of a pipeline.
fn validate(text: &str) -> (bool, String) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("pipeline.toml");
    std::fs::write(&file, text).expect("writable");
    let output = program::output(&["validate", file.to_str().expect("UTF-8")]);
    let said = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8_lossy(&said).into_owned())
}

fn pipeline() -> String {
    format!(
        r#"
name = "amounts"
routes.output.topic = "out"
dead_letters.topic = "dead"
[[source]]
topic = "in"
columns = {{ id = "int", t = "time", amount = "float", card = "text" }}
partitioned_by = ["card"]
event_time = "t"
[[features]]
plugin = "{}"
key = "card"
"#,
        guest("folds").display()
    )
}

fn refused(from: &str, to: &str, code: &str, says: &[&str]) {
    let text = pipeline();
    assert!(text.contains(from), "{from}");
    let (valid, said) = validate(&text.replace(from, to));
    assert!(!valid, "{said}");
    assert!(said.contains(&format!("error {code}")), "{code}: {said}");
    assert!(said.contains(&format!("tailwater explain {code}")), "{said}");
    for part in says {
        assert!(said.contains(part), "{part}: {said}");
    }
}

#[test]
fn a_valid_pipeline() {
    let (valid, said) = validate(&pipeline());
    assert!(valid, "{said}");
    for part in ["amounts: valid, release ", "in: ", "by card", "cents_1m", "output to out", "to dead"] {
        assert!(said.contains(part), "{part}: {said}");
    }
}

#[test]
fn a_pipeline_file_with_mistakes() {
    refused("name =", "nam =", "TW102", &["nam", "line 2"]);
    refused("name = \"amounts\"", "name = ", "TW102", &["line 2"]);
    refused("key = \"card\"", "", "TW102", &["key"]);
    refused("name = \"amounts\"", "name = \"a b\"", "TW103", &["name: "]);
    refused("amount = \"float\"", "amount = \"flot\"", "TW103", &["source.columns.amount", "\"flot\""]);
    refused("amount = \"float\"", "amount = \"int\"", "TW105", &["amount", "as float", "gives int"]);
    refused("amount = \"float\", ", "", "TW105", &["amount"]);
    refused("key = \"card\"", "key = \"cards\"", "TW105", &["no column cards"]);
    refused("event_time = \"t\"", "", "TW105", &["event_time"]);
    refused("topic = \"dead\"", "topic = \"in\"", "TW103", &["dead_letters.topic", "endless loop"]);
    refused("topic = \"out\"", "topic = \"\"", "TW103", &["routes.output.topic"]);
    refused("key = \"card\"", "key = \"card\"\ntime_limit = \"1h\"", "TW103", &["features.time_limit"]);
    refused("key = \"card\"", "key = \"card\"\nmemory_limit = \"1KiB\"", "TW103", &["memory_limit"]);
    refused("event_time = \"t\"", "event_time = \"id\"", "TW105", &["id"]);
    refused("key = \"card\"", "key = \"card\"\nsettings = { a = 1 }", "TW205", &["setting `a` is unknown"]);
    refused("key = \"card\"", "key = \"card\"\ngrants = [\"files\"]", "TW103", &["\"files\"", "\"log\""]);
    refused("name =", "delivery = \"twice\"\nname =", "TW102", &["exactly-once", "at-least-once"]);
    let other =
        |more: &str| format!("event_time = \"t\"\n[[source]]\ntopic = \"b\"\ncolumns.n = \"int\"\n{more}");
    refused("event_time = \"t\"", &other(""), "TW105", &["source b", "no features stage takes rows from it"]);
    refused("event_time = \"t\"", &other("name = \"in\""), "TW103", &["two sources are called \"in\""]);
    refused("event_time = \"t\"", "event_time = \"t\"\nallowed_lateness = \"-1s\"", "TW102", &["-1s"]);
    refused("event_time = \"t\"", "event_time = \"t\"\nmax_ahead = \"9999999d\"", "TW103", &["max_ahead"]);
    refused("name =", "order = \"sorted\"\nname =", "TW102", &["arrival", "event-time"]);
    refused("routes.output.topic", "routes.a.topic = \"a\"\nroutes.b.topic", "TW105", &["one route"]);
    let plugin = guest("folds").display().to_string();
    refused(&plugin, "nowhere.wasm", "TW201", &["nowhere.wasm"]);
}

#[test]
fn plugins_that_are_none() {
    let plugin = guest("folds");
    let folder = tempfile::tempdir().expect("a temporary folder");
    let with = |bytes: &[u8], code: &str| {
        let path = folder.path().join("plugin.wasm");
        std::fs::write(&path, bytes).expect("writable");
        refused(&plugin.display().to_string(), &path.display().to_string(), code, &["plugin.wasm"]);
    };
    let bytes = std::fs::read(&plugin).expect("readable");
    with(&bytes[..bytes.len() / 2], "TW202");
    with(b"no plugin at all", "TW202");
    with(b"", "TW202");
    let rules = std::fs::read(guest("hostile-rules")).expect("readable");
    with(&rules, "TW203");
}

#[test]
fn models_that_do_not_fit() {
    let models = repository("tests/fixtures/models");
    let with = |file: &str, code: &str| {
        let section = format!("key = \"card\"\n[model]\nfile = \"{}\"", models.join(file).display());
        refused("key = \"card\"", &section, code, &[file]);
    };
    assert!(onnxruntime().exists());
    with("nowhere.onnx", "TW301");
    with("make.py", "TW301");
    with("fixed.onnx", "TW303");
    // Its input takes three features, and two are named.
    with("short_names.onnx", "TW303");
    with("linear.onnx", "TW303");
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (whole, cut) =
        (std::fs::read(models.join("trees.onnx")).expect("readable"), folder.path().join("cut.onnx"));
    std::fs::write(&cut, &whole[..whole.len() / 2]).expect("writable");
    with(cut.to_str().expect("UTF-8"), "TW301");
}

#[test]
fn pipelines_of_one_name() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let files = ["a.toml", "b.toml"].map(|name| folder.path().join(name));
    files.iter().for_each(|file| std::fs::write(file, pipeline()).expect("writable"));
    let [a, b] = files.each_ref().map(|file| file.to_str().expect("UTF-8"));
    let output = program::output(&["validate", a, b]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("error TW103") && said.contains("\"amounts\""), "{said}");
}

#[test]
fn libraries_leave_nothing_at_home() {
    let home = tempfile::tempdir().expect("a temporary folder");
    let clicks = repository("examples/clicks/clicks.toml");
    let at_home = [("HOME", home.path()), ("XDG_CACHE_HOME", home.path())];
    let output = program::output_with(&["validate", clicks.to_str().expect("UTF-8")], &at_home);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let left: Vec<_> = std::fs::read_dir(home.path()).expect("it is there").flatten().collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn a_file_that_is_not_there() {
    let output = program::output(&["run", "nowhere.toml"]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1));
    assert!(said.contains("error TW101, configuration") && said.contains("nowhere.toml"), "{said}");
}

#[test]
fn no_broker() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("pipeline.toml");
    let nobody =
        std::net::TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr()).expect("a port");
    let brokers = format!("kafka.brokers = \"{nobody}\"\n[[source]]");
    std::fs::write(&file, pipeline().replace("[[source]]", &brokers)).expect("writable");
    let output = program::output(&["run", file.to_str().expect("UTF-8")]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1));
    assert!(said.contains("error TW501, broker") && said.contains(&nobody.to_string()), "{said}");
}

#[test]
fn codes_are_explained() {
    let output = program::output(&["explain", "TW206"]);
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        output.status.success() && said.contains("a plugin trapped") && said.contains("What to do:"),
        "{said}"
    );
    assert!(!program::output(&["explain", "TW999"]).status.success());
}

#[test]
fn a_log_for_people_or_for_programs() {
    let run = |more: &[&str], environment: &[(&str, &str)]| {
        let arguments = [&["run", "nowhere.toml", "--admin", "127.0.0.1:0"], more].concat();
        program::said_with(&arguments, environment).1
    };
    let said = run(&[], &[]);
    assert!(
        said.contains("  INFO tailwater::admin::server: the admin API listens address=127.0.0.1:"),
        "{said}"
    );
    for (more, environment) in [
        (&["--log-format", "json"][..], &[][..]),
        (&[], &[("TAILWATER_LOG_FORMAT", "json"), ("TAILWATER_LOG", "warn,admin=info")]),
    ] {
        let said = run(more, environment);
        let line = said.lines().find(|line| line.starts_with('{')).unwrap_or_else(|| panic!("{said}"));
        let line: serde_json::Value = serde_json::from_str(line).expect("JSON");
        assert_eq!((&line["level"], &line["room"]), (&"INFO".into(), &"admin".into()));
        assert_eq!(line["message"], "the admin API listens");
        assert!(
            line["time"].as_str().is_some_and(|time| time.ends_with('Z')) && line["address"].is_string(),
            "{line}"
        );
    }
    assert!(!run(&["--log", "info,admin=off"], &[]).contains("the admin API listens"));
    let refused = [
        (&["--log", "kafak=debug"][..], &[][..], "no room \"kafak\""),
        (&[], &[("TAILWATER_LOG", "loud")], "\"loud\" is no level"),
        (&["--log-format", "xml"], &[], "[possible values: text, json]"),
    ];
    for (more, environment, says) in refused {
        let said = run(more, environment);
        assert!(said.contains(says) && !said.contains("TW101"), "{said}");
    }
}

#[test]
fn a_collector_that_can_not_be() {
    let run = |more: &[&str], environment: &[(&str, &str)]| {
        let (ok, said) = program::said_with(&[&["run", "nowhere.toml"], more].concat(), environment);
        assert!(!ok && !said.contains("hush"), "{said}");
        said
    };
    let endpoint = ["--otlp-endpoint", "https://127.0.0.1:4318"];
    for (more, environment, says) in [
        (&["--otlp-endpoint", "grpc://127.0.0.1:4317"][..], &[][..], "neither http nor https"),
        (&["--otlp-endpoint", "http://me:hush@127.0.0.1"], &[], "OTEL_EXPORTER_OTLP_HEADERS"),
        (
            &endpoint,
            &[("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")],
            "OTEL_EXPORTER_OTLP_PROTOCOL: only http/protobuf",
        ),
        (
            &endpoint,
            &[("OTEL_EXPORTER_OTLP_HEADERS", "authorization=%hush")],
            "OTEL_EXPORTER_OTLP_HEADERS: part 1",
        ),
    ] {
        let said = run(more, environment);
        assert!(said.contains("error TW1101") && said.contains(says), "{said}");
    }
    let said = run(&endpoint, &[("OTEL_EXPORTER_OTLP_CERTIFICATE", "nowhere.pem")]);
    assert!(said.contains("error TW101") && said.contains("nowhere.pem"), "{said}");
    let said = run(&[], &[("OTEL_EXPORTER_OTLP_ENDPOINT", ""), ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")]);
    assert!(said.contains("error TW101") && said.contains("nowhere.toml"), "{said}");
}
