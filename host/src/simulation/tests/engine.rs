//! The engine in the simulator, against the oracle.

use std::collections::BTreeMap;
use std::rc::Rc;

use super::oracle::{Lines, Output, decisions, expected, found, identity};
use super::plant::{BUYERS, OUT_OF_ORDER, Plant, SHOPS, VARIANTS, Works};
use super::*;
use crate::columns::Kind;
use crate::engine::{Mistake, Seen, inspect, plant};
use crate::error::Code;
use crate::simulation::changelog::SimChangelog;
use crate::state::parse_key;

const LABELS: &str = "labels";
const STOCK: &str = "stock";
/// How often another release is to run: times in ten thousand that something is fed.
const RELEASES: u32 = 200;

fn options(seed: u64, works: &Works, plant: Plant) -> WorldOptions {
    WorldOptions {
        seed,
        hosts: 3,
        threads: 2,
        topics: plant.topics(&works.pipeline),
        sources: works.pipeline.topics.clone(),
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

fn world(seed: u64, plant: Plant, works: Rc<Works>) -> World {
    let (options, ill) = (options(seed, &works, plant), works.ill);
    let (mut number, mut now) = (0, 0);
    let given = Rc::clone(&works);
    let feed = move |random: &mut Random| {
        if random.hits(RELEASES) {
            given.release();
        }
        let records = 0..1 + random.below(10);
        records
            .map(|_| {
                number += 1;
                now += random.below(60) as i64;
                let most = if random.hits(300) { 4 * OUT_OF_ORDER } else { OUT_OF_ORDER / 2 };
                let at = now - random.below(most as usize) as i64;
                let (buyer, shop) = (random.below(BUYERS as usize), random.below(SHOPS as usize));
                // Poison is odd.
                let amount = if ill { random.below(50) * 2 } else { random.below(100) };
                let value = format!("{number} {buyer} {shop} {amount} {at}");
                let topic = match plant {
                    Plant::Sides => *random.pick(&[IN, IN, LABELS, STOCK]).expect("there are some"),
                    _ => IN,
                };
                let key = if topic == STOCK { shop } else { buyer };
                let key = Some(key.to_string().into_bytes().into());
                Given { topic: topic.to_owned(), partition: None, record: Stored { key, ..record(&value) } }
            })
            .collect()
    };
    World::new(options, move |ports| works.thread(ports), feed)
}

fn judge(plant: Plant, world: &World) -> usize {
    let variants: Vec<Output> = (0..VARIANTS).map(|variant| expected(plant, variant, world)).collect();
    let mut known = Lines::new();
    for (variant, line) in decisions(plant, world) {
        let id = identity(plant, &line);
        if !variants[variant as usize].out.contains_key(&line) {
            let mut all = variants[variant as usize].out.keys();
            let like = all.find(|other| identity(plant, other) == id);
            panic!("windows of variant {variant}: {line:?} must not be there, but {like:?}");
        }
        *known.entry(id).or_default() += 1;
    }
    let Output { out, late, dead } = &variants[0];
    let out: Lines = out.iter().map(|(line, count)| (identity(plant, line), *count)).collect();
    let found = [known, found(world, "late"), found(world, "dead")];
    let expected = [("out", &out), ("late", late), ("dead", dead)];
    for ((topic, expected), found) in expected.into_iter().zip(found) {
        for (line, count) in expected {
            let times = found.get(line).copied().unwrap_or(0);
            assert_eq!(times, *count, "{topic}: {line:?} came so often");
        }
        let more: Vec<_> = found.keys().filter(|line| !expected.contains_key(*line)).take(3).collect();
        assert!(more.is_empty(), "{topic}: {more:?} must not be there");
    }
    out.len()
}

fn go(seed: u64, calls: u64, plant: Plant) -> usize {
    judge(plant, &ended(seed, calls, plant, Works::new(plant)))
}

/// A world in which all is done.
fn ended(seed: u64, calls: u64, plant: Plant, works: Rc<Works>) -> World {
    let mut world = world(seed, plant, works);
    world.run(calls);
    // What is held comes out when a later row has come to each partition.
    for (topic, partitions) in plant.sources() {
        for partition in 0..*partitions {
            let at = 1_000_000_000 + i64::from(partition);
            let end = Stored {
                key: Some(b"end".as_slice().into()),
                ..record(&format!("0 {} 99 0 {at}", 90 + partition))
            };
            world.cluster().produce(topic, Some(partition), end);
        }
    }
    world.settle();
    world.stop();
    world.cluster().advance(SOON);
    let stuck = world.journal().tallies().get(Code::Commit.title()).copied().unwrap_or(0);
    assert_eq!(stuck, 0, "for a minute no transaction ended well");
    world
}

#[test]
fn a_look_at_a_changelog_shows_each_key_as_it_is() {
    let (seed, calls) = WorldOptions::asked(4, 100_000);
    let world = ended(seed, calls, Plant::Arrival, Works::new(Plant::Arrival));
    let (pipeline, partitions) = (Plant::Arrival.pipeline(), Plant::Arrival.sources()[0].1);
    let mut log = SimChangelog::new(world.cluster().clone(), process(world.cluster(), 99));
    let mut look = |buyer: i64| -> Vec<Seen> {
        let key = parse_key(&[Kind::Int], &buyer.to_string()).expect("a number");
        let seen = |partition| inspect(&pipeline, 0, partition, &key, &mut log).expect("it can be read");
        (0..partitions).filter_map(seen).collect()
    };
    // Amounts are never negative: of a buyer's sums of all that ever was the last is the greatest.
    let mut totals: BTreeMap<i64, (i64, i64)> = BTreeMap::new();
    for line in expected(Plant::Arrival, 0, &world).out.into_keys() {
        let numbers: Vec<i64> = line.split(' ').map(|word| word.parse().expect("a number")).collect();
        let (newest, total) = totals.entry(numbers[2]).or_default();
        (*newest, *total) = (numbers[1].max(*newest), numbers[7].max(*total));
    }
    assert!(totals.len() as i64 > BUYERS);
    for (buyer, (newest, total)) in totals {
        let seen = look(buyer);
        assert_eq!(seen.len(), 1, "buyer {buyer} is in one partition");
        let forever = seen[0].windows.iter().find(|(name, _)| name.contains("forever"));
        assert_eq!(forever.expect("there is such a window").1, total.to_string(), "buyer {buyer}");
        assert_eq!(seen[0].newest, newest, "buyer {buyer}");
        let id = seen[0].inputs[0].0;
        let (_, _, end) = world.cluster().offsets(IN, id.partition);
        assert_eq!(seen[0].inputs, [(id, Some(end))], "all was read");
    }
    assert!(look(-1).is_empty());
}

#[test]
fn rows_of_which_nothing_is_remembered() {
    let (seed, calls) = WorldOptions::asked(4, 100_000);
    let rows = go(seed, calls, Plant::Plain);
    println!("seed {seed}: {rows} rows");
    assert!(rows > 500);
}

#[test]
fn one_key_in_the_order_of_arrival() {
    let (seed, calls) = WorldOptions::asked(1, 300_000);
    let rows = go(seed, calls, Plant::Arrival);
    println!("seed {seed}: {rows} rows");
    assert!(rows > 1_000);
}

#[test]
fn two_keys_in_the_order_of_event_time() {
    let (seed, calls) = WorldOptions::asked(2, 400_000);
    let world = ended(seed, calls, Plant::TwoKeys, Works::new(Plant::TwoKeys));
    let (rows, tallies) = (judge(Plant::TwoKeys, &world), world.journal().tallies());
    let often = |what: &str| tallies.get(what).copied().unwrap_or(0);
    let releases = ["release", "release asked for", "release retired"].map(often);
    println!("seed {seed}: {rows} rows; releases handed over, asked for, retired: {releases:?}");
    assert!(rows > 1_000 && (calls < 400_000 || releases.iter().all(|count| *count > 20)), "{tallies:?}");
}

#[test]
fn windows_that_are_full_refuse_the_same_rows_whatever_happens() {
    let (seed, calls) = WorldOptions::asked(9, 300_000);
    let world = ended(seed, calls, Plant::Full, Works::new(Plant::Full));
    let (rows, refused) = (judge(Plant::Full, &world), found(&world, "dead").values().sum::<usize>());
    println!("seed {seed}: {rows} rows, {refused} refused");
    assert!(rows > 1_000 && (calls < 300_000 || refused > 100));
}

#[test]
fn windows_that_close() {
    let (seed, calls) = WorldOptions::asked(3, 300_000);
    let rows = go(seed, calls, Plant::Close);
    println!("seed {seed}: {rows} windows");
    assert!(rows > 100);
}

#[test]
fn custom_folds_in_the_order_of_arrival() {
    let (seed, calls) = WorldOptions::asked(5, 300_000);
    let rows = go(seed, calls, Plant::Customs);
    println!("seed {seed}: {rows} rows");
    assert!(rows > 1_000);
}

#[test]
fn sources_beside_that_of_the_rows() {
    // Each found a mistake once.
    for (seed, calls) in [(7, 400_000), (8, 60_000)] {
        let (seed, calls) = WorldOptions::asked(seed, calls);
        let rows = go(seed, calls, Plant::Sides);
        println!("seed {seed}: {rows} rows");
        assert!(rows > 500);
    }
}

#[test]
fn what_a_failing_plugin_did_is_taken_back_and_tried_again() {
    let (seed, calls) = WorldOptions::asked(6, 60_000);
    for plant in [Plant::Arrival, Plant::TwoKeys, Plant::Close, Plant::Customs, Plant::Sides] {
        let works = Works::ill(plant);
        let rows = judge(plant, &ended(seed, calls, plant, Rc::clone(&works)));
        println!("seed {seed}, {plant:?}: {rows} rows");
        assert!(rows > 20);
        // The other plants have poison, which is refused for good.
        if !matches!(plant, Plant::Customs | Plant::Sides) {
            assert!(works.meter.dead_letters().is_empty(), "none was written");
        }
    }
}

/// Whether a mistake is found within some worlds of these plants.
fn is_found(mistake: Mistake, plants: &[Plant]) -> bool {
    (1..=6).any(|seed| {
        plant(Some(mistake));
        let run = || go(seed, 60_000, plants[seed as usize % plants.len()]);
        let found = std::panic::catch_unwind(run).is_err();
        plant(None);
        found
    })
}

#[test]
fn each_mistake_is_found() {
    let plants = [Plant::TwoKeys, Plant::Arrival, Plant::Close];
    let mistakes = [
        Mistake::OffsetsApart,
        Mistake::CommitsEarly,
        Mistake::KeepsState,
        Mistake::KeepsPlace,
        Mistake::CheckpointAhead,
        Mistake::LosesChanges,
        Mistake::TrimsFar,
        Mistake::RestoresHalf,
        Mistake::ReleasesEarly,
        Mistake::StaleMember,
        Mistake::LosesRetracts,
        Mistake::ForgetsHeld,
    ];
    let missed: Vec<Mistake> = mistakes.into_iter().filter(|mistake| !is_found(*mistake, &plants)).collect();
    assert!(missed.is_empty(), "{missed:?}");
}

#[test]
fn mistakes_of_custom_folds_and_other_sources_are_found() {
    let mistakes = [
        (Mistake::KeepsState, Plant::Customs),
        (Mistake::LosesRetracts, Plant::Customs),
        (Mistake::LosesRegisters, Plant::Customs),
        (Mistake::ForgetsLeftOut, Plant::Customs),
        (Mistake::KeepsState, Plant::Sides),
        (Mistake::LosesRetracts, Plant::Sides),
        (Mistake::ForgetsHeld, Plant::Sides),
        (Mistake::KeepsOtherPlaces, Plant::Sides),
    ];
    all_are_found(&mistakes);
}

fn all_are_found(mistakes: &[(Mistake, Plant)]) {
    let missed = mistakes.iter().filter(|(mistake, plant)| !is_found(*mistake, &[*plant]));
    let missed: Vec<_> = missed.collect();
    assert!(missed.is_empty(), "{missed:?}");
}

#[test]
fn mistakes_of_releases_are_found() {
    all_are_found(&[
        (Mistake::FinishesAnew, Plant::TwoKeys),
        (Mistake::FinishesAnew, Plant::Sides),
        (Mistake::LacksRelease, Plant::TwoKeys),
        (Mistake::LacksRelease, Plant::Sides),
        (Mistake::BeginsAnywhere, Plant::TwoKeys),
        (Mistake::BeginsAnywhere, Plant::Sides),
        (Mistake::ForgetsPlans, Plant::Arrival),
        (Mistake::ForgetsPlans, Plant::TwoKeys),
        (Mistake::ForgetsPlans, Plant::Customs),
        (Mistake::StarvesFormers, Plant::Customs),
        (Mistake::LosesOldRegisters, Plant::Customs),
    ]);
}
