//! Outputs in files.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::Path;

use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::record::{Field, Row};
use serde_json::{Value, json};

use super::{compare, job, sent, wait_until_committed};

/// By name: partition, first and last offset, and the rows.
type Files = BTreeMap<String, (u64, i64, i64, Vec<Value>)>;

/// Files of at most 700 rows, after two seconds.
const STORE: &str = "parquet = { directory = \"files\", file_rows = 700, file_age = \"2s\" }";

/// All that is in the folder of a topic. Unfinished files are counted.
fn files(folder: &Path) -> (Files, usize) {
    let (mut files, mut unfinished) = (Files::new(), 0);
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let name = entry.file_name().into_string().expect("UTF-8");
        let Some(stem) = name.strip_suffix(".parquet") else {
            assert!(name.starts_with('.'), "{name}");
            unfinished += 1;
            continue;
        };
        let numbers: Vec<u64> = stem.split('-').map(|number| number.parse().expect("a number")).collect();
        let reader = SerializedFileReader::new(File::open(entry.path()).expect("readable")).expect("whole");
        let rows = reader.get_row_iter(None).expect("rows").map(|row| object(&row.expect("readable")));
        files.insert(name, (numbers[0], numbers[1] as i64, numbers[2] as i64, rows.collect()));
    }
    (files, unfinished)
}

fn object(row: &Row) -> Value {
    let value = |field: &Field| match field {
        Field::Null => Value::Null,
        Field::Bool(value) => json!(value),
        Field::Long(value) | Field::TimestampMillis(value) => json!(value),
        Field::Double(value) => json!(value),
        Field::Float(value) => json!(value),
        Field::Str(value) => json!(value),
        other => panic!("{other} is not expected"),
    };
    row.get_column_iter().map(|(name, field)| (name.clone(), value(field))).collect()
}

/// Rows by identity. No two files overlap, and none has a row twice.
fn rows(files: &Files) -> BTreeMap<String, Value> {
    let (mut rows, mut behind) = (BTreeMap::new(), BTreeMap::new());
    for (name, (partition, first, last, own)) in files {
        let before = behind.insert(partition, last).copied().unwrap_or(-1);
        assert!(before < *first && first <= last, "{name}: the one before ends at {before}");
        assert!(!own.is_empty() && own.len() as i64 <= last - first + 1, "{name}");
        for row in own {
            let part = |name: &str| row[format!("tailwater_{name}")].as_i64().expect("a number");
            let topic = row["tailwater_topic"].as_str().expect("text");
            let identity = format!("{topic}/{}/{}/{}", part("partition"), part("offset"), part("index"));
            assert!(row["tailwater_flaw"].is_null(), "{row}");
            assert_eq!(rows.insert(identity, row.clone()), None, "{name}");
        }
    }
    rows
}

#[test]
fn files_have_what_the_topic_has() {
    let job = job("files", STORE);
    let folder = job.folder.path().join("files").join(job.topic("out"));
    let mut program = job.start();
    job.feed(0..5000);
    let outputs = sent(&job, 5000);
    assert!(program.terminate().success());
    let (files, unfinished) = files(&folder);
    assert_eq!(unfinished, 0);
    assert!(files.values().all(|(.., rows)| rows.len() <= 700) && files.len() > 7, "{}", files.len());
    compare(&outputs, &rows(&files));
}

#[test]
fn hosts_that_are_killed_leave_no_half_file_and_no_overlap() {
    let job = job("halves", STORE);
    let elsewhere = tempfile::tempdir().expect("a temporary folder");
    let mut fed = 0;
    for round in 0..4 {
        // A machine of its own, every other time.
        let directory =
            if round % 2 == 0 { job.folder.path().join("files") } else { elsewhere.path().to_owned() };
        let directory = directory.to_str().expect("UTF-8");
        let program = job.start_with(&[("TAILWATER__STORE__0__PARQUET__DIRECTORY", directory)]);
        job.feed(fed..fed + 8_000);
        fed += 8_000;
        sent(&job, fed as usize);
        program.kill();
    }
    let mut program = job.start();
    job.feed(fed..fed + 10);
    let outputs = sent(&job, fed as usize + 10);
    // All that there is has been read, since what it holds is finished at the end.
    wait_until_committed(&job);
    assert!(program.terminate().success());
    let (mut all, unfinished) = files(&job.folder.path().join("files").join(job.topic("out")));
    assert_eq!(unfinished, 0);
    for (name, file) in files(&elsewhere.path().join(job.topic("out"))).0 {
        let twice = all.get(&name).is_some_and(|other| *other != file);
        assert!(!twice, "{name} is there twice, with other rows");
        all.insert(name, file);
    }
    compare(&outputs, &rows(&all));
}

#[test]
fn a_directory_that_can_not_be_written_is_told_and_the_store_goes_on() {
    let job = job("unwritable", STORE);
    let place = job.folder.path().join("files");
    fs::write(&place, "in the way").expect("writable");
    let mut program = job.start();
    job.feed(0..3000);
    let outputs = sent(&job, 3000);
    program.says("TW1007");
    fs::remove_file(&place).expect("ours");
    program.says("goes on, after");
    wait_until_committed(&job);
    assert!(program.terminate().success());
    compare(&outputs, &rows(&files(&place.join(job.topic("out"))).0));
}
