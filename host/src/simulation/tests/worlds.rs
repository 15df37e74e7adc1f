use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};

use super::copier::{Copier, LOG, Mistake};
use super::*;

/// Calls in which all has happened.
const LONG: u64 = 1_000_000;

fn options(seed: u64) -> WorldOptions {
    WorldOptions {
        seed,
        hosts: 3,
        threads: 2,
        topics: vec![(IN.to_owned(), 6), (OUT.to_owned(), 6), (LOG.to_owned(), 6)],
        sources: vec![IN.to_owned()],
        apart: Vec::new(),
        transactions: true,
        fresh_ids: seed.is_multiple_of(2),
        static_members: seed.is_multiple_of(3),
        queue: 64,
        timeouts: Timeouts { transaction: Duration::from_secs(2), session: Duration::from_secs(1) },
        faults: Faults::usual(),
        odds: Odds::usual(),
    }
}

fn world(options: WorldOptions, mistake: Mistake) -> World {
    let factory = move |ports| Ok(Box::new(Copier::new(ports, mistake)) as Box<dyn Stepper>);
    let mut number = 0;
    let feed = move |random: &mut Random| {
        let records = 0..1 + random.below(10);
        records
            .map(|_| {
                number += 1;
                let record = Stored { key: Some(format!("{number}").into_bytes().into()), ..record("given") };
                Given { topic: IN.to_owned(), partition: None, record }
            })
            .collect()
    };
    World::new(options, factory, feed)
}

/// Every record that came in came out once, in order, with the number that it has to have.
fn judge(world: &World) -> usize {
    let mut wanted: BTreeMap<i32, Vec<String>> = BTreeMap::new();
    for (partition, offset, _) in world.output(IN) {
        let lines = wanted.entry(partition).or_default();
        lines.push(format!("{offset} {}", lines.len() + 1));
    }
    let mut found: BTreeMap<i32, Vec<String>> = BTreeMap::new();
    for (partition, _, record) in world.output(OUT) {
        let line = String::from_utf8(record.value.as_deref().unwrap().to_vec()).unwrap();
        found.entry(partition).or_default().push(line);
    }
    for (partition, wanted) in &wanted {
        let found = found.get(partition).map_or(&[][..], Vec::as_slice);
        let wrong = wanted.iter().zip(found).position(|(wanted, found)| wanted != found);
        let wrong = wrong.or_else(|| (wanted.len() != found.len()).then(|| wanted.len().min(found.len())));
        if let Some(at) = wrong {
            panic!("partition {partition}, row {at}: {:?} instead of {:?}", found.get(at), wanted.get(at));
        }
    }
    wanted.values().map(Vec::len).sum()
}

fn go(seed: u64, calls: u64, mistake: Mistake) -> (usize, BTreeMap<&'static str, u64>) {
    let mut world = world(options(seed), mistake);
    world.run(calls);
    world.settle();
    world.stop();
    world.cluster().advance(SOON);
    (judge(&world), world.journal().tallies())
}

#[test]
fn a_right_engine_stands_it_all() {
    let (seed, calls) = WorldOptions::asked(1, if cfg!(debug_assertions) { LONG / 5 } else { LONG });
    let (rows, tallies) = go(seed, calls, Mistake::None);
    println!("seed {seed}: {rows} rows, {tallies:#?}");
    let expected = [
        "committed",
        "commit failed",
        "commit with unknown end",
        "transaction timed out",
        "open transaction fenced",
        "claims fenced",
        "undecided offsets",
        "partitions lost",
        "partitions revoked",
        "stragglers taken",
        "stragglers refused",
        "torn checkpoint",
        "crash point",
        "replace",
        "pause",
    ];
    let missing: Vec<_> = expected.iter().filter(|what| !tallies.contains_key(*what)).collect();
    // What is rare takes long.
    assert!(rows > 1_000 && (missing.is_empty() || calls < LONG), "{rows} rows, and never {missing:?}");
}

#[test]
fn the_same_seed_is_the_same_world() {
    let run = |seed| {
        let mut world = world(options(seed), Mistake::None);
        world.run(5_000);
        (world.journal().tail(), world.journal().calls())
    };
    assert_eq!(run(7), run(7));
    assert_ne!(run(7), run(8));
}

#[test]
fn crashes_at_each_call_are_stood() {
    for after in [false, true] {
        for at in 1..150 {
            let quiet = Odds { feed: 2_000, ..Odds::default() };
            let mut world =
                world(WorldOptions { odds: quiet, faults: Faults::default(), ..options(1) }, Mistake::None);
            world.arm(0, at, after);
            world.run(600);
            world.settle();
            judge(&world);
        }
    }
}

#[test]
fn mistakes_are_found() {
    use Mistake::*;
    let mistakes = [
        OffsetsApart,
        KeepsState,
        KeepsPlace,
        RestoresHalf,
        WritesEarly,
        IgnoresLoss,
        CommitsEarly,
        ReleasesEarly,
    ];
    for mistake in mistakes {
        let found =
            (1..20).find(|seed| catch_unwind(AssertUnwindSafe(|| go(*seed, 20_000, mistake))).is_err());
        println!("{mistake:?}: seed {found:?}");
        assert!(found.is_some(), "{mistake:?} is not found");
    }
}
