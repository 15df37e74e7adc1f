//! The path of a batch, from records to messages: a synchronous state machine behind ports.
//! It knows no Kafka, no WebAssembly and no ONNX.

mod answers;
mod bisect;
mod block;
mod breaker;
mod budget;
mod cells;
mod durable;
mod floor;
mod flow;
mod head;
mod held;
mod image;
mod inspect;
mod lap;
mod lodge;
mod meter;
mod mistake;
mod outbox;
mod parcel;
pub mod ports;
mod reader;
mod relay;
mod sample;
mod sum;
mod table;
mod task;
mod traces;
mod vault;
mod work;
mod worker;

pub use answers::{ANSWER_BYTES, SPLIT_LIMIT};
pub use bisect::SPINNING_LIMIT;
pub use block::BLOCK_BYTES;
pub use breaker::Failing;
pub use budget::{Budget, Use};
pub use floor::{Beside, Fence, Floor, Other, View, Words};
pub use flow::{Flow, PartitionCounts, Parts, Rehearsed};
pub use inspect::{Seen, inspect};
pub use lap::{Activity, Spent};
pub use lodge::Lodge;
pub use meter::{Kept, Meter, Passed, Place, Places, Spread, Volume, Waits};
#[cfg(test)]
pub use mistake::{Mistake, plant, planted};
pub use relay::{Arrival, Relay};
pub use sample::Sample;
pub use sum::{Part, Sum};
pub use table::{Loader, PassedOver, Table, Tables};
pub use task::{Input, Task, TaskId, Tasks};
pub use traces::{Span, Traces};
pub use vault::{Restored, Vault, VaultOptions};
pub use worker::{Step, Worker, WorkerOptions};

#[cfg(test)]
mod tests;
