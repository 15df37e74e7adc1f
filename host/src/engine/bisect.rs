//! Finds the rows that make a call fail, so that the others go on.
//!
//! A failing batch is halved until single rows fail. One guilty row of n costs at most 2 log2(n) + 1
//! calls, of which log2(n) + 1 fail; so a row that spins costs at most the time limit times
//! log2(n) + 1: 2.75 s for 1,024 rows and the default limit of 250 ms. Rows that spin are a plugin's
//! fault rather than the data's if there are many: see [`SPINNING_LIMIT`].

use std::ops::Range;

use super::ports::PluginFault;
use crate::error::{Code, Error, Refusal, Result};

/// Rows of one batch that may run into the time limit before the plugin itself is held to be broken.
pub const SPINNING_LIMIT: usize = 8;

/// What became of a run of rows.
pub(super) type Piece<T> = (Range<usize>, std::result::Result<T, Refusal>);

/// Calls for all of `rows` at once, and where that fails for parts. Pieces come in order; a refused
/// one is a single row.
pub(super) fn bisect<T>(
    rows: usize,
    mut call: impl FnMut(Range<usize>) -> std::result::Result<T, PluginFault>,
) -> Result<Vec<Piece<T>>> {
    let (mut pieces, mut spinning) = (Vec::new(), 0);
    let mut todo: Vec<Range<usize>> = Vec::new();
    if rows > 0 {
        todo.push(0..rows);
    }
    while let Some(range) = todo.pop() {
        match call(range.clone()) {
            Ok(answer) => pieces.push((range, Ok(answer))),
            // Not the rows' fault, nor the plugin's.
            Err(fault) if fault.code == Code::Internal => {
                return Err(Error::new(Code::Internal, fault.message));
            }
            Err(_) if range.len() > 1 => {
                let middle = range.start.midpoint(range.end);
                todo.push(middle..range.end);
                todo.push(range.start..middle);
            }
            Err(fault) => {
                spinning += usize::from(fault.code == Code::PluginTime);
                if spinning > SPINNING_LIMIT {
                    let message = format!(
                        "{spinning} rows of one batch of {rows} ran into the time limit; the last: {}",
                        fault.message
                    );
                    return Err(Error::new(Code::PluginFailing, message));
                }
                pieces.push((range, Err(Refusal::new(fault.code, fault.message))));
            }
        }
    }
    Ok(pieces)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn fault(code: Code) -> PluginFault {
        PluginFault { code, message: "no".to_owned() }
    }

    proptest! {
        #[test]
        fn exactly_the_guilty_are_refused(rows in 0usize..200, guilty in prop::collection::btree_set(0usize..200, 0..9)) {
            let mut calls = 0;
            let pieces = bisect(rows, |range| {
                calls += 1;
                if guilty.range(range).next().is_some() { Err(fault(Code::PluginTrap)) } else { Ok(()) }
            }).expect("traps are no reason to stop");
            let mut at = 0;
            for (range, answer) in pieces {
                prop_assert_eq!(range.start, at);
                at = range.end;
                prop_assert_eq!(answer.is_err(), range.len() == 1 && guilty.contains(&range.start));
            }
            prop_assert_eq!(at, rows);
            let found = guilty.range(..rows).count();
            prop_assert!(calls <= 1 + found * 2 * rows.max(1).next_power_of_two().ilog2() as usize);
        }
    }

    #[test]
    fn what_the_host_lacks_is_no_fault_of_a_row() {
        let result = bisect(8, |_| -> std::result::Result<(), _> { Err(fault(Code::Internal)) });
        assert_eq!(result.expect_err("it stops").code, Code::Internal);
    }

    #[test]
    fn a_plugin_that_always_spins_is_stopped() {
        let mut calls = 0;
        let result = bisect(1024, |_| -> std::result::Result<(), _> {
            calls += 1;
            Err(fault(Code::PluginTime))
        });
        assert_eq!(result.expect_err("it stops").code, Code::PluginFailing);
        assert!(calls < 40, "{calls}");
    }
}
