//! Tailwater scores Kafka streams in real time. Teams write cleaning, feature and decision logic as
//! sandboxed WebAssembly plugins; the host does what is hard around them.
//!
//! The rooms, each seeing only those below: `app`, `cli`; `driver`; the adapters `kafka`, `codec`,
//! `plugin`, `model`; `engine`; `window`, `state`, `pipeline`; `config`; `contract`, `record`,
//! `columns`, `error`.

pub mod codec;
pub mod columns;
pub mod config;
pub mod contract;
pub mod engine;
pub mod error;
pub mod kafka;
pub mod model;
pub mod pipeline;
pub mod plugin;
pub mod record;
pub mod state;
pub mod window;
