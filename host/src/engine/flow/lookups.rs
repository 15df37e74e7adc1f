//! What a features stage looks up in tables.

use std::ops::Range;

use crate::columns::{Batch, Builder, View};
use crate::engine::ports::PluginFault;
use crate::engine::table::Tables;
use crate::error::Code;
use crate::pipeline::FeaturesNode;

/// Bytes that are looked up for one call. With more the call fails, and is made for fewer rows.
const LOOKED_UP: usize = 256 << 20;

/// What the plugin sees of a range of rows: what is shown to it, then what tables have for them now. `rows`: the
/// stage's, or its closed windows.
pub(super) fn with_looked_up(
    node: &FeaturesNode,
    tables: &Tables,
    rows: &Batch,
    range: Range<usize>,
    shown: &Batch,
) -> Result<Batch, PluginFault> {
    let (mut found, mut room, count) = (Builder::new(node.looked_up.clone()), LOOKED_UP, range.len());
    for lookup in &node.lookups {
        let table = tables.get(lookup.source).expect("the pipeline has checked that it is a table");
        let fits = table.look_up(rows.column(lookup.key), range.clone(), lookup, &mut room, &mut found);
        if fits.is_none() {
            let message = format!("what was looked up has more than {} MiB", LOOKED_UP >> 20);
            return Err(PluginFault { code: Code::PluginMemory, message });
        }
    }
    found.finish_rows(count);
    let found = found.seal();
    let columns: Vec<View<'_>> = shown.columns().chain(found.columns()).collect();
    Ok(Batch::assemble(node.seen.clone(), count, &columns))
}
