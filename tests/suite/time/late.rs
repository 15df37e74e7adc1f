//! Rows that come too late, or from the future; partitions that fall silent.

use std::time::Duration;

use tailwater::driver::Sent;

use super::{driver, of, purchase, release, stage};

fn counts(sent: &[Sent], name: &str) -> Vec<f64> {
    of(sent, "out").iter().map(|message| message.json()[name].as_f64().expect("a number")).collect()
}

#[test]
fn a_row_within_the_lateness_is_scored_in_its_place() {
    let source = "out_of_orderness = \"10s\"\nallowed_lateness = \"1m\"";
    let release = release("", source, &stage("buyers", "buyer"));
    let mut driver = driver(&release, 1);
    for at in [0, 50, 100, 41, 100] {
        driver.give(purchase(1, 1, at).given(0));
    }
    let sent = driver.run().expect("it goes on");
    // At 41 it sees the one at 0; the last one at 100 sees 41, 50 and both of 100.
    assert_eq!(counts(&sent, "sliding"), [1.0, 2.0, 2.0, 2.0, 4.0]);
    assert!(driver.meter().late_by_source().is_empty());
}

#[test]
fn a_row_beyond_it_goes_to_the_late_topic() {
    let source = "out_of_orderness = \"10s\"\nallowed_lateness = \"1m\"";
    let release = release("late.topic = \"late\"", source, &stage("buyers", "buyer"));
    let mut driver = driver(&release, 1);
    for at in [100, 30, 29] {
        driver.give(purchase(1, 1, at).given(0));
    }
    let sent = driver.run().expect("it goes on");
    assert_eq!(of(&sent, "out").len(), 2, "30 is late by a minute, and just admitted");
    let [late] = of(&sent, "late")[..] else { panic!("one is late") };
    assert_eq!(late.header("tailwater-lateness"), "61000");
    assert_eq!(late.header("tailwater-origin"), "purchases/0/2/0");
    assert_eq!(late.json()["at"], super::START + 29, "it is the record as it came");
    assert_eq!(
        driver.meter().late_by_source().into_iter().collect::<Vec<_>>(),
        [("purchases".to_owned(), 1)]
    );
    assert!(driver.meter().dead_letters().is_empty());
}

#[test]
fn without_a_late_topic_nothing_is_lost() {
    let release = release("", "out_of_orderness = \"0s\"", &stage("buyers", "buyer"));
    let mut driver = driver(&release, 1);
    [5, 4].into_iter().for_each(|at| driver.give(purchase(1, 1, at).given(0)));
    let sent = driver.run().expect("it goes on");
    let [dead] = of(&sent, "dead")[..] else { panic!("one is dead") };
    assert_eq!(dead.header("tailwater-code"), "TW408");
    assert!(dead.header("tailwater-message").starts_with("1000 ms too late"), "{dead:?}");
}

#[test]
fn a_record_of_the_future_does_not_make_others_late() {
    let source = "out_of_orderness = \"0s\"\nmax_ahead = \"1h\"";
    let release = release("", source, &stage("buyers", "buyer"));
    let mut driver = driver(&release, 1);
    let now = (super::START + 10) * 1000;
    for at in [10, 3611, 3610, 3610] {
        driver.give(purchase(1, 1, at).given(0).at(now));
    }
    let sent = driver.run().expect("it goes on");
    let [dead] = of(&sent, "dead")[..] else { panic!("one is dead: {sent:?}") };
    assert_eq!(
        (dead.header("tailwater-code"), dead.header("tailwater-offset")),
        ("TW409".into(), "1".into())
    );
    assert_eq!(of(&sent, "out").len(), 3);
}

#[test]
fn a_silent_partition_holds_up_only_for_its_idleness() {
    let source = "out_of_orderness = \"0s\"\nidleness = \"30s\"\n";
    let sections = stage("buyers", "buyer") + "name = \"one\"\n" + &stage("minutes", "shop");
    let sections = sections.replace("minutes.wasm", "shops.wasm");
    let complaints = r#"
        [[source]]
        name = "complaints"
        topic = "complaints"
        time_unit = "s"
        columns = { shop = "text", grave = "boolean", told = "time" }
        event_time = "told"
        idleness = "30s"
        "#;
    let release = release("order = \"event-time\"", &format!("{source}{complaints}"), &sections);
    let mut driver = driver(&release, 2);
    for at in [1, 2, 3] {
        driver.give(purchase(0, 1, at).given(0));
    }
    assert!(driver.run().expect("it goes on").is_empty(), "three partitions have said nothing yet");
    driver.advance(Duration::from_secs(29));
    assert!(driver.run().expect("it goes on").is_empty());
    driver.advance(Duration::from_secs(1));
    let sent = driver.run().expect("it goes on");
    // What the others may still bring at the newest instant is waited for.
    assert_eq!(of(&sent, "out").len(), 2, "{sent:?}");
}

#[test]
fn what_is_held_is_not_committed() {
    let release = release("order = \"event-time\"", "out_of_orderness = \"10s\"", &stage("buyers", "buyer"));
    let mut driver = driver(&release, 1);
    for at in [0, 5, 20, 22] {
        driver.give(purchase(1, 1, at).given(0));
    }
    driver.run().expect("it goes on");
    driver.advance(Duration::from_secs(1));
    let sent = driver.run().expect("it goes on");
    assert!(sent.is_empty());
    let committed: Vec<i64> = driver.committed().into_iter().map(|(_, offset)| offset).collect();
    assert_eq!(committed, [2], "0 and 5 are through, 20 waits");
}
