//! The short forms of `cargo xtask swaps` and `cargo xtask soak`.

use std::time::Duration;

use tailwater_tests::chaos::Ground;
use tailwater_tests::swaps::{Moment, Options, Setup, Swap, run};
use tailwater_tests::{broker, soak};

fn setup(hosts: usize, folder: &tempfile::TempDir) -> Setup {
    let ground = Ground::Given { address: broker::address() };
    Setup { ground, hosts, rate: 400, seed: 20_262, folder: folder.path().to_owned() }
}

#[test]
fn each_output_is_what_the_release_on_it_makes_of_its_row() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let report = run(&Options {
        setup: setup(2, &folder),
        script: &[
            (Swap::All, None),
            (Swap::Apply, None),
            (Swap::Copied, None),
            (Swap::Plugin, Some(Moment::GoesOver)),
            (Swap::Rollback, None),
            (Swap::Windows, Some(Moment::Soon)),
            (Swap::Model, None),
            (Swap::Windows, None),
        ],
        swaps: 0,
        every: Duration::ZERO,
        kills: 0,
        history: false,
    });
    println!("{report}");
    if !report.is_clean() {
        panic!("{}: see above", folder.keep().display());
    }
    assert!(report.releases.values().sum::<usize>() >= 9 && report.kills[&Moment::GoesOver] == 1);
}

#[test]
fn a_release_from_history_takes_over_and_may_be_called_off() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let report = run(&Options {
        setup: setup(2, &folder),
        script: &[
            (Swap::Bootstrap, None),
            (Swap::CalledOff, Some(Moment::Starts)),
            (Swap::Model, None),
            (Swap::Bootstrap, Some(Moment::Soon)),
        ],
        swaps: 0,
        every: Duration::ZERO,
        kills: 0,
        history: true,
    });
    println!("{report}");
    if !report.is_clean() {
        panic!("{}: see above", folder.keep().display());
    }
}

#[test]
fn nothing_is_left_of_what_is_swapped_out() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let setup = setup(1, &folder);
    let report =
        soak::run(&soak::Options { setup, swaps: 8, warm_up: 4, growth: 64 << 20, keep_for: Duration::ZERO });
    println!("{report}");
    if !report.faults().is_empty() {
        panic!("{}: {:?}", folder.keep().display(), report.faults());
    }
}
