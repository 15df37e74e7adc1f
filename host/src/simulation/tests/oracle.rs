//! What must come out of what came in: computed offline, by loops over all rows, knowing nothing of the engine.

use std::collections::BTreeMap;

use super::plant::{OUT_OF_ORDER, Plant};
use crate::simulation::World;

/// A row of the source.
#[derive(Clone, Copy, Debug)]
struct Row {
    partition: i32,
    offset: i64,
    numbers: [i64; 5],
}

impl Row {
    fn buyer(&self) -> i64 {
        self.numbers[1]
    }

    fn shop(&self) -> i64 {
        self.numbers[2]
    }

    fn amount(&self) -> i64 {
        self.numbers[3]
    }

    fn at(&self) -> i64 {
        self.numbers[4]
    }
}

/// Values of the output topic, and of the one for late rows, each with how often.
pub type Lines = BTreeMap<String, usize>;

fn rows(world: &World) -> Vec<Row> {
    let row = |(partition, offset, record): (i32, i64, std::rc::Rc<crate::simulation::Stored>)| {
        let text = String::from_utf8(record.value.as_deref().expect("given").to_vec()).expect("text");
        let numbers: Vec<i64> = text.split(' ').map(|word| word.parse().expect("a number")).collect();
        Row { partition, offset, numbers: numbers.try_into().expect("five") }
    };
    world.output("in").into_iter().map(row).collect()
}

/// Output and late rows, as they have to be.
pub fn expected(plant: Plant, world: &World) -> (Lines, Lines) {
    let (mut in_time, mut late) = (Vec::new(), Lines::new());
    let mut newest: BTreeMap<i32, i64> = BTreeMap::new();
    for row in rows(world) {
        // Without event times nothing is late.
        let watermark = newest.get(&row.partition).map_or(i64::MIN, |newest| newest - OUT_OF_ORDER);
        if plant != Plant::Plain && row.at() < watermark {
            *late.entry(row.numbers.map(|number| number.to_string()).join(" ")).or_default() += 1;
            continue;
        }
        let newest = newest.entry(row.partition).or_insert(row.at());
        *newest = row.at().max(*newest);
        in_time.push(row);
    }
    let out = match plant {
        Plant::Plain => in_time.iter().map(|row| (words(row), 1)).collect(),
        Plant::Arrival => lines(&in_time, false, i64::MAX),
        Plant::TwoKeys | Plant::Close => {
            let end = newest.values().min().map_or(i64::MIN, |newest| newest - OUT_OF_ORDER);
            in_time.sort_by_key(|row| (row.at(), row.partition, row.offset));
            if plant == Plant::TwoKeys { lines(&in_time, true, end) } else { closed(&in_time, end) }
        }
    };
    (out, late)
}

/// Columns in the order of their names.
fn words(row: &Row) -> String {
    let [id, buyer, shop, amount, at] = row.numbers;
    [amount, at, buyer, id, shop].map(|number| number.to_string()).join(" ")
}

/// Each row with what it sees; `end`: those at this time or later do not come out.
fn lines(rows: &[Row], two_keys: bool, end: i64) -> Lines {
    let mut lines = Lines::new();
    for (index, row) in rows.iter().enumerate().filter(|(_, row)| row.at() < end) {
        let seen = |size: i64| {
            let before = rows[..=index].iter();
            before.filter(move |other| other.at() > row.at() - size && other.at() <= row.at())
        };
        let own = |other: &&Row| other.buyer() == row.buyer();
        let [id, buyer, shop, amount, at] = row.numbers;
        // Columns in the order of their names.
        let mut numbers = vec![amount, at, buyer, id, shop];
        numbers.push(seen(2_000).filter(own).count() as i64);
        numbers.push(seen(2_000).filter(own).map(Row::amount).sum());
        numbers.push(rows[..=index].iter().filter(own).map(Row::amount).sum());
        if two_keys {
            let own = |other: &&Row| other.shop() == row.shop();
            numbers.push(seen(3_000).filter(own).count() as i64);
            numbers.push(seen(3_000).filter(own).map(Row::amount).max().unwrap_or(-1));
        }
        let line = numbers.iter().map(i64::to_string).collect::<Vec<_>>().join(" ");
        *lines.entry(line).or_default() += 1;
    }
    lines
}

/// Shop, start, end, revision, count and sum of each second.
fn closed(rows: &[Row], end: i64) -> Lines {
    let mut windows: BTreeMap<(i64, i64), (i64, i64)> = BTreeMap::new();
    for row in rows.iter().filter(|row| row.at() < end) {
        let window = windows.entry((row.shop(), row.at().div_euclid(1_000) * 1_000)).or_default();
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
