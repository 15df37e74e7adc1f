//! What a row sees of its shop, behind the repartition topic: the windows of the guest `shops`.

use std::collections::HashMap;

use super::{Cells, Fed, Id};

const TURNOVER: i64 = 60_000;
const COMPLAINTS: i64 = 120_000;

/// Adds the cells to those of the buyers. Of one instant, complaints come first, then the order is that of partitions
/// and offsets.
pub(super) fn seen(purchases: &[Vec<Fed>], complaints: &[Vec<Fed>], out: &mut HashMap<Id, Cells>) {
    let in_order = |all: &[Vec<Fed>]| {
        let mut shops: HashMap<u32, Vec<Fed>> = HashMap::new();
        all.iter().flatten().for_each(|row| shops.entry(row.shop).or_default().push(*row));
        shops.values_mut().for_each(|rows| rows.sort_by_key(|row| (row.at, row.partition, row.offset)));
        shops
    };
    let (purchases, complaints) = (in_order(purchases), in_order(complaints));
    for (shop, rows) in purchases {
        let told = complaints.get(&shop).map_or(&[][..], Vec::as_slice);
        let (mut first, mut turnover) = (0, 0);
        for row in &rows {
            turnover += row.amount;
            while rows[first].at <= row.at - TURNOVER {
                turnover -= rows[first].amount;
                first += 1;
            }
            let range = told.partition_point(|one| one.at <= row.at - COMPLAINTS)
                ..told.partition_point(|one| one.at <= row.at);
            let told = &told[range];
            let grave = told.iter().filter(|one| one.grave).count() as f64;
            let share = (!told.is_empty()).then(|| grave / told.len() as f64);
            let cells = out.get_mut(&row.id()).expect("its buyer's stage has seen it");
            let more = [Some(turnover as f64), Some(told.len() as f64), share, cells[0]];
            *cells = cells.iter().copied().chain(more).collect();
        }
    }
}
