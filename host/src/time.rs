//! Times as texts.
//!
//! Texts are those of ISO 8601 and RFC 3339 in their extended form: `2018-04-01`,
//! `2018-04-01T00:00Z`, `2018-04-01 00:00:31.25+02:00`. Date and time are parted by `T` or a space.
//! Seconds may be left out (Java does so when they are zero), a fraction of any length is cut to
//! milliseconds; the offset is `Z`, `+hh:mm`, `+hhmm` or `+hh`, and without one the time is UTC. A
//! date alone is its midnight. A leap second (23:59:60 UTC, nowhere else) is the last millisecond
//! before midnight, so that it stays in its day and in order. What is finer than a millisecond is
//! rounded down.

const DAY: i64 = 86_400_000;
const MINUTES_OF_DAY: i64 = 1_440;

/// Milliseconds since the epoch, or `None` if the text is no time.
pub fn parse(text: &[u8]) -> Option<i64> {
    let (date, rest) = text.split_first_chunk::<10>()?;
    let midnight = days(date)? * DAY;
    let Some((separator, rest)) = rest.split_first() else { return Some(midnight) };
    if !matches!(separator, b'T' | b't' | b' ') {
        return None;
    }
    let (clock, rest) = rest.split_first_chunk::<5>()?;
    let [h, hh, b':', m, mm] = *clock else { return None };
    let minutes = 60 * number(&[h, hh], 23)? + number(&[m, mm], 59)?;
    let (seconds, rest) = match rest {
        [b':', s, ss, rest @ ..] => (number(&[*s, *ss], 60)?, rest),
        _ => (0, rest),
    };
    let has_seconds = matches!(rest.first(), Some(b'.' | b',')) && text[16] == b':';
    let (fraction, rest) = if has_seconds { thousandths(&rest[1..])? } else { (0, rest) };
    let minutes = minutes - offset(rest)?;
    let millis = match seconds {
        60 if minutes.rem_euclid(MINUTES_OF_DAY) == MINUTES_OF_DAY - 1 => 59_999,
        60 => return None,
        _ => 1_000 * seconds + fraction,
    };
    Some(midnight + 60_000 * minutes + millis)
}

/// Days from the epoch to a date `yyyy-mm-dd`.
fn days(date: &[u8; 10]) -> Option<i64> {
    let [year @ .., b'-', m, mm, b'-', d, dd] = date else { return None };
    let year = number(year, 9_999)?;
    let (month, day) = (number(&[*m, *mm], 12)?, number(&[*d, *dd], 31)?);
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let length = match month {
        0 => return None,
        2 => 28 + i64::from(leap),
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    };
    if day == 0 || day > length {
        return None;
    }
    // Years that begin with March have their leap day at the end.
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let leap_days = year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    Some(365 * year + leap_days + (153 * month + 2) / 5 + day - 719_469)
}

/// The first three digits of a fraction, and what follows on all its digits.
fn thousandths(text: &[u8]) -> Option<(i64, &[u8])> {
    let count = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (digits, rest) = text.split_at(count);
    let [first, rest_of @ ..] = digits else { return None };
    let digit = |n: usize| rest_of.get(n).map_or(0, |byte| i64::from(byte - b'0'));
    Some((100 * i64::from(first - b'0') + 10 * digit(0) + digit(1), rest))
}

/// Minutes that a clock is ahead of UTC.
fn offset(text: &[u8]) -> Option<i64> {
    let (sign, hours, minutes) = match text {
        [] | [b'Z' | b'z'] => return Some(0),
        [sign, h, hh] => (sign, [*h, *hh], [b'0'; 2]),
        [sign, h, hh, m, mm] | [sign, h, hh, b':', m, mm] => (sign, [*h, *hh], [*m, *mm]),
        _ => return None,
    };
    let minutes = 60 * number(&hours, 23)? + number(&minutes, 59)?;
    match sign {
        b'+' => Some(minutes),
        b'-' => Some(-minutes),
        _ => None,
    }
}

/// A number of digits only, up to `max`.
fn number(digits: &[u8], max: i64) -> Option<i64> {
    let mut value = 0;
    for byte in digits {
        value = 10 * value + i64::from(byte.is_ascii_digit().then(|| byte - b'0')?);
    }
    (value <= max).then_some(value)
}

/// As a text that [`parse`] reads, in UTC: `2018-04-01T00:00:31.250Z`. A number, where the year has not four digits.
pub fn written(millis: i64) -> String {
    let (days, rest) = (millis.div_euclid(DAY), millis.rem_euclid(DAY));
    if !YEARS.contains(&days) {
        return millis.to_string();
    }
    let (year, month, day) = date(days);
    let (seconds, thousandths) = (rest / 1_000, rest % 1_000);
    let (hour, minute, second) = (seconds / 3_600, seconds / 60 % 60, seconds % 60);
    let fraction = if thousandths == 0 { String::new() } else { format!(".{thousandths:03}") };
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}{fraction}Z")
}

/// Days from the epoch: from the year 0 to 9999.
const YEARS: std::ops::Range<i64> = -719_528..2_932_897;

/// The date so many days from the epoch: the inverse of [`days`].
fn date(days: i64) -> (i64, i64, i64) {
    // Of 400 years that begin with March.
    let (era, day) = ((days + 719_468).div_euclid(146_097), (days + 719_468).rem_euclid(146_097));
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let (day, year) = (day - (153 * month + 2) / 5 + 1, year + 400 * era);
    if month < 10 { (year, month + 3, day) } else { (year + 1, month - 9, day) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_is_written_looks_like_a_time() {
        assert_eq!(written(1_522_540_831_250), "2018-04-01T00:00:31.250Z");
        assert_eq!(written(-1), "1969-12-31T23:59:59.999Z");
        assert_eq!(written(951_782_400_000), "2000-02-29T00:00:00Z");
        assert_eq!(written(i64::MAX), i64::MAX.to_string());
        for (first, inside) in [(YEARS.start, true), (YEARS.end, false)] {
            assert_eq!(written(first * DAY).ends_with('Z'), inside);
            assert_eq!(written((first - 1) * DAY).ends_with('Z'), !inside);
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(millis in YEARS.start * DAY..YEARS.end * DAY) {
            prop_assert_eq!(parse(written(millis).as_bytes()), Some(millis));
        }
    }
}
