//! From the border's types to the host's.

use tracing::Level as TracingLevel;

use super::wire;
use crate::columns::{Column, Kind};
use crate::contract::{self, MESSAGE_LIMIT};
use crate::plugin::grants::clip;

fn all<Wire, Ours: From<Wire>>(list: Vec<Wire>) -> Vec<Ours> {
    list.into_iter().map(Into::into).collect()
}

/// Enumerations that differ in nothing but their type.
macro_rules! same_cases {
    ($($from:ty => $to:ty { $($case:ident),* };)*) => {$(
        impl From<$from> for $to {
            fn from(case: $from) -> Self {
                match case { $(<$from>::$case => Self::$case,)* }
            }
        }
    )*};
}

same_cases! {
    wire::Kind => Kind { Boolean, Int, Float, Single, Time, Text, Bytes, Floats };
    Kind => wire::Kind { Boolean, Int, Float, Single, Time, Text, Bytes, Floats };
    wire::Origin => contract::From { Record, Feature, Score };
}

impl From<wire::Level> for TracingLevel {
    fn from(level: wire::Level) -> Self {
        match level {
            wire::Level::Debug => Self::DEBUG,
            wire::Level::Info => Self::INFO,
            wire::Level::Warn => Self::WARN,
            wire::Level::Error => Self::ERROR,
        }
    }
}

impl From<wire::Column> for Column {
    fn from(wire::Column { name, kind, nullable }: wire::Column) -> Self {
        Self { name, kind: kind.into(), nullable }
    }
}

impl From<wire::RawBatch> for contract::RawBatch {
    fn from(wire::RawBatch { rows, spans, data }: wire::RawBatch) -> Self {
        Self { rows, spans, data }
    }
}

impl From<wire::Rejection> for contract::Rejection {
    fn from(wire::Rejection { row, code, mut message }: wire::Rejection) -> Self {
        if message.len() > MESSAGE_LIMIT {
            message = clip(&message, MESSAGE_LIMIT).to_owned();
        }
        Self { row, code, message }
    }
}

impl From<wire::PreprocessorDescription> for contract::PreprocessorDescription {
    fn from(described: wire::PreprocessorDescription) -> Self {
        Self { input: all(described.input), output: all(described.output) }
    }
}

impl From<wire::Processed> for contract::Processed {
    fn from(wire::Processed { rows, origin, rejected }: wire::Processed) -> Self {
        Self { rows: rows.into(), origin, rejected: all(rejected) }
    }
}

impl From<wire::Input> for contract::Input {
    fn from(wire::Input { source, updates_only, columns, kept }: wire::Input) -> Self {
        Self { source, updates_only, columns: all(columns), kept }
    }
}

impl From<wire::Lookup> for contract::Lookup {
    fn from(wire::Lookup { table, key, columns }: wire::Lookup) -> Self {
        Self { table, key, columns: all(columns) }
    }
}

impl From<wire::Window> for contract::Window {
    fn from(window: wire::Window) -> Self {
        match window {
            wire::Window::Sliding(size) => Self::Sliding(size),
            wire::Window::Tumbling(size) => Self::Tumbling(size),
            wire::Window::Hopping(wire::Hopping { size, slide }) => Self::Hopping { size, slide },
            wire::Window::Session(gap) => Self::Session(gap),
            wire::Window::Last(rows) => Self::Last(rows),
            wire::Window::Forever => Self::Forever,
        }
    }
}

impl From<wire::Fold> for contract::Fold {
    fn from(fold: wire::Fold) -> Self {
        match fold {
            wire::Fold::Count => Self::Count,
            wire::Fold::Sum => Self::Sum,
            wire::Fold::Mean => Self::Mean,
            wire::Fold::Variance => Self::Variance,
            wire::Fold::Min => Self::Min,
            wire::Fold::Max => Self::Max,
            wire::Fold::Latest => Self::Latest,
            wire::Fold::SinceLatest => Self::SinceLatest,
            wire::Fold::Distinct => Self::Distinct,
            wire::Fold::Quantile(at) => Self::Quantile(at),
            wire::Fold::DecayedMean(half_life) => Self::DecayedMean(half_life),
            wire::Fold::TopK(k) => Self::TopK(k),
            wire::Fold::Custom(index) => Self::Custom(index),
        }
    }
}

impl From<wire::Aggregate> for contract::Aggregate {
    fn from(wire::Aggregate { name, input, fold, column, filter, window }: wire::Aggregate) -> Self {
        Self { name, input, fold: fold.into(), column, filter, window: window.into() }
    }
}

impl From<wire::CustomFold> for contract::CustomFold {
    fn from(fold: wire::CustomFold) -> Self {
        let wire::CustomFold { name, version, register_bytes, invertible, cell } = fold;
        Self { name, version, register_bytes, invertible, cell: cell.into() }
    }
}

impl From<wire::Trigger> for contract::Trigger {
    fn from(trigger: wire::Trigger) -> Self {
        match trigger {
            wire::Trigger::Row => Self::Row,
            wire::Trigger::Close(columns) => Self::Close(all(columns)),
        }
    }
}

impl From<wire::FeaturesDescription> for contract::FeaturesDescription {
    fn from(described: wire::FeaturesDescription) -> Self {
        let wire::FeaturesDescription { inputs, lookups, aggregates, custom_folds, trigger, features, ids } =
            described;
        Self {
            inputs: all(inputs),
            lookups: all(lookups),
            aggregates: all(aggregates),
            custom_folds: all(custom_folds),
            trigger: trigger.into(),
            features,
            ids: all(ids),
        }
    }
}

impl From<wire::Computed> for contract::Computed {
    fn from(wire::Computed { matrix, ids, rejected }: wire::Computed) -> Self {
        Self { matrix, ids: ids.into(), rejected: all(rejected) }
    }
}

impl From<wire::Folded> for contract::Folded {
    fn from(wire::Folded { registers, cells }: wire::Folded) -> Self {
        Self { registers, cells: cells.into() }
    }
}

impl From<wire::Wanted> for contract::Wanted {
    fn from(wire::Wanted { column, from }: wire::Wanted) -> Self {
        Self { column: column.into(), from: from.into() }
    }
}

impl From<wire::RulesDescription> for contract::RulesDescription {
    fn from(described: wire::RulesDescription) -> Self {
        let wire::RulesDescription { input, output, routes } = described;
        Self { input: all(input), output: all(output), routes }
    }
}

impl From<wire::Decided> for contract::Decided {
    fn from(wire::Decided { rows, route, rejected }: wire::Decided) -> Self {
        Self { rows: rows.into(), route, rejected: all(rejected) }
    }
}
