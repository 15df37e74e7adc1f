//! What windows of cards hold: bytes of state for each kept entry, by our own count and as the system sees it.
//!
//!     cargo xtask bench -p tailwater --bench state

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use fraud_generator::{Generator, Settings};
use tailwater::config::Config;
use tailwater::engine::{Input, Task, TaskId, Tasks};
use tailwater::record::{PartitionId, Record, Records};
use tailwater::release::{Release, Runtimes};

const BATCH: usize = 1_024;
const BATCHES: usize = 1_000;
const PARTITION: PartitionId = PartitionId { source: 0, partition: 0 };

fn main() -> Result<()> {
    let needs = ["TAILWATER_GUESTS", "TAILWATER_ONNXRUNTIME"];
    if needs.iter().any(|name| std::env::var_os(name).is_none()) {
        println!("state: skipped; `cargo xtask bench` builds the plugins and fetches ONNX Runtime");
        return Ok(());
    }
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/fraud/fraud.toml");
    let release = Release::load(&Config::read(&file)?, &Runtimes::new(None, None)?)?;
    let plan = &release.pipeline().features.first().context("a features stage")?.plan;
    println!(
        "{} transactions, entries of {} words, {} lanes a key",
        BATCH * BATCHES,
        plan.inputs[0].layout.stride,
        plan.lanes.len()
    );
    for cards in [1_000, 10_000, 100_000] {
        let mut flow = release.flow(&Arc::default(), &[1; 3].into(), &Arc::default())?;
        let (mut tasks, mut task) = (Tasks::default(), Task::new(1));
        task.inputs.push(Input::new(PARTITION, None, Duration::ZERO));
        tasks.insert(TaskId { group: 0, partition: 0 }, task);
        let mut generator = Generator::new(Settings { cards, ..Settings::default() });
        let before = resident()?;
        for batch in 0..BATCHES {
            let given: Vec<_> = generator.by_ref().take(BATCH).collect();
            let rows = given.iter().enumerate().map(|(n, one)| Record {
                from: PARTITION,
                offset: (batch * BATCH + n) as i64,
                timestamp: None,
                key: Some(&one.key),
                value: Some(&one.value),
                headers: 0..0,
                is_muted: false,
            });
            let records = Records { rows: rows.collect(), ..Records::default() };
            flow.process(&records, &mut tasks, &mut |_| Ok(()))?;
        }
        let grown = resident()? - before;
        let (_, task) = tasks.iter().next().context("it is there")?;
        let usage = task.usage();
        let entry = |bytes: f64| bytes / usage.entries as f64;
        println!(
            "{:>7} keys {:>8} entries: {:>4.0} bytes an entry, {:>4.0} by the growth of the process",
            usage.keys,
            usage.entries,
            entry(usage.bytes as f64),
            entry(grown)
        );
    }
    Ok(())
}

/// Bytes of the process in memory.
fn resident() -> Result<f64> {
    let text = std::fs::read_to_string("/proc/self/statm")?;
    let pages: f64 = text.split(' ').nth(1).unwrap_or_default().parse()?;
    Ok(pages * 4096.0)
}
