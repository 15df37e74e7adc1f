//! Columns as Parquet has them.
//!
//! | kind | physical type | logical type |
//! | --- | --- | --- |
//! | boolean | BOOLEAN | |
//! | int | INT64 | |
//! | float | DOUBLE | |
//! | single | FLOAT | |
//! | time | INT64 | TIMESTAMP, milliseconds, UTC |
//! | text | BYTE_ARRAY | STRING |
//! | bytes | BYTE_ARRAY | |
//! | floats | FLOAT | LIST, elements may be null |

use std::io::Write;
use std::sync::Arc;

use parquet::basic::{Compression, LogicalType, Repetition, TimeUnit, Type as Physical, ZstdLevel};
use parquet::data_type::{BoolType, ByteArray, ByteArrayType, DataType, DoubleType, FloatType, Int64Type};
use parquet::errors::Result as Written;
use parquet::file::properties::{WriterProperties, WriterPropertiesPtr};
use parquet::file::writer::{SerializedColumnWriter, SerializedFileWriter};
use parquet::schema::types::{Type, TypePtr};

use crate::columns::{Batch, Column, Kind, View};
use crate::error::{Code, Error, Result};

/// What all files of a store have in common.
#[derive(Debug)]
pub(super) struct Form {
    schema: TypePtr,
    properties: WriterPropertiesPtr,
}

impl Form {
    pub fn new(columns: &[Column]) -> Result<Self> {
        let fields = columns.iter().map(field).collect::<Written<Vec<_>>>();
        let schema = fields.and_then(|fields| Type::group_type_builder("row").with_fields(fields).build());
        let level = ZstdLevel::try_new(1);
        let (schema, level) = schema.and_then(|schema| Ok((schema, level?))).map_err(|error| {
            Error::new(Code::Mismatch, format!("the outputs' columns make no Parquet file: {error}"))
        })?;
        let properties = WriterProperties::builder()
            .set_compression(Compression::ZSTD(level))
            .set_created_by(concat!("tailwater version ", env!("CARGO_PKG_VERSION")).to_owned());
        Ok(Self { schema: Arc::new(schema), properties: Arc::new(properties.build()) })
    }

    pub fn writer<W: Write + Send>(&self, to: W) -> Written<SerializedFileWriter<W>> {
        SerializedFileWriter::new(to, Arc::clone(&self.schema), Arc::clone(&self.properties))
    }

    /// Writes rows, as one group.
    pub fn write<W: Write + Send>(&self, to: &mut SerializedFileWriter<W>, rows: &Batch) -> Written<()> {
        let mut group = to.next_row_group()?;
        for (column, view) in rows.schema().iter().zip(rows.columns()) {
            if let Some(mut writer) = group.next_column()? {
                write(&mut writer, view, column.nullable)?;
                writer.close()?;
            }
        }
        group.close().map(drop)
    }
}

fn field(column: &Column) -> Written<TypePtr> {
    let (physical, logical) = match column.kind {
        Kind::Boolean => (Physical::BOOLEAN, None),
        Kind::Int => (Physical::INT64, None),
        Kind::Float => (Physical::DOUBLE, None),
        Kind::Single => (Physical::FLOAT, None),
        Kind::Time => (Physical::INT64, Some(LogicalType::timestamp(true, TimeUnit::MILLIS))),
        Kind::Text => (Physical::BYTE_ARRAY, Some(LogicalType::String)),
        Kind::Bytes => (Physical::BYTE_ARRAY, None),
        Kind::Floats => return list(&column.name),
    };
    let repetition = if column.nullable { Repetition::OPTIONAL } else { Repetition::REQUIRED };
    let field = Type::primitive_type_builder(&column.name, physical).with_repetition(repetition);
    field.with_logical_type(logical).build().map(Arc::new)
}

/// In three levels, as readers want it.
fn list(name: &str) -> Written<TypePtr> {
    let element = Type::primitive_type_builder("element", Physical::FLOAT);
    let element = element.with_repetition(Repetition::OPTIONAL).build()?;
    let inner = Type::group_type_builder("list").with_repetition(Repetition::REPEATED);
    let inner = inner.with_fields(vec![Arc::new(element)]).build()?;
    let outer = Type::group_type_builder(name).with_repetition(Repetition::OPTIONAL);
    let outer = outer.with_logical_type(Some(LogicalType::List)).with_fields(vec![Arc::new(inner)]);
    outer.build().map(Arc::new)
}

fn write(to: &mut SerializedColumnWriter<'_>, view: View<'_>, nullable: bool) -> Written<()> {
    let bytes = |row| ByteArray::from(view.bytes(row).to_vec());
    match view.kind() {
        Kind::Boolean => values::<BoolType>(to, view, nullable, |row| view.boolean(row)),
        Kind::Int | Kind::Time => values::<Int64Type>(to, view, nullable, |row| view.int(row)),
        Kind::Float => values::<DoubleType>(to, view, nullable, |row| view.float(row)),
        Kind::Single => values::<FloatType>(to, view, nullable, |row| view.single(row)),
        Kind::Text | Kind::Bytes => values::<ByteArrayType>(to, view, nullable, bytes),
        Kind::Floats => floats(to, view),
    }
}

fn values<T: DataType>(
    to: &mut SerializedColumnWriter<'_>,
    view: View<'_>,
    nullable: bool,
    value: impl Fn(usize) -> T::T,
) -> Written<()> {
    let values: Vec<T::T> = (0..view.rows()).filter(|row| view.is_valid(*row)).map(value).collect();
    let levels: Option<Vec<i16>> =
        nullable.then(|| (0..view.rows()).map(|row| i16::from(view.is_valid(row))).collect());
    to.typed::<T>().write_batch(&values, levels.as_deref(), None).map(drop)
}

/// Levels of a list: it is null, it is empty, its element is null, there is a value.
const NULL: i16 = 0;
const EMPTY: i16 = 1;
const GAP: i16 = 2;
const VALUE: i16 = 3;

fn floats(to: &mut SerializedColumnWriter<'_>, view: View<'_>) -> Written<()> {
    let (mut values, mut levels, mut repeats) = (Vec::new(), Vec::new(), Vec::new());
    for row in 0..view.rows() {
        if !view.is_valid(row) || view.floats(row).len() == 0 {
            levels.push(if view.is_valid(row) { EMPTY } else { NULL });
            repeats.push(0);
            continue;
        }
        for (index, value) in view.floats(row).enumerate() {
            repeats.push(i16::from(index > 0));
            // What is not finite was null in JSON.
            levels.push(if value.is_finite() { VALUE } else { GAP });
            values.extend(value.is_finite().then_some(value));
        }
    }
    to.typed::<FloatType>().write_batch(&values, Some(&levels), Some(&repeats)).map(drop)
}
