//! What is told of a pipeline.

use std::sync::PoisonError;
use std::time::{SystemTime, UNIX_EPOCH};

use super::sheet::Sheet;
use crate::engine::{Budget, Kept, Meter, Passed, Tables, Use, Waits};
use crate::pipeline::{Pipeline, Stage};
use crate::record::PartitionId;
use crate::release::Release;
use crate::store::Tally;

/// Stream threads: how many there are to be, and how far those are that there are.
#[derive(Clone, Debug, Default)]
pub struct Threads {
    pub wanted: usize,
    /// By what they do, in a word.
    pub at: Vec<(&'static str, usize)>,
}

/// A pipeline of this process.
#[derive(Debug)]
pub struct Subject<'a> {
    /// That runs.
    pub release: &'a Release,
    pub meter: &'a Meter,
    pub budget: &'a Budget,
    pub tables: &'a Tables,
    pub threads: Threads,
    pub stores: Vec<(&'a str, &'a Tally)>,
}

impl Subject<'_> {
    pub fn tell(&self, sheet: &mut Sheet) {
        let pipeline = self.release.pipeline();
        let label = ("pipeline", pipeline.name.as_str());
        self.rows(sheet, pipeline, label);
        self.partitions(sheet, pipeline, label);
        self.stages(sheet, pipeline, label);
        self.keeping(sheet, label);
        self.process(sheet, pipeline, label);
        self.stores(sheet, label);
        self.spans(sheet, label);
    }

    /// What is kept beside Kafka.
    fn stores(&self, sheet: &mut Sheet, label: (&'static str, &str)) {
        use std::sync::atomic::Ordering::Relaxed;
        for (name, tally) in &self.stores {
            let labels = [label, ("store", *name)];
            let help = "Outputs that a store took, those that came again among them.";
            sheet.counter("tailwater_store_rows", help).number(&labels, tally.kept.load(Relaxed) as f64);
            let help = "Of them: without a part that can't be held there.";
            let flawed = tally.flawed.load(Relaxed) as f64;
            sheet.counter("tailwater_store_flawed_rows", help).number(&labels, flawed);
            let help = "Records of routes that are no outputs, and are not kept.";
            let left_out = tally.left_out.load(Relaxed) as f64;
            sheet.counter("tailwater_store_left_out_records", help).number(&labels, left_out);
            let help = "Tries of a store that came to nothing, and were made again.";
            let failures = tally.failures.load(Relaxed) as f64;
            sheet.counter("tailwater_store_failures", help).number(&labels, failures);
            let help = "For how long nothing could be kept; 0 while all is well.";
            let trouble = tally.trouble().as_secs_f64();
            sheet.gauge("tailwater_store_trouble_seconds", help).number(&labels, trouble);
        }
    }

    /// What became of rows.
    fn rows(&self, sheet: &mut Sheet, pipeline: &Pipeline, label: (&'static str, &str)) {
        use std::sync::atomic::Ordering::Relaxed;
        let Meter { tombstones, dropped, .. } = self.meter;
        let Passed { sent, scores, latency, .. } = self.meter.passed();
        let family = sheet.counter("tailwater_tombstones", "Records without a value that were passed over.");
        family.number(&[label], tombstones.load(Relaxed) as f64);
        let help = "Rows that the preprocessor dropped without a word, or the rules sent nowhere.";
        sheet.counter("tailwater_rows_dropped", help).number(&[label], dropped.load(Relaxed) as f64);
        for route in &pipeline.routes {
            let volume = sent.get(&route.name).copied().unwrap_or_default();
            let labels = [label, ("route", route.name.as_str())];
            let family = sheet.counter("tailwater_decisions", "Decisions that were sent.");
            family.number(&labels, volume.messages as f64);
            let family = sheet.counter("tailwater_decision_bytes", "Bytes of decisions that were sent.");
            family.number(&labels, volume.bytes as f64);
        }
        let help = "Records and rows that failed, by the stage that refused them and the code of the error.";
        for ((stage, code), count) in self.meter.dead_letters() {
            let labels = [label, ("stage", stage), ("code", &code.to_string())];
            sheet.counter("tailwater_dead_letters", help).number(&labels, count as f64);
        }
        for (source, count) in self.meter.late_by_source() {
            let labels = [label, ("source", source.as_str())];
            let family = sheet.counter("tailwater_late_records", "Rows that came too late.");
            family.number(&labels, count as f64);
        }
        let help = "From a record's timestamp to the moment that what was decided about it is committed.";
        sheet.histogram("tailwater_latency_seconds", help).spread(&[label], &latency);
        for (name, seen) in &scores {
            let family = sheet.histogram("tailwater_score", "What the model gave.");
            family.spread(&[label, ("score", name)], seen);
        }
    }

    /// How far threads are.
    fn partitions(&self, sheet: &mut Sheet, pipeline: &Pipeline, label: (&'static str, &str)) {
        let topic = |id: PartitionId| pipeline.topics.get(usize::from(id.source)).map_or("", String::as_str);
        for (id, volume) in self.meter.passed().read {
            let partition = id.partition.to_string();
            let labels = [label, ("topic", topic(id)), ("partition", &partition)];
            sheet
                .counter("tailwater_records", "Records that were read.")
                .number(&labels, volume.messages as f64);
            let family = sheet.counter("tailwater_record_bytes", "Bytes of keys and values that were read.");
            family.number(&labels, volume.bytes as f64);
        }
        let places = self.meter.places.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |now| now.as_secs_f64());
        for (id, place) in &places {
            let partition = id.partition.to_string();
            let labels = [label, ("topic", topic(*id)), ("partition", &partition)];
            if let Some(lag) = place.lag() {
                let help = "Offsets from the next record to be read to the end of the partition.";
                sheet.gauge("tailwater_lag_records", help).number(&labels, lag as f64);
            }
            if let Some(watermark) = place.watermark {
                let help = "By how much the watermark is behind the clock.";
                let behind = now - watermark as f64 / 1_000.0;
                sheet.gauge("tailwater_watermark_lag_seconds", help).number(&labels, behind);
            }
        }
        for reason in Waits::ALL {
            let waiting = places.values().filter(|place| place.waits == Some(reason)).count();
            let help = "Partitions that are not read for now, by what they wait for: that others come up to them \
                        (watermark), a stage that fails too often (failing), their windows (task), or a release that \
                        began rows of theirs (release).";
            let labels = [label, ("for", reason.name())];
            sheet.gauge("tailwater_waiting_partitions", help).number(&labels, waiting as f64);
        }
    }

    /// Batches, time and memory by stage.
    fn stages(&self, sheet: &mut Sheet, pipeline: &Pipeline, label: (&'static str, &str)) {
        for ((kind, index), calls) in &self.meter.passed().calls {
            let stage = named(pipeline, kind, usize::from(*index));
            let family = sheet.histogram("tailwater_batch_rows", "Rows that a stage was given at once.");
            family.spread(&[label, ("stage", &stage)], calls);
        }
        let help = "Time of stream threads, by what they did: each does one thing at a time.";
        for (activity, spent) in self.meter.spent.all() {
            let (what, stage) = activity.parts();
            let stage = stage.map_or(String::new(), |stage| features(pipeline, usize::from(stage)));
            let labels = [label, ("activity", what), ("stage", &stage)];
            sheet.counter("tailwater_thread_seconds", help).number(&labels, spent as f64 / 1e9);
        }
        for (stage, bytes) in self.release.plugin_memory() {
            let stage = stage_name(pipeline, stage);
            let family = sheet.gauge("tailwater_plugin_memory_bytes", "Memory of all instances of a plugin.");
            family.number(&[label, ("stage", &stage)], bytes as f64);
        }
        for (stage, name, count) in self.release.counters() {
            let stage = stage_name(pipeline, stage);
            let help = "What a plugin counted itself, since its release was loaded.";
            let labels = [label, ("stage", stage.as_str()), ("name", &name)];
            sheet.counter("tailwater_plugin_counter", help).number(&labels, count as f64);
        }
    }

    /// Transactions and windows.
    fn keeping(&self, sheet: &mut Sheet, label: (&'static str, &str)) {
        let Kept { aborted, commits, restores, restored_bytes } = self.meter.kept();
        let help = "Transactions that ended, by how.";
        let family = sheet.counter("tailwater_transactions", help);
        family.number(&[label, ("result", "committed")], commits.count() as f64);
        family.number(&[label, ("result", "aborted")], aborted as f64);
        let help = "From the flush to the end of transactions that were committed.";
        sheet.histogram("tailwater_commit_seconds", help).spread(&[label], &commits);
        let help = "How long it took to bring the windows of a task back.";
        sheet.histogram("tailwater_restore_seconds", help).spread(&[label], &restores);
        let help = "Bytes of changelogs that were read to bring windows back.";
        sheet.counter("tailwater_restored_bytes", help).number(&[label], restored_bytes as f64);
    }

    /// Spans of decisions, where they are wanted.
    fn spans(&self, sheet: &mut Sheet, label: (&'static str, &str)) {
        let Some(traces) = self.meter.traces.get() else { return };
        let (exported, dropped) = traces.counts();
        let help = "Spans of decisions, by what became of them.";
        let family = sheet.counter("tailwater_spans", help);
        family.number(&[label, ("result", "exported")], exported as f64);
        family.number(&[label, ("result", "dropped")], dropped as f64);
    }

    /// Threads, memory and releases.
    fn process(&self, sheet: &mut Sheet, pipeline: &Pipeline, label: (&'static str, &str)) {
        use std::sync::atomic::Ordering::Relaxed;
        let Use { most, aside, held, sending } = self.budget.use_of();
        let help = "Memory for rows on their way: set aside for what is read ahead, rows that wait for their \
                    watermark, messages that wait to be sent.";
        for (what, bytes) in [("aside", aside), ("held", held), ("sending", sending)] {
            let labels = [label, ("use", what)];
            sheet.gauge("tailwater_memory_bytes", help).number(&labels, bytes as f64);
        }
        let help = "The most that it may be: limits.memory.";
        sheet.gauge("tailwater_memory_limit_bytes", help).number(&[label], most as f64);
        let Threads { wanted, at } = &self.threads;
        let family = sheet.gauge("tailwater_threads_wanted", "Stream threads that there are to be.");
        family.number(&[label], *wanted as f64);
        for (what, count) in at {
            let family = sheet.gauge("tailwater_threads", "Stream threads, by how far they are.");
            family.number(&[label, ("at", what)], *count as f64);
        }
        let tables = pipeline.tables().filter_map(|(source, node)| Some((node, self.tables.get(source)?)));
        for (node, table) in tables {
            let (labels, usage) = ([label, ("table", node.name.as_str())], table.usage());
            sheet.gauge("tailwater_table_rows", "Rows of a table.").number(&labels, usage.keys as f64);
            sheet.gauge("tailwater_table_bytes", "Memory of a table.").number(&labels, usage.bytes as f64);
        }
        let identity = &pipeline.identity;
        let (number, id) = (identity.number.to_string(), identity.id.as_str());
        let family = sheet.gauge("tailwater_release_info", "The release that runs, as labels.");
        family.number(&[label, ("number", &number), ("id", id)], 1.0);
        for (how, count) in self.meter.releases() {
            let help = "Releases that this process went over to, by how they came to be.";
            sheet.counter("tailwater_release_changes", help).number(&[label, ("how", how)], count as f64);
        }
        let help = "Releases that were proposed, or files that changed, and that came to nothing here.";
        let refused = self.meter.refused.load(Relaxed) as f64;
        sheet.counter("tailwater_releases_refused", help).number(&[label], refused);
    }
}

/// As errors and the pipeline file call it.
fn named(pipeline: &Pipeline, kind: &str, index: usize) -> String {
    if kind == Stage::Features(0).name() { features(pipeline, index) } else { kind.to_owned() }
}

fn stage_name(pipeline: &Pipeline, stage: Stage) -> String {
    let index = if let Stage::Features(index) = stage { usize::from(index) } else { 0 };
    named(pipeline, stage.name(), index)
}

fn features(pipeline: &Pipeline, index: usize) -> String {
    let name = pipeline.features.get(index).map_or("", |stage| &stage.name);
    format!("features/{name}")
}
