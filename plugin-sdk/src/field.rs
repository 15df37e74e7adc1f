//! Which types a struct's fields may have.

use crate::batch::{ColumnReader, ColumnWriter};
use crate::column::Kind;
use crate::time::Time;

/// A type of a field of a [`Row`](crate::Row) or [`View`](crate::View).
///
/// | type | kind of column |
/// | --- | --- |
/// | `bool` | boolean |
/// | `i64` | int |
/// | `f64` | float |
/// | `f32` | single |
/// | [`Time`] | time |
/// | `&str`, `String` | text |
/// | `&[u8]`, `Vec<u8>` | bytes |
/// | `&[f32]`, `Vec<f32>` | floats |
/// | `Option` of these | the same, nullable |
///
/// Borrowed types read a value where it lies; owned ones allocate for each row.
pub trait Field: Sized {
    /// Of the column.
    const KIND: Kind;
    /// Whether rows without a value may occur.
    const NULLABLE: bool = false;
    /// This type with another lifetime.
    type Of<'b>;

    /// The value of a row.
    ///
    /// # Safety
    /// The row must be one of the batch that the column was opened from, as a column of `KIND`.
    unsafe fn read<'b>(column: &ColumnReader<'b>, row: usize) -> Self::Of<'b>;

    /// Appends the value.
    fn write(&self, column: &mut ColumnWriter);
}

macro_rules! field {
    ($type:ty, $of:ty, $kind:ident, |$column:ident, $row:ident| $read:expr, |$value:ident, $writer:ident| $write:expr) => {
        impl Field for $type {
            const KIND: Kind = Kind::$kind;
            type Of<'b> = $of;

            #[inline(always)]
            unsafe fn read<'b>($column: &ColumnReader<'b>, $row: usize) -> $of {
                // SAFETY: the caller's promise.
                unsafe { $read }
            }

            #[inline(always)]
            fn write(&self, $writer: &mut ColumnWriter) {
                let $value = self;
                $write
            }
        }
    };
}

field!(bool, bool, Boolean, |column, row| column.boolean(row), |value, to| to.push_boolean(*value));
field!(i64, i64, Int, |column, row| column.int(row), |value, to| to.push_int(*value));
field!(f64, f64, Float, |column, row| column.float(row), |value, to| to.push_float(*value));
field!(f32, f32, Single, |column, row| column.single(row), |value, to| to.push_single(*value));
field!(Time, Time, Time, |column, row| Time(column.int(row)), |value, to| to.push_int(value.0));
field!(&str, &'b str, Text, |column, row| column.text(row), |value, to| to.push_text(value));
field!(String, String, Text, |column, row| column.text(row).to_owned(), |value, to| to.push_text(value));
field!(&[u8], &'b [u8], Bytes, |column, row| column.bytes(row), |value, to| to.push_bytes(value));
field!(Vec<u8>, Vec<u8>, Bytes, |column, row| column.bytes(row).to_vec(), |value, to| to.push_bytes(value));
field!(&[f32], &'b [f32], Floats, |column, row| column.floats(row), |value, to| to.push_floats(value));
field!(Vec<f32>, Vec<f32>, Floats, |column, row| column.floats(row).to_vec(), |value, to| to
    .push_floats(value));

impl<T: Field> Field for Option<T> {
    const KIND: Kind = T::KIND;
    const NULLABLE: bool = true;
    type Of<'b> = Option<T::Of<'b>>;

    #[inline(always)]
    unsafe fn read<'b>(column: &ColumnReader<'b>, row: usize) -> Self::Of<'b> {
        // SAFETY: the caller's promise.
        unsafe { column.is_valid(row).then(|| T::read(column, row)) }
    }

    #[inline(always)]
    fn write(&self, column: &mut ColumnWriter) {
        match self {
            Some(value) => value.write(column),
            None => column.push_null(),
        }
    }
}
