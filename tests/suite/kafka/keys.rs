//! Two keys and two sources on a real broker: purchases by buyer, then, behind a repartition topic, by shop,
//! where complaints come too.

use std::collections::{BTreeMap, HashSet};

use tailwater_tests::broker::{self, Got};
use tailwater_tests::guest;
use tailwater_tests::program::{Program, output};

/// Topics of its own, of four partitions; the repartition topic is the program's affair.
struct Shops {
    folder: tempfile::TempDir,
    name: String,
}

const TOPICS: [&str; 5] = ["purchases", "complaints", "out", "dead", "late"];

/// Buyer and shop of a purchase, which happens at second `id`.
fn places(id: i64) -> (i64, i64) {
    (id % 7, id % 5)
}

impl Shops {
    fn new(name: &str, order: &str, complaints: &str) -> Self {
        let name = broker::unique(name);
        let [brokers, buyers, shops] =
            [broker::address(), guest("buyers").display().to_string(), guest("shops").display().to_string()];
        let text = format!(
            r#"
            name = "{name}"
            threads = 2
            order = "{order}"
            routes.output.topic = "{name}-out"
            dead_letters.topic = "{name}-dead"
            late.topic = "{name}-late"
            kafka.brokers = "{brokers}"
            [[source]]
            topic = "{name}-purchases"
            columns = {{ id = "int", buyer = "text", shop = "text", amount = "int", at = "time" }}
            partitioned_by = ["buyer"]
            event_time = "at"
            idleness = "2s"
            [[source]]
            name = "complaints"
            topic = "{name}-complaints"
            columns = {{ shop = "text", grave = "boolean", told = "time" }}
            event_time = "told"
            idleness = "2s"
            {complaints}
            [[features]]
            plugin = "{buyers}"
            key = "buyer"
            [[features]]
            plugin = "{shops}"
            key = "shop"
            "#
        );
        let folder = tempfile::tempdir().expect("a temporary folder");
        std::fs::write(folder.path().join("pipeline.toml"), text).expect("writable");
        Self { folder, name }
    }

    fn with_topics(name: &str, order: &str) -> Self {
        let shops = Self::new(name, order, "");
        let topics = TOPICS.map(|topic| shops.topic(topic));
        broker::create(&topics.each_ref().map(String::as_str), 4);
        shops
    }

    fn topic(&self, which: &str) -> String {
        format!("{}-{which}", self.name)
    }

    fn file(&self) -> std::path::PathBuf {
        self.folder.path().join("pipeline.toml")
    }

    fn feed(&self, ids: std::ops::Range<i64>) {
        let purchase = |id: i64| {
            let (buyer, shop) = places(id);
            let at = id * 1000;
            let value = format!(
                "{{\"id\":{id},\"buyer\":\"b{buyer}\",\"shop\":\"s{shop}\",\"amount\":{id},\"at\":{at}}}"
            );
            (format!("b{buyer}"), value.into_bytes())
        };
        broker::produce(&self.topic("purchases"), ids.clone().map(purchase));
        // Each tenth second somebody complains about shop 0 or 1.
        let complaint = |id: i64| {
            let (shop, grave, told) = (id / 10 % 2, id % 20 == 0, id * 1000);
            let value = format!("{{\"shop\":\"s{shop}\",\"grave\":{grave},\"told\":{told}}}");
            (id.to_string(), value.into_bytes())
        };
        broker::produce(&self.topic("complaints"), ids.filter(|id| id % 10 == 0).map(complaint));
    }
}

impl Drop for Shops {
    fn drop(&mut self) {
        let own = TOPICS.map(|topic| self.topic(topic));
        let internal =
            ["shops.repartition", "buyers.changelog", "shops.changelog", "releases", "release-history"];
        let internal = internal.map(|which| format!("{}.{which}", self.name));
        broker::remove(&own.into_iter().chain(internal).collect::<Vec<_>>(), &self.name);
    }
}

fn id(got: &Got) -> i64 {
    got.json()["id"].as_i64().expect("an id")
}

#[test]
fn a_bounded_run_gives_each_row_once_as_a_look_at_all_rows_would() {
    const COUNT: i64 = 3_000;
    let shops = Shops::with_topics("shops", "event-time");
    shops.feed(0..COUNT);
    let mut program = Program::run_until_end(&shops.file());
    assert!(program.end().success(), "it ends by itself");
    let got: BTreeMap<i64, Got> =
        broker::read_all(&shops.topic("out")).into_iter().map(|got| (id(&got), got)).collect();
    assert_eq!(got.len() as i64, COUNT);
    assert_eq!(broker::read_all(&shops.topic("out")).len() as i64, COUNT, "each once");
    for which in ["dead", "late"] {
        assert!(broker::read_all(&shops.topic(which)).is_empty(), "{which}");
    }
    for (id, got) in got {
        let (buyer, shop) = places(id);
        assert_eq!(got.key.as_deref(), Some(format!("b{buyer}").as_bytes()), "the key it came with");
        assert!(got.headers["tailwater-origin"].starts_with(&shops.topic("purchases")));
        let last = |seconds: i64| ((id - seconds + 1).max(0)..=id).collect::<Vec<_>>();
        let sliding = last(60).iter().filter(|one| places(**one).0 == buyer).count() as f64;
        let turnover: i64 = last(60).iter().filter(|one| places(**one).1 == shop).sum();
        let told = last(120).into_iter().filter(|one| one % 10 == 0 && one / 10 % 2 == shop);
        let (told, grave) = (told.clone().count() as f64, told.filter(|one| one % 20 == 0).count() as f64);
        let row = got.json();
        let number = |name: &str| row[name].as_f64();
        assert_eq!(number("sliding"), Some(sliding), "{row}");
        assert_eq!(number("seen_before"), Some(sliding), "{row}");
        assert_eq!(number("turnover"), Some(turnover as f64), "{row}");
        assert_eq!(number("complaints"), Some(told), "{row}");
        assert_eq!(number("grave"), (told > 0.0).then(|| grave / told), "{row}");
    }
}

#[test]
fn kill_9_skips_nothing_that_waits_or_is_on_its_way() {
    let shops = Shops::with_topics("held", "event-time");
    let mut fed = 0;
    for _ in 0..3 {
        let program = Program::run(&shops.file(), &[]);
        shops.feed(fed..fed + 4_000);
        // Some are through, some wait, some are in the repartition topic.
        broker::read_until(&shops.topic("out"), |got| got.last().is_some_and(|one| id(one) >= fed + 500));
        program.kill();
        fed += 4_000;
    }
    let mut program = Program::run_until_end(&shops.file());
    assert!(program.end().success());
    let seen: HashSet<i64> = broker::read_all(&shops.topic("out")).iter().map(id).collect();
    // What came twice may be late the second time; it was there once.
    let missing: Vec<i64> = (0..fed).filter(|id| !seen.contains(id)).collect();
    assert!(missing.is_empty(), "{} are missing, the first: {:?}", missing.len(), missing.first());
}

#[test]
fn kill_9_in_a_change_of_releases_leaves_each_row_to_the_one_that_began_it() {
    let shops = Shops::with_topics("begun", "event-time");
    // So a host that starts has nothing of the release before.
    let text = std::fs::read_to_string(shops.file()).expect("readable");
    std::fs::write(shops.file(), text + "\n[releases]\nprobation = \"0s\"\n").expect("writable");
    let run = || Program::run(&shops.file(), &[]);
    let program = run();
    shops.feed(0..4_000);
    broker::read_until(&shops.topic("out"), |got| got.last().is_some_and(|one| id(one) >= 500));
    program.kill();
    // From now on purchases have one column more, which comes out as it came.
    let text = std::fs::read_to_string(shops.file()).expect("readable");
    let text = text.replacen("at = \"time\" }", "at = \"time\", more = \"int?\" }", 1);
    std::fs::write(shops.file(), text).expect("writable");
    let program = run();
    // It begins as the one before, whose last rows wait for later ones.
    program.says("release 2-");
    program.kill();
    let mut program = run();
    program.says("is here again, to finish rows in flight");
    shops.feed(4_000..9_000);
    broker::read_until(&shops.topic("out"), |got| got.len() >= 8_900);
    assert!(program.terminate().success());
    let got = broker::read_all(&shops.topic("out"));
    let mut seen = HashSet::new();
    for one in &got {
        assert!(seen.insert(id(one)), "{} comes twice", id(one));
        let is_new = one.headers["tailwater-release"].starts_with("2-");
        assert_eq!(one.json().get("more").is_some(), is_new, "{}", one.json());
    }
    let missing: Vec<i64> = (0..8_800).filter(|id| !seen.contains(id)).collect();
    assert!(missing.is_empty(), "{} are missing, the first: {:?}", missing.len(), missing.first());
    let new = got.iter().filter(|one| one.headers["tailwater-release"].starts_with("2-")).count();
    assert!(new >= 1_000 && new < got.len(), "{new} of {}", got.len());
}

#[test]
fn sources_of_one_window_need_as_many_partitions() {
    let shops = Shops::new("uneven", "arrival", "partitioned_by = [\"shop\"]");
    let text = std::fs::read_to_string(shops.file()).expect("readable");
    let (head, stages) = text.split_once("[[features]]").expect("two stages");
    let (_, last) = stages.split_once("[[features]]").expect("two stages");
    // Purchases are partitioned by shop too, and the stage of the shops is the only one.
    let text = format!("{}[[features]]{last}", head.replace("[\"buyer\"]", "[\"shop\"]"));
    let text = text.replace("amount = \"int\"", "amount = \"int\", sliding = \"single\"");
    std::fs::write(shops.file(), text).expect("writable");
    broker::create(
        &[&shops.topic("purchases"), &shops.topic("out"), &shops.topic("dead"), &shops.topic("late")],
        4,
    );
    broker::create(&[&shops.topic("complaints")], 3);
    let run = output(&["run", shops.file().to_str().expect("UTF-8")]);
    let said = String::from_utf8_lossy(&run.stderr);
    assert!(!run.status.success());
    for part in ["TW510", "4 and 3 partitions", &shops.topic("complaints")] {
        assert!(said.contains(part), "{part}: {said}");
    }
}
