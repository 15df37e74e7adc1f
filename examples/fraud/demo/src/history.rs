//! The same cleaning and features as in service, over a generated past, without a broker: what a
//! model is trained with is what it will be served with.

use std::fs::File;
use std::io::{self, BufWriter, Write};

use anyhow::{Context, Result, anyhow};
use fraud_generator::{Generator, News, START, Settings};
use serde_json::Value;
use tailwater::driver::{Driver, Given, Sent};
use tailwater::record::SourceId;
use tailwater::release::{Release, Runtimes};

use crate::args::History;
use crate::pipeline;

const DAY: i64 = 86_400_000;
/// Records between two looks at what came out.
const STRIDE: usize = 4_096;
/// Columns of the cleaned record that are written beside the features.
const COLUMNS: [&str; 4] = ["transaction_id", "event_time", "card_id", "terminal_id"];
/// Indices in the pipeline.
const TRANSACTIONS: SourceId = 0;
const LABELS: SourceId = 1;

/// How much was written.
#[derive(Clone, Copy, Debug, Default)]
pub struct Written {
    pub rows: u64,
    pub frauds: u64,
    /// Dead letters, and what came too late.
    pub refused: u64,
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
        history: release.pipeline().routes[0].topic.clone(),
    };
    let mut out: BufWriter<Box<dyn Write>> = BufWriter::new(match &history.out {
        Some(file) => Box::new(File::create(file).with_context(|| file.display().to_string())?),
        None => Box::new(io::stdout().lock()),
    });
    table.head(&mut out)?;
    let mut driver = Driver::new(&release).map_err(report)?;
    let settings = Settings { seed: history.seed, cards: history.cards, ..Settings::default() };
    let end = START.millis() + i64::from(history.days) * DAY;
    let mut stream = Generator::new(settings).labelled().take_while(|news| news.at().millis() < end);
    let (mut patterns, mut written) = (Vec::new(), Written::default());
    loop {
        let stride: Vec<News> = stream.by_ref().take(STRIDE).collect();
        let is_over = stride.is_empty();
        for news in stride {
            driver.give(match news {
                News::Transaction(one) => {
                    patterns.push(one.fraud.map_or("", |pattern| pattern.name()));
                    Given::value(one.value).with_key(one.key).in_source(TRANSACTIONS)
                }
                News::Label(label) => Given::value(label.value).with_key(label.key).in_source(LABELS),
            });
        }
        let sent = if is_over { driver.finish() } else { driver.run() };
        for sent in sent.map_err(report)? {
            table.row(&sent, &patterns, &mut out, &mut written)?;
        }
        if is_over {
            out.flush()?;
            return Ok(written);
        }
    }
}

fn report(error: tailwater::error::Error) -> anyhow::Error {
    anyhow!(error.report())
}

struct Table {
    columns: Vec<String>,
    /// The topic of the rows.
    history: String,
}

impl Table {
    fn head(&self, out: &mut impl Write) -> io::Result<()> {
        writeln!(out, "{},fraud,pattern", self.columns.join(","))
    }

    /// `patterns`: by transaction id, from 1 on.
    fn row(&self, sent: &Sent, patterns: &[&str], out: &mut impl Write, written: &mut Written) -> Result<()> {
        if sent.topic != self.history {
            written.refused += 1;
            return Ok(());
        }
        let value = sent.json();
        let id = value["transaction_id"].as_u64().and_then(|id| usize::try_from(id).ok()?.checked_sub(1));
        let pattern = id.and_then(|id| patterns.get(id)).context("a row came out that never went in")?;
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
