//! The engine that all plugins of a process share.

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use wasmtime::{
    Cache, CacheConfig, Config, Enabled, Engine, InstanceAllocationStrategy, PoolingAllocationConfig,
    WasmBacktraceDetails,
};

use super::file::Plugin;
use super::ticker::Ticker;
use crate::error::{Code, Error, Result};

/// How precise deadlines are. At 100 wake-ups a second the ticker costs some 0.05 % of a core.
pub(super) const TICK: Duration = Duration::from_millis(10);
/// Bytes of stack that a guest may use.
pub(super) const STACK: usize = 512 << 10;

/// Frames that a backtrace sees: a panic takes some eight of its own.
const FRAMES: Option<NonZeroUsize> = NonZeroUsize::new(32);
/// Components made of several modules (scripting languages) have many of these.
const MODULES_PER_INSTANCE: u32 = 32;
const TABLES_PER_INSTANCE: u32 = 8;
const TABLE_ELEMENTS: usize = 1 << 16;
/// Places that keep the memory of their last instance, so that the next one of its module begins sooner. What plugins
/// leave that are swapped out is kept no longer than that.
const WARM_PLACES: u32 = 4;

#[derive(Clone, Debug)]
pub struct RuntimeOptions {
    /// Directory of compiled code. It must be the host's alone: what lies there is run as it is.
    pub cache: Option<PathBuf>,
    /// Instances that live at once: threads x stages, twice that while a release is swapped.
    pub max_instances: u32,
    /// Upper bound of an instance's linear memory, in bytes. Reserves address space only.
    pub memory_limit: usize,
}

/// Compiles and runs plugins; one a process. A clone is the same runtime. It ends, with its ticker,
/// when the last of what was made of it is dropped.
#[derive(Clone, Debug)]
pub struct Runtime(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    engine: Engine,
    memory_limit: usize,
    _ticker: Ticker,
}

impl Runtime {
    pub fn new(options: &RuntimeOptions) -> Result<Self> {
        let engine = Engine::new(&configuration(options)).map_err(|error| {
            let n = options.max_instances;
            let hint = "each reserves 4 GiB of address space: look at `ulimit -v`";
            Error::new(Code::Internal, format!("no room for {n} instances of plugins ({hint}): {error:#}"))
        })?;
        let ticker = Ticker::start(engine.clone(), TICK).map_err(|error| {
            Error::new(Code::Internal, format!("the thread for plugins' deadlines can't be started: {error}"))
        })?;
        Ok(Self(Arc::new(Inner { engine, memory_limit: options.memory_limit, _ticker: ticker })))
    }

    /// Reads, checks and compiles a component, or a core module that knows its component type.
    pub fn load(&self, path: impl AsRef<Path>) -> Result<Plugin> {
        Plugin::load(self.clone(), path.as_ref())
    }

    pub(super) fn engine(&self) -> &Engine {
        &self.0.engine
    }

    pub(super) fn memory_limit(&self) -> usize {
        self.0.memory_limit
    }
}

fn configuration(options: &RuntimeOptions) -> Config {
    let mut config = Config::new();
    config
        .epoch_interruption(true)
        .max_wasm_stack(STACK)
        .concurrency_support(false)
        .wasm_backtrace_details(WasmBacktraceDetails::Disable)
        .wasm_backtrace_max_frames(FRAMES)
        .wasm_memory64(false)
        // Plugins are pure: the same bytes on every machine.
        .relaxed_simd_deterministic(true)
        .cache(options.cache.as_deref().and_then(cache))
        .allocation_strategy(InstanceAllocationStrategy::Pooling(pool(options)));
    config
}

fn pool(options: &RuntimeOptions) -> PoolingAllocationConfig {
    let instances = options.max_instances;
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(instances)
        .max_core_instances_per_component(MODULES_PER_INSTANCE)
        .total_core_instances(instances.saturating_mul(MODULES_PER_INSTANCE))
        .max_memories_per_component(1)
        .total_memories(instances)
        .max_memory_size(options.memory_limit)
        .max_tables_per_component(TABLES_PER_INSTANCE)
        .max_tables_per_module(TABLES_PER_INSTANCE)
        .total_tables(instances.saturating_mul(TABLES_PER_INSTANCE))
        .table_elements(TABLE_ELEMENTS)
        .max_unused_warm_slots(WARM_PLACES)
        .pagemap_scan(Enabled::Auto);
    pool
}

/// Only saves time, so a run goes on without.
fn cache(directory: &Path) -> Option<Cache> {
    let open = || {
        let mut config = CacheConfig::new();
        config.with_directory(std::path::absolute(directory)?);
        Cache::new(config)
    };
    open()
        .inspect_err(|error| {
            let directory = directory.display();
            tracing::warn!(%directory, "plugins are compiled anew at each start: {error:#}");
        })
        .ok()
}
