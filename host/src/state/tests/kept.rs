//! A store over a base against one that is all in memory: whatever is committed, taken back, written, evicted or
//! lost in a crash, the same rows see the same.

use std::sync::{Arc, Mutex};

use proptest::prelude::*;

use super::*;
use crate::state::base::MemoryDisk;

/// What happens between two transactions.
#[derive(Clone, Debug)]
enum Between {
    Nothing,
    BeginCheckpoint,
    /// Freezes about so many bytes, and writes what is whole.
    GoOn(usize),
    Evict(usize),
    Crash,
}

#[derive(Clone, Debug)]
struct Transaction {
    /// Key, by how much time moves, and how far the row is behind.
    rows: Vec<(u8, i64, i64)>,
    is_committed: bool,
    then: Between,
}

fn transactions() -> impl Strategy<Value = Vec<Transaction>> {
    let row = (KEYS, 0i64..40, prop_oneof![3 => Just(0i64), 1 => 0i64..60]);
    let then = prop_oneof![
        2 => Just(Between::Nothing),
        3 => Just(Between::BeginCheckpoint),
        4 => (0usize..2_000).prop_map(Between::GoOn),
        2 => (0usize..3_000).prop_map(Between::Evict),
        1 => Just(Between::Crash),
    ];
    let one = (prop::collection::vec(row, 0..12), prop::bool::weighted(0.7), then);
    let one = one.prop_map(|(rows, is_committed, then)| Transaction { rows, is_committed, then });
    prop::collection::vec(one, 1..40)
}

const LATENESS: i64 = 60;
const KEYS: std::ops::Range<u8> = 0..12;

/// Bytes that a key may hold.
fn most() -> impl Strategy<Value = usize> {
    prop_oneof![Just(usize::MAX), 32usize..300]
}

/// One store, and the journals of its commits.
struct Kept<'a> {
    retention: Retention<'a>,
    store: Store,
    journal: Journal,
    disk: MemoryDisk,
    base: Option<Behind>,
    /// Commit and journal since the base's checkpoint.
    tail: Vec<(Commit, Vec<u8>)>,
    commit: Commit,
    /// As of which commit a checkpoint is being frozen, and whether it is on its way.
    checkpoint: Option<(Commit, bool)>,
}

impl<'a> Kept<'a> {
    fn new(retention: Retention<'a>) -> Self {
        let disk = MemoryDisk::default();
        let mut kept = Self {
            retention,
            store: Store::default(),
            journal: Journal::default(),
            disk,
            base: None,
            tail: Vec::new(),
            commit: 0,
            checkpoint: None,
        };
        kept.open();
        kept
    }

    fn open(&mut self) {
        let base: Behind = Arc::new(Mutex::new(self.disk.open("task").expect("it is closed")));
        self.store = Store::over(0, Arc::clone(&base));
        self.store.begin().expect("in memory");
        self.base = Some(base);
    }

    fn base(&self) -> Behind {
        Arc::clone(self.base.as_ref().expect("open"))
    }

    fn commit(&mut self) {
        self.store.journal_registers(&mut self.journal);
        self.commit += 1;
        self.tail.push((self.commit, self.journal.take()));
        self.store.commit();
    }

    fn redo(&mut self, replay: &mut Replay<'_>) {
        let position = lock(&self.base()).position().map_or(0, |(commit, _)| commit);
        for (commit, journal) in &self.tail {
            let mut ops = Ops::of(journal);
            while let Some(op) = ops.read_next().filter(|_| *commit > position) {
                self.store.replay(&op.expect("of a journal"), replay).expect("fits");
            }
        }
        self.store.commit();
    }

    fn finish_checkpoint(&mut self) {
        self.go_on(usize::MAX / 2);
        if self.checkpoint.is_some() {
            lock(&self.base()).written(true).expect("in memory");
            self.written();
        }
    }

    fn written(&mut self) {
        self.store.written();
        self.checkpoint = None;
        let position = lock(&self.base()).position().map_or(0, |(commit, _)| commit);
        self.tail.retain(|(commit, _)| *commit > position);
    }

    fn go_on(&mut self, most: usize) {
        let Some((commit, is_whole)) = self.checkpoint else { return };
        if is_whole {
            if lock(&self.base()).written(false).expect("in memory") {
                self.written();
            }
            return;
        }
        if self.store.freeze(most) {
            let images = self.store.take_images();
            let checkpoint = Checkpoint { commit, head: Vec::new(), images };
            lock(&self.base()).write(checkpoint).expect("in memory");
            self.checkpoint = Some((commit, true));
        }
    }

    fn roll_back(&mut self) {
        self.finish_checkpoint();
        self.journal.take();
        let mut replay = self.store.roll_back(self.retention).expect("in memory");
        self.redo(&mut replay);
    }

    fn then(&mut self, then: &Between) {
        match then {
            Between::Nothing => {}
            Between::BeginCheckpoint if self.checkpoint.is_none() => {
                self.store.begin_checkpoint();
                self.checkpoint = Some((self.commit, false));
            }
            Between::BeginCheckpoint => {}
            Between::GoOn(most) => self.go_on(*most),
            Between::Evict(most) if self.checkpoint.is_none() => self.store.evict(*most),
            Between::Evict(_) => {}
            Between::Crash => {
                self.store = Store::default();
                self.base = None;
                self.checkpoint = None;
                self.open();
                self.redo(&mut Replay::new(self.retention));
            }
        }
    }
}

/// What rows saw and what came out, as text.
fn process(
    store: &mut Store,
    (retention, most): (Retention<'_>, usize),
    rows: &[(u8, i64, i64)],
    clock: &mut i64,
    mut journal: Option<&mut Journal>,
) -> String {
    let plan = retention.plan;
    let (mut seen, mut watermark) = (String::new(), *clock);
    for (key, step, behind) in rows {
        *clock += step;
        let time = *clock - behind;
        if plan.closing.is_some() {
            let mut closed = Closed::new(plan);
            let mut before = 0;
            let tell = |closed: &Closed, key: &[u8]| {
                if closed.windows.len() > before {
                    seen += &format!("{key:?} {:?};", &closed.windows[before..]);
                    before = closed.windows.len();
                }
            };
            store.pass(retention, watermark, &mut closed, tell, journal.as_deref_mut()).expect("in memory");
            seen += &format!("{:?};", closed.cells.seal());
        }
        let id = store.find(retention, &[*key], time).expect("in memory");
        let coming = Coming { input: 0, time, watermark };
        watermark = watermark.max(*clock - 20);
        if let Some(bytes) = store.excess(retention, id, coming, most) {
            seen += &format!("{bytes} bytes are too many;");
            continue;
        }
        let watermark = coming.watermark;
        let mut words = [time.cast_unsigned(), u64::from(*key) + 1];
        let record_key = store.slot(id).greet(0, 7).expect("no other key came");
        let meeting = Meeting { input: 0, words: &mut words, record_key, watermark };
        if plan.closing.is_some() {
            let mut closed = Closed::new(plan);
            store.meet_closing(retention, id, meeting, &mut closed, journal.as_deref_mut()).expect("closes");
            seen += &format!("{:?} {:?};", closed.windows, closed.cells.seal());
        } else {
            let mut cells = Builder::new(plan.columns.as_slice().into());
            let (mut scratch, mut scripts) = (Scratch::default(), Scripts::new(plan));
            let into = &mut Cells(&mut cells);
            let desk = Desk { scratch: &mut scratch, cells: into, scripts: &mut scripts };
            store.meet(retention, id, meeting, desk, journal.as_deref_mut()).expect("windows of rows");
            cells.finish_row();
            seen += &format!("{:?};", cells.seal());
        }
    }
    if plan.closing.is_none() {
        store.forget(retention, watermark, journal).expect("in memory");
    }
    seen
}

fn is_kept(
    plan: &Plan,
    (expire_after, most): (Option<i64>, usize),
    transactions: &[Transaction],
) -> Result<(), TestCaseError> {
    let retention = Retention { plan, lateness: LATENESS, expire_after };
    let (mut kept, mut twin) = (Kept::new(retention), Store::default());
    let mut clock = 1_000;
    for Transaction { rows, is_committed, then } in transactions {
        let mut own_clock = clock;
        let seen = process(&mut kept.store, (retention, most), rows, &mut own_clock, Some(&mut kept.journal));
        if *is_committed {
            let expected = process(&mut twin, (retention, most), rows, &mut clock, None);
            prop_assert_eq!(seen, expected);
            kept.commit();
        } else {
            kept.roll_back();
        }
        kept.then(then);
    }
    // Copies of all keys show the next rows the same.
    let mut laid = Store::default();
    for key in KEYS {
        let copy = kept.store.copy_of(&[key], usize::MAX, true);
        copy.iter().for_each(|copy| laid.lay(retention, copy).expect("of the same plan"));
    }
    let probe: Vec<(u8, i64, i64)> = KEYS.map(|key| (key, 1, 0)).collect();
    let mut own_clock = clock;
    let seen = process(&mut laid, (retention, most), &probe, &mut own_clock, None);
    prop_assert_eq!(seen, process(&mut twin, (retention, most), &probe, &mut clock, None));
    // After the end nothing is left that could ever be due.
    let (end, mut closed) = (i64::MAX, Closed::new(plan));
    match plan.closing {
        Some(_) => kept.store.pass(retention, end, &mut closed, |_, _| {}, None),
        None => kept.store.forget(retention, end, None),
    }
    .expect("in memory");
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn rows_see_what_was_committed(
        transactions in transactions(), window in 0usize..4, expires: bool, most in most()
    ) {
        let windows = [Window::Sliding(100), Window::Tumbling(50), Window::Session(30), Window::Forever];
        let expire_after = expires.then_some(90);
        is_kept(&plan(windows[window]), (expire_after, most), &transactions)?;
    }

    #[test]
    fn windows_close_once(transactions in transactions(), session: bool, most in most()) {
        let mut plan = plan(if session { Window::Session(30) } else { Window::Tumbling(50) });
        plan.closing = Some(plan.spans[0].kind);
        is_kept(&plan, (None, most), &transactions)?;
    }
}
