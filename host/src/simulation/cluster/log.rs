//! One partition's log: records, control markers, and what readers may see of them.

use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;

use super::{Producer, ProducerId, Refused};

/// A record as the log holds it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stored {
    pub key: Option<Box<[u8]>>,
    pub value: Option<Box<[u8]>>,
    /// Milliseconds.
    pub timestamp: i64,
    pub headers: Vec<(String, Option<Box<[u8]>>)>,
}

#[derive(Debug)]
enum Entry {
    /// Of nobody's transaction, or of one that was committed or is open.
    Record(Rc<Stored>),
    Aborted,
    Control,
}

/// Records of an open transaction.
#[derive(Debug)]
struct Open {
    first: i64,
    offsets: Vec<i64>,
}

/// Offsets have no gaps; control markers take one each.
#[derive(Debug, Default)]
pub struct Log {
    entries: VecDeque<Entry>,
    start: i64,
    open: BTreeMap<ProducerId, Open>,
    /// The latest epoch that wrote here, by producer.
    epochs: BTreeMap<ProducerId, i16>,
}

impl Log {
    pub fn start(&self) -> i64 {
        self.start
    }

    /// The offset of the next entry.
    pub fn end(&self) -> i64 {
        self.start + self.entries.len() as i64
    }

    /// The last stable offset: nothing before it is undecided.
    pub fn stable(&self) -> i64 {
        self.open.values().map(|open| open.first).min().unwrap_or_else(|| self.end())
    }

    /// Whether the producer has an open transaction here.
    pub fn has_open(&self, producer: ProducerId) -> bool {
        self.open.contains_key(&producer)
    }

    /// Outside of any transaction.
    pub fn append(&mut self, record: Rc<Stored>) -> i64 {
        let offset = self.end();
        self.entries.push_back(Entry::Record(record));
        offset
    }

    /// In the producer's transaction.
    pub fn append_open(&mut self, producer: Producer, record: Rc<Stored>) -> Result<i64, Refused> {
        self.admit(producer)?;
        let offset = self.append(record);
        let open = self.open.entry(producer.id).or_insert(Open { first: offset, offsets: Vec::new() });
        open.offsets.push(offset);
        Ok(offset)
    }

    fn admit(&mut self, producer: Producer) -> Result<(), Refused> {
        let latest = self.epochs.entry(producer.id).or_insert(producer.epoch);
        if producer.epoch < *latest {
            return Err(Refused::Fenced);
        }
        *latest = producer.epoch;
        Ok(())
    }

    /// The transaction's end.
    pub fn decide(&mut self, producer: Producer, commit: bool) {
        let latest = self.epochs.entry(producer.id).or_insert(producer.epoch);
        *latest = producer.epoch.max(*latest);
        let open = self.open.remove(&producer.id);
        for offset in open.filter(|_| !commit).map(|open| open.offsets).unwrap_or_default() {
            if let Some(entry) = self.entries.get_mut((offset - self.start) as usize) {
                *entry = Entry::Aborted;
            }
        }
        self.entries.push_back(Entry::Control);
    }

    /// The first record at `from` or behind that a reader of what is committed sees now.
    pub fn read(&self, from: i64) -> Option<(i64, &Rc<Stored>)> {
        let from = from.max(self.start);
        let count = (self.stable() - from).max(0) as usize;
        let skipped = ((from - self.start) as usize).min(self.entries.len());
        let mut entries = self.entries.range(skipped..skipped + count).zip(from..);
        entries.find_map(|(entry, offset)| match entry {
            Entry::Record(record) => Some((offset, record)),
            Entry::Aborted | Entry::Control => None,
        })
    }

    /// Drops what is before an offset; nothing that is undecided.
    pub fn trim(&mut self, before: i64) {
        let gone = (before.min(self.stable()) - self.start).max(0);
        self.entries.drain(..gone as usize);
        self.start += gone;
    }
}

/// Where Java's producers put a key.
pub fn partition_of(key: &[u8], partitions: usize) -> i32 {
    ((murmur2(key) & 0x7fff_ffff) as usize % partitions.max(1)) as i32
}

fn murmur2(key: &[u8]) -> u32 {
    const M: u32 = 0x5bd1_e995;
    let mut hash = 0x9747_b28c ^ key.len() as u32;
    let mut words = key.chunks_exact(4);
    for word in &mut words {
        let mut k = u32::from_le_bytes(word.try_into().expect("a chunk of four"));
        k = k.wrapping_mul(M);
        k ^= k >> 24;
        hash = hash.wrapping_mul(M) ^ k.wrapping_mul(M);
    }
    let rest = words.remainder();
    if !rest.is_empty() {
        let tail = rest.iter().rev().fold(0, |tail, byte| tail << 8 | u32::from(*byte));
        hash = (hash ^ tail).wrapping_mul(M);
    }
    hash = (hash ^ hash >> 13).wrapping_mul(M);
    hash ^ hash >> 15
}

#[cfg(test)]
mod tests {
    use super::*;

    /// From the tests of Apache Kafka's own `Utils.murmur2`.
    #[test]
    fn keys_go_where_java_puts_them() {
        let known: [(&[u8], i32); 5] = [
            (b"21", -973932308),
            (b"foobar", -790332482),
            (b"a-little-bit-long-string", -985981536),
            (b"a-little-bit-longer-string", -1486304829),
            (b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971),
        ];
        for (key, hash) in known {
            assert_eq!(murmur2(key) as i32, hash);
        }
    }
}
