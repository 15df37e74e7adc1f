//! What a process tells of itself in numbers: metrics.
//!
//! - They are made of what threads count anyway when somebody asks, and cost nothing else. Nothing is decided by them.
//! - Counters begin at zero with the process; those of rows are raised when rows are done: exactly once, with their
//!   transaction.
//! - Names follow Prometheus' conventions, with their unit. `host/metrics.md` lists them; a test compares.
//! - How many there are depends on the pipeline and its partitions, never on what is in records.

mod process;
mod prometheus;
mod sheet;
mod subject;

pub use prometheus::{CONTENT_TYPE, text};
pub use sheet::{Family, Kind, Point, Sheet, Value};
pub use subject::{Subject, Threads};

/// Those of the process; its pipelines are [told](Subject::tell) one by one.
pub fn of_process() -> Sheet {
    let mut sheet = Sheet::default();
    process::tell(&mut sheet);
    sheet
}
