//! Layouts of the contract's own types.

use std::borrow::Cow;

use super::layout::{Area, Lower, larger, payload, place, record, variant_size};
use crate::column::{Column, Kind};
use crate::describe::{
    Aggregate, CustomFold, FeaturesDescription, Fold, Input, Lookup, Origin, PreprocessorDescription,
    RulesDescription, Trigger, Wanted, Window,
};

type Text = Cow<'static, str>;

record!(Column { name: Text, kind: Kind, nullable: bool });
record!(PreprocessorDescription { input: Vec<Column>, output: Vec<Column> });
record!(Input { source: Text, updates_only: bool, columns: Vec<Column>, kept: Vec<u32> });
record!(Lookup { table: Text, key: Text, columns: Vec<Column> });
record!(Aggregate {
    name: Text,
    input: u32,
    fold: Fold,
    column: Option<u32>,
    filter: Option<u32>,
    window: Window
});
record!(CustomFold { name: Text, version: u32, register_bytes: u32, invertible: bool, cell: Column });
record!(FeaturesDescription {
    inputs: Vec<Input>,
    lookups: Vec<Lookup>,
    aggregates: Vec<Aggregate>,
    custom_folds: Vec<CustomFold>,
    trigger: Trigger,
    features: Vec<Text>,
    ids: Vec<Column>,
});
record!(Wanted { column: Column, from: Origin });
record!(RulesDescription { input: Vec<Wanted>, output: Vec<Column>, routes: Vec<Text> });

/// Enums whose cases are in the order of the WIT.
macro_rules! plain {
    ($($type:ty),*) => {$(
        impl Lower for $type {
            const SIZE: usize = 1;
            const ALIGN: usize = 1;

            fn lower(&self, area: &mut Area, at: usize) {
                (*self as u8).lower(area, at);
            }
        }
    )*};
}

plain!(Kind, Origin);

impl Lower for Fold {
    const SIZE: usize = variant_size(larger(f64::SIZE, u64::SIZE), Self::ALIGN);
    const ALIGN: usize = larger(f64::ALIGN, u64::ALIGN);

    fn lower(&self, area: &mut Area, at: usize) {
        let argument = at + payload(Self::ALIGN);
        let case: u8 = match self {
            Self::Count => 0,
            Self::Sum => 1,
            Self::Mean => 2,
            Self::Variance => 3,
            Self::Min => 4,
            Self::Max => 5,
            Self::Latest => 6,
            Self::SinceLatest => 7,
            Self::Distinct => 8,
            Self::Quantile(_) => 9,
            Self::DecayedMean(_) => 10,
            Self::TopK(_) => 11,
            Self::Custom(_) => 12,
        };
        case.lower(area, at);
        match self {
            Self::Quantile(q) => q.lower(area, argument),
            Self::DecayedMean(half_life) => half_life.lower(area, argument),
            Self::TopK(n) | Self::Custom(n) => n.lower(area, argument),
            _ => {}
        }
    }
}

impl Lower for Window {
    const SIZE: usize = variant_size(2 * u64::SIZE, Self::ALIGN);
    const ALIGN: usize = u64::ALIGN;

    fn lower(&self, area: &mut Area, at: usize) {
        let argument = at + payload(Self::ALIGN);
        let case: u8 = match self {
            Self::Sliding(_) => 0,
            Self::Tumbling(_) => 1,
            Self::Hopping { .. } => 2,
            Self::Session(_) => 3,
            Self::Last(_) => 4,
            Self::Forever => 5,
        };
        case.lower(area, at);
        match self {
            Self::Sliding(size) | Self::Tumbling(size) | Self::Session(size) => size.lower(area, argument),
            Self::Hopping { size, slide } => {
                size.lower(area, argument);
                slide.lower(area, argument + u64::SIZE);
            }
            Self::Last(rows) => rows.lower(area, argument),
            Self::Forever => {}
        }
    }
}

impl Lower for Trigger {
    const SIZE: usize = variant_size(Vec::<Column>::SIZE, Self::ALIGN);
    const ALIGN: usize = Vec::<Column>::ALIGN;

    fn lower(&self, area: &mut Area, at: usize) {
        match self {
            Self::Row => 0_u8.lower(area, at),
            Self::Close(columns) => {
                1_u8.lower(area, at);
                columns.lower(area, at + payload(Self::ALIGN));
            }
        }
    }
}

#[cfg(test)]
mod tests;
