//! Records as they come from and go to a broker. Borrowed: their bytes belong to the adapter that
//! read them, until its next poll.

use std::ops::Range;

/// Index of a source in its pipeline.
pub type SourceId = u16;

/// A partition of a source's topic.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PartitionId {
    pub source: SourceId,
    pub partition: i32,
}

/// A header of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header<'a> {
    pub name: &'a str,
    pub value: Option<&'a [u8]>,
}

impl Header<'_> {
    /// Bytes of name and value.
    pub fn size(&self) -> usize {
        self.name.len() + self.value.map_or(0, <[u8]>::len)
    }
}

/// One record that was read.
#[derive(Clone, Debug)]
pub struct Record<'a> {
    pub from: PartitionId,
    pub offset: i64,
    /// The broker's timestamp, in milliseconds, where there is one.
    pub timestamp: Option<i64>,
    pub key: Option<&'a [u8]>,
    /// `None` is a tombstone.
    pub value: Option<&'a [u8]>,
    /// Into [`Records::headers`].
    pub headers: Range<u32>,
    /// Another generation of the pipeline speaks for it: what comes of it is not sent out.
    pub is_muted: bool,
}

/// A batch of records, in the order in which they were read; one partition's offsets rise.
#[derive(Clone, Debug, Default)]
pub struct Records<'a> {
    pub rows: Vec<Record<'a>>,
    pub headers: Vec<Header<'a>>,
    /// Where the rows are closed windows and no records: which. Else empty.
    pub windows: Vec<WindowId>,
}

/// Identity of a closed window of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct WindowId {
    /// Milliseconds.
    pub start: i64,
    pub end: i64,
    /// How often it came out before.
    pub revision: u32,
}

impl WindowId {
    /// Appends it as it stands in the header [`WINDOW`]: `start/end/revision`.
    pub fn write(&self, into: &mut String) {
        let mut digits = itoa::Buffer::new();
        into.push_str(digits.format(self.start));
        for number in [self.end, self.revision.into()] {
            into.push('/');
            into.push_str(digits.format(number));
        }
    }
}

impl<'a> Records<'a> {
    pub fn headers_of(&self, record: &Record<'a>) -> &[Header<'a>] {
        &self.headers[record.headers.start as usize..record.headers.end as usize]
    }
}

/// One record to be sent.
#[derive(Clone, Copy, Debug)]
pub struct Message<'a> {
    /// Where to, by name.
    pub topic: &'a str,
    /// None: as the key decides.
    pub partition: Option<i32>,
    pub key: Option<&'a [u8]>,
    pub value: Option<&'a [u8]>,
    /// Milliseconds; `None`: the broker's now.
    pub timestamp: Option<i64>,
    pub headers: &'a [Header<'a>],
    /// Whoever sent it wants to know at which offset it lies.
    pub tag: Option<u32>,
}

impl Message<'_> {
    /// Bytes of key, value and headers: what limits on messages are about.
    pub fn size(&self) -> usize {
        let headers: usize = self.headers.iter().map(Header::size).sum();
        headers + self.key.map_or(0, <[u8]>::len) + self.value.map_or(0, <[u8]>::len)
    }
}

/// Where a row comes from: its identity, carried by all that is made of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Origin {
    pub from: PartitionId,
    pub offset: i64,
    /// Which of the rows that the record was split into.
    pub index: u32,
}

impl Origin {
    /// Appends it as it stands in the header [`ORIGIN`]: `topic/partition/offset/index`.
    pub fn write(&self, topic: &str, into: &mut String) {
        let mut digits = itoa::Buffer::new();
        into.push_str(topic);
        for number in [self.from.partition.into(), self.offset, self.index.into()] {
            into.push('/');
            into.push_str(digits.format(number));
        }
    }
}

/// Headers of our own start with this; those of a source that do are not passed on.
pub const HEADER_PREFIX: &str = "tailwater-";
/// Identity of a row: see [`Origin::write`].
pub const ORIGIN: &str = "tailwater-origin";
/// Identity of a closed window, beside the key: see [`WindowId::write`].
pub const WINDOW: &str = "tailwater-window";
/// By how many milliseconds a row came too late.
pub const LATENESS: &str = "tailwater-lateness";
/// Digest of the plugins, the model and the configuration that made a row.
pub const RELEASE: &str = "tailwater-release";
