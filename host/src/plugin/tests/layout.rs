//! Values as the canonical ABI lays them in memory, written by hand from the WIT: what the derived
//! types are checked against.

use crate::columns::{Column, Kind};
use crate::contract::{
    Aggregate, CustomFold, FeaturesDescription, Fold, Input, Lookup, PreprocessorDescription,
    RulesDescription, Trigger, Wanted, Window,
};

/// A piece of a guest's memory.
pub(super) struct Memory {
    base: u32,
    bytes: Vec<u8>,
}

impl Memory {
    pub(super) fn at(base: u32) -> Self {
        assert!(base.is_multiple_of(8));
        Self { base, bytes: Vec::new() }
    }

    /// Returns where it lies.
    pub(super) fn put(&mut self, bytes: &[u8]) -> u32 {
        self.bytes.resize(self.bytes.len().next_multiple_of(8), 0);
        let position = self.base + self.bytes.len() as u32;
        self.bytes.extend_from_slice(bytes);
        position
    }

    pub(super) fn end(&self) -> u32 {
        self.base + (self.bytes.len() as u32).next_multiple_of(8)
    }

    /// As a string of WebAssembly text.
    pub(super) fn text(&self) -> String {
        self.bytes.iter().map(|byte| format!("\\{byte:02x}")).collect()
    }

    fn string(&mut self, text: &str) -> Vec<u8> {
        let position = self.put(text.as_bytes());
        words(&[position, text.len() as u32])
    }

    fn list<T>(&mut self, items: &[T], lay: fn(&mut Self, &T) -> Vec<u8>) -> Vec<u8> {
        let bytes: Vec<u8> = items.iter().flat_map(|item| lay(self, item)).collect();
        words(&[self.put(&bytes), items.len() as u32])
    }

    fn column(&mut self, column: &Column) -> Vec<u8> {
        let mut bytes = self.string(&column.name);
        let kinds = [
            Kind::Boolean,
            Kind::Int,
            Kind::Float,
            Kind::Single,
            Kind::Time,
            Kind::Text,
            Kind::Bytes,
            Kind::Floats,
        ];
        let kind = kinds.iter().position(|kind| *kind == column.kind).unwrap();
        bytes.extend([kind as u8, column.nullable.into(), 0, 0]);
        bytes
    }

    fn columns(&mut self, columns: &[Column]) -> Vec<u8> {
        self.list(columns, Self::column)
    }

    fn names(&mut self, names: &[String]) -> Vec<u8> {
        self.list(names, |memory, name| memory.string(name))
    }

    fn input(&mut self, input: &Input) -> Vec<u8> {
        let mut bytes = self.string(&input.source);
        bytes.extend([input.updates_only.into(), 0, 0, 0]);
        bytes.extend(self.columns(&input.columns));
        bytes.extend(self.list(&input.kept, |_, index| words(&[*index])));
        bytes
    }

    fn lookup(&mut self, lookup: &Lookup) -> Vec<u8> {
        let mut bytes = self.string(&lookup.table);
        bytes.extend(self.string(&lookup.key));
        bytes.extend(self.columns(&lookup.columns));
        bytes
    }

    fn aggregate(&mut self, aggregate: &Aggregate) -> Vec<u8> {
        let mut bytes = self.string(&aggregate.name);
        bytes.extend(words(&[aggregate.input, 0]));
        bytes.extend(fold(aggregate.fold));
        for index in [aggregate.column, aggregate.filter] {
            bytes.extend(words(&[index.is_some().into(), index.unwrap_or(0)]));
        }
        bytes.extend(window(aggregate.window));
        bytes
    }

    fn custom_fold(&mut self, fold: &CustomFold) -> Vec<u8> {
        let mut bytes = self.string(&fold.name);
        bytes.extend(words(&[fold.version, fold.register_bytes]));
        bytes.extend([fold.invertible.into(), 0, 0, 0]);
        bytes.extend(self.column(&fold.cell));
        bytes
    }

    fn trigger(&mut self, trigger: &Trigger) -> Vec<u8> {
        let (case, taken) = match trigger {
            Trigger::Row => (0, vec![0; 8]),
            Trigger::Close(columns) => (1, self.columns(columns)),
        };
        words(&[case]).into_iter().chain(taken).collect()
    }

    fn wanted(&mut self, wanted: &Wanted) -> Vec<u8> {
        let mut bytes = self.column(&wanted.column);
        bytes.extend([wanted.from as u8, 0, 0, 0]);
        bytes
    }
}

/// What a `describe` can give.
pub(super) trait Describes {
    fn lay(&self, memory: &mut Memory) -> Vec<u8>;
}

impl Describes for PreprocessorDescription {
    fn lay(&self, memory: &mut Memory) -> Vec<u8> {
        [0, 0, 0, 0]
            .into_iter()
            .chain(memory.columns(&self.input))
            .chain(memory.columns(&self.output))
            .collect()
    }
}

impl Describes for FeaturesDescription {
    fn lay(&self, memory: &mut Memory) -> Vec<u8> {
        let mut bytes = vec![0; 4];
        bytes.extend(memory.list(&self.inputs, Memory::input));
        bytes.extend(memory.list(&self.lookups, Memory::lookup));
        bytes.extend(memory.list(&self.aggregates, Memory::aggregate));
        bytes.extend(memory.list(&self.custom_folds, Memory::custom_fold));
        bytes.extend(memory.trigger(&self.trigger));
        bytes.extend(memory.names(&self.features));
        bytes.extend(memory.columns(&self.ids));
        bytes
    }
}

impl Describes for RulesDescription {
    fn lay(&self, memory: &mut Memory) -> Vec<u8> {
        let mut bytes = vec![0; 4];
        bytes.extend(memory.list(&self.input, Memory::wanted));
        bytes.extend(memory.columns(&self.output));
        bytes.extend(memory.names(&self.routes));
        bytes
    }
}

/// A refusal.
impl Describes for str {
    fn lay(&self, memory: &mut Memory) -> Vec<u8> {
        [1, 0, 0, 0].into_iter().chain(memory.string(self)).collect()
    }
}

fn words(words: &[u32]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_le_bytes()).collect()
}

fn fold(fold: Fold) -> Vec<u8> {
    let (case, payload) = match fold {
        Fold::Count => (0, 0),
        Fold::Sum => (1, 0),
        Fold::Mean => (2, 0),
        Fold::Variance => (3, 0),
        Fold::Min => (4, 0),
        Fold::Max => (5, 0),
        Fold::Latest => (6, 0),
        Fold::SinceLatest => (7, 0),
        Fold::Distinct => (8, 0),
        Fold::Quantile(at) => (9, at.to_bits()),
        Fold::DecayedMean(half_life) => (10, half_life),
        Fold::TopK(k) => (11, k.into()),
        Fold::Custom(index) => (12, index.into()),
    };
    [case, payload].into_iter().flat_map(u64::to_le_bytes).collect()
}

fn window(window: Window) -> Vec<u8> {
    let (case, first, second) = match window {
        Window::Sliding(size) => (0, size, 0),
        Window::Tumbling(size) => (1, size, 0),
        Window::Hopping { size, slide } => (2, size, slide),
        Window::Session(gap) => (3, gap, 0),
        Window::Last(rows) => (4, rows.into(), 0),
        Window::Forever => (5, 0, 0),
    };
    [case, first, second].into_iter().flat_map(u64::to_le_bytes).collect()
}
