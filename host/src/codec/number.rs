//! JSON numbers, each rounded once.

use super::cursor::{Broken, Cursor};

/// A number as `serde_json` tells them apart.
#[derive(Clone, Copy, Debug)]
pub(super) enum Number {
    Int(i64),
    /// With a fraction or an exponent, outside of 64 bits, or `-0`. Finite.
    Float(f64),
}

impl Number {
    #[inline(always)]
    pub(super) fn as_f64(self) -> f64 {
        match self {
            Self::Int(number) => number as f64,
            Self::Float(number) => number,
        }
    }
}

/// As many digits always fit into 64 bits.
const SAFE_DIGITS: usize = 19;

/// Integers up to here are exact as floats.
const EXACT: u64 = 1 << 53;

/// Powers of ten that are exact as floats.
const POWERS: [f64; 23] = [
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18,
    1e19, 1e20, 1e21, 1e22,
];

/// The standard library loses count of exponents beyond 65,535.
const FAR: i64 = 60_000;

impl Cursor<'_> {
    /// Reads a number.
    #[inline(always)]
    pub(super) fn number(&mut self, start: usize) -> Result<(Number, usize), Broken> {
        let negative = self.byte(start) == b'-';
        let first = start + usize::from(negative);
        let (mantissa, end) = self.digits(first, 0);
        if end == first || (self.byte(first) == b'0' && end > first + 1) {
            return self.fail(first, "a number does not begin as it should");
        }
        let behind = self.byte(end);
        if behind == b'.' || behind | 0x20 == b'e' || end - first > SAFE_DIGITS {
            return self.decimal(start, mantissa, end);
        }
        let number = if negative && mantissa > 0 && mantissa <= 1 << 63 {
            Number::Int(mantissa.wrapping_neg() as i64)
        } else if negative {
            Number::Float(-(mantissa as f64))
        } else if let Ok(number) = i64::try_from(mantissa) {
            Number::Int(number)
        } else {
            Number::Float(mantissa as f64)
        };
        Ok((number, end))
    }

    /// Goes on behind the integer part.
    #[inline(never)]
    fn decimal(&mut self, start: usize, whole: u64, mut at: usize) -> Result<(Number, usize), Broken> {
        let negative = self.byte(start) == b'-';
        let mut digits = at - start - usize::from(negative);
        let (mut mantissa, mut exponent) = (whole, 0);
        if self.byte(at) == b'.' {
            let (more, end) = self.digits(at + 1, mantissa);
            let fraction = end - at - 1;
            if fraction == 0 {
                return self.fail(end, "a number lacks the digits behind its point");
            }
            (mantissa, at) = (more, end);
            (digits, exponent) = (digits + fraction, -(fraction as i64));
        }
        let mut written = 0;
        if matches!(self.byte(at), b'e' | b'E') {
            (written, at) = self.exponent(at + 1)?;
            exponent = exponent.saturating_add(written);
        }
        let power = POWERS.get(exponent.unsigned_abs() as usize);
        if let Some(power) = power.filter(|_| digits <= SAFE_DIGITS && mantissa <= EXACT) {
            // Both operands are exact, so this rounds once.
            let value = if exponent < 0 { mantissa as f64 / power } else { mantissa as f64 * power };
            return Ok((Number::Float(if negative { -value } else { value }), at));
        }
        self.long(start, at, written)
    }

    #[cold]
    fn exponent(&mut self, mut at: usize) -> Result<(i64, usize), Broken> {
        let negative = self.byte(at) == b'-';
        at += usize::from(matches!(self.byte(at), b'+' | b'-'));
        if !self.byte(at).is_ascii_digit() {
            return self.fail(at, "a number lacks the digits of its exponent");
        }
        let mut exponent = 0i64;
        while let digit @ b'0'..=b'9' = self.byte(at) {
            exponent = exponent.saturating_mul(10).saturating_add(i64::from(digit - b'0'));
            at += 1;
        }
        Ok((if negative { -exponent } else { exponent }, at))
    }

    /// A number by the standard library.
    #[cold]
    fn long(&mut self, start: usize, end: usize, written: i64) -> Result<(Number, usize), Broken> {
        let token = std::str::from_utf8(&self.input[start..end]).expect("a number is ASCII");
        let value = if written.abs() < FAR { parse(token) } else { far(token, written) };
        if value.is_infinite() {
            return self.fail(start, "a number is too large");
        }
        Ok((Number::Float(value), end))
    }

    /// Reads digits and appends them to those of `value`; says where they end. Beyond [`SAFE_DIGITS`]
    /// in all, the value means nothing.
    #[inline(always)]
    fn digits(&self, mut at: usize, mut value: u64) -> (u64, usize) {
        const POWERS: [u64; 9] = [1, 10, 100, 1_000, 10_000, 100_000, 1_000_000, 10_000_000, 100_000_000];
        loop {
            let word = self.word(at) ^ u64::from_ne_bytes([b'0'; 8]);
            // The high bit of each byte that is no digit; it may be wrong behind the first.
            let others =
                (word.wrapping_add(u64::from_ne_bytes([0x76; 8])) | word) & u64::from_ne_bytes([0x80; 8]);
            let count = others.trailing_zeros() as usize / 8;
            // The digits go to the high end, with zeros before them.
            let word = word.unbounded_shl(64 - 8 * count as u32);
            value = value.wrapping_mul(POWERS[count]).wrapping_add(joined(word));
            at += count;
            if count < 8 {
                return (value, at);
            }
        }
    }
}

/// The number of eight digits, the first in the lowest byte.
#[inline(always)]
fn joined(digits: u64) -> u64 {
    let pairs = (digits * 10 + (digits >> 8)) & 0x00ff_00ff_00ff_00ff;
    let fours = (pairs * 100 + (pairs >> 16)) & 0x0000_ffff_0000_ffff;
    (fours * 10_000 + (fours >> 32)) & 0xffff_ffff
}

fn parse(token: &str) -> f64 {
    token.parse().expect("the grammar of JSON's numbers is part of Rust's")
}

/// A number with an exponent that is large as written; its digits may make up for that.
fn far(token: &str, written: i64) -> f64 {
    let mantissa = token.split(['e', 'E']).next().unwrap_or(token);
    let sign = if token.starts_with('-') { "-" } else { "" };
    let whole = mantissa.trim_start_matches('-').find('.').unwrap_or(mantissa.len() - sign.len());
    let digits: String = mantissa.chars().filter(char::is_ascii_digit).collect();
    let significant = digits.trim_start_matches('0');
    let zeros = digits.len() - significant.len();
    let exponent = written.saturating_add(whole as i64 - zeros as i64);
    parse(&format!("{sign}0.{significant}0e{}", exponent.clamp(-FAR, FAR)))
}
