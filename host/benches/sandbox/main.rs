//! What the sandbox costs: the fraud example's plugins in WebAssembly, interruption on, beside the
//! same crates compiled natively; alone on the same batches, and in the whole pipeline. Ratios within
//! one run.
//!
//!     cargo xtask bench -p tailwater --bench sandbox

mod native;
mod tape;

use std::hint::black_box;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail, ensure};
use fraud_generator::{Emitted, Generator};
use native::Native;
use tailwater::columns::Batch;
use tailwater::config::{self, Config};
use tailwater::contract::{Computed, Decided, Processed};
use tailwater::engine::{Flow, Input, Parts, Task, TaskId, Tasks};
use tailwater::pipeline;
use tailwater::record::{PartitionId, Record, Records};
use tailwater::release::{Release, Runtimes};
use tape::{Calls, Tape};

const RECORDS: usize = 1 << 14;
const BATCHES: [usize; 4] = [1, 64, 256, 1_024];
/// By turns, so that what else the machine does meets both alike; the best pass counts.
const PASSES: usize = 21;
const STAGES: [&str; 4] = ["preprocessor", "cards", "terminals", "rules"];
const PARTITION: PartitionId = PartitionId { source: 0, partition: 0 };
/// Of the topic between the two features stages.
const BETWEEN: PartitionId = PartitionId { source: 2, partition: 0 };

fn main() -> Result<()> {
    let needs = ["TAILWATER_GUESTS", "TAILWATER_ONNXRUNTIME"];
    if needs.iter().any(|name| std::env::var_os(name).is_none()) {
        println!("sandbox: skipped; `cargo xtask bench` builds the plugins and fetches ONNX Runtime");
        return Ok(());
    }
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/fraud/fraud.toml");
    let config = Config::read(&file)?;
    let release = Release::load(&config, &Runtimes::new(None, None)?)?;
    let given: Vec<_> = Generator::new(fraud_generator::Settings::default()).take(RECORDS).collect();
    println!("{RECORDS} card transactions; nanoseconds a record and the sandbox's ratio to native\n");
    println!("{:>6}  {:<14}{:>8}{:>9}{:>8}", "batch", "", "native", "sandbox", "ratio");
    for size in BATCHES {
        measure(&config, &release, &given, size)?;
    }
    Ok(())
}

fn measure(config: &Config, release: &Release, given: &[Emitted], size: usize) -> Result<()> {
    let records: Vec<_> = batches(given, size);
    let tape = Tape::default();
    pass(&mut flow(release, tape.listen(native(config, release)?)), &records)?;
    let calls = tape.calls();
    let (mut inside, mut outside) = (release.parts()?, native(config, release)?);
    same_answers(&mut inside, &mut outside, &calls)?;
    let mut sum = (0.0, 0.0);
    for (stage, name) in STAGES.into_iter().enumerate() {
        let pair = compare(|| ask(&mut outside, &calls, stage), || ask(&mut inside, &calls, stage))?;
        sum = (sum.0 + pair.0, sum.1 + pair.1);
        line(size, name, pair);
    }
    line(size, "four plugins", sum);
    let (mut outside, mut inside) = (flow(release, outside), flow(release, inside));
    let pair = compare(|| pass(&mut outside, &records), || pass(&mut inside, &records))?;
    line(size, "whole pipeline", pair);
    Ok(())
}

fn line(size: usize, name: &str, (native, sandbox): (f64, f64)) {
    println!("{size:>6}  {name:<14}{native:>8.0}{sandbox:>9.0}{:>8.2}", sandbox / native);
}

/// Of both, the best pass, in nanoseconds a record.
fn compare(mut one: impl FnMut() -> Result<()>, mut two: impl FnMut() -> Result<()>) -> Result<(f64, f64)> {
    let mut best = (f64::INFINITY, f64::INFINITY);
    for _ in 0..PASSES {
        best.0 = best.0.min(nanos(&mut one)?);
        best.1 = best.1.min(nanos(&mut two)?);
    }
    Ok(best)
}

fn nanos(pass: &mut impl FnMut() -> Result<()>) -> Result<f64> {
    let start = Instant::now();
    pass()?;
    Ok(start.elapsed().as_nanos() as f64 / RECORDS as f64)
}

fn batches(given: &[Emitted], size: usize) -> Vec<Records<'_>> {
    let rows: Vec<_> = given.iter().enumerate().map(|(n, one)| row(n as i64, one)).collect();
    rows.chunks(size).map(|chunk| Records { rows: chunk.to_vec(), ..Records::default() }).collect()
}

fn row(offset: i64, one: &Emitted) -> Record<'_> {
    let (key, value) = (Some(&*one.key), Some(&*one.value));
    Record { from: PARTITION, offset, timestamp: Some(one.at.0), key, value, headers: 0..0, is_muted: false }
}

fn flow(release: &Release, parts: Parts) -> Flow {
    Flow::new(Arc::clone(release.pipeline()), parts, Arc::default(), [1; 3].into(), Arc::default())
}

/// All records through all stages, windows empty at first.
fn pass(flow: &mut Flow, records: &[Records<'_>]) -> Result<()> {
    let mut tasks = Tasks::default();
    for (group, id) in [PARTITION, BETWEEN].into_iter().enumerate() {
        let mut task = Task::new(1);
        task.inputs.push(Input::new(id, None, Duration::ZERO));
        tasks.insert(TaskId { group: group as u16, partition: 0 }, task);
    }
    let mut between = Vec::new();
    for batch in records {
        flow.process(batch, &mut tasks, &mut |message| {
            between.extend(
                message.value.filter(|_| message.topic.ends_with(".repartition")).map(<[u8]>::to_vec),
            );
            black_box(message);
            Ok(())
        })?;
        let rows = between.iter().enumerate().map(|(n, parcel)| Record {
            from: BETWEEN,
            offset: n as i64,
            timestamp: None,
            key: None,
            value: Some(parcel),
            headers: 0..0,
            is_muted: false,
        });
        let passed = Records { rows: rows.collect(), ..Records::default() };
        flow.process(&passed, &mut tasks, &mut |message| {
            black_box(message);
            Ok(())
        })?;
        between.clear();
    }
    Ok(())
}

/// The release's parts, with plugins that know no sandbox.
fn native(config: &Config, release: &Release) -> Result<Parts> {
    let start = |native, plugin: config::Plugin| {
        anyhow::Ok(Box::new(Native::start(native, &pipeline::settings(&plugin.settings)?)))
    };
    let cleaning = config.preprocess.as_ref().context("a preprocessor")?.plugin();
    let [cards, terminals] = &config.features[..] else { bail!("the pipeline has two features stages") };
    let rules = config.rules.as_ref().context("rules")?.plugin();
    Ok(Parts {
        preprocessor: Some(start(fraud_cleaning::plugin(), cleaning)?),
        features: vec![
            start(fraud_features::plugin(), cards.plugin())?,
            start(fraud_terminals::plugin(), terminals.plugin())?,
        ],
        rules: Some(start(fraud_rules::plugin(), rules)?),
        ..release.parts()?
    })
}

/// Puts a stage's questions again.
fn ask(parts: &mut Parts, calls: &Calls, stage: usize) -> Result<()> {
    calls[stage].iter().try_for_each(|rows| answer(parts, stage, rows).map(|answer| drop(black_box(answer))))
}

/// Two that answer differently can't be compared.
fn same_answers(one: &mut Parts, two: &mut Parts, calls: &Calls) -> Result<()> {
    for (stage, name) in STAGES.into_iter().enumerate() {
        for rows in &calls[stage] {
            let (one, two) = (answer(one, stage, rows)?, answer(two, stage, rows)?);
            ensure!(format!("{one:?}") == format!("{two:?}"), "{name}: the sandbox answers differently");
        }
    }
    Ok(())
}

#[derive(Debug)]
#[expect(dead_code, reason = "looked at through Debug alone")]
enum Answer {
    Processed(Processed),
    Computed(Computed),
    Decided(Decided),
}

fn answer(parts: &mut Parts, stage: usize, rows: &Batch) -> Result<Answer> {
    let answer = match (stage, parts) {
        (0, Parts { preprocessor: Some(plugin), .. }) => plugin.process(rows).map(Answer::Processed),
        (1 | 2, Parts { features, .. }) if features.len() == 2 => {
            features[stage - 1].compute(rows).map(Answer::Computed)
        }
        (3, Parts { rules: Some(plugin), .. }) => plugin.decide(rows).map(Answer::Decided),
        _ => bail!("the pipeline has all four plugins"),
    };
    answer.map_err(|fault| anyhow!("{}: {}", fault.code, fault.message))
}
