//! Some records that came just now, kept to try another release on.

use crate::record::{Header, PartitionId, Record, Records};

/// Records at most.
const ROWS: usize = 64;
/// Bytes of values at most; the first record is always taken.
const BYTES: usize = 1 << 20;

/// Records of the sources, as they came.
#[derive(Clone, Debug, Default)]
pub struct Sample(Vec<Kept>);

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
        Self(kept)
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Adds those of another.
    pub fn extend(&mut self, other: Self) {
        self.0.extend(other.0);
    }

    pub(super) fn records(&self) -> Records<'_> {
        let mut records = Records::default();
        for kept in &self.0 {
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
            });
        }
        records
    }
}
