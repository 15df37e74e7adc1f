//! Misbehaves, in a way that its settings name, whenever a row with the number 13 is in the batch.
//! Otherwise it passes rows through.

use tailwater_sdk::batch::{Batch, Flaw};
use tailwater_sdk::describe::PreprocessorDescription;
use tailwater_sdk::world::{Preprocessor, Processed};
use tailwater_sdk::{Column, Kind, Rejected, Rejection, Table};

pub struct Hostile {
    mode: String,
    number: Column,
    spans: Vec<u32>,
    data: Vec<u8>,
    origin: Vec<u32>,
    rejected: Vec<Rejected>,
}

impl Preprocessor for Hostile {
    fn describe(settings: &Table) -> Result<(Self, PreprocessorDescription), String> {
        let mut settings = settings.clone();
        let mode: String = settings.need("mode")?;
        settings.finish()?;
        if mode == "describe-trap" {
            panic!("describe has no answer");
        }
        let number = Column { name: "n".into(), kind: Kind::Int, nullable: false };
        let description =
            PreprocessorDescription { input: vec![number.clone()], output: vec![number.clone()] };
        let (spans, data, origin, rejected) = Default::default();
        Ok((Self { mode, number, spans, data, origin, rejected }, description))
    }

    fn process(&mut self, rows: &Batch<'_>) -> Result<Processed<'_>, Flaw> {
        let numbers = rows.column(0, &self.number)?;
        // SAFETY: the column was opened as int, and has these rows.
        let guilty = (0..rows.rows()).any(|row| unsafe { numbers.int(row) } == 13);
        self.spans = rows.spans().to_vec();
        self.data = rows.data().to_vec();
        self.origin = (0..rows.rows() as u32).collect();
        self.rejected.clear();
        let mut count = rows.rows() as u32;
        if guilty {
            self.misbehave(&mut count);
        }
        let rows = Batch::new(count, &self.spans, &self.data);
        Ok(Processed { rows, origin: &self.origin, rejected: &self.rejected })
    }
}

impl Hostile {
    fn misbehave(&mut self, count: &mut u32) {
        let rejected = |row| Rejected { row, why: Rejection::new(1, "so") };
        match self.mode.as_str() {
            "trap" => panic!("thirteen is too much"),
            "recurse" => self.data.push(deeper(&self.data, 0)),
            "spin" => loop {
                std::hint::black_box(&self.data);
            },
            "allocate" => loop {
                self.data.extend_from_within(..);
                std::hint::black_box(&self.data);
            },
            "spans" => self.spans[4] = 0xffff_fff8,
            "few-spans" => drop(self.spans.pop()),
            "count" => *count = u32::MAX,
            "origin" => *self.origin.last_mut().expect("a row") = 4_000_000,
            "origin-falls" => {
                self.origin.insert(0, 0);
                self.origin[0] = 5;
            }
            "twice" => {
                self.rejected = vec![rejected(0), rejected(0)];
                (*count, self.origin, self.data) = Default::default();
                self.spans.fill(0);
            }
            "both" => self.rejected = vec![rejected(0)],
            _ => {}
        }
    }
}

/// Ends with the stack.
#[inline(never)]
fn deeper(data: &[u8], depth: usize) -> u8 {
    let room = [depth as u8; 256];
    std::hint::black_box(&room);
    if data.len() == usize::MAX {
        return 0;
    }
    deeper(data, depth + 1).wrapping_add(room[depth % 256])
}

tailwater_sdk::export!(preprocessor, Hostile);
