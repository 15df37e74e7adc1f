//! Tables: whole before the first row, and followed from then on.

use std::ops::Range;
use std::time::Instant;

use serde_json::{Value, json};
use tailwater_tests::program::{PATIENCE, output};
use tailwater_tests::{broker, guest};

use super::Job;

/// Purchases, of which the shop and the amount are looked up.
fn job() -> Job {
    let job = Job::with_topics("tables");
    job.write(&format!(
        r#"
        columns = {{ id = "int", t = "time", amount = "int", shop = "text" }}
        partitioned_by = ["shop"]
        event_time = "t"
        [[source]]
        name = "sellers"
        topic = "{name}-sellers"
        table = true
        columns = {{ risk = "float", country = "text?" }}
        [[source]]
        name = "prizes"
        topic = "{name}-prizes"
        table = true
        columns = {{ points = "int" }}
        [[features]]
        plugin = "{}"
        key = "shop"
        "#,
        guest("sellers").display(),
        name = job.name
    ));
    broker::create(&[&job.topic("sellers")], 3);
    broker::create(&[&job.topic("prizes")], 1);
    job
}

fn feed(job: &Job, ids: Range<i64>) {
    let record = |id: i64| {
        let shop = format!("s{}", id % 50);
        let value = json!({ "id": id, "t": id, "amount": id % 7, "shop": shop });
        (shop, value.to_string().into_bytes())
    };
    broker::produce(&job.topic("in"), ids.map(record));
}

fn seller(shop: i64, risk: f64) -> (String, Vec<u8>) {
    (format!("s{shop}"), json!({ "risk": risk }).to_string().into_bytes())
}

#[test]
fn a_table_is_whole_before_the_first_row_and_followed() {
    let job = job();
    // Of each of 40 shops the last of a thousand counts.
    let sellers = (0..1000).flat_map(|n| (0..40).map(move |shop| seller(shop, (n * 40 + shop) as f64)));
    broker::produce(&job.topic("sellers"), sellers.chain([("s1".to_owned(), b"broken".to_vec())]));
    let prizes = (0..3).map(|n| (n.to_string(), json!({ "points": n * 10 }).to_string().into_bytes()));
    broker::produce(&job.topic("prizes"), prizes);
    feed(&job, 0..1000);
    let mut program = job.start();
    for (id, copies) in job.read(0..1000) {
        let (row, shop) = (copies[0].json(), id % 50);
        let risk = if shop < 40 { json!((999 * 40 + shop) as f64) } else { Value::Null };
        let points = if id % 7 < 3 { json!((id % 7 * 10) as f64) } else { Value::Null };
        assert_eq!((&row["risk"], &row["points"]), (&risk, &points), "id {id}");
    }
    broker::produce(&job.topic("sellers"), [seller(45, 0.5)]);
    let (mut next, began) = (1045, Instant::now());
    loop {
        feed(&job, next..next + 1);
        if job.read(next..next + 1)[&next][0].json()["risk"] == json!(0.5) {
            break;
        }
        assert!(began.elapsed() < PATIENCE, "the update is not seen");
        next += 50;
    }
    assert!(program.terminate().success());
    // The record that is broken goes nowhere, and the group knows nothing of tables.
    assert!(broker::read_all(&job.topic("dead")).is_empty());
    assert_eq!(broker::committed(&job.group(), &job.topic("sellers"), 3), 0);

    feed(&job, next + 50..next + 51);
    let ended = output(&["run", "--until-end", job.file().to_str().expect("UTF-8")]);
    assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stderr));
    assert_eq!(job.read(next + 50..next + 51)[&(next + 50)][0].json()["risk"], json!(0.5));
}
