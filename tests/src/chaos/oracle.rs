//! What must come out, recomputed from the input topics in plain Rust: no engine, no state, no watermarks but those of
//! one partition.

mod minutes;
mod rows;
mod shops;

use std::collections::HashMap;
use std::fmt;

use rdkafka::message::Message;

use super::campaign::{Campaign, Kind, PARTITIONS};
use super::read;

/// Which output it is: nothing else has this identity.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Id {
    /// Of the record of a source.
    Row { source: u8, partition: i32, offset: i64 },
    /// Of a closed window: key, start, revision.
    Window { key: String, start: i64, revision: u32 },
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Row { source, partition, offset } => write!(f, "source {source}: {partition}/{offset}"),
            Self::Window { key, start, revision } => write!(f, "{key} from {start}, revision {revision}"),
        }
    }
}

/// By the campaign's columns; of a late row its lateness.
pub type Cells = Box<[Option<f64>]>;

/// All that must come out.
#[derive(Debug, Default)]
pub struct Expected {
    pub out: HashMap<Id, Cells>,
    pub late: HashMap<Id, Cells>,
    /// Records that were read.
    pub rows_in: u64,
}

/// A record as it lies in its topic.
#[derive(Clone, Copy, Debug)]
struct Fed {
    source: u8,
    partition: i32,
    offset: i64,
    at: i64,
    buyer: u32,
    shop: u32,
    amount: i64,
    grave: bool,
}

impl Fed {
    fn id(&self) -> Id {
        Id::Row { source: self.source, partition: self.partition, offset: self.offset }
    }
}

/// Reads the input topics and computes all.
pub fn expect(campaign: &Campaign, brokers: &str, prefix: &str) -> Expected {
    let mut inputs = Vec::new();
    for (source, topic) in campaign.sources().iter().enumerate() {
        let mut partitions = vec![Vec::new(); PARTITIONS as usize];
        read::each(brokers, &format!("{prefix}-{topic}"), |message| {
            let value = read::json(message);
            let number = |name: &str| {
                value[name].as_str().and_then(|text| text.get(1..)?.parse().ok()).unwrap_or_default()
            };
            let at = if source == 0 { &value["at"] } else { &value["told"] };
            partitions[message.partition() as usize].push(Fed {
                source: source as u8,
                partition: message.partition(),
                offset: message.offset(),
                at: at.as_i64().unwrap_or_default(),
                buyer: number("buyer"),
                shop: number("shop"),
                amount: value["amount"].as_i64().unwrap_or_default(),
                grave: value["grave"].as_bool().unwrap_or_default(),
            });
        });
        inputs.push(partitions);
    }
    of(campaign, &inputs)
}

/// `inputs`: by source, partition and offset.
fn of(campaign: &Campaign, inputs: &[Vec<Vec<Fed>>]) -> Expected {
    let rows_in = inputs.iter().flatten().map(|partition| partition.len() as u64).sum();
    let mut expected = Expected { rows_in, ..Expected::default() };
    // What is late is decided by partition; the rest goes on.
    let mut in_time = Vec::new();
    let mut least = i64::MAX;
    for partitions in inputs {
        let mut kept = Vec::new();
        for rows in partitions {
            let mut watermark = i64::MIN;
            let mut own = Vec::new();
            for row in rows {
                if row.at < watermark.saturating_sub(campaign.allowed_lateness_ms) {
                    let lateness = (watermark - row.at) as f64;
                    expected.late.insert(row.id(), Box::new([Some(lateness)]));
                    continue;
                }
                watermark = watermark.max(row.at - campaign.out_of_orderness_ms);
                own.push(*row);
            }
            least = least.min(watermark);
            kept.push(own);
        }
        in_time.push(kept);
    }
    let purchases = &in_time[0];
    match campaign.kind {
        Kind::Arrival => purchases.iter().for_each(|rows| rows::seen(rows, &mut expected.out)),
        Kind::TwoKeys => {
            // Rows that no watermark has passed are held.
            let through = |partition: &Vec<Fed>| {
                let mut rows: Vec<Fed> = partition.iter().copied().filter(|row| row.at < least).collect();
                rows.sort_by_key(|row| (row.at, row.offset));
                rows
            };
            let [purchases, complaints] =
                [0, 1].map(|source: usize| in_time[source].iter().map(through).collect::<Vec<_>>());
            purchases.iter().for_each(|rows| rows::seen(rows, &mut expected.out));
            shops::seen(&purchases, &complaints, &mut expected.out);
        }
        Kind::Close => {
            let own =
                |rows: &Vec<Fed>| minutes::closed(rows, campaign.out_of_orderness_ms, &mut expected.out);
            purchases.iter().for_each(own);
        }
    }
    expected
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Purchases of one buyer in partition 0, by second and amount.
    fn purchases(rows: &[(i64, i64)]) -> Vec<Vec<Vec<Fed>>> {
        let row = |(offset, (second, amount)): (usize, &(i64, i64))| Fed {
            source: 0,
            partition: 0,
            offset: offset as i64,
            at: second * 1_000,
            buyer: 1,
            shop: offset as u32 % 2,
            amount: *amount,
            grave: false,
        };
        vec![vec![rows.iter().enumerate().map(row).collect()]]
    }

    fn campaign(name: &str) -> &'static Campaign {
        Campaign::named(name).expect("it is there")
    }

    fn cells(expected: &Expected, offset: i64) -> Vec<f64> {
        let cells = &expected.out[&Id::Row { source: 0, partition: 0, offset }];
        cells.iter().map(|cell| cell.expect("a number")).collect()
    }

    #[test]
    fn stragglers_are_seen_in_their_place_and_the_late_by_nobody() {
        // Two seconds are in order, twenty more are allowed.
        let expected =
            of(campaign("arrival"), &purchases(&[(100, 1), (165, 2), (163, 40), (142, 9), (166, 8)]));
        assert_eq!(cells(&expected, 2), [1.0, 40.0, 40.0, 1.0, 41.0, 1.0, 40.0]);
        assert_eq!(cells(&expected, 4), [3.0, 50.0, 50.0, 3.0, 50.0, 2.0, 40.0]);
        assert_eq!((expected.rows_in, expected.out.len(), expected.late.len()), (5, 4, 1));
        let late = &expected.late[&Id::Row { source: 0, partition: 0, offset: 3 }];
        assert_eq!(**late, [Some(21_000.0)]);
    }

    #[test]
    fn a_minute_comes_out_when_it_is_over_and_again() {
        let expected = of(campaign("close"), &purchases(&[(10, 1), (50, 2), (61, 4), (62, 8), (55, 16)]));
        let minute = |revision: u32| {
            let id = Id::Window { key: "b1".to_owned(), start: 0, revision };
            expected.out[&id][..3].iter().map(|cell| cell.expect("a number")).collect::<Vec<_>>()
        };
        assert_eq!(minute(0), [2.0, 3.0, 2.0]);
        assert_eq!(minute(1), [3.0, 19.0, 16.0]);
        assert_eq!(expected.out.len(), 2, "the next one is not over");
    }

    #[test]
    fn what_no_watermark_has_passed_is_held() {
        let mut inputs = purchases(&[(10, 1), (12, 2), (30, 4)]);
        inputs.push(vec![vec![Fed { source: 1, ..inputs[0][0][1] }, Fed { source: 1, ..inputs[0][0][2] }]]);
        let expected = of(campaign("two-keys"), &inputs);
        assert_eq!(expected.out.len(), 2);
        let cells = &expected.out[&Id::Row { source: 0, partition: 0, offset: 1 }];
        // Another shop than that of the first purchase; the complaint of the same instant comes first.
        assert_eq!(cells[7..], [Some(2.0), Some(1.0), Some(0.0), Some(2.0)]);
    }
}
