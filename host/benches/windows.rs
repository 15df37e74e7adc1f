//! What windows cost: a row against the size of the window, a closed window against size / slide, one key with
//! a million entries, ten million keys. Ratios count, not times.
//!
//!     cargo xtask bench -p tailwater --bench windows

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use tailwater::columns::{Builder, Column, Kind};
use tailwater::contract::{Aggregate, FeaturesDescription, Fold, Input, Trigger, Window};
use tailwater::state::{Desk, Meeting, Retention, Store};
use tailwater::window::{Cells, Closed, Closing, Plan, Scratch, Scripts};

/// As the program has it.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const HOUR: u64 = 3_600_000;
const DAY: u64 = 24 * HOUR;
const MINUTE: u64 = 60_000;

fn main() -> Result<()> {
    println!("a row: count, sum, mean and max of one sliding window, an entry each 10 s");
    for (name, size) in [
        ("1 h", HOUR),
        ("6 h", 6 * HOUR),
        ("1 d", DAY),
        ("7 d", 7 * DAY),
        ("30 d", 30 * DAY),
        ("90 d", 90 * DAY),
    ] {
        let mut rows = Rows::new(&plan(Window::Sliding(size), Trigger::Row))?;
        let full = (size / 10_000) as i64;
        (0..full).try_for_each(|n| rows.admit(n * 10_000))?;
        let nanos = rows.time(200_000, |n| (full + n) * 10_000)?;
        println!("{name:>6} {full:>7} entries: {nanos:>5.0} ns");
    }

    println!("a row: a hopping window that slides by a minute, an entry each minute");
    for ratio in [1, 10, 100, 1_000, 10_000] {
        let window = Window::Hopping { size: ratio * MINUTE, slide: MINUTE };
        let mut rows = Rows::new(&plan(window, Trigger::Row))?;
        (0..ratio as i64).try_for_each(|n| rows.admit(n * MINUTE as i64))?;
        let nanos = rows.time(100_000, |n| (ratio as i64 + n) * MINUTE as i64)?;
        println!("{ratio:>6} slides: {nanos:>5.0} ns");
    }

    println!("a row and a window that closes: the same");
    for ratio in [1, 10, 100, 1_000, 10_000] {
        let nanos = closing(ratio)?;
        println!("{ratio:>6} slides: {nanos:>5.0} ns");
    }

    println!("one key with a million entries, one a second");
    let mut rows = Rows::new(&plan(Window::Sliding(1_000_000_000), Trigger::Row))?;
    (0..1_000_000).try_for_each(|n| rows.admit(n * 1_000))?;
    let usage = rows.store.usage();
    println!("{:>6.1} bytes an entry", usage.bytes as f64 / usage.entries as f64);
    println!("{:>6.0} ns a row in order", rows.time(200_000, |n| (1_000_000 + n) * 1_000)?);
    for (start, behind) in [(1_200_000, 10), (1_220_000, 100), (1_240_000, 1_000)] {
        // Each tenth row is that many entries behind.
        let late = move |n: i64| (start + n - if n % 10 == 9 { behind } else { 0 }) * 1_000;
        println!("{:>6.0} ns a row, each tenth {behind} entries behind", rows.time(20_000, late)?);
    }
    drop(rows);

    many_keys(10_000_000)
}

/// A float is kept; folds of all kinds that most plugins have.
fn plan(window: Window, trigger: Trigger) -> FeaturesDescription {
    let aggregate = |name: &str, fold, column| Aggregate {
        name: name.to_owned(),
        input: 0,
        fold,
        column,
        filter: None,
        window,
    };
    let columns = vec![Column::new("amount", Kind::Float)];
    FeaturesDescription {
        inputs: vec![Input { source: String::new(), updates_only: false, columns, kept: vec![0] }],
        lookups: Vec::new(),
        aggregates: vec![
            aggregate("count", Fold::Count, None),
            aggregate("sum", Fold::Sum, Some(0)),
            aggregate("mean", Fold::Mean, Some(0)),
            aggregate("max", Fold::Max, Some(0)),
        ],
        custom_folds: Vec::new(),
        trigger,
        features: Vec::new(),
        ids: Vec::new(),
    }
}

/// Rows of keys in a store.
struct Rows {
    plan: Plan,
    store: Store,
    scratch: Scratch,
    cells: Builder,
    amount: u64,
}

impl Rows {
    fn new(description: &FeaturesDescription) -> Result<Self> {
        let plan = Plan::new(description)?;
        let cells = Builder::new(plan.columns.as_slice().into());
        Ok(Self { plan, store: Store::default(), scratch: Scratch::default(), cells, amount: 1 })
    }

    fn admit(&mut self, time: i64) -> Result<()> {
        self.admit_to(b"key", time)
    }

    fn admit_to(&mut self, key: &[u8], time: i64) -> Result<()> {
        self.amount = self.amount.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        let mut words = [time.cast_unsigned(), ((self.amount >> 40) as f64 / 100.0).to_bits()];
        let retention = Retention { plan: &self.plan, lateness: 3_600_000, expire_after: None };
        let id = self.store.find(retention, key, time)?;
        let (mut scripts, mut cells) = (Scripts::new(&self.plan), Cells(&mut self.cells));
        let meeting = Meeting { input: 0, words: &mut words, record_key: 0, watermark: time };
        let desk = Desk { scratch: &mut self.scratch, cells: &mut cells, scripts: &mut scripts };
        self.store.meet(retention, id, meeting, desk, None)?;
        self.cells.finish_row();
        if self.cells.rows() == 1_024 {
            std::hint::black_box(self.cells.seal());
        }
        Ok(())
    }

    /// Nanoseconds a row.
    fn time(&mut self, rows: i64, at: impl Fn(i64) -> i64) -> Result<f64> {
        let start = Instant::now();
        (0..rows).try_for_each(|n| self.admit(at(n)))?;
        Ok(start.elapsed().as_nanos() as f64 / rows as f64)
    }
}

fn closing(ratio: u64) -> Result<f64> {
    let window = Window::Hopping { size: ratio * MINUTE, slide: MINUTE };
    let plan = Plan::new(&plan(window, Trigger::Close(Vec::new())))?;
    let (mut closing, mut closed) = (Closing::new(&plan), Closed::new(&plan));
    let mut row = |n: i64| {
        let time = n * MINUTE as i64;
        let words = [time.cast_unsigned(), (n as f64 / 4.0).to_bits()];
        closing.admit(&plan, 0, &words, time, &mut closed);
        closing.forget(&plan, time);
        if closed.windows.len() >= 1_024 {
            closed.windows.clear();
            std::hint::black_box(closed.cells.seal());
        }
    };
    (0..ratio as i64).for_each(&mut row);
    let start = Instant::now();
    (0..100_000).for_each(|n| row(ratio as i64 + n));
    Ok(start.elapsed().as_nanos() as f64 / 100_000.0)
}

fn many_keys(keys: u64) -> Result<()> {
    println!("{keys} keys, one entry each in a window of a day; then all of them expire");
    let before = resident()?;
    let mut rows = Rows::new(&plan(Window::Sliding(DAY), Trigger::Row))?;
    let start = Instant::now();
    (0..keys).try_for_each(|key| rows.admit_to(&key.to_le_bytes(), key as i64 / 1_000))?;
    let nanos = start.elapsed().as_nanos() as f64 / keys as f64;
    let usage = rows.store.usage();
    let grown = resident()? - before;
    println!(
        "{nanos:>6.0} ns a new key, {:.0} bytes a key by our own count, {:.0} by the growth of the process",
        usage.bytes as f64 / usage.keys as f64,
        grown / usage.keys as f64
    );
    let start = Instant::now();
    let retention = Retention { plan: &rows.plan, lateness: 0, expire_after: None };
    rows.store.forget(retention, keys as i64 + 2 * DAY as i64, None)?;
    let nanos = start.elapsed().as_nanos() as f64 / keys as f64;
    let left = rows.store.usage();
    // The allocator gives memory back with some delay, and only while it is used.
    for key in 0..100u64 {
        std::thread::sleep(Duration::from_millis(10));
        rows.admit_to(&key.to_le_bytes(), keys as i64)?;
    }
    let kept = (resident()? - before) / grown * 100.0;
    println!(
        "{nanos:>6.0} ns a key that is forgotten; {} keys and {kept:.0} % of the memory are left",
        left.keys
    );
    Ok(())
}

/// Bytes of the process in memory.
fn resident() -> Result<f64> {
    let text = std::fs::read_to_string("/proc/self/statm")?;
    let pages: f64 = text.split(' ').nth(1).context("a second number")?.parse()?;
    Ok(pages * 4096.0)
}
