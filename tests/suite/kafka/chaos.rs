//! The short form of the chaos campaigns, `cargo xtask chaos`: one event of most kinds, always the same seed.

use std::time::Duration;

use tailwater_tests::chaos::campaign::Campaign;
use tailwater_tests::chaos::{Delivery, Event, Options, run};

#[test]
fn whatever_is_killed_each_row_comes_out_once_and_right() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let report = run(&Options {
        campaign: Campaign::named("two-keys").expect("it is there"),
        seed: 20_261,
        script: &[
            Event::KillInTransaction,
            Event::KillInRebalance,
            Event::KillBroker,
            Event::FreezeBroker,
            Event::Freeze,
            Event::KillDamaged,
        ],
        events: 0,
        pause: Duration::ZERO..Duration::from_millis(200),
        away: Duration::ZERO..Duration::from_millis(500),
        hosts: 2,
        rate: 500,
        landings: 1,
        delivery: Delivery::ExactlyOnce,
        ground: Options::ground(),
        folder: folder.path().to_owned(),
    });
    println!("{report}");
    if !report.is_clean() {
        panic!("{}: see above", folder.keep().display());
    }
}
