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
    /// Reads a number; the cursor is at its first byte.
    #[inline(always)]
    pub(super) fn number(&mut self) -> Result<Number, Broken> {
        let start = self.at;
        let negative = self.peek() == b'-';
        self.at += usize::from(negative);
        let first = self.peek();
        let (mantissa, digits) = self.digits(0);
        if digits == 0 || (first == b'0' && digits > 1) {
            return self.fail("a number does not begin as it should");
        }
        if matches!(self.peek(), b'.' | b'e' | b'E') || digits > SAFE_DIGITS {
            return self.decimal(start, negative, mantissa, digits);
        }
        Ok(if negative && mantissa > 0 && mantissa <= 1 << 63 {
            Number::Int(mantissa.wrapping_neg() as i64)
        } else if negative {
            Number::Float(-(mantissa as f64))
        } else if let Ok(number) = i64::try_from(mantissa) {
            Number::Int(number)
        } else {
            Number::Float(mantissa as f64)
        })
    }

    /// Goes on behind the integer part.
    #[inline(always)]
    fn decimal(&mut self, start: usize, negative: bool, whole: u64, digits: usize) -> Result<Number, Broken> {
        let (mut mantissa, mut digits, mut exponent) = (whole, digits, 0);
        if self.peek() == b'.' {
            self.at += 1;
            let (more, fraction) = self.digits(mantissa);
            if fraction == 0 {
                return self.fail("a number lacks the digits behind its point");
            }
            (mantissa, digits, exponent) = (more, digits + fraction, -(fraction as i64));
        }
        let mut written = 0;
        if matches!(self.peek(), b'e' | b'E') {
            written = self.exponent()?;
            exponent = exponent.saturating_add(written);
        }
        if digits <= SAFE_DIGITS && mantissa <= EXACT && exponent.unsigned_abs() < POWERS.len() as u64 {
            // Both operands are exact, so this rounds once.
            let power = POWERS[exponent.unsigned_abs() as usize];
            let value = if exponent < 0 { mantissa as f64 / power } else { mantissa as f64 * power };
            return Ok(Number::Float(if negative { -value } else { value }));
        }
        self.long(start, written)
    }

    #[inline(never)]
    fn exponent(&mut self) -> Result<i64, Broken> {
        self.at += 1;
        let negative = self.peek() == b'-';
        if matches!(self.peek(), b'+' | b'-') {
            self.at += 1;
        }
        if !self.peek().is_ascii_digit() {
            return self.fail("a number lacks the digits of its exponent");
        }
        let mut exponent = 0i64;
        while let digit @ b'0'..=b'9' = self.peek() {
            exponent = exponent.saturating_mul(10).saturating_add(i64::from(digit - b'0'));
            self.at += 1;
        }
        Ok(if negative { -exponent } else { exponent })
    }

    /// The number from `start` to the cursor, by the standard library.
    #[inline(never)]
    fn long(&mut self, start: usize, written: i64) -> Result<Number, Broken> {
        let token = &self.text[start..self.at];
        let value = if written.abs() < FAR { parse(token) } else { far(token, written) };
        if value.is_infinite() {
            self.at = start;
            return self.fail("a number is too large");
        }
        Ok(Number::Float(value))
    }

    /// Reads digits and appends them to those of `value`; says how many there were. Beyond
    /// [`SAFE_DIGITS`] in all, the value means nothing.
    #[inline(always)]
    fn digits(&mut self, mut value: u64) -> (u64, usize) {
        const POWERS: [u64; 9] = [1, 10, 100, 1_000, 10_000, 100_000, 1_000_000, 10_000_000, 100_000_000];
        let start = self.at;
        loop {
            let word = self.eight() ^ u64::from_ne_bytes([b'0'; 8]);
            // The high bit of each byte that is no digit; it may be wrong behind the first.
            let others =
                (word.wrapping_add(u64::from_ne_bytes([0x76; 8])) | word) & u64::from_ne_bytes([0x80; 8]);
            let count = others.trailing_zeros() as usize / 8;
            // The digits go to the high end, with zeros before them.
            let word = word.unbounded_shl(64 - 8 * count as u32);
            value = value.wrapping_mul(POWERS[count]).wrapping_add(joined(word));
            self.at += count;
            if count < 8 {
                return (value, self.at - start);
            }
        }
    }

    /// The next eight bytes, little-endian, with zeros behind the end.
    #[inline(always)]
    fn eight(&self) -> u64 {
        match self.input.get(self.at..).and_then(<[u8]>::first_chunk) {
            Some(bytes) => u64::from_le_bytes(*bytes),
            None => self.last_eight(),
        }
    }

    #[inline(always)]
    fn last_eight(&self) -> u64 {
        let beyond = self.at + 8 - self.input.len();
        match self.input.last_chunk() {
            Some(bytes) => u64::from_le_bytes(*bytes).unbounded_shr(8 * beyond as u32),
            None => {
                let mut bytes = [0; 8];
                let rest = &self.input[self.at..];
                bytes[..rest.len()].copy_from_slice(rest);
                u64::from_le_bytes(bytes)
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
