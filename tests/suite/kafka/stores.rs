//! Outputs beside Kafka: what is kept is what the topic has, each row once, whatever happens to whom.

mod parquet;
mod postgres;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use serde_json::Value;
use tailwater_tests::broker::{self, Got};
use tailwater_tests::guest;
use tailwater_tests::program::PATIENCE;

use super::Job;

/// Columns of the records themselves.
const OWN: [&str; 4] = ["id", "t", "amount", "card"];

/// A job with a store, whose group goes with it.
struct Kept(Job);

impl std::ops::Deref for Kept {
    type Target = Job;

    fn deref(&self) -> &Job {
        &self.0
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        broker::remove(&[], &group(self));
    }
}

/// Amounts by card, and a store behind them.
fn job(name: &str, store: &str) -> Kept {
    let job = Job::with_topics(name);
    write(&job, "", store);
    Kept(job)
}

/// With more columns, which come out as they came.
fn write(job: &Job, columns: &str, store: &str) {
    job.write(&format!(
        r#"
        columns = {{ id = "int", t = "time", amount = "float", card = "text"{columns} }}
        partitioned_by = ["card"]
        event_time = "t"
        [[features]]
        plugin = "{}"
        key = "card"
        [[store]]
        name = "kept"
        {store}
        "#,
        guest("folds").display()
    ));
}

/// The group that a job's store reads in.
fn group(job: &Job) -> String {
    format!("{}.store.kept", job.name)
}

/// Waits until a store has committed all that its topic has.
fn wait_until_committed(job: &Job) {
    let (mut behind, began) = (BTreeMap::new(), Instant::now());
    for got in broker::read_all(&job.topic("out")) {
        behind.insert(got.partition, got.offset + 1);
    }
    let behind: i64 = behind.values().sum();
    while broker::committed(&group(job), &job.topic("out"), 4) < behind {
        assert!(began.elapsed() < PATIENCE, "the store does not commit");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// What identifies an output, and what it says.
fn outputs(got: &[Got]) -> BTreeMap<String, Value> {
    let origin = |got: &Got| got.headers["tailwater-origin"].clone();
    let outputs: BTreeMap<_, _> = got.iter().map(|got| (origin(got), got.json())).collect();
    assert_eq!(outputs.len(), got.len(), "the topic has each once");
    outputs
}

/// All that a job has sent, as soon as it has sent so many.
fn sent(job: &Job, count: usize) -> BTreeMap<String, Value> {
    broker::read_until(&job.topic("out"), |got| got.len() >= count);
    outputs(&broker::read_all(&job.topic("out")))
}

/// Each of the outputs has one row, which says the same: `rows` are by identity.
fn compare(outputs: &BTreeMap<String, Value>, rows: &BTreeMap<String, Value>) {
    assert_eq!(rows.len(), outputs.len());
    for (origin, output) in outputs {
        let row = rows.get(origin).unwrap_or_else(|| panic!("{origin} is not kept"));
        for (name, value) in output.as_object().expect("an object") {
            let same = match (value.as_f64(), row[name].as_f64()) {
                // Features are of single precision, whatever digits are written of them.
                (Some(sent), Some(kept)) => {
                    sent == kept || !OWN.contains(&&**name) && sent as f32 == kept as f32
                }
                _ => *value == row[name],
            };
            assert!(same, "{origin}: {name} is {value}, and {} is kept", row[name]);
        }
    }
}
