//! What a stage gives its plugin, and how much it may use.

use std::time::Duration;

use crate::contract::Settings;

/// The stage that a plugin is to work in.
#[derive(Clone, Debug)]
pub struct Stage {
    /// For logs and errors.
    pub name: String,
    /// A batch of one row; of no columns where the pipeline has no settings.
    pub settings: Settings,
    pub grants: Grants,
    pub limits: Limits,
}

/// What a plugin may import beside the types of the contract.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Grants {
    pub log: bool,
    pub counters: bool,
}

/// Bounds of one call.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Wall time; as much again for making a fresh instance, where one is due.
    pub time: Duration,
    /// Bytes of linear memory; [`super::RuntimeOptions::memory_limit`] bounds it too.
    pub memory: usize,
    /// Bytes that are copied out of the plugin, all lists and texts together.
    pub output_bytes: usize,
    /// Rows of an answer's batch.
    pub rows: usize,
}
