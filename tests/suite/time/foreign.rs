//! What others wrote to a repartition topic: as far as it shows, it is put aside and nobody's turn comes sooner.

use std::sync::LazyLock;

use tailwater::driver::{Driver, Given};
use tailwater::release::Release;

use super::{Complaint, Purchase, START, driver, of, release, stage};

static RELEASE: LazyLock<Release> = LazyLock::new(|| {
    let complaints = r#"
        out_of_orderness = "5s"
        [[source]]
        name = "complaints"
        topic = "complaints"
        time_unit = "s"
        columns = { shop = "text", grave = "boolean", told = "time" }
        event_time = "told"
        out_of_orderness = "5s"
        "#;
    release("order = \"event-time\"", complaints, &(stage("buyers", "buyer") + &stage("shops", "shop")))
});

/// Centuries ahead of all rows, in milliseconds.
const FAR: i64 = (START + 9_000_000_000) * 1_000;

/// A watermark as the host writes it.
fn watermark(source: u16, partition: i32, watermark: i64, run: u64) -> Vec<u8> {
    let mut bytes = vec![1, 2];
    bytes.extend(source.to_le_bytes());
    bytes.extend(partition.to_le_bytes());
    bytes.extend(watermark.to_le_bytes());
    bytes.push(0);
    bytes.extend(run.to_le_bytes());
    bytes
}

/// Puts it into the repartition topic.
fn slip(driver: &mut Driver, bytes: Vec<u8>) {
    let (source, _) = RELEASE.pipeline().repartition_topics().next().expect("it has one");
    driver.give(Given::value(bytes).in_source(source));
}

/// A purchase and a complaint at this second, in each partition.
fn give(driver: &mut Driver, at: i64) {
    for partition in 0..2u8 {
        driver.give(Purchase { buyer: partition, shop: 0, amount: 1, at }.given(i32::from(partition)));
        driver.give(Complaint { shop: 0, grave: false, at }.given(i32::from(partition), at as usize));
    }
}

/// What comes out of rows at seconds 10, 12 and 11, with this slipped in between; how many dead letters there are.
fn with(forged: &[Vec<u8>]) -> (Vec<serde_json::Value>, Vec<String>) {
    let mut driver = driver(&RELEASE, 2);
    let mut sent = Vec::new();
    for at in [10, 12, 11] {
        give(&mut driver, at);
        sent.extend(driver.run().expect("it goes on"));
        forged.iter().for_each(|bytes| slip(&mut driver, bytes.clone()));
        sent.extend(driver.run().expect("it goes on"));
        assert!(of(&sent, "out").is_empty(), "five seconds more may come");
        assert!(driver.held_bytes() > 0);
    }
    sent.extend(driver.finish().expect("it goes on"));
    let codes = of(&sent, "dead").iter().map(|dead| dead.header("tailwater-code")).collect();
    (of(&sent, "out").iter().map(|out| out.json()).collect(), codes)
}

#[test]
fn what_nobody_here_can_have_written_is_a_dead_letter_and_moves_nothing() {
    let (usual, dead) = with(&[]);
    assert_eq!((usual.len(), dead.len()), (6, 0));
    let [purchases, complaints, internal] = [0, 1, 2];
    for (forged, code) in [
        (b"{\"shop\":\"s0\"}".to_vec(), "TW411"),
        (Vec::new(), "TW401"),
        // Of partitions that are not there, and of topics that do not feed this one.
        (watermark(purchases, 2, FAR, 0), "TW401"),
        (watermark(complaints, -1, FAR, 0), "TW401"),
        (watermark(internal, 0, FAR, 0), "TW401"),
        (watermark(u16::MAX, 0, FAR, 0), "TW401"),
        // Cut short.
        (watermark(purchases, 0, FAR, 0)[..20].to_vec(), "TW401"),
    ] {
        let (out, dead) = with(std::slice::from_ref(&forged));
        assert_eq!(out, usual, "{forged:?}");
        assert_eq!(dead, [code; 3], "{forged:?}");
    }
}

#[test]
fn the_end_of_another_run_is_no_end() {
    let (usual, _) = with(&[]);
    let ends = |run: u64| {
        let all = (0..2).flat_map(|source| (0..2).map(move |partition| (source, partition)));
        all.map(|(source, partition)| watermark(source, partition, i64::MAX, run)).collect::<Vec<_>>()
    };
    assert_eq!(with(&ends(7)), (usual, Vec::new()));
}

#[test]
fn one_that_is_far_ahead_waits_for_the_others() {
    let (usual, _) = with(&[]);
    assert_eq!(with(&[watermark(0, 0, FAR, 0)]), (usual, Vec::new()));
}
