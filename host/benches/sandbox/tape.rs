//! What the engine asks of each plugin, written down, so that it can be asked again without the engine.

use std::sync::{Arc, Mutex};

use tailwater::columns::Batch;
use tailwater::contract::{Computed, Decided, Folded, Processed, Tape as FoldTape};
use tailwater::engine::Parts;
use tailwater::engine::ports::{Features, PluginFault, Preprocessor, Rules};

/// The batches of each of the four stages.
pub type Calls = [Vec<Batch>; 4];

/// Shared by the stages while they are listened to.
#[derive(Clone, Default)]
pub struct Tape(Arc<Mutex<Calls>>);

impl Tape {
    /// The same parts, listened to.
    pub fn listen(&self, parts: Parts) -> Parts {
        let ear = |stage| (self.clone(), stage);
        let features = parts.features.into_iter().enumerate();
        Parts {
            preprocessor: parts.preprocessor.map(|inner| Box::new(Heard(inner, ear(0))) as _),
            features: features.map(|(n, inner)| Box::new(Heard(inner, ear(1 + n))) as _).collect(),
            rules: parts.rules.map(|inner| Box::new(Heard(inner, ear(3))) as _),
            ..parts
        }
    }

    pub fn calls(&self) -> Calls {
        self.0.lock().expect("no listener panicked").clone()
    }
}

struct Heard<P>(P, (Tape, usize));

impl<P> Heard<P> {
    fn note(&self, rows: &Batch) {
        let (tape, stage) = &self.1;
        tape.0.lock().expect("no listener panicked")[*stage].push(rows.clone());
    }
}

impl Preprocessor for Heard<Box<dyn Preprocessor + Send>> {
    fn process(&mut self, rows: &Batch) -> Result<Processed, PluginFault> {
        self.note(rows);
        self.0.process(rows)
    }
}

impl Features for Heard<Box<dyn Features + Send>> {
    fn compute(&mut self, rows: &Batch) -> Result<Computed, PluginFault> {
        self.note(rows);
        self.0.compute(rows)
    }

    fn fold(
        &mut self,
        custom: u32,
        entries: &Batch,
        tape: &FoldTape,
        registers: &[u8],
    ) -> Result<Folded, PluginFault> {
        self.0.fold(custom, entries, tape, registers)
    }

    fn migrate(
        &mut self,
        custom: u32,
        version: u32,
        count: u32,
        registers: &[u8],
    ) -> Result<Vec<u8>, PluginFault> {
        self.0.migrate(custom, version, count, registers)
    }
}

impl Rules for Heard<Box<dyn Rules + Send>> {
    fn decide(&mut self, rows: &Batch) -> Result<Decided, PluginFault> {
        self.note(rows);
        self.0.decide(rows)
    }
}
