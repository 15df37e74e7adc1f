//! The columns of one row as bytes: in parcels, and in tables.

use super::reader::Unpack;
use crate::bytes::Reader;
use crate::columns::{Batch, Builder, Column, ColumnBuilder, Kind};

/// Appends the row.
pub(super) fn write(rows: &Batch, row: usize, into: &mut Vec<u8>) {
    for (column, view) in rows.schema().iter().zip(rows.columns()) {
        let valid = view.is_valid(row);
        if column.nullable {
            into.push(u8::from(valid));
        }
        if !valid {
            continue;
        }
        if column.kind.is_list() {
            let bytes = view.bytes(row);
            into.extend((bytes.len() as u32).to_le_bytes());
            into.extend(bytes);
        } else {
            let width = column.kind.width();
            into.extend(&view.values()[row * width..][..width]);
        }
    }
}

/// Of the row's columns, reads those that have a place into the builder's column of that number, and passes the
/// others over.
pub(super) fn pick(
    columns: &[Column],
    places: &[Option<usize>],
    reader: &mut Reader<'_>,
    into: &mut Builder,
) -> Option<()> {
    for (column, place) in columns.iter().zip(places) {
        let is_null = column.nullable && reader.fixed()? == [0];
        match place {
            Some(place) if is_null => into.column(*place).push_null(),
            Some(place) => value(column.kind, reader, into.column(*place))?,
            None if is_null => {}
            None if column.kind.is_list() => drop(reader.long_list()?),
            None => drop(reader.take(column.kind.width())?),
        }
    }
    Some(())
}

/// Reads a row into the builder, without finishing it. `None`: broken, and some columns may be ahead.
pub(super) fn read(columns: &[Column], reader: &mut Reader<'_>, into: &mut Builder) -> Option<()> {
    for (index, column) in columns.iter().enumerate() {
        let builder = into.column(index);
        if column.nullable && reader.fixed()? == [0] {
            builder.push_null();
        } else {
            value(column.kind, reader, builder)?;
        }
    }
    Some(())
}

fn value(kind: Kind, reader: &mut Reader<'_>, into: &mut ColumnBuilder) -> Option<()> {
    match kind {
        Kind::Boolean => match reader.fixed()? {
            [value @ (0 | 1)] => into.push_boolean(value == 1),
            _ => return None,
        },
        Kind::Int => into.push_int(i64::from_le_bytes(reader.fixed()?)),
        Kind::Time => into.push_int(reader.time()?),
        Kind::Float => into.push_float(f64::from_le_bytes(reader.fixed()?)),
        Kind::Single => into.push_single(f32::from_le_bytes(reader.fixed()?)),
        Kind::Text => into.push_bytes(std::str::from_utf8(reader.long_list()?).ok()?.as_bytes()),
        Kind::Bytes => into.push_bytes(reader.long_list()?),
        Kind::Floats => into.push_bytes(reader.long_list().filter(|bytes| bytes.len() % 4 == 0)?),
    }
    Some(())
}
