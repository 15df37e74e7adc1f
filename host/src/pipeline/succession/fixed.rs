//! What stays as it is while a pipeline runs.

use super::{ADVICE, FROM_HISTORY, history, page};
use crate::columns::Column;
use crate::error::{Code, Error, Result};
use crate::pipeline::{FeaturesNode, Group, Order, Pipeline, Role, SourceNode, declared};
use crate::record::SourceId;
use crate::window::Plan;

/// Names all that is in the way.
pub(super) fn check(old: &Pipeline, kept_beside: Option<&Pipeline>, new: &Pipeline) -> Result<()> {
    let mut fixed = Fixed::default();
    fixed.same("name", &old.name, &new.name);
    fixed.same("order", order(old), order(new));
    if fixed.number("[[source]]", old.sources.len(), new.sources.len()) {
        for (index, (from, to)) in old.sources.iter().zip(&new.sources).enumerate() {
            fixed.source(from, to);
            let roles = [old, new].map(|pipeline| role(pipeline, index as SourceId));
            fixed.same(&format!("source {}: what it feeds", from.name), &roles[0], &roles[1]);
        }
    }
    if fixed.number("[[features]]", old.features.len(), new.features.len()) {
        for (index, (from, to)) in old.features.iter().zip(&new.features).enumerate() {
            let place = format!("features {}", from.name);
            fixed.same(&format!("{place}: key"), &key(old, from), &key(new, to));
            let [before, after] = [old, new].map(|pipeline| group(pipeline, index));
            fixed.same(&format!("{place}: rows come"), &before, &after);
            let [before, after] = [from, to].map(expiry);
            fixed.same(&format!("{place}: expire_after"), &before, &after);
            if let Err(error) = Plan::union(&[&from.plan, &to.plan]) {
                fixed.0.push(format!("{place}: windows: {error}"));
            }
            let beside = kept_beside.and_then(|beside| beside.features.get(index)).map(|beside| &beside.plan);
            let kept_by: Vec<&Plan> = [&from.plan].into_iter().chain(beside).collect();
            let behind = to.plan.falls_behind(&kept_by);
            fixed.0.extend(behind.map(|what| format!("{place}: windows: {what}")));
        }
        fixed.lateness(old, new);
        fixed.topics(old, new);
    }
    // Producers were told at the start.
    let bytes = |pipeline: &Pipeline| format!("{} bytes", pipeline.bounds.message_bytes);
    fixed.same("limits.record", &bytes(old), &bytes(new));
    fixed.end(if history::check(old, new).is_ok() { FROM_HISTORY } else { ADVICE })
}

/// What can't be swapped, a line each.
#[derive(Default)]
struct Fixed(Vec<String>);

impl Fixed {
    fn same(&mut self, what: &str, from: &str, to: &str) {
        if from != to {
            self.0.push(format!("{what}: {from} -> {to}"));
        }
    }

    /// Whether they are as many.
    fn number(&mut self, what: &str, from: usize, to: usize) -> bool {
        self.same(&format!("how many {what}"), &from.to_string(), &to.to_string());
        from == to
    }

    fn source(&mut self, from: &SourceNode, to: &SourceNode) {
        let place = |what: &str| format!("source {}: {what}", from.name);
        self.same(&place("topic"), &from.topic, &to.topic);
        self.same(&place("table"), &from.table.to_string(), &to.table.to_string());
        let columns = |names: &[String]| if names.is_empty() { "unknown".into() } else { names.join(", ") };
        self.same(&place("partitioned_by"), &columns(&from.partitioned_by), &columns(&to.partitioned_by));
        let own = |node: &SourceNode| (!node.checked).to_string();
        self.same(&place("custom_partitioner"), &own(from), &own(to));
        let time = |node: &SourceNode| {
            node.times.map_or("none".to_owned(), |times| node.rows[times.column].name.clone())
        };
        self.same(&place("event_time"), &time(from), &time(to));
        if from.table && to.table {
            // It was read with these.
            self.same(&place("columns"), &declared(&from.decoded), &declared(&to.decoded));
            self.same(&place("time_unit"), from.time_unit.name(), to.time_unit.name());
        }
    }

    /// Windows keep what late rows may see, and no more.
    fn lateness(&mut self, old: &Pipeline, new: &Pipeline) {
        let lateness = |group: &Group| format!("{} ms", group.lateness);
        for (from, to) in old.groups.iter().zip(&new.groups) {
            if let Some(stage) = old.features.get(from.stages.start).filter(|_| !from.stages.is_empty()) {
                let what = format!("features {}: allowed_lateness of its sources", stage.name);
                self.same(&what, &lateness(from), &lateness(to));
            }
        }
    }

    /// Stages without a name are called after their plugin's file, and so are their topics.
    fn topics(&mut self, old: &Pipeline, new: &Pipeline) {
        let internal = |pipeline: &Pipeline| -> Vec<String> {
            let repartition = pipeline.repartition_topics().map(|(_, topic)| topic.to_owned());
            repartition.chain(pipeline.changelogs.iter().flatten().cloned()).collect()
        };
        let (before, after) = (internal(old), internal(new));
        let renamed = |topics: &[String], others: &[String]| -> String {
            let own: Vec<_> = topics.iter().filter(|topic| !others.contains(topic)).cloned().collect();
            if own.is_empty() { "none".to_owned() } else { own.join(", ") }
        };
        let (gone, added) = (renamed(&before, &after), renamed(&after, &before));
        let stages = old.features.iter().zip(&new.features);
        let names: Vec<_> = stages.filter(|(from, to)| from.name != to.name).collect();
        let advice = match names.first() {
            Some((from, to)) => format!(
                ". A stage without a name is called after its plugin's file: with name = {:?} in the section of \
                 {} they stay",
                from.name, to.name
            ),
            None => String::new(),
        };
        self.same("internal topics", &gone, &if gone == added { added } else { added + &advice });
    }

    fn end(self, advice: &str) -> Result<()> {
        if self.0.is_empty() {
            return Ok(());
        }
        let message = format!(
            "this can't be changed while the pipeline runs:\n{}\n{advice}",
            self.0.iter().map(|line| format!("  {line}")).collect::<Vec<_>>().join("\n")
        );
        Err(Error::new(Code::NoSuccession, message))
    }
}

pub(super) fn order(pipeline: &Pipeline) -> &'static str {
    match pipeline.order {
        Order::Arrival => "arrival",
        Order::EventTime => "event-time",
    }
}

fn role(pipeline: &Pipeline, source: SourceId) -> String {
    let fed: Vec<String> = pipeline.passed_to(source).map(|(group, _)| group.to_string()).collect();
    let passed =
        if fed.is_empty() { String::new() } else { format!(", passed on to group {}", fed.join(", ")) };
    let own = match pipeline.role(source) {
        Role::Rows { .. } => "rows",
        Role::Side { .. } => "updates",
        Role::Passed => "nothing here",
        Role::Repartition { .. } => "a repartition topic",
        Role::Table => "look-ups",
    };
    format!("{own}{passed}")
}

/// With kinds: keys of another are other bytes.
pub(super) fn key(pipeline: &Pipeline, stage: &FeaturesNode) -> String {
    let input = &stage.inputs[0];
    let rows = &pipeline.sources[usize::from(input.source)].rows;
    let columns =
        input.key.columns().iter().map(|column| Column { nullable: false, ..rows[*column].clone() });
    declared(&columns.collect::<Vec<_>>())
}

/// What is done again after a crash must be as it was.
pub(super) fn expiry(stage: &FeaturesNode) -> String {
    stage.expire_after.map_or("never".to_owned(), |after| page::span(after.unsigned_abs()))
}

/// How a stage's rows come to it.
fn group(pipeline: &Pipeline, stage: usize) -> String {
    let position = pipeline.groups.iter().position(|group| group.stages.contains(&stage));
    let Some(group) = position else { return "nowhere".to_owned() };
    let sides = pipeline.groups[group].sides.iter();
    let sides: Vec<&str> =
        sides.map(|side| pipeline.sources[usize::from(side.source)].name.as_str()).collect();
    let sides =
        if sides.is_empty() { String::new() } else { format!(", with updates of {}", sides.join(", ")) };
    match group {
        0 => format!("straight from the source{sides}"),
        group => format!("through repartition topic {group}{sides}"),
    }
}
