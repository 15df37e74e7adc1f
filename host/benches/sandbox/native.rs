//! Plugins without a sandbox, behind the engine's ports: what the sandbox is measured against.

use tailwater::columns::Batch;
use tailwater::contract::{Computed, Decided, Folded, Processed, RawBatch, Rejection, Settings, Tape};
use tailwater::engine::ports::{Features, PluginFault, Preprocessor, Rules};
use tailwater::error::Code;
use tailwater_sdk::Rejected;
use tailwater_sdk::batch::{Batch as Lent, Flaw};
use tailwater_sdk::native::{Instance, Plugin};

/// A native plugin at work.
#[derive(Debug)]
pub struct Native(Instance);

impl Native {
    /// With these settings. Panics if the plugin refuses them.
    pub fn start(plugin: Plugin, settings: &Settings) -> Self {
        let columns: Vec<_> = settings.schema().iter().map(column).collect();
        Self(plugin.start(&columns, &lend(settings)).expect("the settings fit"))
    }
}

impl Preprocessor for Native {
    fn process(&mut self, rows: &Batch) -> Result<Processed, PluginFault> {
        let answer = self.0.process(&lend(rows)).map_err(fault)?;
        let rejected = rejections(answer.rejected);
        Ok(Processed { rows: raw(&answer.rows), origin: answer.origin.to_vec(), rejected })
    }
}

impl Features for Native {
    fn compute(&mut self, rows: &Batch) -> Result<Computed, PluginFault> {
        let answer = self.0.compute(&lend(rows)).map_err(fault)?;
        let rejected = rejections(answer.rejected);
        Ok(Computed { matrix: answer.matrix.to_vec(), ids: raw(&answer.ids), rejected })
    }

    fn fold(
        &mut self,
        custom: u32,
        entries: &Batch,
        tape: &Tape,
        registers: &[u8],
    ) -> Result<Folded, PluginFault> {
        let mut registers = registers.to_vec();
        let cells = self.0.fold(custom, &lend(entries), tape.words(), &mut registers).map_err(fault)?;
        let cells = raw(&cells);
        Ok(Folded { registers, cells })
    }

    fn migrate(
        &mut self,
        custom: u32,
        version: u32,
        count: u32,
        registers: &[u8],
    ) -> Result<Vec<u8>, PluginFault> {
        let answer = self.0.migrate(custom, version, count as usize, registers);
        answer.map(<[u8]>::to_vec).map_err(|message| PluginFault { code: Code::PluginOutput, message })
    }
}

impl Rules for Native {
    fn decide(&mut self, rows: &Batch) -> Result<Decided, PluginFault> {
        let answer = self.0.decide(&lend(rows)).map_err(fault)?;
        let rejected = rejections(answer.rejected);
        Ok(Decided { rows: raw(&answer.rows), route: answer.route.to_vec(), rejected })
    }
}

fn lend(batch: &Batch) -> Lent<'_> {
    // SAFETY: the host's batches are sound.
    unsafe { Lent::trusted(batch.rows() as u32, batch.spans(), batch.data()) }
}

fn raw(batch: &Lent<'_>) -> RawBatch {
    RawBatch { rows: batch.rows() as u32, spans: batch.spans().to_vec(), data: batch.data().to_vec() }
}

fn rejections(rejected: &[Rejected]) -> Vec<Rejection> {
    let own =
        |one: &Rejected| Rejection { row: one.row, code: one.why.code, message: one.why.message.to_string() };
    rejected.iter().map(own).collect()
}

fn fault(flaw: Flaw) -> PluginFault {
    PluginFault { code: Code::PluginTrap, message: flaw.to_string() }
}

fn column(column: &tailwater::columns::Column) -> tailwater_sdk::Column {
    let kind = tailwater_sdk::Kind::ALL.into_iter().find(|kind| kind.name() == column.kind.name());
    let kind = kind.expect("host and SDK have the same kinds");
    tailwater_sdk::Column { name: column.name.clone().into(), kind, nullable: column.nullable }
}
