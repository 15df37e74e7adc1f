//! The built program on an Apache Kafka that lets nobody in but those it knows.

mod refused;
mod rights;
mod secrets;

use std::collections::BTreeSet;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

use tailwater_tests::program::said_with;
use tailwater_tests::secured::{Operation, Resource, Right, Secured};
use tailwater_tests::{broker, guest};

use super::id;

/// A pipeline with windows and all kinds of internal topics, and its folder.
struct Stand {
    secured: Arc<Secured>,
    folder: tempfile::TempDir,
    name: String,
}

impl Stand {
    /// Without topics. None: there is no such Kafka.
    fn new(name: &str) -> Option<Self> {
        let Some(secured) = Secured::shared() else {
            eprintln!("passed over: a Kafka was named, and it is not known whom it lets in");
            return None;
        };
        let folder = tempfile::tempdir().expect("a temporary folder");
        Some(Self { secured, folder, name: broker::unique(name) })
    }

    /// With the topics that a pipeline does not make itself.
    fn with_topics(name: &str) -> Option<Self> {
        let stand = Self::new(name)?;
        let [input, out, dead] = ["in", "out", "dead"].map(|which| stand.topic(which));
        broker::create_at(&stand.secured.admin(), &[&input, &out, &dead], 2);
        Some(stand)
    }

    fn topic(&self, which: &str) -> String {
        format!("{}-{which}", self.name)
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("pipeline.toml")
    }

    /// Writes the pipeline file; `sections`: how its clients come in.
    fn write(&self, brokers: &str, sections: &str) {
        let (name, plugin) = (&self.name, guest("folds"));
        let text = format!(
            r#"
            name = "{name}"
            routes.output.topic = "{name}-out"
            dead_letters.topic = "{name}-dead"
            [kafka]
            brokers = "{brokers}"
            {sections}
            [[source]]
            topic = "{name}-in"
            columns = {{ id = "int", t = "time", amount = "float", card = "text" }}
            event_time = "t"
            [[features]]
            plugin = "{}"
            key = "card"
            "#,
            plugin.display()
        );
        std::fs::write(self.file(), text).expect("writable");
    }

    /// Writes a file beside the pipeline file.
    fn put(&self, name: &str, text: &str) {
        std::fs::write(self.folder.path().join(name), text).expect("writable");
    }

    /// Runs `tailwater ARGUMENTS FILE MORE`.
    fn say(&self, arguments: &[&str], more: &[&str]) -> (bool, String) {
        self.say_with(arguments, more, &[])
    }

    fn say_with(&self, arguments: &[&str], more: &[&str], environment: &[(&str, &str)]) -> (bool, String) {
        let file = self.file();
        said_with(&[arguments, &[file.to_str().expect("UTF-8")], more].concat(), environment)
    }

    /// Of four cards, a second apart.
    fn feed(&self, ids: Range<i64>) {
        let record = |id: i64| {
            let card = format!("card-{}", id % 4);
            let value = format!("{{\"id\":{id},\"t\":{},\"amount\":1.5,\"card\":\"{card}\"}}", id * 1000);
            (card, value.into_bytes())
        };
        broker::produce_at(&self.secured.admin(), &self.topic("in"), ids.map(record));
    }

    /// Waits for these decisions; none comes twice.
    fn read(&self, ids: Range<i64>) {
        let wanted: BTreeSet<i64> = ids.clone().collect();
        let got =
            broker::read_until_at(&self.secured.admin(), &self.topic("out"), |got| got.len() >= wanted.len());
        let found: Vec<i64> = got.iter().map(id).collect();
        assert_eq!(found.iter().copied().collect::<BTreeSet<_>>(), wanted);
        assert_eq!(found.len(), wanted.len(), "each once");
    }

    /// All that `host/pipeline.md` says a client needs.
    fn rights(&self) -> Vec<Right> {
        use Operation as O;
        let topic = |which: &str| Resource::Topic(self.topic(which));
        let internal = || Resource::Topics(format!("{}.", self.name));
        let ids = || Resource::TransactionalIds(format!("{}-", self.name));
        vec![
            (topic("in"), O::Read),
            (topic("out"), O::Write),
            (topic("dead"), O::Write),
            (internal(), O::Read),
            (internal(), O::Write),
            (internal(), O::Create),
            (internal(), O::Delete),
            (Resource::Group(self.name.clone()), O::Read),
            (ids(), O::Write),
        ]
    }

    /// `[kafka.tls]` with a file of the broker's folder.
    fn tls(&self, ca: &str) -> String {
        format!("[kafka.tls]\nca = \"{}\"\n", self.of_broker(ca))
    }

    fn of_broker(&self, file: &str) -> String {
        self.secured.folder().join(file).display().to_string()
    }
}

/// `[kafka.sasl]` with the password in a file.
fn sasl(mechanism: &str, user: &str, file: &str) -> String {
    format!("[kafka.sasl]\nmechanism = \"{mechanism}\"\nusername = \"{user}\"\npassword_file = \"{file}\"\n")
}
