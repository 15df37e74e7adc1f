//! Edges of the grammar, and what is said about what is beyond them.

use super::*;
use crate::error::Code;

fn int(value: &str) -> Result<i64, Refusal> {
    one(Kind::Int, value).map(|batch| batch.column(0).int(0))
}

fn text(value: &str) -> Result<String, Refusal> {
    let batch = one(Kind::Text, value)?;
    Ok(String::from_utf8(batch.column(0).bytes(0).to_vec()).expect("UTF-8"))
}

#[test]
fn nesting_ends_where_serde_json_ends_it() {
    for (open, close, wanted) in [("[", "]", false), ("{\"x\":", "}", false), ("[", "]", true)] {
        for depth in 124..130 {
            let inner = if open == "[" { "" } else { "1" };
            let name = if wanted { "a" } else { "b" };
            let value = format!("{{\"{name}\":{}{inner}{}}}", open.repeat(depth), close.repeat(depth));
            let law = serde_json::from_str::<serde_json::Value>(&value).is_ok();
            let columns = [Column::nullable("a", Kind::Floats)];
            let code = decode(&columns, &value).err().map(|refusal| refusal.code);
            let no_numbers = wanted.then_some(Code::WrongType);
            assert_eq!(code, if law { no_numbers } else { Some(Code::Undecodable) }, "{depth}");
        }
    }
}

#[test]
fn a_column_may_be_as_deep_as_json() {
    let name = vec!["a"; 127].join(".");
    let value = format!("{}7{}", "{\"a\":".repeat(127), "}".repeat(127));
    let batch = decode(&[Column::new(&name, Kind::Int)], value).expect("a row");
    assert_eq!(batch.column(0).int(0), 7);
    let deeper = json_decoder(&[Column::new(format!("{name}.a"), Kind::Int)], OPTIONS).err();
    assert!(deeper.expect("an error").message.contains("deeper"));
}

#[test]
fn a_million_brackets_do_no_harm() {
    for open in ["[", "{\"a\":", "{\"b\":[", "{\"b\":"] {
        let value = open.repeat(1 << 17);
        let message = refused(decode(&[Column::new("a.b", Kind::Int)], value), Code::Undecodable);
        assert!(message.contains("nested too deep") || message.contains("object is wanted"), "{message}");
    }
}

#[test]
fn the_last_of_repeated_keys_counts_as_a_whole() {
    let columns = [Column::nullable("a.b", Kind::Int), Column::nullable("a.c", Kind::Int)];
    let row = |value: &str| {
        let batch = decode(&columns, value).map_err(|refusal| refusal.message)?;
        Ok([0, 1].map(|n| batch.column(n).is_valid(0).then(|| batch.column(n).int(0))))
    };
    assert_eq!(row(r#"{"a":{"b":1},"a":{"c":2}}"#), Ok([None, Some(2)]));
    assert_eq!(row(r#"{"a":{"b":"wrong","b":3}}"#), Ok([Some(3), None]));
    assert_eq!(row(r#"{"a":{"b":1},"a":null}"#), Ok([None, None]));
    assert_eq!(row(r#"{"a":"wrong","\u0061":{"b":1}}"#), Ok([Some(1), None]));
    let wrong: Result<[Option<i64>; 2], String> =
        Err("column a.b: object around it wanted, text found".into());
    assert_eq!(row(r#"{"a":{"b":1},"a":"wrong"}"#), wrong);
}

#[test]
fn order_may_change_from_record_to_record() {
    let columns = ["a", "b", "c"].map(|name| Column::new(name, Kind::Int));
    let mut decoder = decoder(&columns);
    for order in [[0, 1, 2], [2, 1, 0], [1, 0, 2], [1, 2, 0], [1, 2, 0]] {
        let fields = order.map(|n| format!("\"x{n}\":[0],\"{}\":{n}", columns[n].name));
        let batch = decode_by(&mut *decoder, format!("{{{}}}", fields.join(","))).expect("a row");
        assert_eq!([0, 1, 2].map(|n| batch.column(n).int(0)), [0, 1, 2]);
    }
}

#[test]
fn names_may_need_escapes() {
    let columns = [Column::new("\"\\\n", Kind::Int), Column::new("é😀", Kind::Int)];
    for value in [r#"{"\"\\\n":1,"é😀":2}"#, r#"{"\u0022\u005c\u000a":1,"\u00e9\ud83d\ude00":2}"#] {
        let batch = decode(&columns, value).expect("a row");
        assert_eq!([0, 1].map(|n| batch.column(n).int(0)), [1, 2]);
    }
}

#[test]
fn a_name_is_no_beginning_of_another() {
    let columns = ["ab", "a", "abcdefghij", "abcdefghi"].map(|name| Column::new(name, Kind::Int));
    let batch =
        decode(&columns, r#"{"a":1,"ab":2,"abcdefghi":3,"abcdefghij":4,"abcdefghx":5}"#).expect("a row");
    assert_eq!([0, 1, 2, 3].map(|n| batch.column(n).int(0)), [2, 1, 4, 3]);
}

#[test]
fn integers_end_at_64_bits() {
    assert_eq!(int("9223372036854775807"), Ok(i64::MAX));
    assert_eq!(int("-9223372036854775808"), Ok(i64::MIN));
    for value in ["9223372036854775808", "-9223372036854775809", "-0", "5.0", "1e3", "1e308"] {
        let message = refused(one(Kind::Int, value), Code::WrongType);
        assert_eq!(message, "column a: int wanted, number that is no integer of 64 bits found");
    }
    for value in ["01", "-", "+1", "1.", ".5", "1e", "0x1", "1e400", "NaN", "1_0", "--1"] {
        refused(one(Kind::Int, value), Code::Undecodable);
    }
}

#[test]
fn singles_stay_finite() {
    let single = |value: &str| one(Kind::Single, value).map(|batch| batch.column(0).single(0));
    assert_eq!(single("3.4028235e38"), Ok(f32::MAX));
    assert_eq!(single("1e-60").map(f32::to_bits), Ok(0));
    let message = refused(one(Kind::Single, "3.5e38"), Code::WrongType);
    assert_eq!(message, "column a: single wanted, number that is too large for single precision found");
    refused(one(Kind::Floats, "[1,3.5e38]"), Code::WrongType);
    refused(one(Kind::Floats, "[1,null]"), Code::WrongType);
    refused(one(Kind::Floats, "[1,]"), Code::Undecodable);
    assert_eq!(one(Kind::Floats, " [ ] ").map(|batch| batch.column(0).floats(0).len()), Ok(0));
}

#[test]
fn surrogates_come_in_pairs() {
    assert_eq!(text(r#""\ud83d\ude00\u0000\/""#), Ok("😀\0/".into()));
    let lone = [
        r#""\ud83d""#,
        r#""\ude00""#,
        r#""\ud83dx""#,
        r#""\ud83d\n""#,
        r#""\ud83d\ud83d""#,
        r#""\ud83d\u0041""#,
    ];
    for value in lone {
        refused(one(Kind::Text, value), Code::Undecodable);
        refused(decode(&[Column::nullable("b", Kind::Int)], format!("{{\"a\":{value}}}")), Code::Undecodable);
    }
    for value in [r#""\u12""#, r#""\u12g4""#, r#""\x41""#, r#""\"#, "\"\n\"", "\"\x7f\n\"", "\""] {
        refused(one(Kind::Text, value), Code::Undecodable);
    }
}

#[test]
fn huge_texts_pass_up_to_the_limit() {
    let long = "x".repeat((1 << 20) - 9);
    assert_eq!(text(&format!("\"{long}\"")).map(|text| text.len()), Ok(long.len()));
    let message = refused(one(Kind::Text, &format!("\"{long}y\"")), Code::TooLarge);
    assert_eq!(message, "the record has 1048577 bytes, where at most 1048576 are allowed");
    let escapes = "\\n".repeat(1 << 18);
    assert_eq!(text(&format!("\"{escapes}\"")).map(|text| text.len()), Ok(1 << 18));
}

#[test]
fn broken_json_is_told_with_its_place() {
    let columns = [Column::nullable("a", Kind::Int)];
    let told = |value: &[u8]| refused(decode(&columns, value), Code::Undecodable);
    assert_eq!(told(b""), "broken JSON at byte 0: the record ends too early");
    assert_eq!(told(b"\xef\xbb\xbf{}"), "broken JSON at byte 0: a JSON object is wanted");
    assert_eq!(told(b"[1]"), "broken JSON at byte 0: a JSON object is wanted");
    assert_eq!(told(b"{\"a\":1} x"), "broken JSON at byte 8: something follows on the object");
    assert_eq!(told(b"{\"a\":1,}"), "broken JSON at byte 7: a name in quotes is wanted");
    assert_eq!(told(b"{\"a\":1 2}"), "broken JSON at byte 7: a comma or a closing brace is wanted");
    assert_eq!(told(b"{\"a\" 1}"), "broken JSON at byte 5: a colon is wanted");
    assert_eq!(told(b"{\"b\":\"\xc3\"}"), "broken JSON at byte 6: the text is not UTF-8");
    assert_eq!(told(b"{\"a\":nul"), "broken JSON at byte 5: a value is wanted");
    assert_eq!(told(b"{\"a\":1\0}"), "broken JSON at byte 6: a comma or a closing brace is wanted");
    assert_eq!(told(b"{\"b\":[1}"), "broken JSON at byte 7: a comma or a closing bracket is wanted");
}

#[test]
fn broken_json_is_told_before_wrong_types_and_these_in_order() {
    let columns = [Column::new("a", Kind::Int), Column::new("b", Kind::Boolean)];
    refused(decode(&columns, r#"{"a":"x","b":tru}"#), Code::Undecodable);
    let message = refused(decode(&columns, r#"{"b":0,"a":"x"}"#), Code::WrongType);
    assert_eq!(message, "column a: int wanted, text found");
    assert_eq!(refused(decode(&columns, "{}"), Code::Missing), "column a: the field is missing");
    assert_eq!(
        refused(decode(&columns, r#"{"a":1,"b":null}"#), Code::Missing),
        "column b: the field is null"
    );
    assert_eq!(
        refused(decode(&columns, r#"{"a":1,"b":[]}"#), Code::WrongType),
        "column b: boolean wanted, array found"
    );
}

#[test]
fn base64_has_one_spelling() {
    let bytes = |value: &str| one(Kind::Bytes, value).map(|batch| batch.column(0).bytes(0).to_vec());
    assert_eq!(bytes(r#""""#), Ok(vec![]));
    assert_eq!(bytes(r#""TWF\u0075""#), Ok(b"Man".to_vec()));
    assert_eq!(bytes(r#""\/w==""#), Ok(vec![255]));
    for value in
        ["TQ", "TQ=", "TQ===", "TR==", "TWF=", "T===", "====", "TQ==TQ==", "T Q=", "_w==", "TWFé", "TWE=\\n"]
    {
        refused(one(Kind::Bytes, &format!("\"{value}\"")), Code::WrongType);
    }
}

#[test]
fn columns_that_do_not_fit_are_refused() {
    let why = |names: &[&str]| {
        let columns: Vec<_> = names.iter().map(|name| Column::new(*name, Kind::Int)).collect();
        let (decoder, encoder) = (json_decoder(&columns, OPTIONS).err(), json_encoder(&columns).err());
        let error = decoder.expect("an error");
        assert_eq!((error.code, encoder.map(|error| error.code)), (Code::Mismatch, Some(Code::Mismatch)));
        error.message
    };
    assert_eq!(why(&["a", "b", "a"]), "column a: is named twice");
    assert_eq!(why(&["a.b", "c", "a"]), "column a: can't be a value, because other columns lie inside of it");
    assert_eq!(why(&["a", "a.b"]), "column a.b: can't lie inside of a value that is a column itself");
    for name in ["", ".", "a.", ".a", "a..b"] {
        assert!(why(&[name]).contains("can't be empty"));
    }
}
