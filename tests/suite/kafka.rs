//! The built program on a real Apache Kafka.

mod bad_releases;
mod chaos;
mod container;
mod failures;
mod keys;
mod metrics;
mod otlp;
mod releases;
mod restarts;
mod security;
mod state;
mod stores;
mod swaps;
mod tables;

use std::collections::{BTreeMap, HashSet};
use std::path::PathBuf;

use tailwater_tests::broker::{self, Got};
use tailwater_tests::guest;
use tailwater_tests::program::Program;

/// A pipeline of amounts by card: features, no model, no rules. Topics are its own.
struct Job {
    folder: tempfile::TempDir,
    name: String,
}

impl Job {
    /// Without its topics.
    fn new(name: &str) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let job = Self { folder, name: broker::unique(name) };
        job.write(&format!(
            r#"
            columns = {{ id = "int", t = "time", amount = "float", card = "text" }}
            partitioned_by = ["card"]
            event_time = "t"
            [[features]]
            plugin = "{}"
            key = "card"
            "#,
            guest("folds").display()
        ));
        job
    }

    /// Writes the pipeline file: what all have, and the rest of it from within the first source.
    fn write(&self, rest: &str) {
        let (name, brokers) = (&self.name, broker::address());
        let text = format!(
            r#"
            name = "{name}"
            threads = 2
            routes.output.topic = "{name}-out"
            dead_letters.topic = "{name}-dead"
            [kafka]
            brokers = "{brokers}"
            [[source]]
            topic = "{name}-in"
            {rest}
            "#
        );
        std::fs::write(self.file(), text).expect("writable");
    }

    /// With its topics, of four partitions.
    fn with_topics(name: &str) -> Self {
        let job = Self::new(name);
        let [input, out, dead] = ["in", "out", "dead"].map(|topic| job.topic(topic));
        broker::create(&[&input, &out, &dead], 4);
        job
    }

    fn topic(&self, which: &str) -> String {
        format!("{}-{which}", self.name)
    }

    /// Named after the pipeline.
    fn group(&self) -> String {
        self.name.clone()
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("pipeline.toml")
    }

    fn start(&self) -> Program {
        self.start_with(&[])
    }

    fn start_with(&self, environment: &[(&str, &str)]) -> Program {
        Program::run(&self.file(), environment)
    }

    /// Amounts 1, 2, 3 and so on, of twenty cards, a second apart.
    fn feed(&self, ids: std::ops::Range<i64>) {
        let record = |id: i64| {
            let card = format!("card-{}", id % 20);
            let value =
                format!("{{\"id\":{id},\"t\":{},\"amount\":{}.5,\"card\":\"{card}\"}}", id * 1000, id + 100);
            (card, value.into_bytes())
        };
        broker::produce(&self.topic("in"), ids.map(record));
    }

    /// Reads decisions until all these ids are there.
    fn read(&self, ids: std::ops::Range<i64>) -> BTreeMap<i64, Vec<Got>> {
        let mut missing: HashSet<i64> = ids.collect();
        let mut seen = 0;
        let got = broker::read_until(&self.topic("out"), |got| {
            for one in &got[seen..] {
                missing.remove(&id(one));
            }
            seen = got.len();
            missing.is_empty()
        });
        let mut by_id: BTreeMap<i64, Vec<Got>> = BTreeMap::new();
        got.into_iter().for_each(|one| by_id.entry(id(&one)).or_default().push(one));
        by_id
    }
}

impl Drop for Job {
    fn drop(&mut self) {
        let own = ["in", "out", "dead", "sellers", "prizes"].map(|which| self.topic(which));
        let internal =
            ["folds.changelog", "releases", "release-history"].map(|which| format!("{}.{which}", self.name));
        broker::remove(&own.into_iter().chain(internal).collect::<Vec<_>>(), &self.group());
    }
}

fn id(got: &Got) -> i64 {
    got.json()["id"].as_i64().expect("an id")
}
