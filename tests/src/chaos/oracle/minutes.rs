//! The minutes of a buyer that come out: the guest `minutes`.

use std::collections::{BTreeMap, HashMap};

use super::{Cells, Fed, Id};

const MINUTE: i64 = 60_000;

#[derive(Default)]
struct Minute {
    purchases: i64,
    sum: i64,
    most: i64,
    /// With which it comes out next.
    revision: u32,
}

/// `rows` of one partition as they came, without the late ones.
pub(super) fn closed(rows: &[Fed], out_of_orderness: i64, out: &mut HashMap<Id, Cells>) {
    // By start and buyer.
    let mut minutes: BTreeMap<(i64, u32), Minute> = BTreeMap::new();
    let (mut watermark, mut closed) = (i64::MIN, i64::MIN);
    let mut tell = |(start, buyer): (i64, u32), minute: &mut Minute| {
        let key = format!("b{buyer}");
        let seconds = (MINUTE / 1_000) as f64;
        let cells = [minute.purchases, minute.sum, minute.most].map(|number| Some(number as f64));
        let cells = cells.into_iter().chain([Some(seconds), Some(key.len() as f64)]).collect();
        out.insert(Id::Window { key, start, revision: minute.revision }, cells);
        minute.revision += 1;
    };
    for row in rows {
        let start = row.at.div_euclid(MINUTE) * MINUTE;
        let minute = minutes.entry((start, row.buyer)).or_default();
        minute.purchases += 1;
        minute.sum += row.amount;
        minute.most = minute.most.max(row.amount);
        if start + MINUTE <= watermark {
            tell((start, row.buyer), minute);
        }
        watermark = watermark.max(row.at - out_of_orderness);
        // Starts from which on a minute has not come out.
        let due = watermark.saturating_sub(MINUTE) + 1;
        if due > closed {
            for (id, minute) in minutes.range_mut((closed, 0)..(due, 0)) {
                if minute.revision == 0 {
                    tell(*id, minute);
                }
            }
            closed = due;
        }
    }
}
