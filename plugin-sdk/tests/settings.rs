//! What a person reads who set something wrong.

use tailwater_sdk::prelude::*;
use tailwater_sdk::{Table, Value};

#[derive(Settings, Debug, PartialEq)]
struct All {
    flag: bool,
    most: f64,
    #[default(5)]
    retries: u32,
    #[default("eu")]
    region: String,
    #[name("max-weights")]
    weights: Option<Vec<f32>>,
    nothing: Option<i64>,
}

fn read(entries: &[(&str, Value)]) -> Result<All, String> {
    All::from_table(&Table::new(
        entries.iter().map(|(name, value)| (name.to_string(), value.clone())).collect(),
    ))
}

#[test]
fn defaults_fill_what_is_not_set() {
    let all = read(&[("flag", true.into()), ("most", 3.into())]).unwrap();
    let region = "eu".to_owned();
    assert_eq!(all, All { flag: true, most: 3.0, retries: 5, region, weights: None, nothing: None });
}

#[test]
fn names_may_differ() {
    let weights = Value::Floats(vec![0.5]);
    let all = read(&[("max-weights", weights), ("flag", false.into()), ("most", 0.5.into())]).unwrap();
    assert_eq!(all.weights, Some(vec![0.5]));
}

#[test]
fn mistakes_are_named() {
    let (flag, most) = (("flag", true.into()), ("most", 1.0.into()));
    let error = |more: &[(&str, Value)]| read(&[&[flag.clone(), most.clone()], more].concat()).unwrap_err();
    assert_eq!(
        error(&[("mots", 2.0.into())]),
        "setting `mots` is unknown; there are `flag`, `most`, `retries`, `region`, `max-weights`, `nothing`"
    );
    assert_eq!(
        error(&[("retries", Value::Int(-1))]),
        "setting `retries`: int given, int from 0 to 4294967295 needed"
    );
    assert_eq!(error(&[("region", 1.5.into())]), "setting `region`: float given, text needed");
    assert_eq!(read(std::slice::from_ref(&flag)).unwrap_err(), "setting `most` is missing (float)");
    assert_eq!(
        read(&[flag.clone(), ("most", "3".into())]).unwrap_err(),
        "setting `most`: text given, float needed"
    );
    assert_eq!(
        <()>::from_table(&Table::new(vec![("x".to_owned(), Value::Int(1))])).unwrap_err(),
        "setting `x` is unknown: this plugin has no settings"
    );
}
