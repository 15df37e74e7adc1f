//! Numbers whose digits make up for their exponents, beyond what the standard library counts.

use super::*;
use crate::error::Code;

fn float(value: &str) -> Result<f64, Refusal> {
    one(Kind::Float, value).map(|batch| batch.column(0).float(0))
}

#[test]
fn many_zeros_and_a_far_exponent_make_a_small_number() {
    let zeros = "0".repeat(100_000);
    for (text, expected) in [
        (format!("0.{zeros}25e100002"), 25.0f64),
        (format!("-25{zeros}e-100001"), -2.5),
        (format!("0.{zeros}25e+100002"), 25.0),
        (format!("-0.{zeros}e100002"), -0.0),
        (format!("25{zeros}e-200001"), 0.0),
        (format!("0.{zeros}e99999999999999999999"), 0.0),
    ] {
        let law: f64 = serde_json::from_str(&text).expect("a number");
        assert_eq!(law.to_bits(), expected.to_bits(), "the law itself");
        assert_eq!(float(&text).map(f64::to_bits), Ok(expected.to_bits()));
    }
    refused(one(Kind::Float, &format!("0.{zeros}25e100400")), Code::Undecodable);
    refused(one(Kind::Float, &format!("25{zeros}")), Code::Undecodable);
}

#[test]
fn halves_are_rounded_to_even() {
    for (text, expected) in [
        ("9007199254740993", 9007199254740992.0f64),
        ("9007199254740993.0000000000000000000000000000000000000001", 9007199254740994.0),
        ("9007199254740995.0", 9007199254740996.0),
        ("2.4703282292062327e-324", 0.0),
        ("2.4703282292062328e-324", 5e-324),
        ("1.7976931348623158e308", f64::MAX),
        ("-0", -0.0),
        ("1e23", 1e23),
        ("8.5e-22", 8.5e-22),
    ] {
        assert_eq!(float(text).map(f64::to_bits), Ok(expected.to_bits()), "{text}");
    }
    refused(one(Kind::Float, "1.7976931348623159e308"), Code::Undecodable);
}
