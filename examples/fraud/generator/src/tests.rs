use std::collections::BTreeMap;

use serde_json::Value;

use super::*;

fn take(settings: Settings, count: usize) -> Vec<Emitted> {
    Generator::new(settings).take(count).collect()
}

#[test]
fn a_seed_is_a_stream() {
    let first = take(Settings::default(), 20_000);
    assert_eq!(first, take(Settings::default(), 20_000));
    let other = take(Settings { seed: 2, ..Settings::default() }, 20_000);
    assert!(first.iter().zip(&other).all(|(a, b)| a.value != b.value));
}

#[test]
fn event_time_never_goes_back_and_ids_count_up() {
    let stream = take(Settings::default(), 50_000);
    for pair in stream.windows(2) {
        assert!(pair[0].at <= pair[1].at);
        assert_eq!(pair[0].transaction_id + 1, pair[1].transaction_id);
    }
    let days = stream[49_999].at.since(START) as f64 / 86_400_000.0;
    let a_day = 50_000.0 / days / 1_000.0;
    assert!((a_day - PURCHASES_A_DAY).abs() < 0.3, "{a_day} purchases a card and day");
}

#[test]
fn frauds_are_rare_and_of_all_patterns() {
    let stream = take(Settings::default(), 200_000);
    let mut patterns = BTreeMap::<_, usize>::new();
    for pattern in stream.iter().filter_map(|emitted| emitted.fraud) {
        *patterns.entry(pattern).or_default() += 1;
    }
    assert_eq!(patterns.len(), Pattern::ALL.len());
    let share = patterns.values().sum::<usize>() as f64 / 200_000.0;
    assert!((0.01..0.03).contains(&share), "{share}: {patterns:?}");
    let none = Settings { thefts: 0.0, riggings: 0.0, ..Settings::default() };
    assert!(take(none, 50_000).iter().all(|emitted| emitted.fraud.is_none()));
}

#[test]
fn only_dirty_records_are_dirty() {
    let mut kinds = BTreeMap::<_, usize>::new();
    for emitted in take(Settings::default(), 100_000) {
        let parsed = serde_json::from_slice::<Value>(&emitted.value);
        *kinds.entry(emitted.dirt).or_default() += 1;
        if emitted.dirt == Some(Dirt::BrokenJson) {
            assert!(parsed.is_err());
            continue;
        }
        let value = parsed.unwrap();
        assert_eq!(value["card"]["id"].to_string().as_bytes(), emitted.key);
        assert_eq!(value["card"]["id"].as_i64() < Some(FIRST_CARD), emitted.dirt == Some(Dirt::TestCard));
        match emitted.dirt {
            Some(Dirt::MissingField) => assert!(value["amount"].is_null()),
            Some(Dirt::WrongType) => assert!(value["amount"].is_string()),
            Some(Dirt::NegativeAmount) => assert!(value["amount"].as_f64() < Some(0.0)),
            _ => assert!(value["amount"].as_f64() >= Some(0.01)),
        }
        assert_eq!(value["terminal_id"].as_u64(), Some(emitted.terminal_id));
    }
    assert_eq!(kinds.len(), 1 + Dirt::ALL.len());
    let dirty = 100_000 - kinds[&None];
    assert!((300..500).contains(&dirty), "{kinds:?}");
}

#[test]
fn a_rigged_terminal_steals_from_every_card_for_some_days_and_then_no_more() {
    let settings = Settings { thefts: 0.0, dirty: 0.0, ..Settings::default() };
    let mut terminals = BTreeMap::<_, Vec<_>>::new();
    for emitted in take(settings, 200_000) {
        terminals.entry(emitted.terminal_id).or_default().push(emitted);
    }
    let rigged: Vec<_> = terminals.values().filter(|all| all.iter().any(|one| one.fraud.is_some())).collect();
    assert!(
        terminals.len() > 200 && (5..60).contains(&rigged.len()),
        "{} of {}",
        rigged.len(),
        terminals.len()
    );
    for all in rigged {
        let first = all.iter().position(|one| one.fraud.is_some()).unwrap();
        let end = all[first].at.0 + 5 * 86_400_000;
        let during = all[first..].iter().take_while(|one| one.at.0 < end);
        let (stolen, spared): (Vec<_>, Vec<_>) =
            during.partition(|one| one.fraud == Some(Pattern::RiggedTerminal));
        // What is declined costs nothing.
        assert!(spared.len() * 10 <= stolen.len() + 10, "{} of {}", spared.len(), stolen.len());
        let after = all.iter().filter(|one| one.at.0 > all[first].at.0 + 60 * 86_400_000);
        assert!(after.clone().count() == 0 || after.clone().any(|one| one.fraud.is_none()));
    }
}

#[test]
fn labels_tell_the_truth_in_order_and_change_nothing_else() {
    let news: Vec<_> = Generator::new(Settings::default()).labelled().take(60_000).collect();
    let mut given = BTreeMap::new();
    let (mut labels, mut plain, mut last) = (0, Generator::new(Settings::default()), START);
    for one in news {
        assert!(one.at() >= last);
        last = one.at();
        match one {
            News::Transaction(emitted) => {
                assert_eq!(Some(&emitted), plain.next().as_ref());
                given.insert(emitted.transaction_id, emitted);
            }
            News::Label(label) => {
                labels += 1;
                let of = given.remove(&label.transaction_id).unwrap();
                let value: Value = serde_json::from_slice(&label.value).unwrap();
                assert_eq!(of.dirt, None);
                assert_eq!(value["fraud"], of.fraud.is_some());
                assert_eq!(value["terminal_id"].as_u64(), Some(of.terminal_id));
                assert_eq!(value["transaction_id"].to_string().as_bytes(), label.key);
                assert_eq!(value["known_at"], label.at.to_string());
                let days = label.at.since(of.at) as f64 / 86_400_000.0;
                assert!(if of.fraud.is_some() { (1.0..6.0).contains(&days) } else { days == 7.0 }, "{days}");
            }
        }
    }
    assert!(labels > 20_000);
    // All of seven days ago were labelled, if they were good.
    let due = |one: &&Emitted| one.at.0 <= last.0 - 7 * 86_400_000 && one.dirt.is_none();
    assert_eq!(given.values().filter(due).count(), 0);
}
