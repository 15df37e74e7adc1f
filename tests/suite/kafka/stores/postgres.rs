//! Outputs in a table.

use std::collections::BTreeMap;

use rdkafka::ClientConfig;
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use serde_json::{Value, json};
use tailwater_tests::postgres::Database;
use tailwater_tests::program::PATIENCE;
use tailwater_tests::secured::{Authority, Life};
use tailwater_tests::{broker, guest};

use super::super::Job;
use super::{compare, group, job, sent, wait_until_committed, write};

const COUNT: &str = "SELECT count(*) FROM decisions";

fn store(database: &Database) -> String {
    format!(
        "postgres = {{ url = \"{}\", table = \"decisions\", password_file = \"{}\" }}",
        database.url(),
        database.password_file().display()
    )
}

/// By identity.
fn kept(database: &Database) -> BTreeMap<String, Value> {
    let rows = database.query("SELECT *, (extract(epoch FROM t) * 1000)::bigint AS ms FROM decisions");
    let number = |row: &Value, name: &str| row[name].as_i64().expect("a number");
    let by_identity = rows.into_iter().map(|mut row| {
        row["t"] = row["ms"].clone();
        assert_eq!(row["tailwater_flaw"], Value::Null, "{row}");
        let [partition, offset, index] =
            ["partition", "offset", "index"].map(|part| number(&row, &format!("tailwater_{part}")));
        let topic = row["tailwater_topic"].as_str().expect("text");
        (format!("{topic}/{partition}/{offset}/{index}"), row)
    });
    by_identity.collect()
}

#[test]
fn rows_are_those_of_the_topic_and_a_repeat_changes_nothing() {
    let database = Database::start();
    let job = job("table", &store(&database));
    let mut program = job.start();
    job.feed(0..3000);
    let outputs = sent(&job, 3000);
    database.wait_for(COUNT, 3000);
    compare(&outputs, &kept(&database));
    let releases = database.query("SELECT DISTINCT tailwater_release AS release FROM decisions");
    assert!(
        releases.len() == 1 && releases[0]["release"].as_str().is_some_and(|stamp| stamp.starts_with("1-"))
    );
    assert!(program.terminate().success());
    wait_until_committed(&job);
    let versions = "SELECT sum(xmin::text::bigint) AS sum FROM decisions";
    let before = database.query(versions);
    // Whoever has forgotten where it was reads all again.
    broker::remove(&[], &group(&job));
    assert_eq!(broker::committed(&group(&job), &job.topic("out"), 4), 0);
    let mut program = job.start();
    wait_until_committed(&job);
    assert_eq!(database.query(versions), before, "no row was written again");
    job.feed(3000..3100);
    database.wait_for(COUNT, 3100);
    assert!(program.terminate().success());
}

#[test]
fn a_database_that_is_away_holds_nobody_up_and_misses_nothing() {
    let mut database = Database::start();
    let job = job("away", &store(&database));
    let mut program = job.start();
    job.feed(0..2000);
    database.wait_for(COUNT, 2000);
    database.stop();
    job.feed(2000..20_000);
    assert_eq!(sent(&job, 20_000).len(), 20_000, "the pipeline goes on");
    program.says("TW1001");
    database.go_on();
    program.says("goes on, after");
    job.feed(20_000..21_000);
    database.wait_for(COUNT, 21_000);
    compare(&sent(&job, 21_000), &kept(&database));
    assert!(program.terminate().success());
}

#[test]
fn hosts_that_are_killed_leave_each_row_once() {
    let database = Database::start();
    let job = job("slain", &store(&database));
    let mut fed = 0;
    for round in 0..3 {
        let (program, other) = (job.start(), (round % 2 == 1).then(|| job.start()));
        job.feed(fed..fed + 10_000);
        // Somewhere in the middle of it.
        database.wait_for(&format!("SELECT (count(*) > {})::int FROM decisions", fed + 1_000 * round), 1);
        program.kill();
        drop(other);
        fed += 10_000;
    }
    let mut program = job.start();
    job.feed(fed..fed + 10);
    let outputs = sent(&job, fed as usize + 10);
    database.wait_for(COUNT, fed + 10);
    compare(&outputs, &kept(&database));
    assert!(program.terminate().success());
}

/// Sends outputs in one transaction, of these offsets.
fn transaction(job: &Job, offsets: &[i64], end: impl FnOnce(&BaseProducer)) {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", broker::address()).set("transactional.id", &job.name);
    let producer: BaseProducer = config.create().expect("a producer");
    producer.init_transactions(PATIENCE).expect("the broker answers");
    producer.begin_transaction().expect("it begins");
    for offset in offsets {
        let (origin, value) = (format!("elsewhere/0/{offset}/0"), format!("{{\"id\":{offset}}}"));
        let header = |key, value| Header { key, value: Some(value) };
        let headers = OwnedHeaders::new().insert(header("tailwater-origin", &origin));
        let headers = headers.insert(header("tailwater-release", &"1-0000000000000000".to_owned()));
        let topic = job.topic("out");
        let record = BaseRecord::<str, _>::to(&topic).partition(0).payload(&value).headers(headers);
        producer.send(record).map_err(|(error, _)| error).expect("there is room");
    }
    producer.flush(PATIENCE).expect("delivered");
    end(&producer);
}

#[test]
fn what_is_not_committed_is_never_there() {
    let database = Database::start();
    let job = job("aborted", &store(&database));
    let mut program = job.start();
    transaction(&job, &[1, 2], |producer| producer.abort_transaction(PATIENCE).expect("it ends"));
    transaction(&job, &[3], |producer| producer.commit_transaction(PATIENCE).expect("it ends"));
    transaction(&job, &[4, 5], |producer| {
        database.wait_for(COUNT, 1);
        producer.commit_transaction(PATIENCE).expect("it ends");
    });
    database.wait_for(COUNT, 3);
    let ids = database.query("SELECT id, amount FROM decisions ORDER BY id");
    let ids: Vec<_> = ids.iter().map(|row| (row["id"].as_i64(), row["amount"].is_null())).collect();
    assert_eq!(ids, [(Some(3), true), (Some(4), true), (Some(5), true)]);
    assert!(program.terminate().success());
}

#[test]
fn what_can_not_be_held_or_is_no_output_is_told() {
    let database = Database::start();
    let job = job("flawed", &store(&database));
    let mut program = job.start();
    let row = |id: i64, card: &str| {
        let value = format!("{{\"id\":{id},\"t\":{},\"amount\":1.5,\"card\":\"{card}\"}}", id * 1000);
        (card.to_owned(), value.into_bytes())
    };
    broker::produce(&job.topic("out"), [("k".to_owned(), b"{\"id\":0}".to_vec())]);
    // In JSON it is written as it is in a topic: escaped.
    let (key, value) = row(1, "a\\u0000b");
    broker::produce(&job.topic("in"), [(key.replace("\\u0000", "\0"), value), row(2, "whole")]);
    database.wait_for(COUNT, 2);
    // Partitions come in any order.
    let mut said = program.says("TW100");
    said.extend(program.says("TW100"));
    assert!(["TW1005", "TW1006"].iter().all(|code| said.iter().any(|line| line.contains(code))), "{said:?}");
    let rows = database.query("SELECT id, card, tailwater_flaw AS flaw FROM decisions ORDER BY id");
    assert_eq!(rows[0]["card"], "ab");
    assert!(rows[0]["flaw"].as_str().is_some_and(|flaw| flaw.contains("column card")), "{:?}", rows[0]);
    assert_eq!((rows[1]["card"].as_str(), rows[1]["flaw"].is_null()), (Some("whole"), true));
    assert!(program.terminate().success());
}

#[test]
fn a_table_that_does_not_fit_waits_for_somebody_to_mend_it() {
    let database = Database::start();
    let job = job("unfit", &store(&database));
    let mut program = job.start();
    job.feed(0..100);
    database.wait_for(COUNT, 100);
    assert!(program.terminate().success());
    // Others may have columns of their own, those of outputs are added, and what is of another type is refused.
    database.execute("ALTER TABLE decisions DROP COLUMN card, ADD COLUMN note text DEFAULT 'new'");
    database.execute("ALTER TABLE decisions ALTER COLUMN amount TYPE integer USING amount::integer");
    let mut program = job.start();
    job.feed(100..200);
    sent(&job, 200);
    let said = program.says("TW1003");
    let last = said.last().expect("a line");
    assert!(last.contains("column \"amount\" is integer, and has to be double precision"), "{last}");
    database.execute("ALTER TABLE decisions ALTER COLUMN amount TYPE double precision");
    database.wait_for(COUNT, 200);
    let cards = "SELECT count(card) FROM decisions WHERE note = 'new'";
    database.wait_for(cards, 100);
    assert!(program.terminate().success());
}

#[test]
fn a_release_with_another_column_gets_it() {
    let database = Database::start();
    let job = job("grown", &store(&database));
    let mut program = job.start();
    job.feed(0..100);
    database.wait_for(COUNT, 100);
    write(&job, ", extra = \"text?\"", &store(&database));
    program.says("release 2-");
    let record = |id: i64| {
        let value =
            format!("{{\"id\":{id},\"t\":{},\"amount\":1.5,\"card\":\"c\",\"extra\":\"x{id}\"}}", id * 1000);
        ("c".to_owned(), value.into_bytes())
    };
    broker::produce(&job.topic("in"), (100..150).map(record));
    database.wait_for(COUNT, 150);
    database.wait_for(
        "SELECT count(*) FROM decisions WHERE extra = 'x' || id AND tailwater_release LIKE '2-%'",
        50,
    );
    assert!(program.terminate().success());
}

#[test]
fn a_wrong_password_is_told_and_not_repeated() {
    let database = Database::start();
    let other = tempfile::NamedTempFile::new().expect("a temporary file");
    std::fs::write(other.path(), "hush-hush").expect("writable");
    let own = database.password_file();
    let job =
        job("locked", &store(&database).replace(&*own.to_string_lossy(), &other.path().to_string_lossy()));
    let mut program = job.start_with(&[("TAILWATER_LOG", "debug")]);
    job.feed(0..10);
    let said = program.says("TW1002");
    assert!(said.iter().all(|line| !line.contains("hush-hush")), "{said:?}");
    // It is read each time.
    std::fs::copy(own, other.path()).expect("writable");
    database.wait_for(COUNT, 10);
    assert!(program.terminate().success());
}

#[test]
fn a_run_that_ends_by_itself_keeps_all_of_it() {
    let database = Database::start();
    let job = job("ending", &store(&database));
    job.feed(0..5000);
    let mut program = tailwater_tests::program::Program::run_until_end(&job.file());
    assert!(program.end().success());
    compare(&sent(&job, 5000), &kept(&database));
}

#[test]
fn closed_windows_are_kept_by_key_and_time() {
    let database = Database::start();
    let job = job("closed", &store(&database));
    job.write(&format!(
        r#"
        columns = {{ buyer = "text", amount = "int", at = "time" }}
        partitioned_by = ["buyer"]
        event_time = "at"
        out_of_orderness = "0s"
        allowed_lateness = "1m"
        [[features]]
        plugin = "{}"
        key = "buyer"
        [[store]]
        name = "kept"
        {}
        "#,
        guest("minutes").display(),
        store(&database)
    ));
    let mut program = job.start();
    let purchase = |second: i64, amount: i64| {
        let value = format!("{{\"buyer\":\"b\",\"amount\":{amount},\"at\":{}}}", second * 1000);
        broker::produce(&job.topic("in"), [("b".to_owned(), value.into_bytes())]);
    };
    [(0, 1), (59, 2), (60, 4), (121, 8)].iter().for_each(|(second, amount)| purchase(*second, *amount));
    database.wait_for(COUNT, 2);
    // Late, but not too late.
    purchase(61, 16);
    database.wait_for(COUNT, 3);
    let rows = database.query(
        "SELECT tailwater_key AS key, extract(epoch FROM tailwater_start)::int AS begin, \
         extract(epoch FROM tailwater_end)::int AS end, tailwater_revision AS revision, sum \
         FROM decisions ORDER BY 2, 4",
    );
    let rows: Vec<_> = rows.iter().map(Value::to_string).collect();
    let expected = [(0, 60, 0, 3), (60, 120, 0, 4), (60, 120, 1, 20)].map(|(begin, end, revision, sum)| {
        json!({ "key": "b", "begin": begin, "end": end, "revision": revision, "sum": sum }).to_string()
    });
    assert_eq!(rows, expected);
    assert!(program.terminate().success());
}

#[test]
fn a_database_is_trusted_by_its_certificate() {
    let (mut database, trusted, other) =
        (Database::start(), Authority::new("trusted"), Authority::new("other"));
    database.secure(&trusted.issue("database", Some("127.0.0.1"), Life::Now));
    let ca = tempfile::NamedTempFile::new().expect("a temporary file");
    std::fs::write(ca.path(), other.certificate()).expect("writable");
    let tls = format!(", tls = {{ ca = \"{}\" }} }}", ca.path().display());
    let store = store(&database);
    let store = format!("{}{tls}", store.strip_suffix(" }").expect("a table"));
    let job = job("trusted", &store);
    let mut program = job.start();
    job.feed(0..10);
    let said = program.says("TW1002");
    assert!(said.last().is_some_and(|line| line.contains("certificate verify failed")), "{said:?}");
    // It is read each time.
    std::fs::write(ca.path(), trusted.certificate()).expect("writable");
    database.wait_for(COUNT, 10);
    let secured = "SELECT ssl FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) WHERE application_name LIKE '%.store.kept'";
    assert_eq!(database.query(secured), [json!({ "ssl": true })]);
    assert!(program.terminate().success());
}
