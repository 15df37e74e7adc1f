//! Keeps the house: who imports whom, and how large a room may be.

use std::fs;
use std::path::{Path, PathBuf};

use tailwater_tests::repository;

/// The floors, top first. A room sees those on floors below its own, not its neighbours'.
const FLOORS: &[&[&str]] = &[
    &["main"],
    &["cli"],
    &["app"],
    &["admin", "driver", "otlp", "simulation"],
    &["telemetry"],
    &["release"],
    &["kafka", "codec", "plugin", "model", "disk", "store"],
    &["engine"],
    &["pipeline"],
    &["state"],
    &["window", "watermark"],
    &["config"],
    &["contract", "record"],
    &["columns", "log"],
    &["bytes", "error", "time"],
];

/// One door a foreign crate; what serves requests or keeps outputs beside the pipelines has one of its own to the
/// runtime.
const DOORS: &[(&str, &str)] = &[
    ("rdkafka", "kafka"),
    ("openssl", "kafka"),
    ("wasmtime", "plugin"),
    ("wit_component", "plugin"),
    ("ort", "model"),
    ("lsm_tree", "disk"),
    ("xxhash_rust", "disk"),
    ("tokio", "app"),
    ("tokio_postgres", "store"),
    ("postgres_openssl", "store"),
    ("futures_util", "store"),
    ("parquet", "store"),
    ("axum", "admin"),
    ("hyper", "admin"),
    ("hyper_util", "admin"),
    ("http_body_util", "admin"),
    ("clap", "cli"),
    ("ed25519_dalek", "release"),
    ("prometheus_client", "telemetry"),
    ("tracing_subscriber", "log"),
    ("prost", "otlp"),
    ("tokio_openssl", "otlp"),
];

/// Of rooms that speak to others on their own.
const SECOND_DOORS: &[(&str, &str)] = &[
    ("main", "clap"),
    ("admin", "tokio"),
    ("store", "tokio"),
    ("store", "openssl"),
    ("otlp", "hyper"),
    ("otlp", "hyper_util"),
    ("otlp", "http_body_util"),
    ("otlp", "openssl"),
    ("otlp", "tokio"),
];

/// Lines of a file. Ours has no file that makes a newcomer afraid.
const LONGEST_FILE: usize = 450;
const LONGEST_LINE: usize = 130;

fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).expect("a folder of the repository") {
        let path = entry.expect("readable").path();
        if path.is_dir() && !path.ends_with("target") {
            found.extend(rust_files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    found
}

fn floor(room: &str) -> Option<usize> {
    FLOORS.iter().position(|floor| floor.contains(&room))
}

/// The room of a file under `host/src`.
fn room(file: &Path) -> String {
    let first = file.strip_prefix(repository("host/src")).expect("a file of the host").iter().next();
    first.expect("not empty").to_string_lossy().trim_end_matches(".rs").to_owned()
}

/// Names that stand behind `crate::` in a line.
fn imported(line: &str) -> Vec<&str> {
    line.split("crate::")
        .skip(1)
        .filter_map(|rest| rest.split(|c: char| !c.is_alphanumeric() && c != '_').next())
        .collect()
}

/// Whether a line names something of a foreign crate.
fn names(code: &str, foreign: &str) -> bool {
    let stands_alone = |at: usize| !code[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_');
    let path = code.match_indices(&format!("{foreign}::")).any(|(at, _)| stands_alone(at));
    path || code.contains(&format!("use {foreign};"))
}

#[test]
fn foreign_crates_are_known_by_their_names() {
    assert!(names("let x = ort::init();", "ort") && names("use ort;", "ort"));
    assert!(!names("report::now();", "ort"));
    assert_eq!(imported("use crate::engine::{Flow, Parts}; crate::kafka::x()"), ["engine", "kafka"]);
}

#[test]
fn every_room_keeps_to_its_floor() {
    let mut faults = Vec::new();
    for file in rust_files(&repository("host/src")) {
        let own = room(&file);
        if own == "lib" {
            continue;
        }
        let own_floor = floor(&own).unwrap_or_else(|| panic!("room {own} has no floor"));
        for (number, line) in fs::read_to_string(&file).expect("text").lines().enumerate() {
            let code = line.split("//").next().unwrap_or_default();
            for other in imported(code) {
                let Some(other_floor) = floor(other) else { continue };
                if other != own && other_floor <= own_floor {
                    faults.push(format!("{}:{}: {own} imports {other}", file.display(), number + 1));
                }
            }
            if code.contains("crate::{") {
                faults.push(format!(
                    "{}:{}: name each room on a line of its own",
                    file.display(),
                    number + 1
                ));
            }
            for (foreign, door) in DOORS {
                let named = names(code, foreign);
                let is_second = SECOND_DOORS.contains(&(own.as_str(), *foreign));
                if named && own != *door && !is_second {
                    faults.push(format!(
                        "{}:{}: {foreign} has its door in {door}",
                        file.display(),
                        number + 1
                    ));
                }
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn the_sdk_does_not_know_the_host() {
    for file in rust_files(&repository("plugin-sdk")) {
        let text = fs::read_to_string(&file).expect("text");
        assert!(!text.contains("tailwater::"), "{}", file.display());
    }
}

#[test]
fn rooms_are_small_and_finished() {
    let mut faults = Vec::new();
    for folder in ["host", "plugin-sdk", "plugins", "tests", "examples", "xtask"] {
        for file in rust_files(&repository(folder)) {
            let text = fs::read_to_string(&file).expect("text");
            if text.lines().count() > LONGEST_FILE {
                faults.push(format!("{}: {} lines", file.display(), text.lines().count()));
            }
            for (number, line) in text.lines().enumerate() {
                let left_behind = [concat!("TO", "DO"), concat!("FIX", "ME"), concat!("#[ig", "nore")];
                if line.chars().count() > LONGEST_LINE || left_behind.iter().any(|word| line.contains(word)) {
                    faults.push(format!("{}:{}: {}", file.display(), number + 1, line.trim()));
                }
            }
            if file.ends_with("mod.rs") {
                faults.push(format!("{}: modules are named after their file", file.display()));
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}
