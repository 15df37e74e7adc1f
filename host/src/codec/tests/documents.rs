//! Random JSON documents: what a text may look like, not only what a value may be.

use proptest::prelude::*;

/// JSON as it is written: tokens, repeated keys, and the room between them.
#[derive(Clone, Debug)]
pub(super) enum Json {
    /// A number, a word, or a string with its quotes and escapes.
    Token(String),
    Array(Vec<Json>),
    Object(Vec<(String, Json)>),
}

impl Json {
    /// `spaces` are used up in turn, one wherever a space may stand.
    pub(super) fn write(&self, spaces: &mut impl Iterator<Item = &'static str>, text: &mut String) {
        let mut space = |text: &mut String| text.push_str(spaces.next().unwrap_or(""));
        match self {
            Self::Token(token) => text.push_str(token),
            Self::Array(elements) => {
                text.push('[');
                space(text);
                for (index, element) in elements.iter().enumerate() {
                    text.push_str(if index > 0 { "," } else { "" });
                    text.push_str(spaces.next().unwrap_or(""));
                    element.write(&mut *spaces, text);
                    text.push_str(spaces.next().unwrap_or(""));
                }
                text.push(']');
            }
            Self::Object(fields) => {
                text.push('{');
                space(text);
                for (index, (name, value)) in fields.iter().enumerate() {
                    text.push_str(if index > 0 { "," } else { "" });
                    for part in [spaces.next().unwrap_or(""), name, spaces.next().unwrap_or(""), ":"] {
                        text.push_str(part);
                    }
                    text.push_str(spaces.next().unwrap_or(""));
                    value.write(&mut *spaces, text);
                    text.push_str(spaces.next().unwrap_or(""));
                }
                text.push('}');
            }
        }
    }
}

/// Names that schemas use, each in several spellings, and others.
fn name() -> impl Strategy<Value = String> {
    let spellings =
        vec!["\"a\"", "\"b\"", "\"c\"", "\"name of more than eight\"", "\"\\u0061\"", "\"\\u00e9\"", "\"é\""];
    prop_oneof![
        8 => prop::sample::select(spellings).prop_map(str::to_owned),
        1 => string(),
    ]
}

fn string() -> impl Strategy<Value = String> {
    let escapes = vec![
        "\\n",
        "\\\"",
        "\\\\",
        "\\/",
        "\\u0000",
        "\\ud83d\\ude00",
        "\\uD834\\uDD1E",
        "\\u00e9",
        "é",
        "😀",
    ];
    let piece = prop_oneof![
        4 => "[ -!#-\\[\\]-~]{0,12}",
        2 => prop::sample::select(escapes).prop_map(str::to_owned),
    ];
    prop::collection::vec(piece, 0..4).prop_map(|pieces| format!("\"{}\"", pieces.concat()))
}

fn known_text() -> impl Strategy<Value = String> {
    let texts = vec![
        "\"2018-04-01T00:00:31Z\"",
        "\"2018-04-01 02:00:31.1239+02:00\"",
        "\"2018-04\\u002d01\"",
        "\"2018-02-30\"",
        "\"AAECAw==\"",
        "\"\\/+8=\"",
        "\"AAEC\"",
        "\"AAE\"",
    ];
    prop::sample::select(texts).prop_map(str::to_owned)
}

pub(super) fn number() -> impl Strategy<Value = String> {
    let odd = vec![
        "-0",
        "0",
        "-0.0",
        "0e0",
        "1E2",
        "1e+2",
        "1e-2",
        "1e400",
        "-1e400",
        "1e308",
        "1.8e308",
        "0e999",
        "5e-324",
        "2e-324",
        "1e99999999999999999999",
        "0e99999999999999999999",
        "1e-99999999999999999999",
        "9223372036854775807",
        "9223372036854775808",
        "-9223372036854775808",
        "-9223372036854775809",
        "18446744073709551615",
        "18446744073709551616",
        "9007199254740993",
        "9007199254740993.0",
        "3.4028235677973366e38",
        "3.4028235e38",
        "1e39",
        "0.1",
        "123456789012345678901234567890",
        "0.00000000000000000000000000001",
        "12345678",
        "123456789.25",
    ];
    prop_oneof![
        2 => prop::sample::select(odd).prop_map(str::to_owned),
        2 => any::<i64>().prop_map(|number| number.to_string()),
        2 => (-1000..1000i64).prop_map(|number| number.to_string()),
        2 => any::<f64>().prop_filter("JSON has finite numbers", |n| n.is_finite()).prop_map(|n| format!("{n:?}")),
        2 => "-?(0|[1-9][0-9]{0,24})(\\.[0-9]{1,24})?([eE][+-]?[0-9]{1,3})?",
    ]
}

pub(super) fn value() -> impl Strategy<Value = Json> {
    let token = prop_oneof![
        6 => number(),
        3 => string(),
        2 => known_text(),
        3 => prop::sample::select(&["null", "true", "false"][..]).prop_map(str::to_owned),
    ];
    let numbers = prop::collection::vec(number().prop_map(Json::Token), 0..5).prop_map(Json::Array);
    let leaf = prop_oneof![5 => token.prop_map(Json::Token), 1 => numbers];
    leaf.prop_recursive(4, 24, 5, |inner| {
        prop_oneof![
            1 => prop::collection::vec(inner.clone(), 0..4).prop_map(Json::Array),
            3 => fields(inner),
        ]
    })
}

fn fields(value: impl Strategy<Value = Json>) -> impl Strategy<Value = Json> {
    prop::collection::vec((name(), value), 0..7).prop_map(Json::Object)
}

/// The text of a document that is mostly an object.
pub(super) fn document() -> impl Strategy<Value = String> {
    let spaces =
        prop::collection::vec(prop::sample::select(&["", "", " ", "  ", "\n", "\t\r\n "][..]), 0..80);
    let json = prop_oneof![12 => fields(value()), 1 => value()];
    (json, spaces, any::<bool>()).prop_map(|(json, spaces, compact)| {
        let mut text = String::new();
        let mut spaces = spaces.iter().copied().cycle().take(if compact { 0 } else { 400 });
        json.write(&mut spaces, &mut text);
        text
    })
}
