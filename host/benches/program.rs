//! The program as a whole: its size, the time from its start to a first decision, its memory when idle.
//! On a broker within this process.
//!
//!     cargo xtask bench -p tailwater --bench program

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use fraud_generator::Generator;
use tailwater::config::{Protocol, Start};
use tailwater::engine::Budget;
use tailwater::engine::ports::{Asked, Limit, Polled, Sink, Source};
use tailwater::kafka::{EmbeddedBroker, KafkaSink, KafkaSource, SinkOptions, SourceOptions};
use tailwater::record::Message;

const PROGRAM: &str = env!("CARGO_BIN_EXE_tailwater");
const RUNS: usize = 5;
/// What goes in, what comes out, what the host would make for itself.
const TOPICS: [(&str, usize); 7] = [
    ("fraud.transactions", 4),
    ("fraud.labels", 4),
    ("fraud.decisions", 4),
    ("fraud.alerts", 4),
    ("fraud.dead-letters", 4),
    ("fraud.late", 4),
    ("fraud.terminals.repartition", 4),
];
/// Of them, those where a record ends.
const ENDS: std::ops::Range<usize> = 2..6;

fn main() -> Result<()> {
    let needs = ["TAILWATER_GUESTS", "TAILWATER_ONNXRUNTIME"];
    if needs.iter().any(|name| std::env::var_os(name).is_none()) {
        println!("program: skipped; `cargo xtask bench` builds the plugins and fetches ONNX Runtime");
        return Ok(());
    }
    let folder = tempfile::tempdir()?;
    size(folder.path())?;
    // The first run compiles the plugins, the others find them compiled.
    for run in 0..RUNS {
        let Times { first, idle } = run_once(folder.path())?;
        let kept = if run == 0 { "compiling plugins" } else { "plugins compiled before" };
        println!(
            "start to first decision: {:>6.0} ms ({kept}); memory then: {:.0} MiB",
            first.as_secs_f64() * 1e3,
            idle / f64::from(1 << 20)
        );
    }
    Ok(())
}

fn size(folder: &Path) -> Result<()> {
    let mib = |path: &Path| anyhow::Ok(std::fs::metadata(path)?.len() as f64 / f64::from(1 << 20));
    let stripped = folder.join("stripped");
    let strip = Command::new("strip").arg("-o").arg(&stripped).arg(PROGRAM).status();
    let program = mib(Path::new(PROGRAM))?;
    if strip.is_ok_and(|status| status.success()) {
        println!("size: {program:.1} MiB with line tables, {:.1} MiB without", mib(&stripped)?);
    } else {
        println!("size: {program:.1} MiB with line tables");
    }
    Ok(())
}

struct Times {
    first: Duration,
    /// Bytes of the program, when nothing comes any more.
    idle: f64,
}

/// A fresh broker with one record, and the program until it has decided.
fn run_once(folder: &Path) -> Result<Times> {
    let broker = EmbeddedBroker::start(&TOPICS)?;
    let cluster = broker.cluster();
    let one = Generator::new(fraud_generator::Settings::default()).next().context("a transaction")?;
    let options = SinkOptions {
        cluster: cluster.clone(),
        client_id: "feed".to_owned(),
        budget: Budget::new(1 << 20),
        message_bytes: 1 << 20,
        transactions: None,
        asked: Asked::default(),
    };
    let mut feed = KafkaSink::connect(options)?;
    let (key, value) = (Some(&*one.key), Some(&*one.value));
    feed.send(Message {
        topic: TOPICS[0].0,
        partition: None,
        key,
        value,
        timestamp: None,
        headers: &[],
        tag: None,
    })?;
    while feed.work(Duration::from_millis(10))?.all > 0 {}
    let mut decisions = KafkaSource::connect(SourceOptions {
        cluster: cluster.clone(),
        group: "reader".to_owned(),
        client_id: "reader".to_owned(),
        topics: TOPICS[ENDS].iter().map(|(topic, _)| (*topic).to_owned()).collect(),
        tables: Vec::new(),
        internal_from: usize::MAX,
        start: Start::Earliest,
        fetch_bytes: 2 << 20,
        claims: None,
        instance: None,
        protocol: Protocol::Classic,
    })?;
    // The reader is there before the program starts.
    while !read(&mut decisions)?.0 {}

    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/fraud");
    let properties = cluster.properties.iter().map(|(name, value)| format!("{name:?} = {value:?}"));
    let text = std::fs::read_to_string(example.join("fraud.toml"))?
        .replace("\"../../target/guests", &format!("\"{}", std::env::var("TAILWATER_GUESTS")?))
        .replace("\"model.onnx\"", &format!("{:?}", example.join("model.onnx")));
    let kafka = properties.collect::<Vec<_>>().join(", ");
    let file = folder.join("fraud.toml");
    let text = format!("{text}\n[kafka]\nbrokers = {:?}\nproperties = {{ {kafka} }}\n", broker.brokers());
    std::fs::write(&file, text)?;
    let began = Instant::now();
    let mut command = Command::new(PROGRAM);
    command.arg("run").arg(&file).env("TAILWATER_CACHE", folder.join("cache")).stderr(Stdio::null());
    let mut program = Running(command.spawn()?);
    while read(&mut decisions)?.1 == 0 {
        ensure!(program.0.try_wait()?.is_none(), "the program ended");
    }
    let first = began.elapsed();
    let idle = resident(program.0.id())?;
    drop(program);
    decisions.leave()?;
    Ok(Times { first, idle })
}

/// Whether partitions were assigned, and how many records came.
fn read(source: &mut KafkaSource) -> Result<(bool, usize)> {
    Ok(match source.poll(Duration::from_millis(1), Limit { rows: 100, bytes: 1 << 20 })? {
        Polled::Records(count) => (false, count),
        Polled::Revoked { partitions, .. } => {
            source.release(&partitions)?;
            (false, 0)
        }
        Polled::Assigned(partitions) => {
            let from: Vec<_> = partitions.iter().map(|id| (*id, None)).collect();
            source.start(&from)?;
            (true, 0)
        }
    })
}

struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended before.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn resident(process: u32) -> Result<f64> {
    let text = std::fs::read_to_string(format!("/proc/{process}/statm"))?;
    let pages: f64 = text.split(' ').nth(1).unwrap_or_default().parse()?;
    Ok(pages * 4096.0)
}
