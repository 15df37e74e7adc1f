//! The validated graph of a pipeline.
