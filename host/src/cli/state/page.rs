//! What `tailwater state` says.

use std::fmt::Write as _;

use serde_json::json;

use crate::app::{Found, Moved, Reset, Shown};
use crate::time;

/// A key, for a person.
pub(super) fn shown(key: &str, shown: &Shown) -> String {
    let Shown { release, stage, columns, changelog, partitions, found } = shown;
    let mut page = format!("{stage}, {} = {key}", columns.join("|"));
    if found.is_empty() {
        let _ = write!(page, ": nothing is kept in {changelog}, {}", ranges(partitions));
    }
    for Found { partition, seen, read } in found {
        // Writing to memory can't fail.
        let mut line = |name: &str, text: String| {
            let _ = write!(page, "\n  {name:<12} {text}");
        };
        line("changelog", format!("{changelog}/{partition}"));
        line("by release", release.clone());
        line("commit", seen.commit.to_string());
        for (place, next) in read {
            line("read", format!("{place} up to {next}"));
        }
        line("watermark", moment(seen.watermark));
        line("newest row", moment(seen.newest));
        line("due", seen.due.map_or("never".to_owned(), moment));
        line("windows", String::new());
        let width = seen.windows.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0);
        for (name, value) in &seen.windows {
            let _ = write!(page, "\n    {name:<width$}  {value}");
        }
    }
    page.lines().map(str::trim_end).collect::<Vec<_>>().join("\n")
}

/// The same for a program; times in milliseconds, null where there is none.
pub(super) fn json(key: &str, shown: &Shown) -> String {
    let found = shown.found.iter().map(|Found { partition, seen, read }| {
        let windows = seen.windows.iter().map(|(name, value)| json!({ "name": name, "value": value }));
        let read = read.iter().map(|(place, next)| (place.clone(), json!(next)));
        json!({
            "partition": partition,
            "commit": seen.commit,
            "read": read.collect::<serde_json::Map<_, _>>(),
            "watermark": known(seen.watermark),
            "newest": known(seen.newest),
            "due": seen.due,
            "windows": windows.collect::<Vec<_>>(),
        })
    });
    let page = json!({
        "release": shown.release,
        "stage": shown.stage,
        "key": key,
        "changelog": shown.changelog,
        "partitions": shown.partitions,
        "found": found.collect::<Vec<_>>(),
    });
    page.to_string()
}

/// What a reset does, for a person.
pub(super) fn reset(reset: &Reset) -> String {
    let mut page = format!("Group {}:", reset.group);
    let place = |Moved { topic, partition, .. }: &Moved| format!("{topic}/{partition}");
    let width = reset.moved.iter().map(|one| place(one).chars().count()).max().unwrap_or(0);
    for one in &reset.moved {
        let offset = |offset: Option<i64>| offset.map_or("nothing".to_owned(), |offset| offset.to_string());
        let (from, to) = (offset(one.from), offset(one.to));
        let text = if from == to { format!("stays at {to}") } else { format!("from {from} to {to}") };
        let _ = write!(page, "\n  {:<width$}  {text}", place(one));
    }
    let emptied: Vec<&str> = reset.emptied.iter().map(|(topic, ..)| topic.as_str()).collect();
    let lines = [
        ("All records are deleted of", distinct(&emptied)),
        (
            "Deleted, and made anew by the next run, as the number of partitions is another",
            reset.deleted.clone(),
        ),
        ("Removed", reset.directories.iter().map(|path| path.display().to_string()).collect()),
    ];
    for (what, which) in lines.iter().filter(|(_, which)| !which.is_empty()) {
        let _ = write!(page, "\n{what}:\n  {}", which.join("\n  "));
    }
    page += "\nAll windows are empty then, and rows are gone that were read but wait: for their watermark, or in a \
             repartition topic.";
    page
}

fn distinct(names: &[&str]) -> Vec<String> {
    let mut names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    names.dedup();
    names
}

fn known(millis: i64) -> Option<i64> {
    (millis != i64::MIN && millis != i64::MAX).then_some(millis)
}

fn moment(millis: i64) -> String {
    match millis {
        i64::MIN => "none yet".to_owned(),
        i64::MAX => "the end".to_owned(),
        millis => format!("{millis}, {}", time::written(millis)),
    }
}

fn ranges(partitions: &[i32]) -> String {
    match partitions {
        [one] => format!("partition {one}"),
        [first, .., last] => format!("partitions {first} to {last}"),
        [] => "which has no partitions".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::Seen;

    fn example() -> Shown {
        let seen = Seen {
            commit: 7,
            inputs: Vec::new(),
            watermark: 1_793_491_200_000,
            newest: 1_793_491_210_500,
            due: None,
            windows: vec![
                ("entries".to_owned(), "none".to_owned()),
                ("sliding 60s: count".to_owned(), "3".to_owned()),
            ],
        };
        let found = vec![Found { partition: 2, seen, read: vec![("in/2".to_owned(), 41)] }];
        Shown {
            release: "3-0f".to_owned(),
            stage: "cards".to_owned(),
            columns: vec!["card".to_owned()],
            changelog: "p.cards.changelog".to_owned(),
            partitions: vec![0, 1, 2, 3],
            found,
        }
    }

    #[test]
    fn a_key_in_aligned_lines() {
        let expected = "\
cards, card = c-7
  changelog    p.cards.changelog/2
  by release   3-0f
  commit       7
  read         in/2 up to 41
  watermark    1793491200000, 2026-11-01T00:00:00Z
  newest row   1793491210500, 2026-11-01T00:00:10.500Z
  due          never
  windows
    entries             none
    sliding 60s: count  3";
        assert_eq!(shown("c-7", &example()), expected);
        let nothing = Shown { found: Vec::new(), ..example() };
        let said = "cards, card = x: nothing is kept in p.cards.changelog, partitions 0 to 3";
        assert_eq!(shown("x", &nothing), said);
    }

    #[test]
    fn a_key_as_json() {
        let value: serde_json::Value = serde_json::from_str(&json("c-7", &example())).expect("JSON");
        assert_eq!(value["release"], "3-0f");
        assert_eq!(value["found"][0]["read"]["in/2"], 41);
        assert_eq!(value["found"][0]["windows"][1]["value"], "3");
        assert!(value["found"][0]["due"].is_null());
    }

    #[test]
    fn a_reset_says_what_it_does() {
        let one = |partition, from, to| Moved { topic: "in".to_owned(), partition, from, to };
        let plan = Reset {
            group: "p".to_owned(),
            moved: vec![one(0, Some(7), Some(0)), one(1, None, None), one(10, Some(3), Some(3))],
            emptied: vec![("p.log".to_owned(), 0, 4), ("p.log".to_owned(), 1, 5)],
            directories: vec!["state/p/0".into()],
            ..Reset::default()
        };
        let said = reset(&plan);
        for part in [
            "  in/0   from 7 to 0\n",
            "  in/1   stays at nothing\n",
            "  in/10  stays at 3\n",
            "  state/p/0\n",
        ] {
            assert!(said.contains(part), "{part}: {said}");
        }
        assert_eq!(said.matches("p.log").count(), 1, "{said}");
        assert!(!said.contains("made anew"), "{said}");
    }
}
