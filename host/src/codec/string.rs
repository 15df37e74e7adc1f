//! JSON strings, read and written.

use super::cursor::{Broken, Cursor, Piece};

const ONES: u64 = u64::from_ne_bytes([0x01; 8]);
const HIGHS: u64 = u64::from_ne_bytes([0x80; 8]);

/// A string as it was read.
#[derive(Clone, Copy, Debug)]
pub(super) enum Text {
    /// It lies in the input.
    Plain(Piece),
    /// It had escapes, and lies in what was made.
    Made(Piece),
}

/// Place of the first byte from `at` on that can't stand for itself in a string: a quote, a backslash,
/// a control character. The input's length if there is none.
#[inline(always)]
pub(super) fn special(input: &[u8], mut at: usize) -> usize {
    while let Some(bytes) = input.get(at..).and_then(<[u8]>::first_chunk) {
        let specials = specials(u64::from_le_bytes(*bytes));
        if specials != 0 {
            return at + specials.trailing_zeros() as usize / 8;
        }
        at += 8;
    }
    while input.get(at).is_some_and(|byte| !is_special(*byte)) {
        at += 1;
    }
    at
}

fn is_special(byte: u8) -> bool {
    byte < 0x20 || byte == b'"' || byte == b'\\'
}

/// The high bit of each special byte; it may be wrong behind the first (in little-endian order).
#[inline(always)]
fn specials(word: u64) -> u64 {
    let below = |word: u64, bound: u8| word.wrapping_sub(ONES * u64::from(bound)) & !word;
    let equal = |byte: u8| below(word ^ (ONES * u64::from(byte)), 1);
    (below(word, 0x20) | equal(b'"') | equal(b'\\')) & HIGHS
}

impl Cursor<'_> {
    /// Reads the string at whose opening quote it begins.
    #[inline(always)]
    pub(super) fn string(&mut self, at: usize) -> Result<(Text, usize), Broken> {
        let start = at + 1;
        let end = special(self.input, start);
        if self.byte(end) == b'"' {
            return Ok((Text::Plain(Piece::new(start, end)), end + 1));
        }
        self.escaped(start, end)
    }

    /// Goes on at the first byte that does not stand for itself.
    #[inline(never)]
    fn escaped(&mut self, mut plain: usize, mut at: usize) -> Result<(Text, usize), Broken> {
        let start = self.made.len();
        loop {
            self.made.extend_from_slice(&self.input[plain..at]);
            match self.byte(at) {
                b'"' => return Ok((Text::Made(Piece::new(start, self.made.len())), at + 1)),
                b'\\' => {
                    let (meant, behind) = self.escape(at + 1)?;
                    self.made.extend_from_slice(meant.encode_utf8(&mut [0; 4]).as_bytes());
                    plain = behind;
                }
                _ => return self.fail(at, "a control character stands in a string"),
            }
            at = special(self.input, plain);
        }
    }

    /// What follows on a backslash.
    fn escape(&mut self, at: usize) -> Result<(char, usize), Broken> {
        let meant = match self.byte(at) {
            byte @ (b'"' | b'\\' | b'/') => char::from(byte),
            b'b' => '\x08',
            b'f' => '\x0c',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => return self.unicode(at + 1),
            _ => return self.fail(at, "an escape is unknown"),
        };
        Ok((meant, at + 1))
    }

    /// What follows on `\u`.
    fn unicode(&mut self, at: usize) -> Result<(char, usize), Broken> {
        let first = self.hex(at)?;
        let at = at + 4;
        if let Some(meant) = char::from_u32(first) {
            return Ok((meant, at));
        }
        if first < 0xdc00 && self.input[at..].starts_with(b"\\u") {
            let second = self.hex(at + 2)?;
            if (0xdc00..0xe000).contains(&second) {
                let meant = 0x1_0000 + ((first - 0xd800) << 10) + (second - 0xdc00);
                return Ok((char::from_u32(meant).expect("a pair of surrogates is a character"), at + 6));
            }
        }
        self.fail(at, "half of a pair of surrogates stands alone")
    }

    /// Four digits.
    fn hex(&mut self, at: usize) -> Result<u32, Broken> {
        let mut value = 0;
        for at in at..at + 4 {
            let Some(digit) = char::from(self.byte(at)).to_digit(16) else {
                return self.fail(at, "a hexadecimal digit is wanted");
            };
            value = value << 4 | digit;
        }
        Ok(value)
    }
}

/// Appends a string with its quotes. `text` is UTF-8.
pub(super) fn write(text: &[u8], into: &mut Vec<u8>) {
    into.push(b'"');
    let mut plain = 0;
    loop {
        let at = special(text, plain);
        into.extend_from_slice(&text[plain..at]);
        let Some(byte) = text.get(at) else { break };
        let short = match byte {
            0x08 => b'b',
            0x0c => b'f',
            b'\n' => b'n',
            b'\r' => b'r',
            b'\t' => b't',
            b'"' | b'\\' => *byte,
            _ => b'u',
        };
        into.extend_from_slice(&[b'\\', short]);
        if short == b'u' {
            let digit = |n: u8| b"0123456789abcdef"[usize::from(n)];
            into.extend_from_slice(&[b'0', b'0', digit(byte >> 4), digit(byte & 15)]);
        }
        plain = at + 1;
    }
    into.push(b'"');
}
