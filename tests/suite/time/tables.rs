//! Rows of tables, looked up for rows and for windows that close.

use std::path::Path;

use serde_json::{Value, json};
use tailwater::config::Config;
use tailwater::driver::{Given, Sent};
use tailwater::error::{Code, Error};
use tailwater::release::{Release, Runtimes};
use tailwater_tests::guest;

use super::{driver, of, purchase, release, stage};

const SELLERS: &str = r#"
[[source]]
name = "sellers"
topic = "shops.sellers"
table = true
columns = { note = "text?", risk = "float", country = "text?" }
"#;

const PRIZES: &str = r#"
[[source]]
name = "prizes"
topic = "shops.prizes"
table = true
columns = { points = "int" }
"#;

/// Tables behind the purchases.
fn sections(plugin: &str, key: &str, tables: &[&str]) -> String {
    tables.concat() + &stage(plugin, key)
}

/// A record of the first table.
fn seller(shop: u8, risk: f64, country: &str) -> Given {
    let value = json!({ "country": country, "note": "seen", "risk": risk });
    Given::value(value.to_string()).with_key(format!("s{shop}")).in_source(1)
}

/// A record of the second one.
fn prize(amount: &str, points: i64) -> Given {
    Given::value(json!({ "points": points }).to_string()).with_key(amount).in_source(2)
}

fn deleted(record: Given) -> Given {
    Given { value: None, ..record }
}

fn values(sent: &[Sent], names: &[&str]) -> Vec<Vec<Value>> {
    let one = |message: &&Sent| names.iter().map(|name| message.json()[name].clone()).collect();
    of(sent, "out").iter().map(one).collect()
}

#[test]
fn rows_see_tables_as_they_are_at_their_turn() {
    let release = release("", "", &sections("sellers", "buyer", &[SELLERS, PRIZES]));
    for cuts in [vec![], vec![1], vec![2, 3]] {
        let mut driver = driver(&release, 1);
        driver.cut(cuts);
        driver.give(purchase(1, 5, 0).given(0));
        driver.give(seller(0, 0.5, "fr"));
        driver.give(prize("5", 40));
        driver.give(prize("-6", 60).in_partition(7));
        for amount in [5, 7, -6] {
            driver.give(purchase(1, amount, 1).given(0));
        }
        driver.give(seller(0, 0.75, "andorra"));
        driver.give(deleted(prize("5", 0)));
        driver.give(purchase(1, 5, 2).given(0));
        driver.give(deleted(seller(0, 0.0, "")));
        driver.give(purchase(1, 5, 3).given(0));
        let sent = driver.run().expect("it goes on");
        let names = ["risk", "points", "letters", "purchases", "told"];
        let expected = [
            (Value::Null, Value::Null, Value::Null, 1, 7),
            (json!(0.5), json!(40.0), json!(2.0), 2, 7),
            (json!(0.5), Value::Null, json!(2.0), 3, 9),
            (json!(0.5), json!(60.0), json!(2.0), 4, -4),
            (json!(0.75), Value::Null, json!(7.0), 5, 7),
            (Value::Null, Value::Null, Value::Null, 6, 7),
        ];
        let expected = expected.map(|(risk, points, letters, purchases, told)| {
            vec![risk, points, letters, json!(f64::from(purchases)), json!(f64::from(told))]
        });
        assert_eq!(values(&sent, &names), expected);
        assert_eq!((driver.table_usage(1).keys, driver.table_usage(2).keys), (0, 1));
    }
}

#[test]
fn in_event_time_order_tables_are_as_of_the_turn() {
    let source = "out_of_orderness = \"5s\"";
    let release =
        release("order = \"event-time\"", source, &sections("sellers", "buyer", &[SELLERS, PRIZES]));
    let mut driver = driver(&release, 1);
    driver.give(seller(0, 0.25, "fr"));
    driver.give(purchase(1, 5, 0).given(0));
    driver.give(seller(0, 0.5, "fr"));
    driver.give(purchase(1, 6, 20).given(0));
    driver.give(seller(0, 0.75, "fr"));
    let risks = values(&driver.finish().expect("it goes on"), &["risk"]);
    assert_eq!(risks, [[json!(0.5)], [json!(0.75)]], "when they are let go, not when they came");
}

#[test]
fn behind_a_repartition_topic_too() {
    let release = release("", "", &sections("sellers", "shop", &[SELLERS, PRIZES]));
    assert_eq!(release.pipeline().groups.len(), 2);
    let mut driver = driver(&release, 1);
    driver.give(seller(0, 0.5, "fr"));
    driver.run().expect("it goes on");
    driver.give(purchase(1, 5, 0).given(0));
    assert_eq!(values(&driver.finish().expect("it goes on"), &["risk"]), [[json!(0.5)]]);
}

#[test]
fn windows_that_close_are_looked_up_by_their_key() {
    let source = "out_of_orderness = \"0s\"";
    let release = release("", source, &sections("ratings", "shop", &[SELLERS]));
    let mut driver = driver(&release, 1);
    driver.give(seller(1, 0.25, "fr"));
    for (shop, amount, at) in [(1, 5, 40), (2, 7, 41), (1, 9, 45), (2, 1, 100)] {
        driver.give(super::Purchase { shop, ..purchase(1, amount, at) }.given(0));
    }
    let names = ["shop", "risk", "sum", "second", "letters"];
    let sent = driver.run().expect("it goes on");
    let row = |shop: &str, risk: Value, sum: f64| vec![json!(shop), risk, json!(sum), json!(0.0), json!(2.0)];
    assert_eq!(values(&sent, &names), [row("s1", json!(0.25), 14.0), row("s2", Value::Null, 7.0)]);
    driver.give(seller(2, 0.125, "fr"));
    assert_eq!(values(&driver.finish().expect("it goes on"), &names), [row("s2", json!(0.125), 1.0)]);
}

#[test]
fn a_broken_record_leaves_the_row_before() {
    let release = release("", "", &sections("sellers", "buyer", &[SELLERS, PRIZES]));
    let mut driver = driver(&release, 1);
    driver.give(seller(0, 0.5, "fr"));
    driver.give(Given { value: Some(b"{\"country\":\"de\"}".to_vec()), ..seller(0, 0.0, "") });
    driver.give(Given { key: None, ..seller(0, 0.75, "de") });
    driver.give(purchase(1, 5, 0).given(0));
    let sent = driver.run().expect("it goes on");
    assert_eq!(values(&sent, &["risk"]), [[json!(0.5)]]);
    assert!(of(&sent, "dead").is_empty());
    let counted: Vec<_> = driver.meter().dead_letters().into_keys().collect();
    assert_eq!(counted, [("decode", Code::Missing), ("decode", Code::NoKey)]);
}

/// Why a pipeline is refused.
fn refused(plugin: &str, key: &str, tables: &[&str]) -> Error {
    let text = format!(
        r#"
        name = "shops"
        routes.output.topic = "out"
        dead_letters.topic = "dead"
        [[source]]
        topic = "purchases"
        columns = {{ buyer = "text", shop = "text", amount = "int", at = "time" }}
        event_time = "at"
        {}
        [[features]]
        plugin = "{}"
        key = "{key}"
        "#,
        tables.concat(),
        guest(plugin).display()
    );
    let config = Config::parse(&text, Path::new(""), []).expect("valid");
    Release::load(&config, &Runtimes::new(None, None).expect("runtimes")).expect_err("refused")
}

#[test]
fn what_does_not_fit_is_refused_by_name() {
    let no_table = SELLERS.replace("table = true", "");
    let other_kind = SELLERS.replace("risk = \"float\"", "risk = \"int\"");
    let lacking = SELLERS.replace("risk = \"float\", ", "");
    let unused = SELLERS.replace("\"sellers\"", "\"resellers\"").replace("shops.sellers", "resellers");
    for (tables, says) in [
        (vec![PRIZES], ["table \"sellers\"", "table = true; tables are: prizes"]),
        (vec![&no_table, PRIZES], ["\"sellers\", which is a source but no table", "table = true"]),
        (vec![&other_kind, PRIZES], ["lookup in sellers", "column risk as float; source sellers gives int"]),
        (
            vec![&lacking, PRIZES],
            ["lookup in sellers", "column risk (float); source sellers has country text?"],
        ),
        (vec![SELLERS, PRIZES, &unused], ["source resellers", "no features stage looks rows up in it"]),
    ] {
        let error = refused("sellers", "buyer", &tables);
        assert_eq!(error.code, Code::Mismatch);
        for part in says {
            assert!(error.message.contains(part), "{part}: {}", error.message);
        }
    }
    // The plugin closes windows by shop, and looks up by it.
    let error = refused("ratings", "buyer", &[SELLERS]);
    assert_eq!(error.code, Code::Mismatch);
    assert!(error.message.contains("shop"), "{}", error.message);
}
