//! What must come out of what came in: computed offline, by loops over all rows, knowing nothing of the engine.

use std::collections::BTreeMap;
use std::rc::Rc;

use super::plant::{Cell, MOST, ODD, OUT_OF_ORDER, POISON, Plant, REACH, ROOM, VARIANTS};
use crate::contract::{Fold, Window};
use crate::pipeline::Identity;
use crate::record::RELEASE;
use crate::simulation::{Stored, World};

/// A row of a source.
#[derive(Clone, Debug)]
struct Row {
    source: usize,
    partition: i32,
    offset: i64,
    numbers: [i64; 5],
    /// Of its partition, before it.
    watermark: i64,
    /// What stages made of it so far.
    cells: Vec<i64>,
}

/// Where keys are.
const BUYER: usize = 1;
const SHOP: usize = 2;

impl Row {
    fn amount(&self) -> i64 {
        self.numbers[3]
    }

    fn at(&self) -> i64 {
        self.numbers[4]
    }

    /// As it came.
    fn line(&self) -> String {
        self.numbers.map(|number| number.to_string()).join(" ")
    }

    /// Columns in the order of their names, then cells.
    fn words(&self) -> String {
        let [id, buyer, shop, amount, at] = self.numbers;
        let numbers = [amount, at, buyer, id, shop].into_iter().chain(self.cells.iter().copied());
        numbers.map(|number| number.to_string()).collect::<Vec<_>>().join(" ")
    }
}

/// Values of a topic, each with how often.
pub type Lines = BTreeMap<String, usize>;

/// What is in the topics that are written.
#[derive(Clone, Debug, Default)]
pub struct Output {
    pub out: Lines,
    pub late: Lines,
    pub dead: Lines,
}

/// All rows in time, and by partition the time of the newest.
#[derive(Default)]
struct Given {
    rows: Vec<Row>,
    newest: BTreeMap<(usize, i32), i64>,
}

fn rows(plant: Plant, world: &World) -> Vec<Row> {
    let mut rows = Vec::new();
    for (source, (topic, _)) in plant.sources().iter().enumerate() {
        rows.extend(world.output(topic).into_iter().map(|(partition, offset, record)| {
            let text = String::from_utf8(record.value.as_deref().expect("given").to_vec()).expect("text");
            let numbers: Vec<i64> = text.split(' ').map(|word| word.parse().expect("a number")).collect();
            let numbers = numbers.try_into().expect("five");
            Row { source, partition, offset, numbers, watermark: i64::MIN, cells: Vec::new() }
        }));
    }
    rows
}

/// All that has to be there, if all rows were of releases of this number's windows.
pub fn expected(plant: Plant, release: u64, world: &World) -> Output {
    let (Given { mut rows, newest }, late) = in_time(plant, world);
    if plant == Plant::Plain {
        return Output { out: rows.iter().map(|row| (row.words(), 1)).collect(), ..Output::default() };
    }
    let mut end = i64::MAX;
    if plant.is_ordered() {
        end = newest.values().min().map_or(i64::MIN, |newest| newest - OUT_OF_ORDER);
        // Of one time the rows come behind all others.
        rows.sort_by_key(|row| (row.at(), row.source == 0, row.source, row.partition, row.offset));
    }
    let (out, dead) = match plant {
        Plant::Close => (closed(&rows, end), Lines::new()),
        _ => lines(plant, release, rows, end),
    };
    Output { out, late, dead }
}

/// Rows in time, and the others.
fn in_time(plant: Plant, world: &World) -> (Given, Lines) {
    let (mut given, mut late) = (Given::default(), Lines::new());
    let told = found(world, "late");
    for mut row in rows(plant, world) {
        let of = (row.source, row.partition);
        let watermark = given.newest.get(&of).map_or(i64::MIN, |newest| newest - OUT_OF_ORDER);
        // A task of two inputs is as far as the slower one, and may let in what is late in its own partition.
        let may_be_in_time = plant == Plant::Sides && row.source < 2 && !told.contains_key(&row.line());
        // Without event times nothing is late.
        if plant != Plant::Plain && row.at() < watermark && !may_be_in_time {
            *late.entry(row.line()).or_default() += 1;
            continue;
        }
        let newest = given.newest.entry(of).or_insert(row.at());
        *newest = row.at().max(*newest);
        row.watermark = watermark;
        given.rows.push(row);
    }
    (given, late)
}

/// Each row with what it sees, and the dead letters; `end`: what is at this time or later does not come out.
fn lines(plant: Plant, release: u64, mut rows: Vec<Row>, end: i64) -> (Lines, Lines) {
    let (mut out, mut dead) = (Lines::new(), Lines::new());
    for ((key, cells), poison) in [BUYER, SHOP].into_iter().zip(plant.cells(release)).zip(POISON) {
        if cells.is_empty() {
            continue;
        }
        let fails = |row: &Row| {
            let custom = |(input, fold, _): &Cell| *input == row.source && matches!(fold, Fold::Custom(_));
            row.amount() == poison && cells.iter().any(custom)
        };
        let (mut behind, mut seen) = (Vec::new(), BTreeMap::<i64, Vec<&Row>>::new());
        for row in rows.iter().filter(|row| row.at() < end) {
            let before = seen.entry(row.numbers[key]).or_default();
            if plant == Plant::Full && is_full(before, row) {
                *dead.entry(row.line()).or_default() += 1;
                continue;
            }
            before.push(row);
            let mut row = row.clone();
            if fails(&row) {
                *dead.entry(row.line()).or_default() += 1;
            }
            if row.source == 0 {
                if fails(&row) {
                    continue;
                }
                let at = row.at();
                row.cells.extend(cells.iter().map(|one| cell(before, at, *one, poison)));
            }
            behind.push(row);
        }
        rows = behind;
    }
    rows.iter().filter(|row| row.source == 0).for_each(|row| *out.entry(row.words()).or_default() += 1);
    (out, dead)
}

/// Whether as many rows of its key as there is room for can be seen still by rows that are in time.
fn is_full(before: &[&Row], row: &Row) -> bool {
    let seen = before.iter().filter(|other| other.at() > row.watermark.saturating_sub(REACH));
    seen.count() >= ROOM
}

/// What a row at `at` sees of those of its key that came before it, and itself.
fn cell(before: &[&Row], at: i64, (input, fold, window): Cell, poison: i64) -> i64 {
    let mut seen: Vec<&Row> = before.iter().copied().filter(|other| other.source == input).collect();
    if window != Window::Forever {
        seen.retain(|other| other.at() <= at);
    }
    match window {
        Window::Sliding(size) => seen.retain(|other| other.at() > at - size as i64),
        Window::Tumbling(size) => seen.retain(|other| other.at() >= start(at, size as i64)),
        Window::Last(count) => {
            seen.sort_by_key(|other| other.at());
            seen.drain(..seen.len().saturating_sub(count as usize));
        }
        _ => assert_eq!(window, Window::Forever, "there are no others"),
    }
    if matches!(fold, Fold::Custom(_)) {
        seen.retain(|other| other.amount() != poison);
    }
    let (amounts, count) = (seen.iter().map(|other| other.amount()), seen.len() as i64);
    match fold {
        Fold::Count => count,
        Fold::Sum => amounts.sum(),
        Fold::Max => amounts.max().unwrap_or(-1),
        Fold::Custom(MOST) => amounts.max().map_or(-1, |most| most * 1_000 + count),
        _ if seen.is_empty() => -1,
        _ => amounts.sum(),
    }
}

fn start(at: i64, size: i64) -> i64 {
    at.div_euclid(size) * size
}

/// Shop, start, end, revision, count and sum of each second.
fn closed(rows: &[Row], end: i64) -> Lines {
    let mut windows: BTreeMap<(i64, i64), (i64, i64)> = BTreeMap::new();
    for row in rows.iter().filter(|row| row.at() < end) {
        let window = windows.entry((row.numbers[SHOP], start(row.at(), 1_000))).or_default();
        *window = (window.0 + 1, window.1 + row.amount());
    }
    let out = windows.into_iter().filter(|((_, start), _)| start + 1_000 <= end);
    out.map(|((shop, start), (count, sum))| (format!("{shop} {start} {} 0 {count} {sum}", start + 1_000), 1))
        .collect()
}

/// What is in a topic.
pub fn found(world: &World, topic: &str) -> Lines {
    let mut lines = Lines::new();
    for (.., record) in world.output(topic) {
        let text = String::from_utf8(record.value.as_deref().expect("given").to_vec()).expect("text");
        *lines.entry(text).or_default() += 1;
    }
    lines
}

/// Decisions, without what tells their releases: that has to be what they are stamped with, in each stage. By the
/// variant of the windows of their release.
pub fn decisions(plant: Plant, world: &World) -> Vec<(u64, String)> {
    let read = |(.., record): (i32, i64, Rc<Stored>)| {
        let text = String::from_utf8(record.value.as_deref().expect("given").to_vec()).expect("text");
        let stamp = record.headers.iter().find(|(name, _)| &**name == RELEASE).expect("it is stamped");
        let stamp = std::str::from_utf8(stamp.1.as_deref().expect("it has a value")).expect("text");
        let number = Identity::number_of(stamp).expect("it has a number");
        (number % VARIANTS, without_release(plant, &text, number))
    };
    world.output("out").into_iter().map(read).collect()
}

/// What tells a decision from others, whatever its release made of it.
pub fn identity(plant: Plant, line: &str) -> String {
    line.split(' ').take(before_cells(plant)).collect::<Vec<_>>().join(" ")
}

/// Words that are of the row, or of the closed window.
fn before_cells(plant: Plant) -> usize {
    if plant == Plant::Close { 4 } else { 5 }
}

fn without_release(plant: Plant, text: &str, number: u64) -> String {
    let mut words: Vec<&str> = text.split(' ').collect();
    // A closed window has nothing of the stage before.
    let (mut at, skipped) = (before_cells(plant), usize::from(plant == Plant::Close));
    let more = [number.to_string(), ODD.to_string()];
    for cells in plant.cells(number).iter().skip(skipped).filter(|cells| !cells.is_empty()) {
        at += cells.len();
        for expected in more.iter().take(1 + (number % 2) as usize) {
            assert!(at < words.len() && words[at] == expected, "{text:?} is not of release {number}");
            words.remove(at);
        }
    }
    words.join(" ")
}
