use proptest::prelude::*;

use super::*;

const ID: PartitionId = PartitionId { source: 0, partition: 0 };
const OLDER: u64 = 0;
const NEWER: u64 = 7;

/// A generation over one partition, in transactions.
#[derive(Debug, Default)]
struct Generation {
    view: View,
    next: i64,
    fence: Option<Fence>,
    committed: Other,
    /// Said since the last commit.
    says: Vec<i64>,
    said: Vec<i64>,
}

impl Generation {
    fn read(&mut self, end: i64, most: i64) {
        let turn = self.view.turn(ID, self.fence);
        let until = end.min(turn.end).min(self.next + most);
        while self.next < until {
            if turn.speaks(self.next) {
                self.says.push(self.next);
            }
            self.next += 1;
        }
    }

    fn commit(&mut self) {
        let passes = self.view.passes_to().map(|to| Fence { to, at: self.next });
        self.fence = self.view.fence(self.fence).or(passes);
        self.committed =
            Other { next: Some(self.next), words: Words { fence: self.fence, ..Words::default() } };
        self.said.append(&mut self.says);
    }

    fn abort(&mut self) {
        self.says.clear();
        (self.next, self.fence) = (self.committed.next.unwrap_or(0), self.committed.words.fence);
    }

    fn sees(&mut self, other: Other) {
        self.view.others = [(ID, other)].into();
    }
}

#[derive(Clone, Debug)]
enum Op {
    Append(i64),
    Read(bool, i64),
    Commit(bool),
    Abort(bool),
    Look(bool),
    /// A host that hears late passes the floor also when it was given back.
    Pass(bool),
    Cancel,
}

fn ops() -> impl Strategy<Value = Vec<Op>> {
    let op = prop_oneof![
        2 => (1..20_i64).prop_map(Op::Append),
        4 => (any::<bool>(), 1..20_i64).prop_map(|(newer, most)| Op::Read(newer, most)),
        3 => any::<bool>().prop_map(Op::Commit),
        1 => any::<bool>().prop_map(Op::Abort),
        4 => any::<bool>().prop_map(Op::Look),
        1 => any::<bool>().prop_map(Op::Pass),
        1 => Just(Op::Cancel),
    ];
    prop::collection::vec(op, 0..120)
}

struct Pair {
    older: Generation,
    newer: Generation,
    end: i64,
    is_cancelled: bool,
}

impl Pair {
    fn new() -> Self {
        let (mut older, mut newer) = (Generation::default(), Generation::default());
        older.view.beside = Beside::Newer { generation: NEWER, passes: false };
        newer.view.beside = Beside::Older { generation: OLDER, passes: false };
        Self { older, newer, end: 30, is_cancelled: false }
    }

    fn one(&mut self, newer: bool) -> &mut Generation {
        if newer { &mut self.newer } else { &mut self.older }
    }

    fn look(&mut self, newer: bool) {
        let other = self.one(!newer).committed;
        self.one(newer).sees(other);
    }

    fn does(&mut self, op: &Op) {
        let end = self.end;
        match *op {
            Op::Append(count) => self.end += count,
            Op::Read(newer, most) => self.one(newer).read(end, most),
            Op::Commit(newer) => self.one(newer).commit(),
            Op::Abort(newer) => self.one(newer).abort(),
            Op::Look(newer) => self.look(newer),
            Op::Pass(passes) => {
                self.older.view.beside = Beside::Newer { generation: NEWER, passes };
            }
            Op::Cancel => self.cancel(),
        }
    }

    fn cancel(&mut self) {
        self.newer.view.beside = Beside::Older { generation: OLDER, passes: true };
        self.is_cancelled = true;
    }

    /// Both go on until nothing changes.
    fn settle(&mut self) {
        for _ in 0..10 {
            for newer in [false, true] {
                self.does(&Op::Look(newer));
                self.does(&Op::Read(newer, 1_000));
                self.does(&Op::Commit(newer));
            }
        }
    }

    fn said(&self) -> Vec<i64> {
        let mut said = [self.older.said.clone(), self.newer.said.clone()].concat();
        said.sort_unstable();
        said
    }
}

proptest! {
    #[test]
    fn each_record_is_spoken_for_once(ops in ops(), keeps in any::<bool>()) {
        let mut pair = Pair::new();
        ops.iter().for_each(|op| pair.does(op));
        if pair.is_cancelled {
            pair.settle();
            let back = pair.newer.committed.words.fence.expect("it has passed the floor");
            prop_assert!(pair.older.committed.next >= Some(back.at));
            pair.older.view = View { over: NEWER, ..View::default() };
        } else {
            pair.does(&Op::Pass(true));
            pair.settle();
            let fence = pair.older.committed.words.fence.expect("it has passed the floor");
            prop_assert!(pair.newer.committed.next >= Some(fence.at));
            if keeps {
                pair.newer.view = View::default();
            } else {
                pair.cancel();
                pair.settle();
                pair.older.view = View { over: NEWER, ..View::default() };
            }
        }
        pair.end += 50;
        let newer = !pair.is_cancelled;
        pair.does(&Op::Read(newer, 1_000));
        pair.does(&Op::Commit(newer));
        prop_assert_eq!(pair.said(), (0..pair.end).collect::<Vec<_>>());
    }
}

#[test]
fn a_fence_of_which_nothing_is_known_yet_is_kept() {
    let own = Some(Fence { to: NEWER, at: 5 });
    let unknown = View::default();
    assert_eq!(unknown.turn(ID, own), Turn { speaks: [0..5, NONE], end: 5 });
    let over = View { over: NEWER, ..View::default() };
    assert_eq!(over.turn(ID, own), Turn::SPEAKS);
    // That of a generation that failed before says nothing about the next.
    let next = View { beside: Beside::Newer { generation: NEWER + 2, passes: true }, ..over };
    assert_eq!((next.turn(ID, own), next.passes_to()), (Turn::SPEAKS, Some(NEWER + 2)));
}

#[test]
fn threads_see_what_is_set() {
    let floor = Floor::default();
    let before = floor.version();
    floor.set(View::default());
    assert_eq!(floor.version(), before, "nothing is new");
    floor.set(View { over: 3, ..View::default() });
    assert!(floor.version() > before && floor.look().over == 3);
}
