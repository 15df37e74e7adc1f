//! What a valid pipeline is, for a person.

use std::fmt;

use crate::app::Run;
use crate::pipeline::declared;

pub(super) struct Summary<'a>(pub &'a Run);

impl fmt::Display for Summary<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let pipeline = self.0.release.pipeline();
        let identity = &pipeline.identity;
        let short =
            |digest: &Option<String>| digest.as_deref().unwrap_or("-").chars().take(12).collect::<String>();
        write!(f, "{}: valid, release {}", pipeline.name, identity.release)?;
        let mut line = |name: &str, text: String| write!(f, "\n  {name:<13} {text}");
        line("source", format!("{}: {}", pipeline.topics.join(", "), declared(&pipeline.decoded)))?;
        if identity.preprocess.is_some() {
            line(
                "preprocess",
                format!("[{}] gives {}", short(&identity.preprocess), declared(&pipeline.clean)),
            )?;
        }
        if let Some(node) = &pipeline.features {
            let key: Vec<&str> =
                node.key.columns().iter().map(|column| &*pipeline.clean[*column].name).collect();
            let windows = node.plan.columns.len();
            let text = format!(
                "[{}] by {}, {windows} aggregates, gives {}",
                short(&identity.features),
                key.join(", "),
                node.names.join(", ")
            );
            line("features", text)?;
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
        line("dead letters", format!("to {}", pipeline.dead_letters))
    }
}
