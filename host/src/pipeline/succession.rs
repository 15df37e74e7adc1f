//! Whether one pipeline can take the place of another while it runs, and what changes then. Pure.
//!
//! What decides where rows and windows are, and when, stays as it is: sources, tables, order, keys, groups
//! and their topics. Whatever only computes may change: plugins, model, rules, columns, features, aggregates,
//! topics that are written to. A row is finished by the release that began it, so its columns may change too.
//! What may follow can be gone back from, as long as its windows are kept for that: else versions of custom folds only
//! rise.
//!
//! Windows of a stage whose aggregates change are told apart by what becomes of them: [`Windows`].

mod fixed;
mod history;
mod page;
mod windows;

#[cfg(test)]
mod tests;

use std::fmt;

use super::{Pipeline, Route};
use crate::columns::Column;
use crate::error::Result;

pub use windows::{Aggregate, Fate, StageWindows, Windows};

const ADVICE: &str = "To have it all the same: stop all processes of the pipeline, drop its windows with \
    `tailwater state reset`, and start it with the new files. Or run these under another `name`.";
const FROM_HISTORY: &str = "To have it all the same, without a pause: `tailwater release apply --bootstrap FROM` makes the \
    windows anew, of what the sources have since FROM.";

/// What is another than before.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Changes {
    notes: Vec<Note>,
    /// Of each features stage.
    pub windows: Vec<StageWindows>,
    /// Topics that are written to from now on, and were not before.
    pub topics: Vec<String>,
}

/// One thing that changes, for a person.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Note {
    subject: String,
    text: String,
}

/// What changes if `new` takes the place of `old`, or why it can't.
pub fn succession(old: &Pipeline, new: &Pipeline) -> Result<Changes> {
    succession_beside(old, None, new)
}

/// The same, where the windows of `before` are kept beside those of `old`: it may come back.
pub fn succession_beside(old: &Pipeline, before: Option<&Pipeline>, new: &Pipeline) -> Result<Changes> {
    fixed::check(old, before, new)?;
    let mut changes = Changes { topics: new_topics(old, new), ..Changes::default() };
    changes.sources(old, new);
    changes.plugins(old, new);
    changes.outputs(old, new);
    let room = |pipeline: &Pipeline| format!("{} bytes", pipeline.bounds.key_bytes);
    changes.turn("limits", "state_per_key", room(old), room(new));
    changes.windows = windows::of_stages(old, new);
    Ok(changes)
}

/// What changes if `new` is begun from history beside `old`, and then takes its place; or why it can't. It has state and
/// internal topics of its own, so that almost all may change.
pub fn succession_from_history(old: &Pipeline, new: &Pipeline) -> Result<Changes> {
    history::check(old, new)?;
    let mut changes = Changes { topics: new_topics(old, new), ..Changes::default() };
    changes.sources(old, new);
    changes.plugins(old, new);
    changes.outputs(old, new);
    history::note(old, new, &mut changes);
    changes.windows = windows::from_history(old, new);
    Ok(changes)
}

impl Changes {
    /// Whether nothing changes.
    pub fn is_empty(&self) -> bool {
        let same = |stage: &StageWindows| stage.windows == Windows::Kept && stage.aggregates.is_empty();
        self.notes.is_empty() && self.windows.iter().all(same)
    }

    /// Adds what pipelines don't tell, such as the settings of a plugin; behind the last of its subject.
    pub fn note(&mut self, subject: impl Into<String>, text: impl Into<String>) {
        let note = Note { subject: subject.into(), text: text.into() };
        let last = self.notes.iter().rposition(|other| other.subject == note.subject);
        self.notes.insert(last.map_or(self.notes.len(), |last| last + 1), note);
    }

    /// Notes what is another; texts that are the same say nothing.
    fn turn(&mut self, subject: &str, what: &str, from: impl Into<String>, to: impl Into<String>) {
        let (from, to) = (from.into(), to.into());
        if from != to {
            self.note(subject, format!("{what} {from} -> {to}"));
        }
    }

    fn columns(&mut self, subject: &str, what: &str, from: &[Column], to: &[Column]) {
        let texts = |columns: &[Column]| -> Vec<String> {
            columns.iter().map(|column| super::declared(std::slice::from_ref(column))).collect()
        };
        self.list(subject, what, &texts(from), &texts(to));
    }

    /// `WHAT + new - gone`.
    fn list(&mut self, subject: &str, what: &str, from: &[String], to: &[String]) {
        let beside = |some: &[String], others: &[String], sign: char| -> Vec<String> {
            let only = some.iter().filter(|one| !others.contains(one));
            only.map(|one| format!(" {sign} {one}")).collect()
        };
        let changed = [beside(to, from, '+'), beside(from, to, '-')].concat();
        if !changed.is_empty() {
            self.note(subject, format!("{what}{}", changed.concat()));
        } else if from != to {
            self.note(subject, format!("{what} in another order"));
        }
    }

    fn sources(&mut self, old: &Pipeline, new: &Pipeline) {
        let millis = |millis: i64| page::span(millis.unsigned_abs());
        for (from, to) in old.sources.iter().zip(&new.sources) {
            let subject = format!("source {}", from.name);
            self.turn(&subject, "name", &from.name, &to.name);
            self.columns(&subject, "reads", &from.decoded, &to.decoded);
            self.turn(&subject, "time_unit", from.time_unit.name(), to.time_unit.name());
            let tombstones = |skip: bool| if skip { "skip" } else { "dead-letter" };
            self.turn(
                &subject,
                "tombstones",
                tombstones(from.skip_tombstones),
                tombstones(to.skip_tombstones),
            );
            let (Some(from), Some(to)) = (from.times, to.times) else { continue };
            let spans = [
                ("out_of_orderness", from.out_of_orderness, to.out_of_orderness),
                ("allowed_lateness", from.lateness, to.lateness),
                ("max_ahead", from.max_ahead, to.max_ahead),
                ("idleness", from.idleness.as_millis() as i64, to.idleness.as_millis() as i64),
            ];
            for (what, from, to) in spans {
                self.turn(&subject, what, millis(from), millis(to));
            }
        }
    }

    fn plugins(&mut self, old: &Pipeline, new: &Pipeline) {
        let digest = |digest: Option<&str>| page::digest(digest.unwrap_or("none"));
        let (before, after) = (&old.identity, &new.identity);
        let (from, to) = (before.preprocess.as_deref(), after.preprocess.as_deref());
        self.turn("preprocess", "plugin", digest(from), digest(to));
        self.columns("preprocess", "gives", &old.sources[0].rows, &new.sources[0].rows);
        for (index, (from, to)) in old.features.iter().zip(&new.features).enumerate() {
            let subject = format!("features {}", from.name);
            self.turn(&subject, "name", &from.name, &to.name);
            let of = |identity: &super::Identity| digest(identity.features.get(index).map(String::as_str));
            self.turn(&subject, "plugin", of(before), of(after));
            self.list(&subject, "gives", &from.names, &to.names);
            self.columns(&subject, "ids", &from.ids, &to.ids);
            self.columns(&subject, "looks up", &from.looked_up, &to.looked_up);
        }
        self.turn("model", "file", digest(before.model.as_deref()), digest(after.model.as_deref()));
        let scores =
            |pipeline: &Pipeline| pipeline.model.as_ref().map_or(Vec::new(), |model| model.scores.clone());
        self.list("model", "scores", &scores(old), &scores(new));
        self.turn("rules", "plugin", digest(before.rules.as_deref()), digest(after.rules.as_deref()));
    }

    fn outputs(&mut self, old: &Pipeline, new: &Pipeline) {
        self.columns("output", "has", &old.decision.output, &new.decision.output);
        let topic = |routes: &[Route], name: &str| {
            let route = routes.iter().find(|route| route.name == name);
            route.map_or("nowhere".to_owned(), |route| route.topic.clone())
        };
        let added = new.routes.iter().filter(|route| old.routes.iter().all(|old| old.name != route.name));
        for route in old.routes.iter().chain(added) {
            let subject = format!("route {}", route.name);
            self.turn(&subject, "to", topic(&old.routes, &route.name), topic(&new.routes, &route.name));
        }
        let late = |pipeline: &Pipeline| pipeline.late.clone().unwrap_or("the dead letters".to_owned());
        self.turn("late", "to", late(old), late(new));
        self.turn("dead letters", "to", &old.dead_letters, &new.dead_letters);
    }
}

/// One a line, the things aligned.
impl fmt::Display for Changes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        page::write(self, f)
    }
}

fn written(pipeline: &Pipeline) -> Vec<&str> {
    let routes = pipeline.routes.iter().map(|route| route.topic.as_str());
    routes.chain(pipeline.late.as_deref()).chain([pipeline.dead_letters.as_str()]).collect()
}

fn new_topics(old: &Pipeline, new: &Pipeline) -> Vec<String> {
    let before = written(old);
    let mut topics: Vec<String> =
        written(new).into_iter().filter(|topic| !before.contains(topic)).map(str::to_owned).collect();
    topics.sort_unstable();
    topics.dedup();
    topics
}
