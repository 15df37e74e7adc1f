//! What `tailwater release` says.

mod history;
mod status;

use crate::app::Plan;
use crate::release::manifest::Manifest;
use crate::time;

pub(super) use history::{history, json as history_json};
pub(super) use status::{json as status_json, status};

/// What files would change.
pub(super) fn plan(plan: &Plan) -> String {
    let Plan { pipeline, current, content, bootstrap, changes, .. } = plan;
    let Some(current) = current else {
        return format!("{pipeline}: nothing has run yet; with these files the content is {}", content.id);
    };
    let head =
        format!("{pipeline}: release {} runs, since {}", current.stamp(), time::written(current.facts.at));
    match changes {
        None => format!("{head}; these files have its very content"),
        Some(Err(_)) => format!("{head}; these files, {}, can't follow it", content.id),
        Some(Ok(changes)) => {
            let lines = changes.to_string().lines().map(|line| format!("\n  {line}")).collect::<String>();
            let from = match bootstrap {
                Some(0) => ", begun from all that the sources have".to_owned(),
                Some(from) => format!(", begun from what the sources have since {}", time::written(*from)),
                None => String::new(),
            };
            format!("{head}; these files, {}{from}, change:{lines}", content.id)
        }
    }
}

/// A proposal has become a release.
pub(super) fn released(pipeline: &str, release: &Manifest) -> String {
    let content = match release.facts.returns_to {
        Some(number) => format!(", with the content of release {number}"),
        None => String::new(),
    };
    let stamp = release.stamp();
    if release.facts.bootstrap.is_some() {
        return format!(
            "{pipeline}: release {stamp} reads history on all hosts, and takes over when it has caught up; \
             `tailwater release status` says how far it is, `tailwater release rollback` calls it off"
        );
    }
    format!("{pipeline}: release {stamp}{content} is the current one; all hosts go over to it")
}

/// On one line.
fn line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
pub(super) mod samples {
    use crate::config::Role;
    use crate::release::manifest::{Artifact, Content, Digest, Facts, How, Manifest, Ticket};

    pub(in crate::cli::release::page) fn release(number: u64, returns_to: Option<u64>) -> Manifest {
        let artifact = |role, file: &str, byte, bytes| Artifact {
            role,
            file: file.to_owned(),
            digest: Digest([byte; 32]),
            bytes,
            signature: None,
        };
        let content = Content {
            id: "0123456789abcdef".to_owned(),
            configuration: String::new(),
            artifacts: vec![
                artifact(Role::Features(0), "card.wasm", 0xab, 70_000),
                Artifact { signature: Some([1; 64]), ..artifact(Role::Model, "fraud.onnx", 0xcd, 5_000_000) },
            ],
        };
        let (how, why) = match returns_to {
            Some(_) => (How::Rollback, "too many alerts\nat night"),
            None => (How::Apply, ""),
        };
        let (by, at) = ("ann@laptop".to_owned(), 1_793_491_200_000);
        let (bootstrap, generation) = (None, 0);
        let why = why.to_owned();
        let facts = Facts { content, by, how, at, why, returns_to, bootstrap, generation };
        Manifest { number, ticket: Ticket(7), facts }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::{Code, Error};
    use crate::pipeline::Changes;

    #[test]
    fn a_plan_says_what_changes() {
        let release = samples::release(7, None);
        let mut changes = Changes::default();
        changes.note("features card", "plugin aaa -> bbb");
        changes.note("rules", "settings.limit 0.5 -> 0.6");
        let mut content = release.facts.content.clone();
        content.id = "fedcba9876543210".to_owned();
        let mut shown = Plan {
            pipeline: "fraud".to_owned(),
            current: Some(release),
            content,
            bootstrap: None,
            changes: Some(Ok(changes)),
            topics: Ok(()),
        };
        let expected = "\
fraud: release 7-0123456789abcdef runs, since 2026-11-01T00:00:00Z; these files, fedcba9876543210, change:
  features card  plugin aaa -> bbb
  rules          settings.limit 0.5 -> 0.6";
        assert_eq!(plan(&shown), expected);
        shown.changes = Some(Err(Error::new(Code::NoSuccession, "order")));
        assert!(plan(&shown).ends_with("can't follow it"), "{}", plan(&shown));
        shown.changes = None;
        assert!(plan(&shown).ends_with("these files have its very content"), "{}", plan(&shown));
        shown.current = None;
        assert!(plan(&shown).starts_with("fraud: nothing has run yet"), "{}", plan(&shown));
    }

    #[test]
    fn a_release_says_its_number_and_where_it_goes_back_to() {
        let said = released("fraud", &samples::release(8, None));
        assert_eq!(said, "fraud: release 8-0123456789abcdef is the current one; all hosts go over to it");
        let said = released("fraud", &samples::release(9, Some(6)));
        assert!(said.contains("9-0123456789abcdef, with the content of release 6 is"), "{said}");
    }
}
