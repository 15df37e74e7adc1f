//! What a host tells of itself in numbers, while everything happens to it that there are numbers for.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::time::{Duration, Instant};

use tailwater_tests::artifacts::replace;
use tailwater_tests::http::Api;
use tailwater_tests::program::{PATIENCE, Program};
use tailwater_tests::{broker, guest, repository};

/// Those that are zero as long as all is well, or that this script has no use for.
const MAY_BE_ZERO: [&str; 8] = [
    "tailwater_spans",
    "tailwater_table_rows",
    "tailwater_table_bytes",
    "tailwater_store_flawed_rows",
    "tailwater_store_left_out_records",
    "tailwater_store_failures",
    "tailwater_store_trouble_seconds",
    "process_max_fds",
];

/// Bytes that a record has in vain, so that few of them are much.
const LARGE: usize = 100_000;

/// In this round the program begins anew, and brings back what windows it has.
const RESTARTED_IN: usize = 12;

/// Card transactions with labels, on topics of their own.
struct Stand {
    name: String,
    folder: tempfile::TempDir,
}

impl Stand {
    fn new() -> Self {
        let (name, folder) = (broker::unique("metrics"), tempfile::tempdir().expect("a temporary folder"));
        let stand = Self { name, folder };
        stand.configure("0.8");
        broker::create(
            &["transactions", "labels", "decisions", "alerts", "dead-letters", "late"]
                .map(|topic| stand.topic(topic))
                .each_ref()
                .map(String::as_str),
            2,
        );
        stand
    }

    fn topic(&self, topic: &str) -> String {
        format!("{}.{topic}", self.name)
    }

    fn file(&self) -> std::path::PathBuf {
        self.folder.path().join("pipeline.toml")
    }

    /// The example's pipeline, which blocks from this score on.
    fn configure(&self, block: &str) {
        let example = repository("examples/fraud");
        let text = fs::read_to_string(example.join("fraud.toml")).expect("the example");
        let text = text
            .replace("name = \"fraud\"", &format!("name = \"{}\"", self.name))
            .replace("\"fraud.", &format!("\"{}.", self.name))
            .replace(
                "../../target/guests",
                guest("fraud-rules").parent().expect("a folder").to_str().expect("UTF-8"),
            )
            .replace("model.onnx", example.join("model.onnx").to_str().expect("UTF-8"))
            .replace("block_score = 0.8", &format!("block_score = {block}"));
        let rest =
            "threads = 1\nkafka.brokers = \"BROKERS\"\nlimits.memory = \"32MiB\"\norder = \"event-time\"";
        let text = text
            .replace("threads = 2", &rest.replace("BROKERS", &broker::address()))
            .replace("order = \"arrival\"\n", "")
            .replace("max_ahead = ", "tombstones = \"skip\"\nmax_ahead = ");
        let store = "[[store]]\nname = \"files\"\nparquet = { directory = \"files\" }\n";
        replace(&self.file(), format!("{text}\n{store}").as_bytes());
    }

    /// Records of the golden folder: good ones, bad ones, late ones. Those of a round are of another year, and large. Without
    /// labels transactions wait for them.
    fn feed(&self, round: usize, labels: bool) {
        let lines = fs::read_to_string(repository("tests/golden/fraud/input.jsonl")).expect("the input");
        let lines = lines.replace("2026-", &format!("{}-", 2026 + round));
        let lines: Vec<serde_json::Value> =
            lines.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
        for (source, topic) in
            ["transactions", "labels"].into_iter().enumerate().take(1 + usize::from(labels))
        {
            let of_source = lines.iter().filter(|line| line["source"].as_u64().unwrap_or(0) == source as u64);
            let records = of_source.filter_map(|line| {
                let mut value = line["value"].clone();
                if value.is_object() {
                    value["note"] = "x".repeat(LARGE).into();
                }
                let value = line["raw"].as_str().map_or_else(|| value.to_string(), str::to_owned);
                Some((line["key"].as_str()?.to_owned(), value.into_bytes()))
            });
            broker::produce(&self.topic(topic), records);
        }
        broker::produce_tombstone(&self.topic("transactions"), "4711");
    }
}

impl Drop for Stand {
    fn drop(&mut self) {
        let topics = [
            "transactions",
            "labels",
            "decisions",
            "alerts",
            "dead-letters",
            "late",
            "terminals.repartition",
        ];
        let own = [
            "cards.changelog",
            "terminals.changelog",
            "source-labels.changelog",
            "releases",
            "release-history",
        ];
        let topics: Vec<String> = topics.iter().chain(&own).map(|topic| self.topic(topic)).collect();
        broker::remove(&topics, &self.name);
    }
}

/// Metrics with all of their lines that are numbers; sums and counts of a histogram are that histogram's.
fn families(page: &str) -> BTreeMap<String, Vec<f64>> {
    let mut families = BTreeMap::new();
    let mut last = String::new();
    for line in page.lines() {
        if let Some(rest) = line.strip_prefix("# TYPE ") {
            last = rest.split(' ').next().expect("a name").to_owned();
            families.insert(last.clone(), Vec::new());
        } else if !line.starts_with('#') {
            let value = line.rsplit(' ').next().and_then(|value| value.parse().ok());
            let value = value.unwrap_or_else(|| panic!("no number: {line:?}"));
            families.get_mut(&last).expect("its type stands before it").push(value);
        }
    }
    families
}

/// First cells of the tables in the list.
fn listed() -> BTreeSet<String> {
    let list = fs::read_to_string(repository("host/metrics.md")).expect("the list");
    let rows = list.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next());
    rows.map(|name| name.trim_end_matches("_total").to_owned()).collect()
}

/// Metrics that the board asks for.
fn shown() -> BTreeSet<String> {
    let board = fs::read_to_string(repository("deploy/grafana/tailwater.json")).expect("the board");
    let words = board.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    let names = words.filter(|word| ["tailwater_", "process_"].iter().any(|prefix| word.starts_with(prefix)));
    let suffixes = ["_total", "_bucket", "_sum", "_count"];
    names
        .map(|name| suffixes.iter().find_map(|suffix| name.strip_suffix(suffix)).unwrap_or(name).to_owned())
        .collect()
}

#[test]
fn all_that_is_listed_is_told_and_all_that_the_board_shows() {
    let stand = Stand::new();
    let start = || Program::run(&stand.file(), &[("TAILWATER_ADMIN", "127.0.0.1:0")]);
    let mut program = start();
    let mut api = Api::of(&program);
    let (began, mut seen): (_, BTreeMap<String, bool>) = (Instant::now(), BTreeMap::new());
    let wanted: BTreeSet<String> =
        listed().into_iter().filter(|name| !MAY_BE_ZERO.contains(&name.as_str())).collect();
    assert!(shown().is_subset(&listed()), "{:?}", shown().difference(&listed()));
    let hidden: Vec<_> = shown().into_iter().filter(|name| MAY_BE_ZERO.contains(&name.as_str())).collect();
    assert!(hidden.is_empty(), "the board shows what may be zero here: {hidden:?}");
    let (mut round, mut waited) = (0, false);
    let missing = loop {
        stand.feed(round, waited);
        round += 1;
        if round == RESTARTED_IN {
            assert!(program.terminate().success());
            program = start();
            api = Api::of(&program);
        }
        // A release now and then, one of which is no good.
        stand.configure(if round % 3 == 2 { "\"much\"" } else { ["0.8", "0.9"][round % 2] });
        for (name, values) in families(&api.page("/metrics")) {
            *seen.entry(name).or_default() |= values.iter().any(|value| *value != 0.0);
        }
        waited |= seen.get("tailwater_waiting_partitions") == Some(&true);
        let missing: Vec<&String> = wanted.iter().filter(|name| seen.get(*name) != Some(&true)).collect();
        if missing.is_empty() || began.elapsed() > PATIENCE {
            break missing.into_iter().cloned().collect::<Vec<_>>();
        }
        // Places are told once a second, files are looked at twice.
        std::thread::sleep(Duration::from_millis(500));
    };
    assert!(missing.is_empty(), "always zero, or never told: {missing:?}");
    let unlisted: Vec<&String> = seen.keys().filter(|name| !listed().contains(*name)).collect();
    assert!(unlisted.is_empty(), "not in host/metrics.md: {unlisted:?}");
}
