//! What happened.

use super::line;
use crate::release::history::Event;
use crate::release::manifest::stamp;
use crate::time;

/// Characters that are shown of a reason.
const WHY: usize = 160;

/// A table, the newest last.
pub(in crate::cli::release) fn history(events: &[Event]) -> String {
    let rows: Vec<[String; 6]> = events.iter().map(row).collect();
    if rows.is_empty() {
        return "nothing has happened yet".to_owned();
    }
    let head = ["when", "what", "release", "by", "how", "why"].map(str::to_owned);
    let rows: Vec<[String; 6]> = [head].into_iter().chain(rows).collect();
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: [usize; 6] = std::array::from_fn(width);
    let text = |row: &[String; 6]| {
        let cells = row.iter().zip(widths).map(|(cell, width)| format!("{cell:<width$}"));
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    rows.iter().map(text).collect::<Vec<_>>().join("\n")
}

fn row(event: &Event) -> [String; 6] {
    let Event { at, what, by, number, id, how, returns_to, code, why, .. } = event;
    let id = id.as_deref().unwrap_or("-");
    let release = number.map_or_else(|| id.to_owned(), |number| stamp(number, id));
    let how = match (how, returns_to) {
        (Some(how), Some(number)) => format!("{how} to {number}"),
        (Some(how), None) => how.clone(),
        (None, _) => String::new(),
    };
    let why = line(why);
    let why = match why.char_indices().nth(WHY) {
        Some((end, _)) => format!("{}…", &why[..end]),
        None => why,
    };
    let why = code.as_ref().map_or(why.clone(), |code| format!("{code} {why}"));
    [time::written(*at), what.name().to_owned(), release, by.clone(), how, why]
}

/// For a program: one event a line, times in milliseconds.
pub(in crate::cli::release) fn json(events: &[Event]) -> String {
    let lines = events.iter().map(|event| String::from_utf8_lossy(&event.line()).into_owned());
    lines.collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::super::samples::release;
    use super::*;
    use crate::error::Code;
    use crate::release::manifest::{Proposal, Refusal, Ticket};

    #[test]
    fn a_table_of_what_happened() {
        let proposal = Proposal { ticket: Ticket(7), facts: release(1, None).facts };
        let refusal = Refusal {
            ticket: Ticket(7),
            by: "root@one".to_owned(),
            at: 1_793_491_203_000,
            code: "TW703".to_owned(),
            message: "x ".repeat(200),
        };
        let events = [
            Event::proposed(&proposal),
            Event::released(&release(9, Some(6))),
            Event::runs(&release(9, Some(6)), "root@one", 1_793_491_201_000),
            Event::failed(
                &release(9, Some(6)),
                "root@two",
                1_793_491_202_000,
                Code::ModelRuntime,
                "not\nfound",
            ),
            Event::refused(&refusal, Some(&proposal)),
        ];
        let page = history(&events);
        let expected = "\
when                  what      release             by          how            why
2026-11-01T00:00:00Z  proposed  0123456789abcdef    ann@laptop  apply
2026-11-01T00:00:00Z  released  9-0123456789abcdef  ann@laptop  rollback to 6  too many alerts at night
2026-11-01T00:00:01Z  runs      9-0123456789abcdef  root@one
2026-11-01T00:00:02Z  failed    9-0123456789abcdef  root@two                   TW302 not found
2026-11-01T00:00:03Z  refused   0123456789abcdef    root@one    apply          TW703 x x";
        assert!(page.starts_with(expected), "{page}");
        assert!(page.ends_with("x…") || page.ends_with("x …"), "{page}");
        assert_eq!(history(&[]), "nothing has happened yet");
        assert_eq!(json(&events).lines().count(), events.len());
    }
}
