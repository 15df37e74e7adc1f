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
    /// Reads a string; the cursor is at its opening quote.
    #[inline(always)]
    pub(super) fn string(&mut self) -> Result<Text, Broken> {
        let start = self.at + 1;
        let end = special(self.input, start);
        if self.input.get(end) == Some(&b'"') {
            self.at = end + 1;
            return Ok(Text::Plain(Piece::new(start, end)));
        }
        self.escaped(start, end)
    }

    #[inline(never)]
    fn escaped(&mut self, mut plain: usize, mut special_at: usize) -> Result<Text, Broken> {
        let start = self.made.len();
        loop {
            self.made.extend_from_slice(&self.input[plain..special_at]);
            self.at = special_at;
            match self.peek() {
                b'"' => {
                    self.at += 1;
                    return Ok(Text::Made(Piece::new(start, self.made.len())));
                }
                b'\\' => {
                    self.at += 1;
                    let meant = self.escape()?;
                    self.made.extend_from_slice(meant.encode_utf8(&mut [0; 4]).as_bytes());
                }
                _ => return self.fail("a control character stands in a string"),
            }
            plain = self.at;
            special_at = special(self.input, plain);
        }
    }

    /// What follows on a backslash.
    fn escape(&mut self) -> Result<char, Broken> {
        let meant = match self.peek() {
            byte @ (b'"' | b'\\' | b'/') => char::from(byte),
            b'b' => '\x08',
            b'f' => '\x0c',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => return self.unicode(),
            _ => return self.fail("an escape is unknown"),
        };
        self.at += 1;
        Ok(meant)
    }

    fn unicode(&mut self) -> Result<char, Broken> {
        let first = self.hex()?;
        if let Some(meant) = char::from_u32(first) {
            return Ok(meant);
        }
        if first < 0xdc00 && self.input[self.at..].starts_with(b"\\u") {
            self.at += 1;
            let second = self.hex()?;
            if (0xdc00..0xe000).contains(&second) {
                let meant = 0x1_0000 + ((first - 0xd800) << 10) + (second - 0xdc00);
                return Ok(char::from_u32(meant).expect("a pair of surrogates is a character"));
            }
        }
        self.fail("half of a pair of surrogates stands alone")
    }

    /// Four digits behind a `u`.
    fn hex(&mut self) -> Result<u32, Broken> {
        self.at += 1;
        let mut value = 0;
        for _ in 0..4 {
            let Some(digit) = char::from(self.peek()).to_digit(16) else {
                return self.fail("a hexadecimal digit is wanted");
            };
            value = value << 4 | digit;
            self.at += 1;
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
