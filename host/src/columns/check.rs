//! What a guest hands over is hostile until it went through here.

use super::{Batch, Column, Kind, SPANS_PER_COLUMN, Schema, TIMES, View};

/// How much a batch from outside may hold.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    pub rows: usize,
    /// Of `data`.
    pub bytes: usize,
}

/// What is wrong with a batch from outside.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Flaw {
    #[error("{rows} rows, where at most {limit} are allowed")]
    Rows { rows: usize, limit: usize },
    #[error("{bytes} bytes of data, where at most {limit} are allowed")]
    Bytes { bytes: usize, limit: usize },
    #[error("{got} spans for {columns} columns: {expected} are needed", expected = columns * SPANS_PER_COLUMN)]
    Spans { got: usize, columns: usize },
    #[error(
        "column {column}: its {part} lie at {position}, {length} bytes long, outside of the {bytes} bytes of data"
    )]
    Outside { column: String, part: &'static str, position: u32, length: u32, bytes: usize },
    #[error("column {column}: its {part} lie at {position}, which is no multiple of 8")]
    Unaligned { column: String, part: &'static str, position: u32 },
    #[error("column {column}: its {part} have {got} bytes, where {expected} are needed")]
    Length { column: String, part: &'static str, got: usize, expected: usize },
    #[error("column {column}: is not nullable, but has validity bits")]
    NotNullable { column: String },
    #[error("column {column}: the offsets do not rise at row {row}")]
    Offsets { column: String, row: usize },
    #[error("column {column}: row {row} is no boolean")]
    Boolean { column: String, row: usize },
    #[error("column {column}: row {row} is {time} ms, further away than times go")]
    Time { column: String, row: usize, time: i64 },
    #[error("the columns have {spanned} bytes in all, where data has {bytes}: they overlap")]
    Overlap { spanned: u64, bytes: usize },
    #[error("column {column}: the text is not UTF-8 near row {row}")]
    Utf8 { column: String, row: usize },
}

impl Batch {
    /// Takes a batch from outside, or says what is wrong with it.
    pub fn check(
        schema: Schema,
        rows: u32,
        spans: Vec<u32>,
        data: Vec<u8>,
        limits: Limits,
    ) -> Result<Self, Flaw> {
        let rows = rows as usize;
        if rows > limits.rows {
            return Err(Flaw::Rows { rows, limit: limits.rows });
        }
        if data.len() > limits.bytes {
            return Err(Flaw::Bytes { bytes: data.len(), limit: limits.bytes });
        }
        if spans.len() != schema.len() * SPANS_PER_COLUMN {
            return Err(Flaw::Spans { got: spans.len(), columns: schema.len() });
        }
        for (column, spans) in schema.iter().zip(spans.as_chunks().0) {
            check_column(column, rows, spans, &data)?;
        }
        // Columns that share bytes would make a small answer a large batch when it is copied.
        let spanned: u64 = spans.iter().skip(1).step_by(2).map(|length| u64::from(*length)).sum();
        if spanned > data.len() as u64 {
            return Err(Flaw::Overlap { spanned, bytes: data.len() });
        }
        Ok(Self { schema, rows, spans, data })
    }
}

fn check_column(
    column: &Column,
    rows: usize,
    spans: &[u32; SPANS_PER_COLUMN],
    data: &[u8],
) -> Result<(), Flaw> {
    let part = |n: usize, part: &'static str| -> Result<&[u8], Flaw> {
        let (position, length) = (spans[n], spans[n + 1]);
        let name = || column.name.clone();
        if !position.is_multiple_of(8) {
            return Err(Flaw::Unaligned { column: name(), part, position });
        }
        let found = data.get(position as usize..).and_then(|rest| rest.get(..length as usize));
        found.ok_or_else(|| Flaw::Outside { column: name(), part, position, length, bytes: data.len() })
    };
    let expect = |part: &'static str, got: &[u8], expected: usize| {
        if got.len() == expected {
            return Ok(());
        }
        Err(Flaw::Length { column: column.name.clone(), part, got: got.len(), expected })
    };

    let validity = part(0, "validity bits")?;
    if !validity.is_empty() {
        if !column.nullable {
            return Err(Flaw::NotNullable { column: column.name.clone() });
        }
        expect("validity bits", validity, rows.div_ceil(8))?;
    }
    let (offsets, values) = (part(2, "offsets")?, part(4, "values")?);
    if column.kind.is_list() {
        expect("offsets", offsets, 4 * (rows + 1))?;
        let end = check_offsets(column, offsets)?;
        expect("values", values, end * column.kind.width())?;
    } else {
        expect("offsets", offsets, 0)?;
        expect("values", values, rows * column.kind.width())?;
    }
    match column.kind {
        Kind::Boolean => match values.iter().position(|value| *value > 1) {
            Some(row) => Err(Flaw::Boolean { column: column.name.clone(), row }),
            None => Ok(()),
        },
        Kind::Text => check_text(column, offsets, values),
        Kind::Time => check_times(column, View::new(column.kind, rows, validity, offsets, values)),
        _ => Ok(()),
    }
}

/// Returns the last offset.
fn check_offsets(column: &Column, offsets: &[u8]) -> Result<usize, Flaw> {
    let mut before = 0;
    for (row, offset) in offsets.as_chunks().0.iter().enumerate() {
        let offset = u32::from_le_bytes(*offset);
        if offset < before || (row == 0 && offset != 0) {
            return Err(Flaw::Offsets { column: column.name.clone(), row });
        }
        before = offset;
    }
    Ok(before as usize)
}

fn check_times(column: &Column, view: View<'_>) -> Result<(), Flaw> {
    let far = |row: &usize| view.is_valid(*row) && !TIMES.contains(&view.int(*row));
    match (0..view.rows()).find(far) {
        Some(row) => Err(Flaw::Time { column: column.name.clone(), row, time: view.int(row) }),
        None => Ok(()),
    }
}

fn check_text(column: &Column, offsets: &[u8], values: &[u8]) -> Result<(), Flaw> {
    if values.is_ascii() {
        return Ok(());
    }
    let starts = offsets.as_chunks().0.iter().map(|offset| u32::from_le_bytes(*offset) as usize);
    for (row, (start, end)) in starts.clone().zip(starts.skip(1)).enumerate() {
        if std::str::from_utf8(&values[start..end]).is_err() {
            return Err(Flaw::Utf8 { column: column.name.clone(), row });
        }
    }
    Ok(())
}
