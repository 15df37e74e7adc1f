//! Places in a record's text, and the steps that need no schema.
//!
//! A step takes the place where it begins and returns the one where it ends: in the hot path a place
//! lives in a register.

use super::number::Number;
use super::path::MAX_DEPTH;
use super::slot::Found;
use super::string::Text;

/// Zeros behind the input. A zero is nowhere valid in JSON, so that no step goes beyond the first of
/// them, and the last byte of the input can be read as the first of a word.
pub(super) const PADDING: [u8; 24] = [0; 24];

/// The JSON is broken; the cursor knows how and where.
#[derive(Debug)]
pub(super) struct Broken;

/// A piece of the input, or of what was made.
#[derive(Clone, Copy, Debug)]
pub(super) struct Piece {
    start: u32,
    length: u32,
}

impl Piece {
    /// Records are shorter than 4 GiB: the decoder sees to that.
    #[inline(always)]
    pub(super) fn new(start: usize, end: usize) -> Self {
        Self { start: start as u32, length: (end - start) as u32 }
    }

    #[inline(always)]
    pub(super) fn of(self, bytes: &[u8]) -> &[u8] {
        &bytes[self.start as usize..][..self.length as usize]
    }
}

#[derive(Debug)]
pub(super) struct Cursor<'a> {
    /// UTF-8 and [`PADDING`].
    pub(super) input: &'a [u8],
    depth: usize,
    /// Values that don't lie in the input as they are: texts without their escapes, decoded bytes,
    /// lists of floats.
    pub(super) made: &'a mut Vec<u8>,
    fault: (usize, &'static str),
}

impl<'a> Cursor<'a> {
    pub(super) fn new(input: &'a [u8], made: &'a mut Vec<u8>) -> Self {
        debug_assert!(input.ends_with(&PADDING));
        made.clear();
        Self { input, depth: 0, made, fault: (0, "") }
    }

    /// Length of the input without its padding.
    pub(super) fn end(&self) -> usize {
        self.input.len() - PADDING.len()
    }

    #[inline(always)]
    pub(super) fn byte(&self, at: usize) -> u8 {
        self.input.get(at).copied().unwrap_or(0)
    }

    /// The next eight bytes, little-endian.
    #[inline(always)]
    pub(super) fn word(&self, at: usize) -> u64 {
        self.input.get(at..).and_then(<[u8]>::first_chunk).map_or(0, |bytes| u64::from_le_bytes(*bytes))
    }

    /// The next byte that is no space, and its place.
    #[inline(always)]
    pub(super) fn space(&self, mut at: usize) -> (u8, usize) {
        loop {
            let byte = self.byte(at);
            if byte > b' ' || !matches!(byte, b' ' | b'\n' | b'\t' | b'\r') {
                return (byte, at);
            }
            at += 1;
        }
    }

    #[cold]
    pub(super) fn fail<T>(&mut self, at: usize, fault: &'static str) -> Result<T, Broken> {
        self.fault = (at, if at < self.end() { fault } else { "the record ends too early" });
        Err(Broken)
    }

    /// Where it is broken, and what is.
    pub(super) fn fault(&self) -> (usize, &'static str) {
        self.fault
    }

    /// Steps into an array or object.
    #[inline(always)]
    pub(super) fn enter(&mut self, at: usize) -> Result<usize, Broken> {
        if self.depth == MAX_DEPTH {
            return self.fail(at, "arrays and objects are nested too deep");
        }
        self.depth += 1;
        Ok(at + 1)
    }

    /// Steps out of an array or object.
    #[inline(always)]
    pub(super) fn leave(&mut self, at: usize) -> usize {
        self.depth -= 1;
        at + 1
    }

    /// Steps over the colon behind a name, to the value.
    pub(super) fn colon(&mut self, at: usize) -> Result<usize, Broken> {
        match self.space(at) {
            (b':', at) => Ok(self.space(at + 1).1),
            (_, at) => self.fail(at, "a colon is wanted"),
        }
    }

    /// A string's bytes.
    pub(super) fn bytes(&self, text: Text) -> &[u8] {
        match text {
            Text::Plain(piece) => piece.of(self.input),
            Text::Made(piece) => piece.of(self.made),
        }
    }

    /// Steps over a value that nobody wants, and says what it was.
    pub(super) fn skip(&mut self, at: usize) -> Result<(Found, usize), Broken> {
        match self.byte(at) {
            b'{' => Ok((Found::Object, self.skip_nested(at)?)),
            b'[' => Ok((Found::Array, self.skip_nested(at)?)),
            _ => self.scalar(at),
        }
    }

    fn scalar(&mut self, at: usize) -> Result<(Found, usize), Broken> {
        match self.byte(at) {
            b'"' => {
                let made = self.made.len();
                let (_, at) = self.string(at)?;
                self.made.truncate(made);
                Ok((Found::Text, at))
            }
            b'-' | b'0'..=b'9' => {
                let (number, at) = self.number(at)?;
                let found = if matches!(number, Number::Int(_)) { Found::Int } else { Found::Number };
                Ok((found, at))
            }
            b't' => self.literal(at, "true", Found::Boolean),
            b'f' => self.literal(at, "false", Found::Boolean),
            b'n' => self.literal(at, "null", Found::Null),
            _ => self.fail(at, "a value is wanted"),
        }
    }

    fn literal(&mut self, at: usize, literal: &str, found: Found) -> Result<(Found, usize), Broken> {
        if self.input[at..].starts_with(literal.as_bytes()) {
            return Ok((found, at + literal.len()));
        }
        self.fail(at, "a value is wanted")
    }

    /// Not by recursion: the input has a say in how deep this goes.
    fn skip_nested(&mut self, mut at: usize) -> Result<usize, Broken> {
        let outside = self.depth;
        // A bit a level, set for objects.
        let mut objects = 0u128;
        loop {
            let open = self.byte(at);
            if matches!(open, b'{' | b'[') {
                at = self.enter(at)?;
                objects = objects << 1 | u128::from(open == b'{');
                let (byte, inside) = self.space(at);
                // In ASCII, a closing bracket stands two places behind its opening one.
                if byte != open + 2 {
                    at = self.skip_name(inside, objects)?;
                    continue;
                }
            } else {
                (_, at) = self.scalar(at)?;
            }
            loop {
                let (byte, next) = self.space(at);
                match (byte, objects & 1) {
                    (b',', _) => {
                        let (_, next) = self.space(next + 1);
                        at = self.skip_name(next, objects)?;
                        break;
                    }
                    (b'}', 1) | (b']', 0) => at = self.leave(next),
                    _ => return self.fail(next, "a comma or a closing bracket is wanted"),
                }
                objects >>= 1;
                if self.depth == outside {
                    return Ok(at);
                }
            }
        }
    }

    /// Steps over the name of a value, if the innermost level is an object.
    fn skip_name(&mut self, at: usize, objects: u128) -> Result<usize, Broken> {
        if objects & 1 == 0 {
            return Ok(at);
        }
        if self.byte(at) != b'"' {
            return self.fail(at, "a name in quotes is wanted");
        }
        let (_, at) = self.scalar(at)?;
        self.colon(at)
    }
}
