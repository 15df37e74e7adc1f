//! In event-time order the same rows give the same bytes, however they came: two keys, and complaints from
//! a source of their own, against a model that looks at all rows again and again.

use std::sync::LazyLock;

use proptest::prelude::*;
use proptest::sample::Index;
use tailwater::driver::{Given, Sent};
use tailwater::release::Release;

use super::{Complaint, Purchase, START, driver, release, stage};

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

/// All that happens, by partition of its topic and in the order of that.
#[derive(Clone, Debug)]
struct Events {
    purchases: [Vec<Purchase>; 2],
    complaints: [Vec<Complaint>; 2],
}

/// Times rise but for up to five seconds.
fn times(most: usize) -> impl Strategy<Value = Vec<i64>> {
    prop::collection::vec((0i64..30, 0i64..6), 0..most).prop_map(|steps| {
        let mut now = 10;
        let mut next = |(step, back): (i64, i64)| {
            now += step;
            now - back
        };
        steps.into_iter().map(&mut next).collect()
    })
}

fn events() -> impl Strategy<Value = Events> {
    let purchases = |partition: u8| {
        let rows = (times(25), prop::collection::vec((0u8..2, 0u8..3, -5i64..50), 25));
        rows.prop_map(move |(times, rows)| {
            let row =
                |(at, (buyer, shop, amount))| Purchase { buyer: buyer * 2 + partition, shop, amount, at };
            times.into_iter().zip(rows).map(row).collect::<Vec<_>>()
        })
    };
    let complaints = || {
        let rows = (times(15), prop::collection::vec((0u8..3, any::<bool>()), 15));
        rows.prop_map(|(times, rows)| {
            let row = |(at, (shop, grave))| Complaint { shop, grave, at };
            times.into_iter().zip(rows).map(row).collect::<Vec<_>>()
        })
    };
    let all = ((purchases(0), purchases(1)), (complaints(), complaints()));
    all.prop_map(|((p0, p1), (c0, c1))| Events { purchases: [p0, p1], complaints: [c0, c1] })
}

/// Feeds everything, drawing from the partitions as `draws` say, with runs between, and with moves of all
/// partitions after each `shake` rows.
fn run(events: &Events, draws: &[Index], cuts: Vec<usize>, shake: usize) -> Vec<Sent> {
    let mut driver = driver(&RELEASE, 2);
    driver.cut(cuts);
    let mut queues: Vec<Vec<Given>> = Vec::new();
    for (partition, rows) in events.purchases.iter().enumerate() {
        queues.push(rows.iter().rev().map(|row| row.given(partition as i32)).collect());
    }
    for (partition, rows) in events.complaints.iter().enumerate() {
        let row = |(n, row): (usize, &Complaint)| row.given(partition as i32, n * 2 + partition);
        queues.push(rows.iter().enumerate().map(row).rev().collect());
    }
    let (mut draws, mut sent, mut n) = (draws.iter().cycle(), Vec::new(), 0);
    while queues.iter().any(|queue| !queue.is_empty()) {
        let filled: Vec<usize> = (0..4).filter(|queue| !queues[*queue].is_empty()).collect();
        let queue = draws.next().map_or(filled[0], |draw| *draw.get(&filled));
        driver.give(queues[queue].pop().expect("it is not empty"));
        n += 1;
        if n % 7 == 0 {
            sent.extend(driver.run().expect("it goes on"));
        }
        if n % shake == 0 {
            driver.shake();
        }
    }
    sent.extend(driver.finish().expect("it goes on"));
    assert_eq!(driver.held_bytes(), 0);
    sent
}

/// What a row is to be, from all rows.
fn expected(events: &Events) -> Vec<serde_json::Value> {
    let mut rows: Vec<(i64, usize, usize, Purchase)> = Vec::new();
    for (partition, purchases) in events.purchases.iter().enumerate() {
        rows.extend(purchases.iter().enumerate().map(|(offset, row)| (row.at, partition, offset, *row)));
    }
    rows.sort_by_key(|row| (row.0, row.1, row.2));
    let complaints: Vec<&Complaint> = events.complaints.iter().flatten().collect();
    let mut told = Vec::new();
    for (index, (at, .., own)) in rows.iter().enumerate() {
        let until =
            |seconds: i64| rows[..=index].iter().map(|row| &row.3).filter(move |row| row.at > at - seconds);
        let sliding = until(60).filter(|row| row.buyer == own.buyer).count();
        let turnover: i64 = until(60).filter(|row| row.shop == own.shop).map(|row| row.amount).sum();
        let about =
            complaints.iter().filter(|one| one.shop == own.shop && one.at <= *at && one.at > at - 120);
        let (count, grave) = (about.clone().count(), about.filter(|one| one.grave).count());
        let share = (count > 0).then(|| grave as f32 / count as f32);
        told.push(serde_json::json!({
            "at": (START + at) * 1000, "buyer": format!("b{}", own.buyer), "sliding": sliding as f64,
            "turnover": turnover as f64, "complaints": count as f64, "grave": share, "seen_before": sliding as f64,
        }));
    }
    told
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn any_interleaving_gives_the_same_bytes(
        events in events(),
        draws in prop::collection::vec(any::<[Index; 2]>(), 1..40),
        cuts in prop::collection::vec(1usize..20, 0..6),
        shake in 1usize..30,
    ) {
        let draw = |n: usize| draws.iter().map(|both| both[n]).collect::<Vec<_>>();
        let sent = run(&events, &draw(0), cuts, shake);
        prop_assert_eq!(&sent, &run(&events, &draw(1), Vec::new(), 1_000));
        let expected = expected(&events);
        prop_assert_eq!(sent.len(), expected.len());
        for (message, expected) in sent.iter().zip(expected) {
            let row = message.json();
            for (name, value) in expected.as_object().expect("an object") {
                let equal = match (row[name].as_f64(), value.as_f64()) {
                    (Some(one), Some(other)) => (one - other).abs() < 1e-6,
                    _ => row[name] == *value,
                };
                prop_assert!(equal, "{name} of {row}, expected {value}");
            }
        }
    }
}

#[test]
fn a_side_at_the_same_instant_comes_first() {
    let events = Events {
        purchases: [vec![Purchase { buyer: 0, shop: 1, amount: 5, at: 20 }], Vec::new()],
        complaints: [Vec::new(), vec![Complaint { shop: 1, grave: true, at: 20 }]],
    };
    let sent = run(&events, &[], Vec::new(), 1);
    assert_eq!(sent.len(), 1);
    assert_eq!(sent[0].json()["complaints"], 1.0);
}
