//! Results do not depend on how batches are cut; folds of a plugin's own equal the ready-made ones.

use std::path::Path;
use std::sync::LazyLock;

use proptest::prelude::*;
use tailwater::config::Config;
use tailwater::driver::{Driver, Given, Sent};
use tailwater::release::{Release, Runtimes};
use tailwater_tests::guest;

static RELEASE: LazyLock<Release> = LazyLock::new(|| {
    let text = format!(
        r#"
        name = "folds"
        # Waiting for what fails too often depends on how batches are cut.
        limits.failures = 1.0
        routes.output.topic = "out"
        dead_letters.topic = "dead"
        [[source]]
        topic = "in"
        columns = {{ id = "int", t = "time", amount = "float", card = "text" }}
        partitioned_by = ["card"]
        allowed_lateness = "365d"
        event_time = "t"
        [[features]]
        plugin = "{}"
        key = "card"
        "#,
        guest("folds").display()
    );
    let config = Config::parse(&text, Path::new(""), []).expect("valid");
    Release::load(&config, &Runtimes::new(None, None).expect("a runtime")).expect("it loads")
});

#[derive(Clone, Debug)]
struct Event {
    partition: i32,
    card: u8,
    /// Seconds.
    time: i64,
    cents: i64,
}

/// A few cards in three partitions; time goes on, now and then back. 13.00 makes a fold trap.
fn events() -> impl Strategy<Value = Vec<Event>> {
    let event =
        (0u8..6, prop_oneof![8 => 0i64..30, 1 => -40i64..0], prop_oneof![9 => 1i64..5000, 1 => Just(1300)]);
    prop::collection::vec(event, 1..120).prop_map(|events| {
        let mut time = 1_000_000;
        let next = |(card, step, cents)| {
            time += step;
            Event { partition: i32::from(card % 3), card, time, cents }
        };
        events.into_iter().map(next).collect()
    })
}

fn run(events: &[Event], cuts: Vec<usize>) -> Vec<Sent> {
    let mut driver = Driver::new(&RELEASE).expect("instances");
    for (id, event) in events.iter().enumerate() {
        let Event { partition, card, time, cents } = event;
        let amount = *cents as f64 / 100.0;
        let value = format!("{{\"id\":{id},\"t\":{},\"amount\":{amount},\"card\":\"c{card}\"}}", time * 1000);
        driver.give(Given::value(value).with_key(format!("c{card}")).in_partition(*partition));
    }
    driver.cut(cuts);
    driver.run().expect("it goes on")
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn batches_of_any_size_give_the_same_bytes(events in events(), cuts in prop::collection::vec(1usize..20, 1..6)) {
        let by_origin = |mut sent: Vec<Sent>| {
            sent.sort_by_key(|message| message.header("tailwater-origin"));
            sent
        };
        let whole = by_origin(run(&events, Vec::new()));
        prop_assert_eq!(&whole, &by_origin(run(&events, vec![1])));
        prop_assert_eq!(&whole, &by_origin(run(&events, cuts)));
        prop_assert_eq!(whole.len(), events.len());
    }

    #[test]
    fn own_folds_equal_ready_made_ones(mut events in events()) {
        events.retain(|event| event.cents != 1300);
        for message in run(&events, vec![7]) {
            let row = message.json();
            for (own, ready) in [("cents_1m", "sum_1m"), ("cents", "sum"), ("range_1m", "extremes_1m")] {
                let number = |name: &str| row[name].as_f64().expect("a number");
                prop_assert!((number(own) - number(ready)).abs() < 0.02, "{own} of {row}");
            }
        }
    }
}

#[test]
fn an_entry_that_a_fold_can_not_take_is_left_out_of_it() {
    let amounts = [100, 1300, 200, 300];
    let events: Vec<Event> = (0..4)
        .map(|n| Event { partition: 0, card: 0, time: 1_000_000 + n * 25, cents: amounts[n as usize] })
        .collect();
    for cuts in [vec![], vec![1], vec![2]] {
        let (out, dead): (Vec<_>, Vec<_>) =
            run(&events, cuts).into_iter().partition(|sent| sent.topic == "out");
        assert_eq!(dead.len(), 1);
        assert!(dead[0].header("tailwater-message").contains("thirteen is too much"), "{:?}", dead[0]);
        let cents: Vec<f64> =
            out.iter().map(|sent| sent.json()["cents_1m"].as_f64().expect("a number")).collect();
        assert_eq!(cents, [1.0, 3.0, 5.0]);
    }
}
