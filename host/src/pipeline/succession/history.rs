//! What stays as it is where a pipeline is begun anew from history, beside the one that runs: what decides which of the two
//! speaks for a record.

use super::{Changes, fixed};
use crate::error::{Code, Error, Result};
use crate::pipeline::Pipeline;

const ADVICE: &str = "Run these files under another `name`, beside this pipeline.";

/// Names all that is in the way.
pub(super) fn check(old: &Pipeline, new: &Pipeline) -> Result<()> {
    let mut lines = Vec::new();
    let read = |pipeline: &Pipeline| {
        let table = |is_table: bool| if is_table { " (table)" } else { "" };
        let sources = pipeline.sources.iter();
        let sources = sources.map(|source| format!("{}{}", source.topic, table(source.table)));
        sources.collect::<Vec<_>>().join(", ")
    };
    let (before, after) = (read(old), read(new));
    if before != after {
        lines.push(format!("the topics of the sources: {before} -> {after}"));
    }
    let mut stages = old.features.iter().chain(&new.features);
    if let Some(stage) = stages.find(|stage| stage.closed.is_some()) {
        lines.push(format!(
            "features {}: it fires when windows close, and a closed window is of no one record by which the two take turns",
            stage.name
        ));
    }
    if lines.is_empty() {
        return Ok(());
    }
    let lines: Vec<String> = lines.iter().map(|line| format!("  {line}")).collect();
    let text =
        format!("this can't be begun from history while the pipeline runs:\n{}\n{ADVICE}", lines.join("\n"));
    Err(Error::new(Code::NoSuccession, text))
}

/// What else could not be changed otherwise.
pub(super) fn note(old: &Pipeline, new: &Pipeline, changes: &mut Changes) {
    changes.turn("order", "rows are taken by", fixed::order(old), fixed::order(new));
    for to in &new.features {
        let subject = format!("features {}", to.name);
        let Some(from) = old.features.iter().find(|from| from.name == to.name) else {
            changes.note(subject, "new");
            continue;
        };
        changes.turn(&subject, "key", fixed::key(old, from), fixed::key(new, to));
        changes.turn(&subject, "expire_after", fixed::expiry(from), fixed::expiry(to));
    }
    let is_gone = |from: &str| new.features.iter().all(|to| to.name != from);
    for from in old.features.iter().filter(|from| is_gone(&from.name)) {
        changes.note(format!("features {}", from.name), "gone");
    }
}
