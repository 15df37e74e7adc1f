//! What a valid pipeline is, for a person.

use std::fmt;

use crate::app::Run;
use crate::config::StoreKind;
use crate::pipeline::{Order, declared};

pub(super) struct Summary<'a>(pub &'a Run);

/// A line for files that are not what runs.
pub(super) fn other(stamp: &str) -> String {
    format!(
        "  {:<13} {stamp}, of other files: hosts go by it, whatever files they are started with",
        "current"
    )
}

impl fmt::Display for Summary<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let pipeline = self.0.release.pipeline();
        let identity = &pipeline.identity;
        let short =
            |digest: &Option<String>| digest.as_deref().unwrap_or("-").chars().take(12).collect::<String>();
        write!(f, "{}: valid, release {}", pipeline.name, identity.id)?;
        let mut line = |name: &str, text: String| write!(f, "\n  {name:<13} {text}");
        if pipeline.order == Order::EventTime {
            line("order", "event-time: rows wait for their watermark".to_owned())?;
        }
        for (index, source) in pipeline.sources.iter().enumerate() {
            let what = if source.table { "table" } else { "source" };
            let name = if index == 0 { "source" } else { &format!("{what} {}", source.name) };
            line(name, format!("{}: {}", source.topic, declared(&source.decoded)))?;
        }
        if identity.preprocess.is_some() {
            let rows = declared(&pipeline.sources[0].rows);
            line("preprocess", format!("[{}] gives {rows}", short(&identity.preprocess)))?;
        }
        for (group, own) in pipeline.groups.iter().enumerate() {
            if group > 0 {
                line("repartition", format!("through {}", pipeline.topics[usize::from(own.input)]))?;
            }
            for stage in own.stages.clone() {
                let node = &pipeline.features[stage];
                let digest = Some(identity.features[stage].clone());
                let key = node.inputs[0].key_names.join(", ");
                let (windows, names) = (node.plan.columns.len(), node.names.join(", "));
                let fires = if node.closed.is_some() { " on close" } else { "" };
                let from: Vec<&str> =
                    node.sides().map(|side| pipeline.sources[usize::from(side)].name.as_str()).collect();
                let from =
                    if from.is_empty() { String::new() } else { format!(" also from {},", from.join(", ")) };
                let text = format!(
                    "[{}] {} by {key},{from} {windows} aggregates{fires}, gives {names}",
                    short(&digest),
                    node.name
                );
                line("features", text)?;
            }
        }
        if let Some(node) = &pipeline.model {
            line("model", format!("[{}] gives {}", short(&identity.model), node.scores.join(", ")))?;
        }
        if identity.rules.is_some() {
            line(
                "rules",
                format!("[{}] gives {}", short(&identity.rules), declared(&pipeline.decision.output)),
            )?;
        }
        for route in &pipeline.routes {
            line("route", format!("{} to {}", route.name, route.topic))?;
        }
        for store in &self.0.config.store {
            let what = match store.kind() {
                Some(StoreKind::Postgres(section)) => format!("table {} of PostgreSQL", section.table),
                Some(StoreKind::Parquet(section)) => {
                    format!("Parquet files in {}", section.directory.display())
                }
                None => continue,
            };
            let routes = store.routes.as_ref().map_or("all routes".to_owned(), |routes| routes.join(", "));
            line("store", format!("{}: {routes} to {what}", store.name))?;
        }
        if let Some(late) = &pipeline.late {
            line("late", format!("to {late}"))?;
        }
        line("dead letters", format!("to {}", pipeline.dead_letters))
    }
}
