//! A folder is a test: `golden/NAME` holds `pipeline` (path of a pipeline file) or `pipeline.toml`, `input.jsonl` and
//! `expected.jsonl`. `BLESS=1` writes what came out as what is expected.
//!
//! `compat/VERSION/NAME` has plugins too, as they were built when that version of the contract was frozen: every host
//! runs them, with these very outputs. They are not built anew.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::{Value, json};
use tailwater::config::Config;
use tailwater::driver::{Driver, Given, Sent};
use tailwater::release::{Release, Runtimes};
use tailwater_tests::{onnxruntime, repository};

/// `{"source":0,"partition":0,"key":"4","value":{...}}`, or `"raw":"..."` where the value is no JSON.
fn given(line: &str) -> Given {
    let line: Value = serde_json::from_str(line).expect("a line of JSON");
    let value = match line.get("raw") {
        Some(raw) => Some(raw.as_str().expect("text").to_owned()),
        None => line.get("value").filter(|value| !value.is_null()).map(Value::to_string),
    };
    Given {
        source: line["source"].as_u64().unwrap_or_default() as u16,
        partition: line["partition"].as_i64().unwrap_or_default() as i32,
        key: line["key"].as_str().map(|key| key.as_bytes().to_vec()),
        value: value.map(String::into_bytes),
        timestamp: line["timestamp"].as_i64(),
        headers: Vec::new(),
    }
}

/// Without digests, which change with every build of a plugin.
fn told(sent: &Sent) -> Value {
    let text =
        |bytes: &Option<Vec<u8>>| bytes.as_ref().map(|bytes| String::from_utf8_lossy(bytes).into_owned());
    let stable = |name: &str| !["tailwater-release", "tailwater-plugin"].contains(&name);
    let headers = sent.headers.iter().filter(|(name, _)| stable(name));
    let headers: serde_json::Map<String, Value> =
        headers.map(|(name, value)| (name.clone(), json!(text(value)))).collect();
    json!({ "topic": sent.topic, "key": text(&sent.key), "value": text(&sent.value), "headers": headers })
}

fn run(folder: &Path) -> String {
    let read = |name: &str| fs::read_to_string(folder.join(name)).unwrap_or_else(|e| panic!("{name}: {e}"));
    let own = folder.join("pipeline.toml");
    let pipeline = if own.exists() { own } else { repository(read("pipeline").trim()) };
    let config = Config::read(&pipeline).expect("a valid pipeline");
    let runtimes = Runtimes::new(None, Some(onnxruntime())).expect("runtimes");
    let release = Release::load(&config, &runtimes).unwrap_or_else(|error| panic!("{}", error.report()));
    let records: Vec<Given> = read("input.jsonl").lines().map(given).collect();
    let partitions = records.iter().map(|record| record.partition + 1).max().unwrap_or(1);
    let parts = release.parts().expect("instances");
    let mut driver = Driver::with_partitions(Arc::clone(release.pipeline()), parts, partitions);
    records.into_iter().for_each(|record| driver.give(record));
    let sent = driver.finish().unwrap_or_else(|error| panic!("{}", error.report()));
    sent.iter().map(|message| format!("{}\n", told(message))).collect()
}

fn folders_in(folder: &Path) -> Vec<PathBuf> {
    let mut folders: Vec<_> =
        fs::read_dir(folder).expect("a folder").flatten().map(|entry| entry.path()).collect();
    folders.sort();
    assert!(!folders.is_empty());
    folders
}

#[test]
fn every_folder() {
    let versions = folders_in(&repository("tests/compat"));
    let old = versions.iter().flat_map(|version| folders_in(version));
    for folder in folders_in(&repository("tests/golden")).into_iter().chain(old) {
        let (out, expected) = (run(&folder), folder.join("expected.jsonl"));
        if std::env::var_os("BLESS").is_some() {
            fs::write(&expected, &out).expect("writable");
        }
        let expected = fs::read_to_string(&expected).expect("expected.jsonl; BLESS=1 writes it");
        for (number, (got, want)) in out.lines().zip(expected.lines()).enumerate() {
            assert_eq!(got, want, "{}: line {}", folder.display(), number + 1);
        }
        assert_eq!(out.lines().count(), expected.lines().count(), "{}", folder.display());
    }
}
