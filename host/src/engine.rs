//! The path of a batch, from records to messages: a synchronous state machine behind ports.
//! It knows no Kafka, no WebAssembly and no ONNX.

mod answers;
mod bisect;
mod flow;
mod lodge;
mod meter;
mod outbox;
pub mod ports;
mod work;
mod worker;

pub use answers::{ANSWER_BYTES, SPLIT_LIMIT};
pub use bisect::SPINNING_LIMIT;
pub use flow::{Flow, Partitions, Parts};
pub use lodge::{Lodge, Partition};
pub use meter::Meter;
pub use outbox::{Outbox, Place};
pub use worker::{Step, Worker, WorkerOptions};

#[cfg(test)]
mod tests;
