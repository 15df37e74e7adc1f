//! Windows that close: what comes out, when, and again.

use serde_json::{Value, json};
use tailwater::driver::Sent;

use super::{START, driver, of, purchase, release, stage};

/// Key, window and values of what came out.
fn told(sent: &[Sent], names: &[&str]) -> Vec<(String, String, Vec<Value>)> {
    let one = |message: &&Sent| {
        let key = String::from_utf8(message.key.clone().expect("a key")).expect("text");
        let row = message.json();
        (key, message.header("tailwater-window"), names.iter().map(|name| row[name].clone()).collect())
    };
    of(sent, "out").iter().map(one).collect()
}

fn window(start: i64, end: i64, revision: u32) -> String {
    format!("{}/{}/{revision}", (START + start) * 1000, (START + end) * 1000)
}

/// A minute begins 20 seconds before the start of all.
const MINUTE: i64 = 40;

#[test]
fn minutes_come_out_when_they_are_over() {
    let source = "out_of_orderness = \"5s\"\nallowed_lateness = \"1m\"";
    let release = release("", source, &stage("minutes", "buyer"));
    let mut driver = driver(&release, 1);
    driver.cut(vec![1]);
    for (buyer, amount, at) in [(2, 7, MINUTE), (1, 5, MINUTE + 3), (2, 9, MINUTE + 59)] {
        driver.give(purchase(buyer, amount, at).given(0));
    }
    assert!(driver.run().expect("it goes on").is_empty(), "nothing is over");
    driver.give(purchase(1, 3, MINUTE + 65).given(0));
    let names = ["purchases", "sum", "most", "seconds", "letters", "buyer"];
    let sent = driver.run().expect("it goes on");
    // Of one moment in the order of the keys.
    let expected = [
        ("b1".to_owned(), window(MINUTE, MINUTE + 60, 0), vec![json!(1.0), json!(5.0), json!(5.0)]),
        ("b2".to_owned(), window(MINUTE, MINUTE + 60, 0), vec![json!(2.0), json!(16.0), json!(9.0)]),
    ];
    for ((key, window, values), expected) in told(&sent, &names).into_iter().zip(expected) {
        assert_eq!((key.clone(), window, values[..3].to_vec()), expected);
        assert_eq!(values[3..], [json!(60.0), json!(2.0), json!(key)]);
    }
    // Late, but not too late: it comes out again at once.
    driver.give(purchase(2, 100, MINUTE + 1).given(0));
    let again = told(&driver.run().expect("it goes on"), &names[..3]);
    let values = vec![json!(3.0), json!(116.0), json!(100.0)];
    assert_eq!(again, [("b2".to_owned(), window(MINUTE, MINUTE + 60, 1), values)]);
    // The last minute is not over, but nothing comes any more.
    let last = told(&driver.finish().expect("it goes on"), &names[..2]);
    assert_eq!(last, [("b1".to_owned(), window(MINUTE + 60, MINUTE + 120, 0), vec![json!(1.0), json!(3.0)])]);
    assert_eq!(driver.usage().keys, 0, "nothing is left");
}

#[test]
fn a_late_row_joins_two_visits() {
    let source = "out_of_orderness = \"0s\"\nallowed_lateness = \"1m\"";
    let release = release("", source, &stage("visits", "buyer"));
    let mut driver = driver(&release, 1);
    for (amount, at) in [(1, 0), (2, 8), (4, 25), (8, 50)] {
        driver.give(purchase(1, amount, at).given(0));
    }
    let names = ["purchases", "sum", "again"];
    let first = told(&driver.run().expect("it goes on"), &names);
    let values = |purchases: f64, sum: f64, again: f64| vec![json!(purchases), json!(sum), json!(again)];
    assert_eq!(
        first,
        [
            ("b1".to_owned(), window(0, 8, 0), values(2.0, 3.0, 0.0)),
            ("b1".to_owned(), window(25, 25, 0), values(1.0, 4.0, 0.0)),
        ]
    );
    driver.give(purchase(1, 16, 17).given(0));
    let joined = told(&driver.run().expect("it goes on"), &names);
    assert_eq!(joined, [("b1".to_owned(), window(0, 25, 1), values(4.0, 23.0, 1.0))]);
}

/// The same windows, whatever the batches, and whether their task moves.
#[test]
fn batches_do_not_matter() {
    let source = "out_of_orderness = \"3s\"\nallowed_lateness = \"30s\"";
    for (plugin, order) in [("minutes", "arrival"), ("visits", "arrival"), ("minutes", "event-time")] {
        let release = release(&format!("order = \"{order}\""), source, &stage(plugin, "buyer"));
        let run = |cuts: Vec<usize>| {
            let mut driver = driver(&release, 1);
            driver.cut(cuts);
            let mut sent = Vec::new();
            for n in 0..200i64 {
                let at = n * 2 - (n * 7 % 11) * (n % 5);
                driver.give(purchase((n % 3) as u8, n, at.max(0)).given(0));
                if n % 60 == 59 {
                    sent.extend(driver.run().expect("it goes on"));
                    driver.shake();
                }
            }
            sent.extend(driver.finish().expect("it goes on"));
            sent
        };
        let whole = run(Vec::new());
        assert!(of(&whole, "out").len() > 10);
        for cuts in [vec![1], vec![3, 50, 2], vec![17]] {
            let other = run(cuts);
            for topic in ["out", "dead"] {
                assert_eq!(of(&other, topic), of(&whole, topic), "{plugin} {order}");
            }
        }
    }
}

#[test]
fn keys_that_are_silent_are_forgotten() {
    let release = release("", "out_of_orderness = \"0s\"", &stage("minutes", "buyer"));
    let mut driver = driver(&release, 1);
    for n in 0..1_000i64 {
        driver.give(purchase((n % 250) as u8, 1, n).given(0));
    }
    driver.run().expect("it goes on");
    assert!(driver.usage().keys <= 60, "{:?}: those of one minute", driver.usage());
}

#[test]
fn a_silent_key_is_forgotten_with_all_it_has_seen_for_ever() {
    let most = |more: &str| {
        let release = release("", "out_of_orderness = \"0s\"", &(stage("buyers", "buyer") + more));
        let mut driver = driver(&release, 1);
        for (buyer, amount, at) in [(1, 50, 0), (2, 1, 3_500), (1, 7, 7_201), (2, 2, 7_300)] {
            driver.give(purchase(buyer, amount, at).given(0));
        }
        let sent = driver.run().expect("it goes on");
        of(&sent, "out").iter().map(|out| out.json()["most"].as_f64().expect("a number")).collect::<Vec<_>>()
    };
    assert_eq!(most(""), [50.0, 1.0, 50.0, 2.0]);
    assert_eq!(most("expire_after = \"2h\""), [50.0, 1.0, 7.0, 2.0]);
}
