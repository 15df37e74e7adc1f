use super::*;

fn visible(line: &str) -> String {
    let mut text = String::new();
    for part in line.split('\x1b') {
        // The first has no escape before it.
        text += part.split_once('m').filter(|(code, _)| code.starts_with('[')).map_or(part, |(_, rest)| rest);
    }
    text
}

fn picture(huge: bool) -> Picture {
    let mut tally = Tally::default();
    let big = if huge { 1e12 } else { 12.5 };
    let decisions = ["allow", "block", "review"].repeat(if huge { 9 } else { 1 });
    for (id, decision) in decisions.into_iter().enumerate() {
        let decided = Decided {
            transaction_id: id as i64,
            card_id: if huge { i64::MAX } else { 4711 },
            amount_eur: big,
            country: "DE".into(),
            category: "electronics".into(),
            score: 0.987_654,
            decision: decision.into(),
            rule: "far-from-usual".into(),
        };
        tally.decision(decided, Some(id == 1), 1_234);
    }
    for n in 0..if huge { 9 } else { 1 } {
        tally.dead_letter(&"a value is of another type ".repeat(n + 1));
    }
    Picture {
        elapsed: Duration::from_secs(75),
        length: Some(Duration::from_secs(600)),
        records: if huge { u64::MAX } else { 24_000 },
        labels: if huge { u64::MAX } else { 12_000 },
        rate: 2_000.4,
        event_time: Time(1_772_323_200_000),
        tally,
        brokers: "127.0.0.1:40123".into(),
        alerts_topic: "fraud.alerts".into(),
    }
}

#[test]
fn nothing_is_higher_than_a_terminal() {
    assert_eq!(lines(&picture(true)).len(), 22);
    assert!(lines(&picture(false)).len() < 22);
}

#[test]
fn nothing_is_wider_than_a_terminal() {
    for huge in [false, true] {
        for line in lines(&picture(huge)) {
            assert!(visible(&line).chars().count() <= WIDTH, "{line:?}");
            assert_eq!(line.matches("\x1b[").count() % 2, 0, "a colour stays on: {line:?}");
        }
    }
}

#[test]
fn the_picture_says_what_was_counted() {
    let text: Vec<_> = lines(&picture(false)).iter().map(|line| visible(line)).collect();
    let text = text.join("\n");
    for wanted in [
        "1:15 of 10:00",
        "2,000 records/s   24,000 so far   event time 2026-03-01 00:00",
        "12,000 so far, 1 to 7 days behind",
        "p50 1.2 ms",
        "allow 1   review 1   block 1",
        "on 100.0 % of frauds   on 50.00 % of honest ones",
        "1   late 0",
        "1  a value is of another type",
        "  4711          12.50  DE electronics   0.988  review  far-from-usual",
        "kcat -C -b 127.0.0.1:40123 -t fraud.alerts",
    ] {
        assert!(text.contains(wanted), "{wanted:?} is not in\n{text}");
    }
}
