//! Types of the fields of [`Windows`](super::Windows).

use crate::batch::{ColumnReader, ColumnWriter};
use crate::column::Kind;
use crate::field::Field;
use crate::time::Time;

/// A type of a field of [`Windows`](super::Windows): `f64` and `f32` (any number), `i64` (int or
/// time), [`Time`], `bool`, `&str`, `&[u8]`, `&[f32]`, and `Option` of these.
pub trait Cell: Sized {
    /// Kinds that it can read.
    const ACCEPTS: &'static [Kind];
    /// This type with another lifetime.
    type Of<'b>;

    /// The value of a row, or 0 (or empty) if it has none.
    ///
    /// # Safety
    /// The row must be one of the batch that the column was opened from, as a column of `kind`.
    unsafe fn read<'b>(column: &ColumnReader<'b>, row: usize, kind: Kind) -> Self::Of<'b>;

    /// Appends the value to a column of `kind`.
    fn write(&self, column: &mut ColumnWriter, kind: Kind);
}

const NUMBERS: &[Kind] = &[Kind::Float, Kind::Int, Kind::Time, Kind::Single, Kind::Boolean];

impl Cell for f64 {
    const ACCEPTS: &'static [Kind] = NUMBERS;
    type Of<'b> = Self;

    #[inline(always)]
    unsafe fn read<'b>(column: &ColumnReader<'b>, row: usize, kind: Kind) -> Self {
        // SAFETY: the caller's promise.
        unsafe {
            match kind {
                _ if !column.is_valid(row) => 0.0,
                Kind::Int | Kind::Time => column.int(row) as Self,
                Kind::Single => column.single(row).into(),
                Kind::Boolean => f64::from(u8::from(column.boolean(row))),
                _ => column.float(row),
            }
        }
    }

    fn write(&self, column: &mut ColumnWriter, kind: Kind) {
        match kind {
            Kind::Int | Kind::Time => column.push_int(*self as i64),
            Kind::Single => column.push_single(*self as f32),
            Kind::Boolean => column.push_boolean(*self != 0.0),
            _ => column.push_float(*self),
        }
    }
}

impl Cell for f32 {
    const ACCEPTS: &'static [Kind] = NUMBERS;
    type Of<'b> = Self;

    #[inline(always)]
    unsafe fn read<'b>(column: &ColumnReader<'b>, row: usize, kind: Kind) -> Self {
        // SAFETY: the caller's promise.
        unsafe { <f64 as Cell>::read(column, row, kind) as Self }
    }

    fn write(&self, column: &mut ColumnWriter, kind: Kind) {
        Cell::write(&f64::from(*self), column, kind);
    }
}

macro_rules! cell {
    ($type:ty, $of:ty, [$($kind:ident),+], $missing:expr) => {
        impl Cell for $type {
            const ACCEPTS: &'static [Kind] = &[$(Kind::$kind),+];
            type Of<'b> = $of;

            #[inline(always)]
            unsafe fn read<'b>(column: &ColumnReader<'b>, row: usize, _: Kind) -> $of {
                // SAFETY: the caller's promise.
                unsafe { if column.is_valid(row) { <$type as Field>::read(column, row) } else { $missing } }
            }

            fn write(&self, column: &mut ColumnWriter, _: Kind) {
                Field::write(self, column);
            }
        }
    };
}

cell!(i64, i64, [Int, Time], 0);
cell!(Time, Time, [Time], Time(0));
cell!(bool, bool, [Boolean], false);
cell!(&str, &'b str, [Text], "");
cell!(&[u8], &'b [u8], [Bytes], &[]);
cell!(&[f32], &'b [f32], [Floats], &[]);

impl<T: Cell> Cell for Option<T> {
    const ACCEPTS: &'static [Kind] = T::ACCEPTS;
    type Of<'b> = Option<T::Of<'b>>;

    #[inline(always)]
    unsafe fn read<'b>(column: &ColumnReader<'b>, row: usize, kind: Kind) -> Self::Of<'b> {
        // SAFETY: the caller's promise.
        unsafe { column.is_valid(row).then(|| T::read(column, row, kind)) }
    }

    fn write(&self, column: &mut ColumnWriter, kind: Kind) {
        match self {
            Some(value) => value.write(column, kind),
            None => column.push_null(),
        }
    }
}
