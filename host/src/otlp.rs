//! Telemetry for a collector that speaks OTLP, OpenTelemetry's protocol: what `/metrics` has, pushed, and spans of
//! decisions.
//!
//! - Only who names a collector has it. Protobuf over HTTP/1.1, plain or through OpenSSL; one connection a message.
//! - It works on a thread of its own. A collector that is slow or away holds nothing up: what could not be sent of
//!   metrics comes with the next message, since counters go on from the process's beginning; spans wait
//!   in a bounded queue, and are counted when they are gone.
//! - Trouble is told when it begins, when it becomes another, and when it is over; the same again only after minutes.
//! - What a collector answers is bounded, in time and bytes.
//! - The messages are those of OTLP 1, of which what is used here is declared in `wire.rs`; a test reads them as
//!   OpenTelemetry's own crate declares them.

mod endpoint;
mod exporter;
mod metrics;
mod pairs;
mod post;
mod spans;
mod trouble;
mod wire;

pub use endpoint::Endpoint;
pub use exporter::{Collector, Exporter, Options, Told};
pub use pairs::pairs;
