//! How things are.

use std::fmt::Write as _;

use super::line;
use crate::release::history::{Event, What};
use crate::release::manifest::{Artifact, Manifest, Proposal, Refusal};
use crate::release::status::{Handover, Phase, Status};
use crate::time;

/// Digits that are shown of a digest.
const DIGITS: usize = 12;

/// For a person.
pub(in crate::cli::release) fn status(status: &Status) -> String {
    let Status { pipeline, current, handover, kept, waiting, refusals, hosts } = status;
    let mut page = pipeline.clone();
    // Writing to memory can't fail.
    let mut row = |name: &str, text: String| {
        let _ = write!(page, "\n  {name:<9}  {text}");
    };
    match current {
        Some(current) => of_release(current, &mut row),
        None => row("release", "none yet".to_owned()),
    }
    if let Some(handover) = handover {
        row("handover", of_handover(handover));
    }
    for (index, Event { by, at, what, code, why, .. }) in hosts.iter().enumerate() {
        let name = if index == 0 { "hosts" } else { "" };
        let at = time::written(*at);
        row(
            name,
            match what {
                What::Failed => {
                    format!("{by}: can't run it, {at}: {} {}", code.as_deref().unwrap_or("-"), line(why))
                }
                _ => format!("{by}: runs it since {at}"),
            },
        );
    }
    if let [first, .., last] = kept.as_slice() {
        row("kept", format!("{} releases, {first} to {last}", kept.len()));
    }
    for Proposal { ticket, facts } in waiting {
        let (how, at) = (facts.how.name(), time::written(facts.at));
        row("waits", format!("{}, proposal {ticket} by {}, {how}, {at}", facts.content.id, facts.by));
    }
    for Refusal { by, at, code, message, .. } in refusals {
        row("refused", format!("{}, {by}: {code} {}", time::written(*at), line(message)));
    }
    page.lines().map(str::trim_end).collect::<Vec<_>>().join("\n")
}

fn of_handover(Handover { phase, from, to, since, records }: &Handover) -> String {
    match phase {
        Phase::ReadsHistory => {
            let left = records.map_or(String::new(), |records| format!("; {records} records to go"));
            format!("{to} reads history; {from} speaks until it has caught up{left}")
        }
        Phase::Speaks => {
            let since = since.map_or(String::new(), |since| format!(" since {}", time::written(since)));
            format!("{to} speaks{since}; {from} is kept beside it for its probation")
        }
        Phase::CalledOff => format!("{to} is called off; {from} speaks again"),
    }
}

fn of_release(current: &Manifest, row: &mut impl FnMut(&str, String)) {
    let facts = &current.facts;
    row("release", current.stamp());
    row("since", time::written(facts.at));
    let back = facts.returns_to.map_or(String::new(), |number| format!(", to release {number}"));
    row("by", format!("{}, {}{back}", facts.by, facts.how.name()));
    if !facts.why.is_empty() {
        row("why", line(&facts.why));
    }
    let files = &facts.content.artifacts;
    let width = |text: fn(&Artifact) -> String| files.iter().map(|one| text(one).chars().count()).max();
    let roles = width(|one| one.role.to_string()).unwrap_or(0);
    let names = width(|one| one.file.clone()).unwrap_or(0);
    for (index, one) in files.iter().enumerate() {
        let name = if index == 0 { "files" } else { "" };
        let (role, file, digest) = (one.role.to_string(), &one.file, one.digest.to_string());
        let signed = if one.signature.is_some() { ", signed" } else { "" };
        let text =
            format!("{role:<roles$}  {file:<names$}  {}  {} bytes{signed}", &digest[..DIGITS], one.bytes);
        row(name, text);
    }
}

/// For a program.
pub(in crate::cli::release) fn json(status: &Status) -> String {
    status.json().to_string()
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::super::samples;
    use super::*;
    use crate::error::Code;
    use crate::release::manifest::Ticket;

    fn example() -> Status {
        let current = samples::release(9, Some(6));
        let proposal = Proposal { ticket: Ticket(11), facts: samples::release(10, None).facts };
        let refusal = Refusal {
            ticket: Ticket(10),
            by: "root@one".to_owned(),
            at: 1_793_491_260_000,
            code: "TW204".to_owned(),
            message: "card.wasm: it imports\n`clock`".to_owned(),
        };
        Status {
            pipeline: "fraud".to_owned(),
            hosts: vec![
                Event::runs(&current, "root@one", 1_793_491_201_000),
                Event::failed(&current, "root@two", 1_793_491_202_000, Code::ModelRuntime, "not found"),
            ],
            current: Some(current),
            handover: None,
            kept: vec![4, 6, 9],
            waiting: vec![proposal],
            refusals: vec![refusal],
        }
    }

    #[test]
    fn how_things_are_in_aligned_lines() {
        let expected = "\
fraud
  release    9-0123456789abcdef
  since      2026-11-01T00:00:00Z
  by         ann@laptop, rollback, to release 6
  why        too many alerts at night
  files      features/0  card.wasm   abababababab  70000 bytes
             model       fraud.onnx  cdcdcdcdcdcd  5000000 bytes, signed
  hosts      root@one: runs it since 2026-11-01T00:00:01Z
             root@two: can't run it, 2026-11-01T00:00:02Z: TW302 not found
  kept       3 releases, 4 to 9
  waits      0123456789abcdef, proposal 000000000000000b by ann@laptop, apply, 2026-11-01T00:00:00Z
  refused    2026-11-01T00:01:00Z, root@one: TW204 card.wasm: it imports `clock`";
        assert_eq!(status(&example()), expected);
        let none = Status {
            current: None,
            kept: Vec::new(),
            waiting: Vec::new(),
            refusals: Vec::new(),
            ..example()
        };
        let none = Status { hosts: Vec::new(), ..none };
        assert_eq!(status(&none), "fraud\n  release    none yet");
    }

    #[test]
    fn a_handover_has_a_line() {
        let mut of = Handover {
            phase: Phase::ReadsHistory,
            from: "8-a".to_owned(),
            to: "9-b".to_owned(),
            since: None,
            records: Some(1_234),
        };
        let line = "9-b reads history; 8-a speaks until it has caught up; 1234 records to go";
        assert_eq!(of_handover(&of), line);
        (of.phase, of.since) = (Phase::Speaks, Some(1_793_491_200_000));
        let line = "9-b speaks since 2026-11-01T00:00:00Z; 8-a is kept beside it for its probation";
        assert_eq!(of_handover(&of), line);
        of.phase = Phase::CalledOff;
        assert_eq!(of_handover(&of), "9-b is called off; 8-a speaks again");
        let shown = status(&Status { handover: Some(of), ..example() });
        assert!(shown.contains("\n  handover   9-b is called off"), "{shown}");
    }

    #[test]
    fn how_things_are_as_json() {
        let value: Value = serde_json::from_str(&json(&example())).expect("JSON");
        assert_eq!(value["current"]["release"], "9-0123456789abcdef");
        assert_eq!((&value["current"]["returns_to"], &value["hosts"][1]["runs"]), (&6.into(), &false.into()));
        assert_eq!(value["current"]["files"][1]["sha256"], "cd".repeat(32));
        assert_eq!(value["waiting"][0]["ticket"], "000000000000000b");
        assert_eq!(value["refusals"][0]["code"], "TW204");
    }
}
