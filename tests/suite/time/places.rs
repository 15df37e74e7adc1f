//! Keys that are not where they are said to be.

use super::{driver, of, purchase, release, stage};

#[test]
fn wrong_partitioning_is_refused_row_by_row() {
    let release = release("", "", &stage("buyers", "buyer"));
    let mut driver = driver(&release, 2);
    driver.give(purchase(1, 1, 0).given(0));
    // Keyed by something else.
    driver.give(purchase(1, 1, 1).given(0).with_key("other"));
    driver.give(purchase(1, 1, 2).given(0));
    let mut keyless = purchase(1, 1, 3).given(1);
    keyless.key = None;
    driver.give(keyless);
    let sent = driver.run().expect("it goes on");
    let codes: Vec<String> = of(&sent, "dead").iter().map(|dead| dead.header("tailwater-code")).collect();
    assert_eq!(codes, ["TW410", "TW410"]);
    let seen: Vec<f64> =
        of(&sent, "out").iter().map(|out| out.json()["sliding"].as_f64().expect("a number")).collect();
    assert_eq!(seen, [1.0, 2.0], "the refused ones are in no window");
}

#[test]
fn a_partitioner_of_ones_own_is_believed() {
    let release = release("", "custom_partitioner = true", &stage("buyers", "buyer"));
    let mut driver = driver(&release, 2);
    for key in ["b1", "other"] {
        driver.give(purchase(1, 1, 0).given(0).with_key(key));
    }
    assert_eq!(of(&driver.run().expect("it goes on"), "out").len(), 2);
}
