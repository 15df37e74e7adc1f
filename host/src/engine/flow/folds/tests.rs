//! Registers of an older version of a fold, and what fails of them.

use super::*;
use crate::columns::{Batch, Column, Kind};
use crate::contract::{
    Aggregate, Computed, CustomFold, FeaturesDescription, Fold, Folded, Input, RawBatch, Tape, Trigger,
    Window,
};
use crate::engine::ports::PluginFault;
use crate::window::{Cells, History, Scratch};

/// A register of version 1 that no plugin gets further with.
const BROKEN: i64 = 2;

/// Counts entries: in 4 bytes in version 1, in 8 in version 2.
fn plan(version: u32) -> Plan {
    let fold = CustomFold {
        name: "count".to_owned(),
        version,
        register_bytes: 4 * version,
        invertible: false,
        cell: Column::new("cell", Kind::Int),
    };
    let aggregate = Aggregate {
        name: "ever".to_owned(),
        input: 0,
        fold: Fold::Custom(0),
        column: None,
        filter: None,
        window: Window::Forever,
    };
    let columns = vec![Column::new("n", Kind::Int)];
    let description = FeaturesDescription {
        inputs: vec![Input { source: String::new(), updates_only: false, columns, kept: vec![0] }],
        lookups: Vec::new(),
        aggregates: vec![aggregate],
        custom_folds: vec![fold],
        trigger: Trigger::Row,
        features: Vec::new(),
        ids: Vec::new(),
    };
    Plan::new(&description).expect("supported")
}

/// A plugin of this version; a later one gets further with all.
struct Counts(usize);

impl Features for Counts {
    fn compute(&mut self, _: &Batch) -> std::result::Result<Computed, PluginFault> {
        unreachable!("only folds are run")
    }

    fn fold(
        &mut self,
        _: u32,
        _: &Batch,
        tape: &Tape,
        registers: &[u8],
    ) -> std::result::Result<Folded, PluginFault> {
        let size = 4 * self.0.min(2);
        let read = |bytes: &[u8]| bytes.iter().rev().fold(0, |all, byte| all << 8 | i64::from(*byte));
        let mut counts: Vec<i64> = registers.chunks_exact(size).map(read).collect();
        let mut cells = Builder::new([Column::new("cell", Kind::Int)].into());
        for step in tape.words().chunks_exact(2) {
            let count = &mut counts[(step[0] & ((1 << 28) - 1)) as usize];
            match step[0] >> 28 {
                0 => *count = 0,
                1 => *count += 1,
                _ => {
                    cells.column(0).push_int(*count);
                    cells.finish_row();
                }
            }
        }
        let cells = cells.seal();
        let (spans, data) = (cells.spans().to_vec(), cells.data().to_vec());
        let registers = counts.iter().flat_map(|count| count.to_le_bytes()[..size].to_vec()).collect();
        Ok(Folded { registers, cells: RawBatch { rows: cells.rows() as u32, spans, data } })
    }

    fn migrate(
        &mut self,
        _: u32,
        version: u32,
        count: u32,
        registers: &[u8],
    ) -> std::result::Result<Vec<u8>, PluginFault> {
        assert_eq!((version, registers.len()), (1, count as usize * 4));
        let broken = (BROKEN as u32).to_le_bytes();
        if self.0 == 2 && registers.chunks_exact(4).any(|register| register == broken) {
            let message = "two is too much".to_owned();
            return Err(PluginFault { code: Code::PluginTrap, message });
        }
        Ok(registers.chunks_exact(4).flat_map(|register| [register, &[0; 4]].concat()).collect())
    }
}

/// A row for each key that is named. Gives the positions that failed, and what the others emitted.
fn rows(plan: &Plan, plugin: usize, keys: &[usize], histories: &mut [History]) -> (Vec<usize>, Vec<i64>) {
    let (mut scripts, mut scratch) = (Scripts::new(plan), Scratch::default());
    let mut cells = Builder::new(plan.columns.as_slice().into());
    for key in keys {
        scripts.begin(*key as u32);
        let words = &mut [0, 0, 0];
        histories[*key].admit(plan, &mut scratch, words, &mut Cells(&mut cells), &mut scripts);
    }
    let script = scripts.into_scripts().remove(0);
    let mut run = Run::new(&plan.customs[0], script);
    let positions: Vec<usize> = (0..keys.len()).collect();
    let emitted = run.all(&mut Counts(plugin), &positions).expect("nothing spins");
    histories.iter_mut().for_each(|history| history.settle(plan, 0, &run.registers, &run.stuck()));
    let values = (0..emitted.values.rows()).map(|row| emitted.values.column(0).int(row));
    assert!(emitted.failed.values().all(|refusal| refusal.message == "two is too much"));
    (emitted.failed.into_keys().collect(), values.collect())
}

#[test]
fn a_register_that_can_not_be_taken_over_stays_what_it_was() {
    let [first, second] = [1, 2].map(plan);
    let mut histories = vec![History::new(&first); 3];
    assert_eq!(rows(&first, 1, &[0, 1, 1, 2, 2, 2], &mut histories), (vec![], vec![1, 1, 2, 1, 2, 3]));
    let convert = |history: &History| history.convert(&first, &second).expect("they fit together");
    histories = histories.iter().map(convert).collect();
    for _ in 0..2 {
        let (failed, values) = rows(&second, 2, &[1, 0, 1, 1], &mut histories);
        assert_eq!((failed, values.len()), (vec![0, 2, 3], 1));
        let mut frozen = Vec::new();
        histories[1].freeze_registers(&second, 0, &mut frozen);
        assert_eq!(frozen, [2, 1, 4, 2, 0, 0, 0], "of version 1, two entries");
        let mut reader = crate::bytes::Reader(&frozen);
        assert_eq!(histories[1].thaw_registers(&second, 0, &mut reader), Some(()));
    }
    // Key 2 was not met; the next build of the plugin knows what to do.
    let (failed, values) = rows(&second, 3, &[1, 2, 0], &mut histories);
    assert_eq!((failed, values), (vec![], vec![3, 4, 4]));
}
