//! A pipeline of features, model and rules that runs under a steady load while its files are spoilt.

use std::collections::{BTreeSet, HashSet};
use std::fs;
use std::path::PathBuf;

use tailwater_tests::artifacts::replace;
use tailwater_tests::broker::{self, Got, Reader};
use tailwater_tests::program::{Program, output};
use tailwater_tests::{guest, repository};

use super::drip::Drip;
use crate::kafka::Job;

/// All that the host watches.
#[derive(Clone)]
pub struct Files {
    pub pipeline: String,
    pub features: Vec<u8>,
    pub rules: Vec<u8>,
    pub model: Vec<u8>,
}

impl Files {
    /// Hostile plugins that pass everything on, and a model that scores it.
    fn good(job: &Job) -> Self {
        job.write(
            r#"
            columns = { n = "int", t = "time", card = "text", a = "float", b = "float", c = "float" }
            partitioned_by = ["card"]
            event_time = "t"
            [[features]]
            plugin = "features.wasm"
            key = "card"
            time_limit = "5s"
            memory_limit = "64MiB"
            settings = { mode = "pass" }
            [model]
            file = "model.onnx"
            [rules]
            plugin = "rules.wasm"
            settings = { mode = "pass" }
            "#,
        );
        let read = |path: PathBuf| fs::read(path).expect("readable");
        Self {
            pipeline: fs::read_to_string(job.file()).expect("readable"),
            features: read(guest("hostile-features")),
            rules: read(guest("hostile-rules")),
            model: model("linear"),
        }
    }

    /// Writes another text in place of the first such in the pipeline file.
    pub fn edit(&mut self, from: &str, to: &str) {
        assert!(self.pipeline.contains(from), "{from:?} is not in the pipeline file");
        self.pipeline = self.pipeline.replacen(from, to, 1);
    }

    /// How the features plugin behaves.
    pub fn features_do(&mut self, mode: &str) {
        self.edit("settings = { mode = \"pass\" }", &format!("settings = {{ mode = \"{mode}\" }}"));
    }

    /// How the rules behave.
    pub fn rules_do(&mut self, mode: &str) {
        let (before, after) = self.pipeline.split_once("[rules]").expect("there are rules");
        self.pipeline = format!("{before}[rules]{}", after.replacen("pass", mode, 1));
    }

    fn all(&self) -> [(&'static str, &[u8]); 4] {
        [
            ("features.wasm", &self.features),
            ("rules.wasm", &self.rules),
            ("model.onnx", &self.model),
            ("pipeline.toml", self.pipeline.as_bytes()),
        ]
    }
}

/// A model of the fixtures.
pub fn model(name: &str) -> Vec<u8> {
    fs::read(repository("tests/fixtures/models").join(format!("{name}.onnx"))).expect("readable")
}

/// One host, its files, its load, and what comes out.
pub struct Stand {
    job: Job,
    folder: tempfile::TempDir,
    pub program: Program,
    pub drip: Drip,
    /// Outputs and dead letters.
    out: Reader,
    good: Files,
    /// As they lie there.
    laid: Files,
}

impl Stand {
    /// As soon as this is there, release 1 runs.
    pub fn start(name: &str, guilty: bool) -> Self {
        Self::start_with(name, guilty, &[])
    }

    /// The same with variables.
    pub fn start_with(name: &str, guilty: bool, environment: &[(&str, &str)]) -> Self {
        let job = Job::with_topics(name);
        let (good, folder) = (Files::good(&job), tempfile::tempdir().expect("a temporary folder"));
        good.all().iter().for_each(|(name, bytes)| replace(&folder.path().join(name), bytes));
        let program = Program::run(&folder.path().join("pipeline.toml"), environment);
        let drip = Drip::start(&job.topic("in"), guilty);
        let out = Reader::open(&[&job.topic("out"), &job.topic("dead")]);
        let mut stand = Self { job, folder, program, drip, out, laid: good.clone(), good };
        stand.runs(1);
        stand.goes_on();
        stand
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Puts the files in place that are others than those that lie there.
    fn lay(&mut self, files: Files) {
        let old = std::mem::replace(&mut self.laid, files);
        for ((name, bytes), (_, before)) in self.laid.all().into_iter().zip(old.all()) {
            if bytes != before {
                replace(&self.path(name), bytes);
            }
        }
    }

    /// Changes the good files; what was changed before is taken back.
    pub fn change(&mut self, change: impl FnOnce(&mut Files)) {
        let mut files = self.good.clone();
        change(&mut files);
        self.lay(files);
    }

    /// A change is refused in these words, and what runs goes on.
    pub fn refuses(&mut self, words: &[&str], change: impl FnOnce(&mut Files)) {
        self.change(change);
        let said = self.program.says("what runs goes on: ");
        let line = said.last().expect("it was said").clone();
        // What can't be swapped stands in lines of its own.
        let (code, words) = words.split_first().expect("a code");
        assert!(line.contains(code), "{code} is not in {line:?}");
        let missing = words.iter().filter(|word| !line.contains(**word));
        missing.for_each(|word| drop(self.program.says(word)));
        self.goes_on();
    }

    /// What `tailwater release apply` says of a change that comes to nothing.
    pub fn apply(&self, change: impl FnOnce(&mut Files)) -> String {
        let (mut files, folder) = (self.good.clone(), tempfile::tempdir().expect("a temporary folder"));
        change(&mut files);
        files.all().iter().for_each(|(name, bytes)| replace(&folder.path().join(name), bytes));
        let file = folder.path().join("pipeline.toml");
        let output = output(&["release", "apply", file.to_str().expect("UTF-8")]);
        assert!(!output.status.success());
        String::from_utf8_lossy(&output.stderr).into_owned()
    }

    /// A change becomes a release, which runs; what is fed until now comes out.
    pub fn takes(&mut self, number: u64, change: impl FnOnce(&mut Files)) {
        self.change(change);
        self.runs(number);
        self.goes_on();
    }

    /// All threads go by this release.
    pub fn runs(&self, number: u64) -> Vec<String> {
        let mut said = self.program.says(&format!("release {number}-"));
        while !said.last().is_some_and(|line| line.ends_with("runs") || line.contains("runs ")) {
            said.extend(self.program.says(&format!("release {number}-")));
        }
        said
    }

    /// What is fed until now comes out.
    pub fn goes_on(&mut self) {
        let fed = self.drip.fed();
        let (mut seen, mut origins) = (0, HashSet::new());
        self.out.until(|got| {
            origins.extend(got[seen..].iter().map(|one| header(one, "tailwater-origin").to_owned()));
            seen = got.len();
            origins.len() >= fed
        });
    }

    /// Ends it. Each record must have come out once, by these releases; so many of them at most may be dead letters, of
    /// those that had not failed too often yet. Gives the ids of the releases' contents.
    pub fn end(self, releases: &[u64], dead: usize) -> Vec<String> {
        self.ended(releases, dead, true)
    }

    /// The same, but a record may have come out more than once.
    pub fn end_at_least_once(self, releases: &[u64], dead: usize) -> Vec<String> {
        self.ended(releases, dead, false)
    }

    fn ended(mut self, releases: &[u64], dead: usize, once: bool) -> Vec<String> {
        let fed = self.drip.stop();
        self.goes_on();
        assert!(self.program.terminate().success());
        let [out, dead_letters] = ["out", "dead"].map(|topic| broker::read_all(&self.job.topic(topic)));
        let all = || out.iter().chain(&dead_letters);
        let origins: HashSet<&str> = all().map(|one| header(one, "tailwater-origin")).collect();
        assert_eq!(origins.len(), fed, "each record comes out");
        assert!(!once || all().count() == fed, "and once");
        assert!(dead_letters.len() <= dead, "{} dead letters", dead_letters.len());
        let stamps: BTreeSet<(u64, String)> =
            all().map(|one| stamp(header(one, "tailwater-release"))).collect();
        assert_eq!(stamps.iter().map(|(number, _)| *number).collect::<Vec<_>>(), releases);
        stamps.into_iter().map(|(_, id)| id).collect()
    }

    /// Lines of the history of releases.
    pub fn history(&self) -> Vec<serde_json::Value> {
        broker::read_all(&format!("{}.release-history", self.job.name)).iter().map(Got::json).collect()
    }
}

fn header<'a>(got: &'a Got, name: &str) -> &'a str {
    got.headers.get(name).map_or("", String::as_str)
}

/// Number and id.
fn stamp(text: &str) -> (u64, String) {
    let (number, id) = text.split_once('-').expect("a number and an id");
    (number.parse().expect("a number"), id.to_owned())
}
