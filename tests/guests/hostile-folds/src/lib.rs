//! A features plugin with a hostile fold. Otherwise the fold sums numbers, and the one feature is the number.

use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

use hostile::{Answer, GUILTY};
use tailwater_sdk::batch::{Batch, Flaw};
use tailwater_sdk::describe::{Aggregate, CustomFold, FeaturesDescription, Fold, Input, Trigger, Window};
use tailwater_sdk::world::{Computed, Features};
use tailwater_sdk::{Column, Table};

/// Bytes of a register: the sum.
const REGISTER: usize = 8;

/// Bytes of the registers that the last call of `fold` did not give back.
static KEPT_BACK: AtomicU32 = AtomicU32::new(0);

pub struct Hostile {
    mode: String,
    matrix: Vec<f32>,
    cells: Answer,
}

/// Nullable, so that its validity can lie on its values.
fn cell() -> Column {
    Column { nullable: true, ..hostile::number() }
}

impl Features for Hostile {
    fn describe(settings: &Table) -> Result<(Self, FeaturesDescription), String> {
        let mode = hostile::mode(settings)?;
        let columns = vec![hostile::number()];
        let description = FeaturesDescription {
            inputs: vec![Input { source: "".into(), updates_only: false, columns, kept: vec![0] }],
            lookups: Vec::new(),
            aggregates: vec![Aggregate {
                name: "sum".into(),
                input: 0,
                fold: Fold::Custom(0),
                column: None,
                filter: None,
                window: Window::Forever,
            }],
            custom_folds: vec![CustomFold {
                name: "sum".into(),
                version: 1,
                register_bytes: REGISTER as u32,
                invertible: true,
                cell: cell(),
            }],
            trigger: Trigger::Row,
            features: vec!["number".into()],
            ids: Vec::new(),
        };
        let (matrix, cells) = Default::default();
        Ok((Self { mode, matrix, cells }, description))
    }

    fn compute(&mut self, rows: &Batch<'_>) -> Result<Computed<'_>, Flaw> {
        self.matrix = hostile::read(rows, 0)?.into_iter().map(|n| n as f32).collect();
        let ids = Batch::new(rows.rows() as u32, &[], &[]);
        Ok(Computed { matrix: &self.matrix, ids, rejected: &[] })
    }

    fn fold(
        &mut self,
        _: u32,
        entries: &Batch<'_>,
        tape: &[u32],
        registers: &mut [u8],
    ) -> Result<Batch<'_>, Flaw> {
        KEPT_BACK.store(0, Relaxed);
        let numbers = hostile::read(entries, 0)?;
        let (mut sums, mut guilty) = (Vec::new(), false);
        for [word, argument] in tape.as_chunks().0 {
            let (operation, at) = (word >> 28, (word & 0x0fff_ffff) as usize * REGISTER);
            let number = |entry: u32| numbers[entry as usize];
            let sum = i64::from_le_bytes(*registers[at..].first_chunk().expect("a whole register"));
            let sum = match operation {
                0 => 0,
                1 => sum + number(*argument),
                2 => sum - number(*argument),
                _ => sum,
            };
            guilty |= operation == 1 && number(*argument) == GUILTY;
            if operation == 4 {
                sums.push(sum);
            }
            registers[at..][..REGISTER].copy_from_slice(&sum.to_le_bytes());
        }
        self.cells = Answer::of(&[cell()], &sums);
        if guilty {
            self.misbehave(&sums);
        }
        Ok(self.cells.batch())
    }
}

impl Hostile {
    fn misbehave(&mut self, sums: &[i64]) {
        match self.mode.as_str() {
            "registers" => KEPT_BACK.store(1, Relaxed),
            "few-cells" => self.cells = Answer::of(&[cell()], &sums[1..]),
            "many-cells" => self.cells = Answer::of(&[cell()], &[sums, &[1]].concat()),
            "overlap" => {
                // There is one column: its validity lies on its values.
                self.cells.spans[0] = self.cells.spans[4];
                self.cells.spans[1] = sums.len().div_ceil(8) as u32;
            }
            mode => self.cells.misbehave(mode),
        }
    }
}

// As `export!(custom_features, Hostile)`, but that registers can be kept back.
tailwater_sdk::__export!(
    Hostile,
    Features,
    features(true),
    compute,
    tailwater_sdk::component_type::features(true),
    #[unsafe(no_mangle)]
    unsafe extern "C" fn fold(
        custom: u32,
        rows: u32,
        spans: *const u32,
        spans_length: usize,
        data: *const u8,
        data_length: usize,
        tape: *const u32,
        tape_length: usize,
        registers: *mut u8,
        registers_length: usize,
    ) -> *const u8 {
        // SAFETY: the host calls this with a sound batch and lists of its own.
        let answer = PLUGIN.with_borrow_mut(|plugin| unsafe {
            let entries = tailwater_sdk::abi::batch(rows, spans, spans_length, data, data_length);
            let tape = std::slice::from_raw_parts(tape, tape_length);
            let registers = std::slice::from_raw_parts_mut(registers, registers_length);
            tailwater_sdk::abi::fold(plugin, custom, &entries, tape, registers)
        });
        // SAFETY: the answer is the plugin's own; it begins with where the registers lie and how many bytes they are.
        unsafe { *answer.cast_mut().cast::<u32>().add(1) -= KEPT_BACK.load(Relaxed) };
        answer
    },
    #[unsafe(no_mangle)]
    unsafe extern "C" fn migrate(
        custom: u32,
        version: u32,
        count: u32,
        registers: *const u8,
        registers_length: usize,
    ) -> *const u8 {
        // SAFETY: the host calls this with a list of its own.
        PLUGIN.with_borrow_mut(|plugin| unsafe {
            let registers = std::slice::from_raw_parts(registers, registers_length);
            tailwater_sdk::abi::migrate(plugin, custom, version, count, registers)
        })
    }
);
