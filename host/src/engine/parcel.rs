//! Rows as bytes: how they wait for their watermark, and how they travel through repartition topics.
//!
//! A parcel carries all that later stages and their dead letters need: where the row comes from, its
//! release, its event time, the record's key, value, timestamp and headers, and the row itself with the
//! features so far. In a repartition topic there are watermarks between them. Numbers are little-endian:
//!
//! ```text
//! version: u8 = 1, what: u8 (0 row, 1 update, 2 watermark; of rows and updates 128 more: muted)
//! row, update: layout u64, release text, source u16, partition i32, offset i64, index u32, time i64,
//!              timestamp i64 (least: none), key bytes?, value bytes?, headers u16 x (name text, value bytes?),
//!              then each column: valid u8 if nullable, the value; then features f32 each; then ids like columns
//! watermark:   source u16, partition i32, watermark i64, idle u8 (2 more: quiet), run u64; if quiet, generation u64
//! text: length u8 and UTF-8; bytes?: length u32 (2^32 - 1: none) and bytes
//! ```
//!
//! Anybody may write to a topic, so nothing that is read may do harm: what is malformed, or can't be this pipeline's,
//! is refused. A watermark that is well forged is believed; that nobody forges is a matter of the topic's rights.

use super::cells;
use super::reader::{NONE, Unpack};
use crate::bytes::Reader;
use crate::columns::{Batch, Builder, Column, Schema};
use crate::error::{Code, Refusal};
use crate::record::{Header, Origin, PartitionId, Record, Records};
use crate::watermark::Progress;

const VERSION: u8 = 1;
const ROW: u8 = 0;
const UPDATE: u8 = 1;
const WATERMARK: u8 = 2;
const MUTED: u8 = 128;
const QUIET: u8 = 2;

/// What parcels of one kind hold.
#[derive(Clone, Debug)]
pub(super) struct Layout {
    pub columns: Schema,
    pub features: usize,
    pub ids: Schema,
    /// Differs where any of them differs.
    fingerprint: u64,
}

/// All but the columns.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Head<'a> {
    pub is_update: bool,
    pub is_muted: bool,
    pub release: &'a str,
    pub origin: Origin,
    pub time: i64,
    pub timestamp: Option<i64>,
    pub key: Option<&'a [u8]>,
    pub value: Option<&'a [u8]>,
    pub headers: Vec<Header<'a>>,
    layout: u64,
}

/// The columns of one row.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cells<'a> {
    pub rows: &'a Batch,
    pub row: usize,
    pub features: &'a [f32],
    pub ids: Option<&'a Batch>,
}

/// Where the columns of parcels go.
#[derive(Debug)]
pub(super) struct Unpacked {
    pub rows: Builder,
    pub features: Vec<f32>,
    pub ids: Builder,
}

/// What a parcel is, read as far as needed to know where it belongs.
#[derive(Debug, PartialEq)]
pub(super) enum Read<'a> {
    /// The rest is read by [`Layout::unpack`].
    Row(Head<'a>, Rest<'a>),
    Watermark(Told),
}

/// How far a writer of a repartition topic is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Told {
    pub of: PartitionId,
    pub progress: Progress,
    /// In which run: an end is that of its own run only.
    pub run: u64,
    /// No row comes of it any more for which its generation speaks: it gave the floor to this one.
    pub quiet: Option<u64>,
}

/// Columns, not looked at yet.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Rest<'a>(&'a [u8]);

impl Layout {
    pub fn new(columns: Schema, features: usize, ids: Schema) -> Self {
        let fingerprint = fingerprint(&columns, features, &ids);
        Self { columns, features, ids, fingerprint }
    }

    pub fn unpacked(&self) -> Unpacked {
        Unpacked {
            rows: Builder::new(self.columns.clone()),
            features: Vec::new(),
            ids: Builder::new(self.ids.clone()),
        }
    }

    /// Makes a parcel of so many bytes at most. Where that is too little, it does without the record's value,
    /// which only dead letters want.
    pub fn pack_within(
        &self,
        most: usize,
        head: &Head<'_>,
        cells: Cells<'_>,
        into: &mut Vec<u8>,
    ) -> Result<(), Refusal> {
        into.clear();
        self.pack(head, cells, into);
        if into.len() <= most {
            return Ok(());
        }
        into.clear();
        self.pack(&Head { value: None, ..head.clone() }, cells, into);
        if into.len() <= most {
            return Ok(());
        }
        let size = into.len();
        let message =
            format!("on its way to the next stage the row has {size} bytes; limits.record leaves {most}");
        Err(Refusal::new(Code::TooLarge, message))
    }

    /// Appends a parcel.
    pub fn pack(&self, head: &Head<'_>, cells: Cells<'_>, into: &mut Vec<u8>) {
        let what = if head.is_update { UPDATE } else { ROW };
        into.extend([VERSION, if head.is_muted { what | MUTED } else { what }]);
        into.extend(self.fingerprint.to_le_bytes());
        text(head.release, into);
        into.extend(head.origin.from.source.to_le_bytes());
        into.extend(head.origin.from.partition.to_le_bytes());
        into.extend(head.origin.offset.to_le_bytes());
        into.extend(head.origin.index.to_le_bytes());
        into.extend(head.time.to_le_bytes());
        into.extend(head.timestamp.unwrap_or(i64::MIN).to_le_bytes());
        optional(head.key, into);
        optional(head.value, into);
        let count = head.headers.len().min(usize::from(u16::MAX));
        into.extend((count as u16).to_le_bytes());
        for header in &head.headers[..count] {
            optional(Some(header.name.as_bytes()), into);
            optional(header.value, into);
        }
        cells::write(cells.rows, cells.row, into);
        cells.features.iter().for_each(|feature| into.extend(feature.to_le_bytes()));
        if let Some(ids) = cells.ids {
            cells::write(ids, cells.row, into);
        }
    }

    /// Appends the columns of a parcel to `into`; or leaves it as it was and says what is wrong.
    pub fn unpack(&self, head: &Head<'_>, rest: Rest<'_>, into: &mut Unpacked) -> Result<(), Refusal> {
        if head.layout != self.fingerprint {
            let message = format!(
                "the row was begun by release {}, whose rows have other columns than this one's",
                head.release
            );
            return Err(Refusal::new(Code::OtherRelease, message));
        }
        let features = into.features.len();
        let mut reader = Reader(rest.0);
        let done = cells::read(&self.columns, &mut reader, &mut into.rows).and_then(|()| {
            for _ in 0..self.features {
                into.features.push(f32::from_le_bytes(reader.fixed()?));
            }
            cells::read(&self.ids, &mut reader, &mut into.ids)?;
            reader.0.is_empty().then_some(())
        });
        if done.is_none() {
            into.rows.abandon_row();
            into.ids.abandon_row();
            into.features.truncate(features);
            return Err(broken());
        }
        into.rows.finish_row();
        into.ids.finish_row();
        Ok(())
    }
}

/// Appends a watermark.
pub(super) fn pack_watermark(told: Told, into: &mut Vec<u8>) {
    let Told { of, progress, run, quiet } = told;
    into.extend([VERSION, WATERMARK]);
    into.extend(of.source.to_le_bytes());
    into.extend(of.partition.to_le_bytes());
    into.extend(progress.watermark.to_le_bytes());
    into.push(u8::from(progress.idle) | if quiet.is_some() { QUIET } else { 0 });
    into.extend(run.to_le_bytes());
    into.extend(quiet.iter().flat_map(|generation| generation.to_le_bytes()));
}

/// Which release began the row of a parcel; none where it is no row, or broken.
pub(super) fn release(bytes: &[u8]) -> Option<&str> {
    let mut reader = Reader(bytes);
    let [version, what, ..] = reader.fixed::<10>()?;
    if version == VERSION && matches!(what & !MUTED, ROW | UPDATE) { reader.short_text() } else { None }
}

/// Whether a row is one of which nothing is sent out.
pub(super) fn is_muted(bytes: &[u8]) -> bool {
    bytes.get(1).is_some_and(|what| what & MUTED != 0)
}

/// Reads what stands before the columns.
pub(super) fn read(bytes: &[u8]) -> Result<Read<'_>, Refusal> {
    let mut reader = Reader(bytes);
    let [version, what] = reader.fixed().ok_or_else(broken)?;
    if version != VERSION {
        let message = format!("a parcel of version {version}, where {VERSION} is known");
        return Err(Refusal::new(Code::OtherRelease, message));
    }
    let read = match what & !MUTED {
        ROW | UPDATE => head(&mut reader, what).map(|head| Read::Row(head, Rest(reader.0))),
        WATERMARK if what == WATERMARK => watermark(&mut reader),
        _ => None,
    };
    read.ok_or_else(broken)
}

fn head<'a>(reader: &mut Reader<'a>, what: u8) -> Option<Head<'a>> {
    let (is_update, is_muted) = (what & !MUTED == UPDATE, what & MUTED != 0);
    let layout = u64::from_le_bytes(reader.fixed()?);
    let release = reader.short_text()?;
    let origin = Origin {
        from: reader.partition()?,
        offset: i64::from_le_bytes(reader.fixed()?),
        index: u32::from_le_bytes(reader.fixed()?),
    };
    let time = reader.time()?;
    let timestamp = Some(i64::from_le_bytes(reader.fixed()?)).filter(|timestamp| *timestamp != i64::MIN);
    let (key, value) = (reader.optional()?, reader.optional()?);
    let count = u16::from_le_bytes(reader.fixed()?);
    let mut headers = Vec::new();
    for _ in 0..count {
        let name = std::str::from_utf8(reader.optional()??).ok()?;
        headers.push(Header { name, value: reader.optional()? });
    }
    Some(Head { is_update, is_muted, release, origin, time, timestamp, key, value, headers, layout })
}

fn watermark<'a>(reader: &mut Reader<'a>) -> Option<Read<'a>> {
    let of = reader.partition()?;
    let watermark = i64::from_le_bytes(reader.fixed()?);
    let [flags] = reader.fixed()?;
    let run = u64::from_le_bytes(reader.fixed()?);
    let quiet = if flags & QUIET != 0 { Some(u64::from_le_bytes(reader.fixed()?)) } else { None };
    let progress = Progress { watermark, idle: flags & !QUIET != 0 };
    Some(Read::Watermark(Told { of, progress, run, quiet }))
}

impl<'a> Head<'a> {
    /// Of a row of a record.
    pub fn of(records: &Records<'a>, record: &Record<'a>, index: u32, time: i64, release: &'a str) -> Self {
        Self {
            is_update: false,
            is_muted: record.is_muted,
            release,
            origin: Origin { from: record.from, offset: record.offset, index },
            time,
            timestamp: record.timestamp,
            key: record.key,
            value: record.value,
            headers: records.headers_of(record).to_vec(),
            layout: 0,
        }
    }

    /// Of a row of another source than the pipeline's.
    pub fn into_update(self) -> Self {
        Self { is_update: true, ..self }
    }

    /// The record it was made of.
    pub fn record(&self, into: &mut Records<'a>) {
        let first = into.headers.len() as u32;
        into.headers.extend(&self.headers);
        into.rows.push(Record {
            from: self.origin.from,
            offset: self.origin.offset,
            timestamp: self.timestamp,
            key: self.key,
            value: self.value,
            headers: first..into.headers.len() as u32,
            is_muted: self.is_muted,
        });
    }
}

/// What is in a parcel's place.
pub(super) fn broken() -> Refusal {
    Refusal::new(Code::Undecodable, "a repartition topic holds something that Tailwater did not write")
}

fn text(text: &str, into: &mut Vec<u8>) {
    let end = text.floor_char_boundary(usize::from(u8::MAX));
    into.push(end as u8);
    into.extend(&text.as_bytes()[..end]);
}

fn optional(bytes: Option<&[u8]>, into: &mut Vec<u8>) {
    // Records are bounded far below 4 GiB.
    into.extend(bytes.map_or(NONE, |bytes| bytes.len() as u32).to_le_bytes());
    into.extend(bytes.unwrap_or_default());
}

/// FNV-1a over names, kinds and what may be missing.
fn fingerprint(columns: &[Column], features: usize, ids: &[Column]) -> u64 {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    let mut eat = |bytes: &[u8]| {
        for byte in bytes {
            hash = (hash ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3);
        }
    };
    for column in columns.iter().chain(ids) {
        eat(column.name.as_bytes());
        eat(column.kind.name().as_bytes());
        eat(&[u8::from(column.nullable), 0]);
    }
    eat(&(features as u64).to_le_bytes());
    eat(&(columns.len() as u64).to_le_bytes());
    hash
}

#[cfg(test)]
mod tests;
