//! Rows on their way through the stages.

use super::outbox::{Outbox, Place};
use crate::columns::{Batch, View};
use crate::contract::Rejection;
use crate::error::{Code, Refusal};
use crate::pipeline::Stage;

/// The rows of a batch that are still on their way, with all that was made of them so far.
#[derive(Debug)]
pub(super) struct Work {
    pub rows: Batch,
    pub places: Vec<Place>,
    /// rows x features.
    pub matrix: Vec<f32>,
    pub features: usize,
    /// Of the features plugin.
    pub ids: Option<Batch>,
    /// rows x scores.
    pub scores: Vec<f32>,
    pub score_names: usize,
}

impl Work {
    pub fn new(rows: Batch, places: Vec<Place>) -> Self {
        Self { rows, places, matrix: Vec::new(), features: 0, ids: None, scores: Vec::new(), score_names: 0 }
    }

    /// In parts of so many rows at most.
    pub fn cut(self, most: usize) -> Vec<Self> {
        if self.len() <= most {
            return vec![self];
        }
        let rows: Vec<u32> = (0..self.len() as u32).collect();
        rows.chunks(most).map(|rows| self.gather(rows)).collect()
    }

    /// These rows (rising) alone.
    pub fn pick(self, rows: &[u32]) -> Self {
        if rows.len() == self.len() { self } else { self.gather(rows) }
    }

    fn gather(&self, rows: &[u32]) -> Self {
        Self {
            rows: self.rows.gather(rows),
            places: rows.iter().map(|row| self.places[*row as usize]).collect(),
            matrix: pick(&self.matrix, self.features, rows),
            features: self.features,
            ids: self.ids.as_ref().map(|ids| ids.gather(rows)),
            scores: pick(&self.scores, self.score_names, rows),
            score_names: self.score_names,
        }
    }

    /// Puts the vectors and ids of one more stage behind those that are there.
    pub fn extend(&mut self, matrix: Vec<f32>, features: usize, ids: Batch) {
        if self.features == 0 {
            self.matrix = matrix;
        } else if features > 0 {
            let rows = self.matrix.chunks(self.features).zip(matrix.chunks(features));
            self.matrix = rows.flat_map(|(before, own)| before.iter().chain(own)).copied().collect();
        }
        self.features += features;
        self.ids = Some(match self.ids.take() {
            None => ids,
            Some(before) => {
                let schema = before.schema().iter().chain(&**ids.schema()).cloned().collect();
                let columns: Vec<View<'_>> = before.columns().chain(ids.columns()).collect();
                Batch::assemble(schema, self.places.len(), &columns)
            }
        });
    }

    pub fn len(&self) -> usize {
        self.places.len()
    }

    /// Sends the refused rows (rising indices) to the dead letters and goes on without them.
    pub fn refuse(&mut self, stage: Stage, refused: Vec<(u32, Refusal)>, outbox: &mut Outbox) {
        if refused.is_empty() {
            return;
        }
        let mut keep: Vec<u32> = Vec::with_capacity(self.len());
        let mut refused = refused.into_iter().peekable();
        for row in 0..self.len() as u32 {
            match refused.next_if(|(at, _)| *at == row) {
                Some((_, refusal)) => outbox.refuse(self.places[row as usize], stage, refusal),
                None => keep.push(row),
            }
        }
        *self = self.gather(&keep);
    }
}

fn pick(matrix: &[f32], width: usize, rows: &[u32]) -> Vec<f32> {
    if matrix.is_empty() {
        return Vec::new();
    }
    rows.iter().flat_map(|row| &matrix[*row as usize * width..][..width]).copied().collect()
}

/// What a plugin refused, its rows counted from `first`.
pub(super) fn refusals(first: usize, rejected: Vec<Rejection>) -> impl Iterator<Item = (u32, Refusal)> {
    rejected.into_iter().map(move |Rejection { row, code, message }| {
        let refusal = Refusal { code: Code::Rejected, plugin_code: Some(code), message };
        (first as u32 + row, refusal)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::columns::{Builder, Column, Kind};

    #[test]
    fn rows_are_cut_in_order_with_their_places() {
        let mut builder = Builder::new([Column::new("n", Kind::Int)].into());
        for n in 0..10 {
            builder.column(0).push_int(n);
            builder.finish_row();
        }
        let places = (0..10).map(|n| Place { record: n / 3, index: n % 3 }).collect();
        let parts = Work::new(builder.seal(), places).cut(4);
        assert_eq!(parts.iter().map(Work::len).collect::<Vec<_>>(), [4, 4, 2]);
        assert_eq!(parts[1].rows.column(0).int(0), 4);
        assert_eq!(parts[2].places, [Place { record: 2, index: 2 }, Place { record: 3, index: 0 }]);
    }
}
