//! What plugins answer is hostile until it went through here.

use super::ports::PluginFault;
use crate::columns::{Batch, Flaw, Limits, Schema};
use crate::contract::{Computed, Decided, Folded, MESSAGE_LIMIT, NO_ROUTE, Processed, RawBatch, Rejection};
use crate::error::Code;

/// Rows that a preprocessor may make of one.
pub const SPLIT_LIMIT: usize = 256;
/// Bytes that a plugin may answer with at once.
pub const ANSWER_BYTES: usize = 256 << 20;

type Checked<T> = Result<T, PluginFault>;

/// Rows out, for each the row in that it was made of, and the rows refused.
pub(super) fn processed(
    schema: &Schema,
    rows: usize,
    answer: Processed,
) -> Checked<(Batch, Vec<u32>, Vec<Rejection>)> {
    let Processed { rows: out, origin, rejected } = answer;
    let out = batch("rows", schema, rows.saturating_mul(SPLIT_LIMIT), out)?;
    if origin.len() != out.rows() {
        return lie(format!("origin has {} numbers for {} rows", origin.len(), out.rows()));
    }
    if let Some(pair) = origin.windows(2).find(|pair| pair[0] > pair[1]) {
        return lie(format!("origin falls from {} to {}", pair[0], pair[1]));
    }
    if let Some(last) = origin.last().filter(|last| **last as usize >= rows) {
        return lie(format!("origin names row {last}, where {rows} rows were given"));
    }
    if let Some(many) = origin.chunk_by(|one, next| one == next).find(|run| run.len() > SPLIT_LIMIT) {
        return lie(format!("{} rows of row {}, where {SPLIT_LIMIT} are allowed", many.len(), many[0]));
    }
    let rejected = rejections(rows, rejected)?;
    if let Some(both) = rejected.iter().find(|rejection| origin.binary_search(&rejection.row).is_ok()) {
        return lie(format!("row {} is rejected, and rows are made of it", both.row));
    }
    Ok((out, origin, rejected))
}

/// The matrix, the ids, and the rows refused.
pub(super) fn computed(
    features: usize,
    ids: &Schema,
    rows: usize,
    answer: Computed,
) -> Checked<(Vec<f32>, Batch, Vec<Rejection>)> {
    if answer.matrix.len() != rows * features {
        return lie(format!(
            "a matrix of {} numbers for {rows} rows of {features} features",
            answer.matrix.len()
        ));
    }
    let ids = exactly(rows, batch("ids", ids, rows, answer.ids)?)?;
    Ok((answer.matrix, ids, rejections(rows, answer.rejected)?))
}

/// The registers, and a row a cell that was emitted.
pub(super) fn folded(
    cell: &Schema,
    registers: usize,
    emitted: usize,
    answer: Folded,
) -> Checked<(Vec<u8>, Batch)> {
    if answer.registers.len() != registers {
        return lie(format!("{} bytes of registers, where {registers} were given", answer.registers.len()));
    }
    let cells = exactly(emitted, batch("cells", cell, emitted, answer.cells)?)?;
    Ok((answer.registers, cells))
}

/// The registers that were made of older ones.
pub(super) fn migrated(bytes: usize, answer: Vec<u8>) -> Checked<Vec<u8>> {
    if answer.len() != bytes {
        return lie(format!("{} bytes of registers, where {bytes} were to be made", answer.len()));
    }
    Ok(answer)
}

/// A row and a route for each row, and the rows refused.
pub(super) fn decided(
    output: &Schema,
    routes: usize,
    rows: usize,
    answer: Decided,
) -> Checked<(Batch, Vec<u8>, Vec<Rejection>)> {
    let out = exactly(rows, batch("rows", output, rows, answer.rows)?)?;
    if answer.route.len() != rows {
        return lie(format!("{} routes for {rows} rows", answer.route.len()));
    }
    if let Some(route) =
        answer.route.iter().find(|route| **route != NO_ROUTE && usize::from(**route) >= routes)
    {
        return lie(format!("route {route}, where there are {routes}"));
    }
    Ok((out, answer.route, rejections(rows, answer.rejected)?))
}

fn batch(what: &str, schema: &Schema, rows: usize, raw: RawBatch) -> Checked<Batch> {
    let limits = Limits { rows, bytes: ANSWER_BYTES };
    let checked = Batch::check(schema.clone(), raw.rows, raw.spans, raw.data, limits);
    checked.map_err(|flaw: Flaw| fault(format!("{what}: {flaw}")))
}

fn exactly(rows: usize, batch: Batch) -> Checked<Batch> {
    if batch.rows() == rows {
        Ok(batch)
    } else {
        lie(format!("{} rows, where {rows} were given", batch.rows()))
    }
}

/// Each row at most once, in order; messages cut to what is kept of them.
fn rejections(rows: usize, mut rejected: Vec<Rejection>) -> Checked<Vec<Rejection>> {
    rejected.sort_by_key(|rejection| rejection.row);
    if let Some(pair) = rejected.windows(2).find(|pair| pair[0].row == pair[1].row) {
        return lie(format!("row {} is rejected twice", pair[0].row));
    }
    if let Some(last) = rejected.last().filter(|last| last.row as usize >= rows) {
        return lie(format!("row {} is rejected, where {rows} rows were given", last.row));
    }
    for rejection in &mut rejected {
        let end = rejection.message.floor_char_boundary(MESSAGE_LIMIT);
        rejection.message.truncate(end);
    }
    Ok(rejected)
}

fn fault(message: String) -> PluginFault {
    PluginFault { code: Code::PluginOutput, message }
}

fn lie<T>(message: String) -> Checked<T> {
    Err(fault(message))
}
