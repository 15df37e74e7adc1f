//! What a column is called and holds.

use std::borrow::Cow;

/// What a column holds. The order is that of the WIT.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// `bool`.
    Boolean,
    /// `i64`.
    Int,
    /// `f64`.
    Float,
    /// `f32`: features and scores.
    Single,
    /// [`Time`](crate::Time).
    Time,
    /// `&str`.
    Text,
    /// `&[u8]`.
    Bytes,
    /// `&[f32]`: vectors, embeddings.
    Floats,
}

impl Kind {
    /// All kinds, in the order of the WIT.
    pub const ALL: [Self; 8] = [
        Self::Boolean,
        Self::Int,
        Self::Float,
        Self::Single,
        Self::Time,
        Self::Text,
        Self::Bytes,
        Self::Floats,
    ];

    /// As written in settings and in the WIT.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Boolean => "boolean",
            Self::Int => "int",
            Self::Float => "float",
            Self::Single => "single",
            Self::Time => "time",
            Self::Text => "text",
            Self::Bytes => "bytes",
            Self::Floats => "floats",
        }
    }

    /// The kind of that name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// Bytes of a value, or of an element where [`Kind::is_list`].
    pub const fn width(self) -> usize {
        match self {
            Self::Boolean | Self::Text | Self::Bytes => 1,
            Self::Single | Self::Floats => 4,
            Self::Int | Self::Float | Self::Time => 8,
        }
    }

    /// Whether values differ in length.
    pub const fn is_list(self) -> bool {
        matches!(self, Self::Text | Self::Bytes | Self::Floats)
    }

    /// `==`, for constants.
    #[doc(hidden)]
    pub const fn is(self, other: Self) -> bool {
        self as u8 == other as u8
    }
}

impl std::fmt::Display for Kind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

/// One column of a schema.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Column {
    /// A dot leads into a nested object where the column meets JSON: `card.country`.
    pub name: Cow<'static, str>,
    /// What it holds.
    pub kind: Kind,
    /// Whether rows without a value may occur.
    pub nullable: bool,
}

impl Column {
    /// A column where every row has a value.
    pub fn new(name: impl Into<Cow<'static, str>>, kind: Kind) -> Self {
        Self { name: name.into(), kind, nullable: false }
    }

    /// A column where rows without a value may occur.
    pub fn nullable(name: impl Into<Cow<'static, str>>, kind: Kind) -> Self {
        Self { name: name.into(), kind, nullable: true }
    }

    /// For the derives.
    #[doc(hidden)]
    pub const fn constant(name: &'static str, kind: Kind, nullable: bool) -> Self {
        Self { name: Cow::Borrowed(name), kind, nullable }
    }

    /// The name, where it is known at compile time.
    pub(crate) const fn constant_name(&self) -> &'static str {
        match self.name {
            Cow::Borrowed(name) => name,
            Cow::Owned(_) => panic!("a column of a row struct has a constant name"),
        }
    }
}

/// Index of a column by its name.
pub fn position(columns: &[Column], name: &str) -> Option<usize> {
    columns.iter().position(|column| column.name == name)
}
