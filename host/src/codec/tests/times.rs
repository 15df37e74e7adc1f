use proptest::prelude::*;

use super::super::time::parse;
use super::*;
use crate::error::Code;

fn millis(text: &str) -> Option<i64> {
    parse(text.as_bytes())
}

#[test]
fn the_forms_that_are_taken() {
    let start = 1_522_540_800_000;
    for (text, expected) in [
        ("2018-04-01", start),
        ("2018-04-01T00:00", start),
        ("2018-04-01T00:00Z", start),
        ("2018-04-01T00:00:31Z", start + 31_000),
        ("2018-04-01t00:00:31z", start + 31_000),
        ("2018-04-01 00:00:31", start + 31_000),
        ("2018-04-01T02:00:31+02:00", start + 31_000),
        ("2018-03-31T19:30:31-0430", start + 31_000),
        ("2018-04-01T05+05", i64::MIN),
        ("2018-04-01T05:45:00.5+05:45", start + 500),
        ("2018-04-01T00:00:00.1", start + 100),
        ("2018-04-01T00:00:00,12Z", start + 120),
        ("2018-04-01T00:00:00.9999999999999999999999999Z", start + 999),
        ("2018-04-01T00:00+00", start),
        ("1970-01-01T00:00:00-00:00", 0),
        ("1969-12-31T23:59:59.9996Z", -1),
        ("0000-01-01", -62_167_219_200_000),
        ("0000-02-29", -62_162_121_600_000),
        ("9999-12-31T23:59:59.999Z", 253_402_300_799_999),
        ("2000-02-29", 951_782_400_000),
    ] {
        let expected = Some(expected).filter(|time| *time != i64::MIN);
        assert_eq!(millis(text), expected, "{text}");
    }
}

#[test]
fn a_leap_second_is_the_end_of_its_day() {
    let last = Some(1_483_228_799_999);
    assert_eq!(millis("2016-12-31T23:59:60Z"), last);
    assert_eq!(millis("2016-12-31T23:59:60.25Z"), last);
    assert_eq!(millis("2017-01-01T05:29:60+05:30"), last);
    assert_eq!(millis("2016-12-31T23:58:60Z"), None);
    assert_eq!(millis("2016-12-31T23:59:60+01:00"), None);
    assert_eq!(millis("2016-12-31T23:59:61Z"), None);
}

#[test]
fn what_is_no_time() {
    for text in [
        "",
        "2018",
        "2018-04",
        "20180401",
        "2018-4-1",
        "18-04-01",
        "+2018-04-01",
        "2018-00-01",
        "2018-13-01",
        "2018-04-00",
        "2018-04-31",
        "2018-02-29",
        "1900-02-29",
        "2018-04-01T",
        "2018-04-01T00",
        "2018-04-01T24:00",
        "2018-04-01T00:60",
        "2018-04-01T00:00:",
        "2018-04-01T00:00:1",
        "2018-04-01T00:00:00.",
        "2018-04-01T00:00:00.Z",
        "2018-04-01T00:00.5Z",
        "2018-04-01T00:00:00+",
        "2018-04-01T00:00:00+2",
        "2018-04-01T00:00:00+24:00",
        "2018-04-01T00:00:00+00:60",
        "2018-04-01T00:00:00 Z",
        "2018-04-01T00:00:00ZZ",
        "2018-04-01Z",
        "2018-04-01  00:00",
        "2018-04-01T00:00:00*02:00",
        " 2018-04-01",
        "2018-04-01 ",
        "2018-04-01T-1:00",
        "2018-04-01T00:00:00+02:0",
        "٢018-04-01",
    ] {
        assert_eq!(millis(text), None, "{text}");
    }
}

#[test]
fn numbers_are_in_the_unit() {
    let read = |time_unit, value: &str| {
        let options = JsonOptions { time_unit, ..OPTIONS };
        let mut decoder = json_decoder(&[Column::new("a", Kind::Time)], options).expect("columns fit");
        decode_by(&mut *decoder, format!("{{\"a\":{value}}}")).map(|batch| batch.column(0).int(0))
    };
    assert_eq!(read(TimeUnit::Seconds, "1522540831"), Ok(1_522_540_831_000));
    assert_eq!(read(TimeUnit::Milliseconds, "-8640000000000000"), Ok(-8_640_000_000_000_000));
    for far in ["-9223372036854775808", "-8640000000000001", "8640000000000001"] {
        let refusal = read(TimeUnit::Milliseconds, far).expect_err("too far");
        assert_eq!(refusal.code, Code::WrongType, "{far}");
    }
    assert_eq!(read(TimeUnit::Microseconds, "-1"), Ok(-1));
    assert_eq!(read(TimeUnit::Nanoseconds, "1522540831999999999"), Ok(1_522_540_831_999));
    assert_eq!(read(TimeUnit::Seconds, "\"1970-01-01T00:00:01Z\""), Ok(1_000));
    let far = read(TimeUnit::Seconds, "9223372036854776").expect_err("a refusal");
    assert_eq!(far.message, "column a: time wanted, time that is too far away found");
    assert_eq!(read(TimeUnit::Seconds, "1.5").expect_err("a refusal").code, Code::WrongType);
    let text = read(TimeUnit::Seconds, "\"12\"").expect_err("a refusal");
    assert_eq!(text.message, "column a: time wanted, text that is no ISO 8601 time found");
}

/// By counting, year after year and month after month.
fn date(mut days: u64) -> (u64, u64, u64) {
    let leap = |year: u64| (year.is_multiple_of(4) && !year.is_multiple_of(100)) || year.is_multiple_of(400);
    let mut year = 0;
    while days >= 365 + u64::from(leap(year)) {
        days -= 365 + u64::from(leap(year));
        year += 1;
    }
    let mut month = 1;
    for length in [31, 28 + u64::from(leap(year)), 31, 30, 31, 30, 31, 31, 30, 31, 30, 31] {
        if days < length {
            break;
        }
        days -= length;
        month += 1;
    }
    (year, month, days + 1)
}

proptest! {
    #[test]
    fn any_instant_reads_back(days in 0..3_652_425u64, millis_of_day in 0..86_400_000i64, offset in -1439..1440i64) {
        let (year, month, day) = date(days);
        let (seconds, rest) = (millis_of_day / 1_000, millis_of_day % 1_000);
        let (hour, minute, second) = (seconds / 3_600, seconds / 60 % 60, seconds % 60);
        let (sign, ahead) = (if offset < 0 { '-' } else { '+' }, offset.abs());
        let text = format!(
            "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{rest:03}{sign}{:02}:{:02}",
            ahead / 60,
            ahead % 60
        );
        let expected = (days as i64 - 719_528) * 86_400_000 + millis_of_day - offset * 60_000;
        prop_assert_eq!(millis(&text), Some(expected), "{}", text);
    }

    #[test]
    fn no_text_is_too_odd(text in "[0-9TZ:.+ -]{0,30}") {
        let _ = millis(&text);
    }
}
