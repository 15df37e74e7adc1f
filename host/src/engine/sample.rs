//! Some records that came just now, kept to try another release on; and copies of what windows held of their keys right
//! before: so they meet what they met, and none is in it twice.

use crate::record::{Header, PartitionId, Record, Records};
use crate::state::KeyCopy;

/// Records at most.
pub(super) const ROWS: usize = 64;
/// Bytes of values at most; the first record is always taken.
const BYTES: usize = 1 << 20;

/// Bytes of copies at most; a key that does not fit in is left out.
pub(super) const COPIED: usize = 1 << 20;

/// Records of the sources, as they came.
#[derive(Clone, Debug, Default)]
pub struct Sample {
    records: Vec<Kept>,
    /// Each with the features stage that it is of.
    pub(super) keys: Vec<(usize, KeyCopy)>,
}

#[derive(Clone, Debug)]
struct Kept {
    from: PartitionId,
    offset: i64,
    timestamp: Option<i64>,
    key: Option<Box<[u8]>>,
    value: Option<Box<[u8]>>,
    headers: Vec<KeptHeader>,
}

/// Name and value.
type KeptHeader = (Box<str>, Option<Box<[u8]>>);

impl Sample {
    /// Of the first `sources` sources: what comes of others is made by releases.
    pub(super) fn of(records: &Records<'_>, sources: usize) -> Self {
        let (mut kept, mut bytes) = (Vec::new(), 0);
        for record in records.rows.iter().filter(|record| usize::from(record.from.source) < sources) {
            bytes += record.value.map_or(0, <[u8]>::len);
            if kept.len() == ROWS || bytes > BYTES && !kept.is_empty() {
                break;
            }
            let headers = records.headers_of(record).iter();
            kept.push(Kept {
                from: record.from,
                offset: record.offset,
                timestamp: record.timestamp,
                key: record.key.map(Into::into),
                value: record.value.map(Into::into),
                headers: headers.map(|header| (header.name.into(), header.value.map(Into::into))).collect(),
            });
        }
        Self { records: kept, keys: Vec::new() }
    }

    /// To be tried with windows that hold nothing.
    pub fn without_windows(self) -> Self {
        Self { keys: Vec::new(), ..self }
    }

    pub fn len(&self) -> usize {
        self.records.len()
    }

    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// Adds those of another.
    pub fn extend(&mut self, other: Self) {
        self.records.extend(other.records);
        self.keys.extend(other.keys);
    }

    pub(super) fn records(&self) -> Records<'_> {
        let mut records = Records::default();
        for kept in &self.records {
            let first = records.headers.len() as u32;
            let headers = kept.headers.iter();
            records.headers.extend(headers.map(|(name, value)| Header { name, value: value.as_deref() }));
            records.rows.push(Record {
                from: kept.from,
                offset: kept.offset,
                timestamp: kept.timestamp,
                key: kept.key.as_deref(),
                value: kept.value.as_deref(),
                headers: first..records.headers.len() as u32,
                is_muted: false,
            });
        }
        records
    }
}
