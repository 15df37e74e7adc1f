//! Rows per CPU-second of a model, and what its session takes of memory.
//!
//!     TAILWATER_ONNXRUNTIME=libonnxruntime.so cargo bench -p tailwater --bench model -- model.onnx
//!
//! The model takes one matrix. Without names of its own its features are called by the names below.

use std::hint::black_box;
use std::path::Path;

use tailwater::columns::Batch;
use tailwater::engine::ports::{Model, Question};
use tailwater::model::{Runtime, Wanted};

const FEATURES: [&str; 9] =
    ["amount", "weekend", "night", "count_1d", "mean_1d", "count_7d", "mean_7d", "count_30d", "mean_30d"];
/// Largest value of each feature.
const RANGES: [f32; 9] = [220.0, 1.0, 1.0, 12.0, 150.0, 60.0, 120.0, 220.0, 110.0];
const BATCHES: [usize; 5] = [1, 8, 64, 1024, 4096];
/// CPU time of one measurement, in seconds.
const SPENT: f64 = 1.0;
const ROWS: usize = 1 << 16;

fn main() -> anyhow::Result<()> {
    let path = std::env::args().skip(1).find(|argument| !argument.starts_with('-'));
    let Some(path) = path.or_else(|| std::env::var("TAILWATER_BENCH_MODEL").ok()) else {
        println!("model: skipped, no model named");
        return Ok(());
    };
    let names = FEATURES.map(String::from);
    let wanted = Wanted { features: &names, feature_names: Some(&names), ..Wanted::default() };
    let runtime = Runtime::load(None)?;
    let prepared = runtime.open(Path::new(&path), &wanted)?;
    let before = resident()?;
    let mut session = prepared.session()?;
    println!("session: {:.1} MB", (resident()? - before) / 1e6);
    let matrix = matrix();
    for batch in BATCHES {
        println!("batch {batch:>5}: {:>9.0} rows per CPU-second", rate(&mut *session, &matrix, batch)?);
    }
    println!("after scoring: {:.1} MB more", (resident()? - before) / 1e6);
    Ok(())
}

fn rate(session: &mut dyn Model, matrix: &[f32], batch: usize) -> anyhow::Result<f64> {
    let columns = Batch::empty([].into());
    let (mut scores, mut rows, begun) = (Vec::new(), 0, cpu_seconds()?);
    loop {
        for part in matrix.chunks_exact(batch * FEATURES.len()).take(4096 / batch) {
            scores.clear();
            let question = Question { rows: batch, matrix: black_box(part), columns: &columns };
            session.score(question, &mut scores).map_err(anyhow::Error::msg)?;
            rows += black_box(&scores).len();
        }
        let spent = cpu_seconds()? - begun;
        if spent > SPENT {
            return Ok(rows as f64 / spent);
        }
    }
}

/// The same numbers each time, spread over what the features take.
fn matrix() -> Vec<f32> {
    let mut state = 1u64;
    let mut unit = || {
        state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (state >> 40) as f32 / (1 << 24) as f32
    };
    (0..ROWS)
        .flat_map(|_| RANGES)
        .map(|range| if range == 1.0 { unit().round() } else { unit() * range })
        .collect()
}

/// Of this thread, on which all of it runs.
fn cpu_seconds() -> anyhow::Result<f64> {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat")?;
    let nanoseconds: f64 = text.split(' ').next().unwrap_or_default().parse()?;
    Ok(nanoseconds / 1e9)
}

/// Bytes of the process in memory.
fn resident() -> anyhow::Result<f64> {
    let text = std::fs::read_to_string("/proc/self/statm")?;
    let pages: f64 = text.split(' ').nth(1).unwrap_or_default().parse()?;
    Ok(pages * 4096.0)
}
