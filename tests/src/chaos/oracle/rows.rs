//! What a row sees of the purchases of its buyer: the windows of the guest `buyers`.

use std::collections::HashMap;

use super::{Cells, Fed, Id};

const MINUTE: i64 = 60_000;
/// Of the hopping window.
const SLIDE: i64 = 20_000;
/// Of the session.
const GAP: i64 = 10_000;

#[derive(Default)]
struct Buyer {
    /// By time, and of one time as they came.
    purchases: Vec<Fed>,
    most: i64,
}

/// `rows` of one partition, in the order in which they meet the windows.
pub(super) fn seen(rows: &[Fed], out: &mut HashMap<Id, Cells>) {
    let mut buyers: HashMap<u32, Buyer> = HashMap::new();
    for row in rows {
        let buyer = buyers.entry(row.buyer).or_default();
        let place = buyer.purchases.partition_point(|other| other.at <= row.at);
        buyer.purchases.insert(place, *row);
        buyer.most = buyer.most.max(row.amount);
        // No newer ones, though they may have come before.
        let until = &buyer.purchases[..=place];
        let from = |start: i64| {
            let before = until.iter().rev().take_while(|other| other.at >= start).count();
            &until[until.len() - before..]
        };
        let sum = |of: &[Fed]| Some(of.iter().map(|one| one.amount).sum::<i64>() as f64);
        let minute = from(row.at - MINUTE + 1);
        // The oldest window that holds the row.
        let oldest = (row.at - MINUTE).div_euclid(SLIDE) * SLIDE + SLIDE;
        let pairs = until.iter().rev().zip(until.iter().rev().skip(1));
        let session = 1 + pairs.take_while(|(newer, older)| newer.at - older.at <= GAP).count();
        let shops = (0..64).filter(|shop| minute.iter().any(|one| one.shop == *shop)).count();
        let cells = [
            Some(minute.len() as f64),
            sum(from(oldest)),
            sum(from(row.at.div_euclid(MINUTE) * MINUTE)),
            Some(session as f64),
            sum(&until[until.len().saturating_sub(3)..]),
            Some(shops as f64),
            Some(buyer.most as f64),
        ];
        out.insert(row.id(), Box::new(cells));
    }
}
