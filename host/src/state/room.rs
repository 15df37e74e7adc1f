//! Whether a key has room for a row.

use super::{Retention, Store, Windows};

/// A row that is to come to a key.
#[derive(Clone, Copy, Debug)]
pub struct Coming {
    pub input: usize,
    pub time: i64,
    /// Of the task, as of before the row.
    pub watermark: i64,
}

impl Store {
    /// Bytes that the windows of a key would hold with a row, if those are more than `most`. What no row can see any
    /// more does not count. It depends on the rows that the key has had and on the watermark alone; and nothing
    /// changes: a row that is refused is written down nowhere.
    pub fn excess(&self, retention: Retention<'_>, id: u32, coming: Coming, most: usize) -> Option<usize> {
        let Retention { plan, lateness, .. } = retention;
        let Coming { input, time, watermark } = coming;
        let horizon = watermark.saturating_sub(lateness);
        // Most of the time there is room, whatever could go.
        let bytes = match &self.slots.get(id).windows {
            Windows::Row(history) if history.weight_with(plan, input) <= most => return None,
            Windows::Row(history) => history.weight_at(plan, input, horizon),
            Windows::Close(closing) if closing.weight_at_most(plan) <= most => return None,
            Windows::Close(closing) => closing.weight_with(plan, time, horizon),
        };
        (bytes > most).then_some(bytes)
    }
}
