//! Changes, for a person.

use std::fmt;

use super::windows::{Aggregate, Fate, StageWindows, Windows};
use super::{Changes, Note};
use crate::window::SpanKind;

/// Digits that are shown of a digest.
const DIGITS: usize = 12;

pub(super) fn digest(digest: &str) -> String {
    digest.chars().take(DIGITS).collect()
}

/// Milliseconds in the largest unit that divides them.
pub(super) fn span(millis: u64) -> String {
    let units = [(86_400_000, "d"), (3_600_000, "h"), (60_000, "m"), (1000, "s")];
    let unit = units.into_iter().find(|(unit, _)| millis > 0 && millis.is_multiple_of(*unit));
    unit.map_or_else(|| format!("{millis}ms"), |(unit, name)| format!("{}{name}", millis / unit))
}

pub(super) fn window(kind: SpanKind) -> String {
    match kind {
        SpanKind::Sliding(size) => format!("sliding {}", span(size)),
        SpanKind::Hopping { size, slide } if size == slide => format!("tumbling {}", span(size)),
        SpanKind::Hopping { size, slide } => format!("hopping {} by {}", span(size), span(slide)),
        SpanKind::Session(gap) => format!("session {}", span(gap)),
        SpanKind::Last(rows) => format!("last {rows}"),
        SpanKind::Forever => "forever".to_owned(),
    }
}

pub(super) fn write(changes: &Changes, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let windows = changes.windows.iter().flat_map(stage);
    let notes: Vec<Note> = changes.notes.iter().cloned().chain(windows).collect();
    if changes.is_empty() {
        return f.write_str("nothing changes");
    }
    let width = notes.iter().map(|note| note.subject.chars().count()).max().unwrap_or(0);
    let mut before = None;
    for (index, Note { subject, text }) in notes.iter().enumerate() {
        let shown = if before == Some(subject) { "" } else { subject };
        before = Some(subject);
        let line = if index == 0 { "" } else { "\n" };
        write!(f, "{line}{shown:<width$}  {text}")?;
    }
    Ok(())
}

/// The stage's windows as a whole, then each aggregate that changes.
fn stage(stage: &StageWindows) -> Vec<Note> {
    let note = |text: String| Note { subject: format!("windows {}", stage.stage), text };
    let StageWindows { windows, count, aggregates, .. } = stage;
    if *count == 0 && aggregates.is_empty() {
        return Vec::new();
    }
    let first = match windows {
        Windows::Kept if *count == 1 => "kept, 1 aggregate".to_owned(),
        Windows::Kept => format!("kept, {count} aggregates"),
        windows => windows.to_string(),
    };
    let width = aggregates.iter().map(|one| one.name.chars().count()).max().unwrap_or(0);
    let lines = aggregates.iter().map(|one| note(line(one, width)));
    std::iter::once(note(first)).chain(lines).collect()
}

fn line(aggregate: &Aggregate, width: usize) -> String {
    let Aggregate { name, from, to, fate } = aggregate;
    let fate = match fate {
        Fate::Kept if from.is_none() => ": kept, of another name".to_owned(),
        Fate::Kept | Fate::Gone => String::new(),
        Fate::Rebuilt => ": rebuilt".to_owned(),
        Fate::Migrated => ": migrated".to_owned(),
        Fate::Begins(Some(after)) => format!(": whole after {}", span(*after)),
        Fate::Begins(None) => ": from now on".to_owned(),
    };
    let (sign, declared) = match (from, to) {
        (Some(from), Some(to)) if from == to => ('~', to.clone()),
        (Some(from), Some(to)) => ('~', format!("{from} -> {to}")),
        (None, Some(to)) => ('+', to.clone()),
        (Some(from), None) => ('-', from.clone()),
        (None, None) => ('-', String::new()),
    };
    format!("{sign} {name:<width$}  {declared}{fate}")
}
