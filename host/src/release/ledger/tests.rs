use proptest::prelude::*;

use super::super::samples::facts;
use super::*;
use crate::error::Code;
use crate::release::manifest::Facts;

/// A record of the log, at its place.
type Record = (String, Option<Vec<u8>>);

fn release(number: u64, ticket: u64) -> Record {
    write_release(number, ticket, 0)
}

fn write_release(number: u64, ticket: u64, write: usize) -> Record {
    let release = Manifest { number, ticket: Ticket(ticket), facts: facts(ticket as u8) };
    let (key, value) = release.record(Ticket(write as u64)).expect("small");
    (key, Some(value))
}

fn proposal(ticket: u64) -> Record {
    let (key, value) =
        Proposal { ticket: Ticket(ticket), facts: facts(ticket as u8) }.record().expect("small");
    (key, Some(value))
}

fn refusal(ticket: u64, write: usize) -> Record {
    let (by, code, message) = Default::default();
    let refusal = Refusal { ticket: Ticket(ticket), by, at: 0, code, message };
    let (key, value) = refusal.record(Ticket(write as u64));
    (key, Some(value))
}

fn chunk(content: u8, index: u32, bytes: usize) -> Record {
    let key = Key::Chunk { digest: Digest([content; 32]), index };
    (key.to_string(), Some(vec![content; bytes]))
}

fn gone(key: Key) -> Record {
    (key.to_string(), None)
}

fn take(ledger: &mut Ledger, offset: usize, (key, value): &Record) -> Result<()> {
    ledger.take(offset as i64, Some(key.as_bytes()), value.as_deref())
}

fn of(log: &[Record]) -> Ledger {
    let mut ledger = Ledger::default();
    log.iter().enumerate().for_each(|(offset, record)| take(&mut ledger, offset, record).expect("ours"));
    ledger
}

fn accepted(ledger: &Ledger) -> Vec<(u64, u64)> {
    ledger.releases().map(|release| (release.number, release.ticket.0)).collect()
}

#[test]
fn of_two_with_one_number_the_first_wins() {
    let ledger = of(&[proposal(1), proposal(2), release(1, 1), release(1, 2), release(2, 2)]);
    assert_eq!(accepted(&ledger), [(1, 1), (2, 2)]);
    assert_eq!(ledger.next_number(), 3);
    assert_eq!(ledger.current().map(Manifest::stamp).as_deref(), Some("2-0000000000000002"));
    assert!(ledger.waiting().is_empty());
}

#[test]
fn numbers_rise_and_a_ticket_is_answered_once() {
    let log = [
        proposal(1),
        proposal(2),
        proposal(3),
        release(5, 1),
        release(4, 2),
        release(6, 1),
        refusal(2, 0),
        release(7, 2),
        refusal(1, 0),
    ];
    let ledger = of(&log);
    assert_eq!(accepted(&ledger), [(5, 1)]);
    assert!(matches!(ledger.answer(Ticket(1)), Some(Answer::Released(release)) if release.number == 5));
    assert!(matches!(ledger.answer(Ticket(2)), Some(Answer::Refused(_))));
    assert_eq!(ledger.waiting().iter().map(|one| one.ticket.0).collect::<Vec<_>>(), [3]);
    assert_eq!(ledger.release_of("0000000000000001").map(|release| release.number), Some(5));
    assert_eq!(ledger.release_of("0000000000000002"), None);
}

#[test]
fn a_file_is_whole_when_all_its_chunks_are() {
    let mut artifact = facts(3).content.artifacts[0].clone();
    artifact.bytes = 5;
    let mut ledger = of(&[chunk(3, 1, 2), chunk(4, 0, 3)]);
    assert_eq!(ledger.chunks(&artifact), None);
    take(&mut ledger, 2, &chunk(3, 0, 3)).expect("ours");
    assert_eq!(ledger.chunks(&artifact), Some(vec![2, 0]));
    assert!(!ledger.holds(&artifact, 4), "nothing names it yet");
    take(&mut ledger, 3, &release(1, 3)).expect("ours");
    assert!(ledger.holds(&artifact, 4));
    take(&mut ledger, 4, &chunk(3, 0, 4)).expect("ours");
    assert_eq!(ledger.chunks(&artifact), None, "too much is no less wrong");
    take(&mut ledger, 5, &chunk(3, 0, 0)).expect("ours");
    assert_eq!(ledger.chunks(&artifact), None);
    assert!(take(&mut ledger, 6, &chunk(3, 0, CHUNK + 1)).is_err());
}

#[test]
fn a_damaged_value_is_as_none() {
    let mut ledger = of(&[release(1, 1), release(2, 2)]);
    let (key, _) = release(2, 2);
    let error = take(&mut ledger, 2, &(key, Some(b"{".to_vec()))).expect_err("damaged");
    assert_eq!(error.code, Code::ReleaseUnreadable);
    assert!(error.message.starts_with("the control topic at 2: release/2/"), "{error}");
    assert_eq!(accepted(&ledger), [(1, 1)]);
    assert!(ledger.take(3, None, Some(b"x")).is_err());
}

#[test]
fn what_is_old_goes_with_its_files() {
    let mut log = vec![chunk(9, 0, 3)];
    for n in 1..=5 {
        log.extend([chunk(n as u8, 0, 3), proposal(n), release(n, n)]);
    }
    // One that lost, one that was refused, one that waits; and a file that is on its way.
    log.extend([release(2, 7), proposal(8), refusal(8, 0), proposal(9), chunk(6, 0, 3)]);
    let mut ledger = of(&log);
    let two = Keep { releases: 2, since: i64::MAX };
    let keys: Vec<String> = ledger.prunable(two).iter().map(Key::to_string).collect();
    let short = |key: &String| key.replace(&format!("/{}", Ticket(0)), "").replace(&"0".repeat(15), "");
    let keys: Vec<String> = keys.iter().map(short).collect();
    let digest = |n: u8| Digest([n; 32]);
    let files = (1..=3).map(|n| format!("artifact/{}/0", digest(n)));
    let named: Vec<String> =
        ["release/2/7", "proposal/1", "proposal/2", "proposal/3", "proposal/4", "release/1/1"]
            .into_iter()
            .chain(["release/2/2", "release/3/3"])
            .map(str::to_owned)
            .chain(files)
            .collect();
    assert_eq!(keys, named);
    for (index, key) in ledger.prunable(two).into_iter().enumerate() {
        take(&mut ledger, log.len() + index, &gone(key)).expect("ours");
    }
    assert_eq!(accepted(&ledger), [(4, 4), (5, 5)]);
    assert_eq!(ledger.named(), [4, 5, 9].map(digest).into_iter().collect());
    assert!(ledger.prunable(two).is_empty());
    assert_eq!(ledger.refusals().len(), 1);
}

#[test]
fn what_ran_lately_stays_for_rows_in_flight() {
    let release = |number: u64| {
        let facts = Facts { at: 1_000 * number as i64, ..facts(number as u8) };
        let release = Manifest { number, ticket: Ticket(number), facts };
        let (key, value) = release.record(Ticket(0)).expect("small");
        (key, Some(value))
    };
    let ledger = of(&[1, 2, 3, 4, 5].map(release));
    let old = |since: i64| {
        let keys = ledger.prunable(Keep { releases: 2, since }).into_iter();
        let number = |key| if let Key::Release { number, .. } = key { Some(number) } else { None };
        keys.filter_map(number).collect::<Vec<u64>>()
    };
    // Release 2 ran until 3,000.
    assert_eq!(old(3_001), [1, 2]);
    assert_eq!(old(3_000), [1]);
    assert_eq!(old(9_000), [1, 2, 3]);
    assert!(old(0).is_empty());
}

/// What hosts do, each with the ledger that it had so many records ago.
#[derive(Clone, Copy, Debug)]
enum Step {
    Propose,
    /// Numbers a proposal that waits.
    Number {
        which: usize,
        behind: usize,
    },
    Refuse {
        which: usize,
        behind: usize,
    },
    /// Writes so much of what may go.
    Prune {
        most: usize,
    },
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let (which, behind) = (0..4usize, 0..4usize);
    let step = prop_oneof![
        3 => Just(Step::Propose),
        6 => (which.clone(), behind.clone()).prop_map(|(which, behind)| Step::Number { which, behind }),
        1 => (which, behind).prop_map(|(which, behind)| Step::Refuse { which, behind }),
        2 => (0..12usize).prop_map(|most| Step::Prune { most }),
    ];
    prop::collection::vec(step, 0..60)
}

const KEEP: usize = 6;
const LAST: Keep = Keep { releases: KEEP, since: i64::MAX };

fn written(steps: &[Step]) -> Vec<Record> {
    let mut log = Vec::new();
    for step in steps {
        let view = |behind: usize| of(&log[..log.len().saturating_sub(behind)]);
        let ticket = |ledger: &Ledger, which: usize| ledger.waiting().get(which).map(|one| one.ticket.0);
        match *step {
            Step::Propose => log.push(proposal(1 + log.len() as u64)),
            Step::Number { which, behind } => {
                let view = view(behind);
                let at = log.len();
                log.extend(ticket(&view, which).map(|ticket| write_release(view.next_number(), ticket, at)));
            }
            Step::Refuse { which, behind } => {
                let at = log.len();
                log.extend(ticket(&view(behind), which).map(|ticket| refusal(ticket, at)));
            }
            Step::Prune { most } => log.extend(view(0).prunable(LAST).into_iter().take(most).map(gone)),
        }
    }
    log
}

/// The law as it is told, by one who has seen everything: nothing that was taken away is forgotten.
fn told(log: &[Record]) -> Vec<(u64, u64)> {
    let (mut accepted, mut refused): (Vec<(u64, u64)>, BTreeSet<u64>) = Default::default();
    for (key, value) in log {
        match Key::parse(key.as_bytes()).expect("ours") {
            Key::Release { number, ticket: Ticket(ticket), .. } if value.is_some() => {
                let last = accepted.last().map_or(0, |(number, _)| *number);
                let answered =
                    refused.contains(&ticket) || accepted.iter().any(|(_, other)| *other == ticket);
                if number > last && !answered {
                    accepted.push((number, ticket));
                }
            }
            Key::Refusal { ticket: Ticket(ticket), .. } if value.is_some() => drop(refused.insert(ticket)),
            _ => {}
        }
    }
    accepted
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn what_is_taken_away_changes_no_answer(steps in steps()) {
        let log = written(&steps);
        for end in 0..=log.len() {
            let (told, ledger) = (told(&log[..end]), of(&log[..end]));
            let found = accepted(&ledger);
            prop_assert!(told.ends_with(&found), "{:?} of {:?} after {}", found, told, end);
            prop_assert!(found.len() >= told.len().min(KEEP));
        }
    }

    /// A compaction may have left out any value that a later one of its key follows, and any mark that takes
    /// nothing away which is still there.
    #[test]
    fn a_compaction_changes_nothing(steps in steps(), choice in any::<u64>()) {
        let log = written(&steps);
        let mut there: BTreeSet<&str> = BTreeSet::new();
        let mut compacted = Ledger::default();
        for (offset, record) in log.iter().enumerate() {
            let (key, value) = record;
            let is_last = !log[offset + 1..].iter().any(|(other, _)| other == key);
            let leaves_out = (choice >> (offset % 64)) & 1 == 1;
            if value.is_some() && !is_last && leaves_out {
                continue;
            }
            if value.is_none() && !there.contains(key.as_str()) && leaves_out {
                continue;
            }
            if value.is_some() { there.insert(key) } else { there.remove(key.as_str()) };
            take(&mut compacted, offset, record).expect("ours");
        }
        prop_assert_eq!(compacted, of(&log));
    }
}
