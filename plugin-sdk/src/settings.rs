//! The table `settings` of the pipeline's plugin.

use crate::batch::{Batch, Flaw};
use crate::column::{Column, Kind};

/// One setting, as the pipeline's file has it.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// `true` or `false`.
    Boolean(bool),
    /// A whole number.
    Int(i64),
    /// Any other number.
    Float(f64),
    /// A text.
    Text(String),
    /// A list of numbers.
    Floats(Vec<f32>),
}

impl Value {
    fn kind(&self) -> &'static str {
        match self {
            Self::Boolean(_) => "boolean",
            Self::Int(_) => "int",
            Self::Float(_) => "float",
            Self::Text(_) => "text",
            Self::Floats(_) => "list of numbers",
        }
    }
}

macro_rules! value {
    ($($type:ty => $case:ident),*) => {$(
        impl From<$type> for Value {
            fn from(value: $type) -> Self {
                Self::$case(value.into())
            }
        }
    )*};
}

value!(bool => Boolean, i64 => Int, f64 => Float, &str => Text, String => Text, Vec<f32> => Floats);

/// The settings that a plugin was given. Whatever is not taken out is an unknown setting.
#[derive(Clone, Debug, Default)]
pub struct Table {
    entries: Vec<(String, Value)>,
    known: Vec<&'static str>,
}

impl Table {
    /// With these settings.
    pub fn new(entries: Vec<(String, Value)>) -> Self {
        Self { entries, known: Vec::new() }
    }

    /// As they cross the border: a batch of one row.
    pub fn read(columns: &[Column], row: &Batch<'_>) -> Result<Self, Flaw> {
        if row.rows() != 1 {
            return Err(Flaw::of_batch(format!("settings have one row, not {}", row.rows())));
        }
        let mut entries = Vec::new();
        for (index, column) in columns.iter().enumerate() {
            let reader = row.column(index, column)?;
            // SAFETY: there is one row, and the column was opened as its kind.
            let value = unsafe {
                match column.kind {
                    _ if !reader.is_valid(0) => continue,
                    Kind::Boolean => Value::Boolean(reader.boolean(0)),
                    Kind::Int | Kind::Time => Value::Int(reader.int(0)),
                    Kind::Float => Value::Float(reader.float(0)),
                    Kind::Single => Value::Float(reader.single(0).into()),
                    Kind::Text => Value::Text(reader.text(0).to_owned()),
                    Kind::Floats => Value::Floats(reader.floats(0).to_vec()),
                    Kind::Bytes => return Err(Flaw::of_batch("settings hold no bytes")),
                }
            };
            entries.push((column.name.to_string(), value));
        }
        Ok(Self::new(entries))
    }

    /// Takes a setting out. `None`: it is not set.
    pub fn take<T: Setting>(&mut self, name: &'static str) -> Result<Option<T>, String> {
        self.known.push(name);
        let Some(at) = self.entries.iter().position(|(key, _)| key == name) else { return Ok(None) };
        let (_, value) = self.entries.remove(at);
        let kind = value.kind();
        match T::read(value) {
            Some(value) => Ok(Some(value)),
            None => Err(format!("setting `{name}`: {kind} given, {} needed", T::NEEDS)),
        }
    }

    /// Takes a setting out that must be set.
    pub fn need<T: Setting>(&mut self, name: &'static str) -> Result<T, String> {
        match T::MISSING {
            Some(missing) => Ok(self.take(name)?.unwrap_or(missing)),
            None => self.take(name)?.ok_or_else(|| format!("setting `{name}` is missing ({})", T::NEEDS)),
        }
    }

    /// To be called last: complains about settings that nobody took.
    pub fn finish(self) -> Result<(), String> {
        let Some((name, _)) = self.entries.first() else { return Ok(()) };
        Err(match self.known.is_empty() {
            true => format!("setting `{name}` is unknown: this plugin has no settings"),
            false => format!("setting `{name}` is unknown; there are `{}`", self.known.join("`, `")),
        })
    }
}

/// A type of a field of [`Settings`]: `bool`, `i64`, `u32`, `u64`, `f64`, `f32`, `String`,
/// `Vec<f32>`, and `Option` of these, which need not be set. A whole number will do for a float.
pub trait Setting: Sized {
    /// What to tell a person who set something else.
    const NEEDS: &'static str;
    /// What it is if it is not set; `None`: it must be.
    const MISSING: Option<Self> = None;

    /// `None`: this is no such value.
    fn read(value: Value) -> Option<Self>;
}

macro_rules! setting {
    ($type:ty, $needs:literal, $($pattern:pat => $value:expr),+) => {
        impl Setting for $type {
            const NEEDS: &'static str = $needs;

            fn read(value: Value) -> Option<Self> {
                match value {
                    $($pattern => $value,)+
                    _ => None,
                }
            }
        }
    };
}

setting!(bool, "boolean", Value::Boolean(value) => Some(value));
setting!(i64, "int", Value::Int(value) => Some(value));
setting!(u32, "int from 0 to 4294967295", Value::Int(value) => value.try_into().ok());
setting!(u64, "int from 0 on", Value::Int(value) => value.try_into().ok());
setting!(f64, "float", Value::Float(value) => Some(value), Value::Int(value) => Some(value as f64));
setting!(f32, "float", Value::Float(value) => Some(value as f32), Value::Int(value) => Some(value as f32));
setting!(String, "text", Value::Text(value) => Some(value));
setting!(Vec<f32>, "list of numbers", Value::Floats(value) => Some(value));

impl<T: Setting> Setting for Option<T> {
    const NEEDS: &'static str = T::NEEDS;
    const MISSING: Option<Self> = Some(None);

    fn read(value: Value) -> Option<Self> {
        T::read(value).map(Some)
    }
}

/// What the pipeline's file may set. Derive it:
///
/// ```
/// # use tailwater_sdk::prelude::*;
/// #[derive(Settings)]
/// struct Limits {
///     #[default(10_000.0)]
///     most: f64,
///     country: Option<String>,
/// }
/// ```
///
/// A field without `#[default(...)]` must be set, unless it is an `Option`. `#[name("...")]` gives
/// another name; of a table inside it has dots: `#[name("rates.GBP")]`. Types: see [`Setting`]. `()` has
/// no settings.
pub trait Settings: Sized {
    /// Takes what it knows out of the table, or says what is wrong.
    fn take(table: &mut Table) -> Result<Self, String>;

    /// Reads a whole table; what is left over is an error.
    fn from_table(table: &Table) -> Result<Self, String> {
        let mut table = table.clone();
        let settings = Self::take(&mut table)?;
        table.finish()?;
        Ok(settings)
    }
}

impl Settings for () {
    fn take(_: &mut Table) -> Result<Self, String> {
        Ok(())
    }
}
