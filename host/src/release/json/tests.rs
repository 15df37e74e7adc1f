use proptest::prelude::*;

use super::super::samples::facts;
use super::*;

#[test]
fn records_are_read_as_they_were_written() {
    for content in [3, 8, 9] {
        let ticket = Ticket(u64::from(content));
        let proposal = Proposal { ticket, facts: facts(content) };
        let (key, value) = proposal.record().expect("small");
        assert_eq!(Key::parse(key.as_bytes()).expect("ours"), Key::Proposal(ticket));
        assert_eq!(Proposal::read(ticket, &value).expect("as written"), proposal);
        let release = Manifest { number: 4, ticket, facts: facts(content) };
        let write = Ticket::random();
        let (key, value) = release.record(write).expect("small");
        assert_eq!(key, format!("release/4/{ticket}/{write}"));
        assert_eq!(Key::parse(key.as_bytes()).expect("ours"), Key::Release { number: 4, ticket, write });
        assert_eq!(Manifest::read(4, ticket, &value).expect("as written"), release);
    }
    let (ticket, by) = (Ticket(1), "host".to_owned());
    let message = "é".repeat(TEXT);
    let refusal = Refusal { ticket, by, at: -5, code: "TW204".to_owned(), message };
    let (key, value) = refusal.record(Ticket(2));
    assert_eq!(Key::parse(key.as_bytes()).expect("ours"), Key::Refusal { ticket, write: Ticket(2) });
    let read = Refusal::read(ticket, &value).expect("as written");
    assert_eq!((read.at, read.message.len()), (-5, TEXT));
    for step in Step::ALL {
        let turn = Turn { generation: 4, step, by: "ann@host".to_owned(), at: 7 };
        let (key, value) = turn.record(Ticket(2));
        assert_eq!(key, format!("generation/4/{}/{}", step.name(), Ticket(2)));
        assert_eq!(
            Key::parse(key.as_bytes()).expect("ours"),
            Key::Turn { generation: 4, step, write: Ticket(2) }
        );
        assert_eq!(Turn::read(4, step, &value).expect("as written"), turn);
    }
}

#[test]
fn keys_are_ours_or_an_error() {
    let digest = Digest([7; 32]);
    let chunk = Key::Chunk { digest, index: 12 };
    assert_eq!(Key::parse(chunk.to_string().as_bytes()).expect("ours"), chunk);
    let one = Ticket(1);
    assert!(Key::parse(format!("release/1/{one}/{one}").as_bytes()).is_ok());
    for wrong in [
        "",
        "/",
        "artifact",
        "artifact/",
        "proposal/xyz",
        "proposal/ONE/",
        "release/0/ONE/ONE",
        "release/01/ONE/ONE",
        "release/+1/ONE/ONE",
        "release/1/1/ONE",
        "release/1/ONE",
        "release/1",
        "release/18446744073709551616/ONE/ONE",
        "refusal/ONE",
        "refusal/ONE/ONE/",
        "generation/4/sleeps/ONE",
        "generation/x/speaks/ONE",
        "generation/4/speaks",
        "other/1",
    ] {
        let wrong = wrong.replace("ONE", &one.to_string());
        assert!(Key::parse(wrong.as_bytes()).is_err(), "{wrong}");
    }
    assert!(Key::parse(format!("artifact/{digest}/012").as_bytes()).is_err());
    assert!(Key::parse(b"\xff\xfe").is_err());
}

/// The value of a proposal, with something else in it.
fn with(change: impl FnOnce(&mut serde_json::Value)) -> Result<Proposal> {
    let (_, value) = Proposal { ticket: Ticket(1), facts: facts(3) }.record().expect("small");
    let mut value = serde_json::from_slice(&value).expect("JSON");
    change(&mut value);
    Proposal::read(Ticket(1), &serde_json::to_vec(&value).expect("JSON"))
}

#[test]
fn what_is_not_allowed_is_refused() {
    assert!(with(|_| {}).is_ok());
    let newer = with(|value| {
        value["version"] = 2.into();
        value["more"] = 1.into();
    });
    assert!(newer.expect_err("newer").message.contains("another version of Tailwater, in format 2"));
    let changes: [fn(&mut serde_json::Value); 14] = [
        |value| value["more"] = 1.into(),
        |value| value["id"] = "0123456789ABCDEF".into(),
        |value| value["how"] = "magic".into(),
        |value| value["why"] = "x".repeat(TEXT + 1).into(),
        |value| value["by"] = "x".repeat(NAME + 1).into(),
        |value| value["configuration"] = "x".repeat(CONFIGURATION + 1).into(),
        |value| value["artifacts"][0]["role"] = "cook".into(),
        |value| value["artifacts"][0]["sha256"] = "00".into(),
        |value| value["artifacts"][0]["bytes"] = (FILE + 1).into(),
        |value| value["artifacts"][0]["file"] = "../x".into(),
        |value| value["artifacts"][0]["file"] = "..".into(),
        |value| value["artifacts"][0]["signature"] = "AAAA".into(),
        |value| value["artifacts"] = vec![value["artifacts"][0].clone(); 2].into(),
        |value| drop(value.as_object_mut().expect("an object").remove("at")),
    ];
    for (index, change) in changes.into_iter().enumerate() {
        assert_eq!(with(change).expect_err("wrong").code, Code::ReleaseUnreadable, "{index}");
    }
    let large = Content { configuration: "x".repeat(CONFIGURATION + 1), ..facts(3).content };
    let large = Proposal { ticket: Ticket(1), facts: Facts { content: large, ..facts(3) } };
    assert_eq!(large.record().expect_err("too large").code, Code::ConfigValue);
}

proptest! {
    /// Damage is an error, or a record like any other; it never ends a process.
    #[test]
    fn damaged_values_are_survived(
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6),
        cut in any::<prop::sample::Index>(),
        insert in prop::collection::vec(any::<u8>(), 0..4),
    ) {
        let (_, value) = Proposal { ticket: Ticket(1), facts: facts(3) }.record().expect("small");
        let mut value = value[..=cut.index(value.len())].to_vec();
        for (at, byte) in damage {
            let at = at.index(value.len());
            value[at] = byte;
        }
        value.extend(insert);
        if let Ok(proposal) = Proposal::read(Ticket(1), &value) {
            let (_, again) = proposal.record().expect("it was within bounds");
            prop_assert_eq!(Proposal::read(Ticket(1), &again).expect("as written"), proposal);
        }
        let _ = (Refusal::read(Ticket(1), &value), Key::parse(&value));
    }
}
