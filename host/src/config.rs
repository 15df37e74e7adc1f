//! One TOML file a pipeline.
