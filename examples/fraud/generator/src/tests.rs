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
    assert!((0.006..0.016).contains(&share), "{share}: {patterns:?}");
    let none = Settings { thefts: 0.0, ..Settings::default() };
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
        assert_eq!(value["terminal_id"].is_null(), value["channel"] == "online");
    }
    assert_eq!(kinds.len(), 1 + Dirt::ALL.len());
    let dirty = 100_000 - kinds[&None];
    assert!((300..500).contains(&dirty), "{kinds:?}");
}
