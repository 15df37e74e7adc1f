//! What a features stage looks up in tables, for all rows of a batch at once.

use crate::columns::{Batch, Builder};

use super::Flow;

impl Flow {
    /// The columns of all lookups, as the tables are now. `rows`: the stage's, or its closed windows.
    pub(super) fn look_up(&self, stage: usize, rows: &Batch) -> Batch {
        let node = &self.pipeline.features[stage];
        let mut found = Builder::new(node.looked_up.clone());
        for lookup in &node.lookups {
            let table = self.tables.get(lookup.source).expect("the pipeline has checked that it is a table");
            table.look_up(rows.column(lookup.key), lookup, &mut found);
        }
        found.finish_rows(rows.rows());
        found.seal()
    }
}
