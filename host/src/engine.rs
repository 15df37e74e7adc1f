//! The path of a batch, from records to messages: a synchronous state machine behind ports.
//! It knows no Kafka, no WebAssembly and no ONNX.

pub mod ports;
