//! Tailwater scores Kafka streams in real time. Teams write cleaning, feature and decision logic as
//! sandboxed WebAssembly plugins; the host does what is hard around them.
//!
//! The rooms, each seeing only those below: `app`, `cli`; `admin`, `driver`, `otlp`, and for tests `simulation`; `telemetry`;
//! `release`; the adapters `kafka`, `codec`, `plugin`, `model`, `disk`, `store` (never each other); `engine`; `pipeline`;
//! `state`; `window`, `watermark`; `config`; `contract`, `record`; `columns`, `log`; `bytes`, `error`, `time`.

pub mod admin;
pub mod app;
pub mod bytes;
pub mod cli;
pub mod codec;
pub mod columns;
pub mod config;
pub mod contract;
pub mod disk;
pub mod driver;
pub mod engine;
pub mod error;
pub mod kafka;
pub mod log;
pub mod model;
pub mod otlp;
pub mod pipeline;
pub mod plugin;
pub mod record;
pub mod release;
#[cfg(test)]
mod simulation;
pub mod state;
pub mod store;
pub mod telemetry;
pub mod time;
pub mod watermark;
pub mod window;
