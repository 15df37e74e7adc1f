//! The same cleaning and features as in service, over a generated past, without a broker: what a
//! model is trained with is what it will be served with.

use std::fs::File;
use std::io::{self, BufWriter, Write};

use anyhow::{Context, Result, anyhow};
use fraud_generator::{Emitted, Generator, START, Settings};
use serde_json::Value;
use tailwater::driver::{Driver, Given, Sent};
use tailwater::release::{Release, Runtimes};

use crate::args::History;
use crate::pipeline;

const DAY: i64 = 86_400_000;
/// Records between two looks at what came out.
const STRIDE: usize = 4_096;
/// Columns of the cleaned record that are written beside the features.
const COLUMNS: [&str; 3] = ["transaction_id", "event_time", "card_id"];

/// How much was written.
#[derive(Clone, Copy, Debug, Default)]
pub struct Written {
    pub rows: u64,
    pub frauds: u64,
    pub dead_letters: u64,
}

/// Writes one row a transaction: some columns, the features, and the pattern of the fraud, if it is one.
pub fn write(history: &History) -> Result<Written> {
    let config = pipeline::read(&history.pipeline)
        .map_err(|error| anyhow!("{}\n  This is run from the repository's root.", error.report()))?;
    let runtimes = Runtimes::new(None, None).map_err(report)?;
    let release = Release::load(&config, &runtimes).map_err(report)?;
    let features = release.pipeline().features.iter().flat_map(|stage| stage.names.clone());
    let table = Table {
        columns: COLUMNS.map(str::to_owned).into_iter().chain(features).collect(),
        dead_letters: config.dead_letters.topic.clone(),
    };
    let mut out: BufWriter<Box<dyn Write>> = BufWriter::new(match &history.out {
        Some(file) => Box::new(File::create(file).with_context(|| file.display().to_string())?),
        None => Box::new(io::stdout().lock()),
    });
    table.head(&mut out)?;
    let mut driver = Driver::new(&release).map_err(report)?;
    let settings = Settings { seed: history.seed, cards: history.cards, ..Settings::default() };
    let end = START.millis() + i64::from(history.days) * DAY;
    let mut stream = Generator::new(settings).take_while(|emitted| emitted.at.millis() < end);
    let (mut labels, mut written) = (Vec::new(), Written::default());
    loop {
        let stride: Vec<Emitted> = stream.by_ref().take(STRIDE).collect();
        if stride.is_empty() {
            out.flush()?;
            return Ok(written);
        }
        for emitted in stride {
            labels.push(emitted.fraud.map_or("", |pattern| pattern.name()));
            driver.give(Given::value(emitted.value).with_key(emitted.key));
        }
        for sent in driver.run().map_err(report)? {
            table.row(&sent, &labels, &mut out, &mut written)?;
        }
    }
}

fn report(error: tailwater::error::Error) -> anyhow::Error {
    anyhow!(error.report())
}

struct Table {
    columns: Vec<String>,
    dead_letters: String,
}

impl Table {
    fn head(&self, out: &mut impl Write) -> io::Result<()> {
        writeln!(out, "{},fraud,pattern", self.columns.join(","))
    }

    /// `labels`: by transaction id, from 1 on.
    fn row(&self, sent: &Sent, labels: &[&str], out: &mut impl Write, written: &mut Written) -> Result<()> {
        if sent.topic == self.dead_letters {
            written.dead_letters += 1;
            return Ok(());
        }
        let value = sent.json();
        let id = value["transaction_id"].as_u64().and_then(|id| usize::try_from(id).ok()?.checked_sub(1));
        let pattern = id.and_then(|id| labels.get(id)).context("a row came out that never went in")?;
        for column in &self.columns {
            match &value[column] {
                // Unknown: an empty field.
                Value::Null => {}
                Value::String(text) => out.write_all(text.as_bytes())?,
                other => write!(out, "{other}")?,
            }
            out.write_all(b",")?;
        }
        let is_fraud = !pattern.is_empty();
        writeln!(out, "{},{pattern}", u8::from(is_fraud))?;
        written.rows += 1;
        written.frauds += u64::from(is_fraud);
        Ok(())
    }
}
