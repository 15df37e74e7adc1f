use std::rc::Rc;

use super::super::client::fence;
use super::*;

const AT: Place = (1, 0);
const WITH: Participant = Participant::Records(AT);

/// Writes one record in a transaction of this id, and leaves it open.
fn write(cluster: &Cluster, id: &str, value: &str) -> Producer {
    let mut state = cluster.state();
    let by = fence(&mut state, id).unwrap();
    state.join_transaction(by, WITH).unwrap();
    state.append_by(AT, Some(by), Rc::new(record(value))).unwrap();
    by
}

fn end(cluster: &Cluster, by: Producer, commit: bool) -> Result<(), Refused> {
    cluster.state().end_transaction(by, commit)
}

#[test]
fn aborted_records_are_never_seen() {
    for seed in 0..50 {
        let cluster = cluster(seed);
        let (one, two) = (write(&cluster, "one", "no"), write(&cluster, "two", "yes"));
        assert!(values(&cluster, OUT).is_empty(), "nothing is decided");
        end(&cluster, one, false).unwrap();
        end(&cluster, two, true).unwrap();
        for _ in 0..100 {
            cluster.advance(Duration::from_millis(1));
            let seen = values(&cluster, OUT);
            assert!(seen.is_empty() || seen == ["yes"], "{seen:?}");
        }
        assert_eq!(values(&cluster, OUT), ["yes"]);
    }
}

#[test]
fn the_last_stable_offset_holds_later_records_back() {
    let cluster = cluster(1);
    cluster.produce(OUT, Some(0), record("before"));
    let by = write(&cluster, "one", "in");
    cluster.produce(OUT, Some(0), record("behind"));
    cluster.advance(SOON);
    assert_eq!(cluster.offsets(OUT, 0), (0, 1, 3));
    assert_eq!(values(&cluster, OUT), ["before"]);
    end(&cluster, by, true).unwrap();
    cluster.advance(SOON);
    // The marker takes an offset too.
    assert_eq!(cluster.offsets(OUT, 0), (0, 4, 4));
    assert_eq!(values(&cluster, OUT), ["before", "in", "behind"]);
}

#[test]
fn a_commit_is_answered_before_it_is_seen() {
    let mut late = 0;
    for seed in 0..50 {
        let cluster = cluster(seed);
        let by = write(&cluster, "one", "in");
        end(&cluster, by, true).unwrap();
        cluster.advance(Duration::from_millis(1));
        late += usize::from(values(&cluster, OUT).is_empty());
        // Asked again while markers are on their way, and after that.
        assert!(matches!(end(&cluster, by, true), Ok(()) | Err(Refused::Concurrent)));
        cluster.advance(SOON);
        assert_eq!(values(&cluster, OUT), ["in"]);
        assert_eq!(end(&cluster, by, true), Ok(()));
        assert_eq!(end(&cluster, by, false), Err(Refused::InvalidState));
    }
    assert!(late > 20, "{late}");
}

#[test]
fn the_next_transaction_waits_for_the_markers_of_the_one_before() {
    let cluster = cluster(1);
    let by = write(&cluster, "one", "in");
    end(&cluster, by, true).unwrap();
    let begin = || cluster.state().join_transaction(by, WITH);
    assert_eq!(begin(), Err(Refused::Concurrent));
    cluster.advance(SOON);
    assert_eq!(begin(), Ok(()));
}

#[test]
fn a_new_producer_aborts_and_fences_the_old_one() {
    let cluster = cluster(1);
    let old = write(&cluster, "one", "old");
    let new = write(&cluster, "one", "new");
    assert_eq!(new.id, old.id);
    assert!(new.epoch > old.epoch);
    assert_eq!(end(&cluster, old, true), Err(Refused::Fenced));
    let mut state = cluster.state();
    assert_eq!(state.join_transaction(old, WITH), Err(Refused::Fenced));
    assert_eq!(state.append_by(AT, Some(old), Rc::new(record("late"))), Err(Refused::Fenced));
    drop(state);
    end(&cluster, new, true).unwrap();
    cluster.advance(SOON);
    assert_eq!(values(&cluster, OUT), ["new"]);
}

#[test]
fn a_transaction_that_takes_too_long_is_aborted_and_its_producer_fenced() {
    let cluster = cluster(1);
    let by = write(&cluster, "one", "in");
    cluster.advance(Timeouts::default().transaction - Duration::from_millis(1));
    assert_eq!(cluster.offsets(OUT, 0), (0, 0, 1));
    cluster.advance(SOON);
    assert_eq!(cluster.offsets(OUT, 0), (0, 2, 2));
    assert_eq!(end(&cluster, by, true), Err(Refused::Fenced));
    assert!(values(&cluster, OUT).is_empty());
}

#[test]
fn records_that_arrive_after_their_transaction_open_no_other() {
    let cluster = cluster(1);
    let by = write(&cluster, "one", "in");
    cluster.state().straggle(AT, Some(by), vec![Rc::new(record("late"))]);
    end(&cluster, by, true).unwrap();
    cluster.advance(SOON);
    assert!(matches!(values(&cluster, OUT).as_slice(), [one] if one == "in"));
    let (_, stable, end) = cluster.offsets(OUT, 0);
    assert_eq!(stable, end, "nothing hangs");
}

#[test]
fn a_trim_takes_what_is_before_and_nothing_undecided() {
    let cluster = cluster(1);
    cluster.produce(OUT, Some(0), record("a"));
    cluster.produce(OUT, Some(0), record("b"));
    let by = write(&cluster, "one", "c");
    cluster.state().trim_later(AT, 1);
    cluster.advance(SOON);
    assert_eq!(cluster.offsets(OUT, 0), (1, 2, 3));
    cluster.state().trim_later(AT, 100);
    cluster.advance(SOON);
    assert_eq!(cluster.offsets(OUT, 0), (2, 2, 3));
    end(&cluster, by, true).unwrap();
    cluster.advance(SOON);
    assert_eq!(cluster.read(OUT, 0).iter().map(|(offset, _)| *offset).collect::<Vec<_>>(), [2]);
}
