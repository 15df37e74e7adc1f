//! A place in a record's text, and the steps that need no schema.

use super::number::Number;
use super::path::MAX_DEPTH;
use super::slot::Found;
use super::string::Text;

/// The JSON is broken; the cursor knows how and where.
#[derive(Debug)]
pub(super) struct Broken;

/// A JSON string: a piece of the input, or of what was made.
#[derive(Clone, Copy, Debug)]
pub(super) struct Piece {
    pub(super) start: u32,
    pub(super) length: u32,
}

impl Piece {
    /// Records are shorter than 4 GiB: the decoder saw to that.
    pub(super) fn new(start: usize, end: usize) -> Self {
        Self { start: start as u32, length: (end - start) as u32 }
    }

    pub(super) fn of(self, bytes: &[u8]) -> &[u8] {
        &bytes[self.start as usize..][..self.length as usize]
    }
}

#[derive(Debug)]
pub(super) struct Cursor<'a> {
    pub(super) text: &'a str,
    pub(super) input: &'a [u8],
    pub(super) at: usize,
    depth: usize,
    /// Values that don't lie in the input as they are: texts without their escapes, decoded bytes,
    /// lists of floats.
    pub(super) made: &'a mut Vec<u8>,
    fault: &'static str,
}

impl<'a> Cursor<'a> {
    pub(super) fn new(text: &'a str, made: &'a mut Vec<u8>) -> Self {
        made.clear();
        Self { text, input: text.as_bytes(), at: 0, depth: 0, made, fault: "" }
    }

    /// The next byte; behind the end a zero, which is nowhere valid in JSON.
    #[inline(always)]
    pub(super) fn peek(&self) -> u8 {
        self.input.get(self.at).copied().unwrap_or(0)
    }

    /// The next byte that is no space.
    #[inline(always)]
    pub(super) fn space(&mut self) -> u8 {
        loop {
            match self.peek() {
                b' ' | b'\n' | b'\t' | b'\r' => self.at += 1,
                byte => return byte,
            }
        }
    }

    /// Steps over `pattern`, at least four bytes long, if it is what follows.
    #[inline(always)]
    pub(super) fn take(&mut self, pattern: &[u8]) -> bool {
        let end = self.at + pattern.len();
        let taken = self.input.get(self.at..end).is_some_and(|next| same(next, pattern));
        if taken {
            self.at = end;
        }
        taken
    }

    #[cold]
    pub(super) fn fail<T>(&mut self, fault: &'static str) -> Result<T, Broken> {
        self.fault = if self.at < self.input.len() { fault } else { "the record ends too early" };
        Err(Broken)
    }

    /// What is broken.
    pub(super) fn fault(&self) -> &'static str {
        self.fault
    }

    /// Steps into an array or object.
    #[inline(always)]
    pub(super) fn enter(&mut self) -> Result<(), Broken> {
        if self.depth == MAX_DEPTH {
            return self.fail("arrays and objects are nested too deep");
        }
        self.depth += 1;
        self.at += 1;
        Ok(())
    }

    /// Steps out of an array or object.
    #[inline(always)]
    pub(super) fn leave(&mut self) {
        self.depth -= 1;
        self.at += 1;
    }

    /// Steps over the colon behind a name, to the value.
    #[inline(always)]
    pub(super) fn colon(&mut self) -> Result<(), Broken> {
        if self.space() != b':' {
            return self.fail("a colon is wanted");
        }
        self.at += 1;
        self.space();
        Ok(())
    }

    /// A string's bytes.
    pub(super) fn bytes(&self, text: Text) -> &[u8] {
        match text {
            Text::Plain(piece) => piece.of(self.input),
            Text::Made(piece) => piece.of(self.made),
        }
    }

    /// Steps over a value that nobody wants.
    pub(super) fn skip(&mut self) -> Result<Found, Broken> {
        let found = match self.peek() {
            b'{' => Found::Object,
            b'[' => Found::Array,
            _ => return self.scalar(),
        };
        self.skip_nested()?;
        Ok(found)
    }

    fn scalar(&mut self) -> Result<Found, Broken> {
        match self.peek() {
            b'"' => {
                let made = self.made.len();
                self.string()?;
                self.made.truncate(made);
                Ok(Found::Text)
            }
            b'-' | b'0'..=b'9' => Ok(match self.number()? {
                Number::Int(_) => Found::Int,
                Number::Float(_) => Found::Number,
            }),
            b't' => self.word("true", Found::Boolean),
            b'f' => self.word("false", Found::Boolean),
            b'n' => self.word("null", Found::Null),
            _ => self.fail("a value is wanted"),
        }
    }

    /// Not by recursion: the input has a say in how deep this goes.
    fn skip_nested(&mut self) -> Result<(), Broken> {
        let outside = self.depth;
        // A bit a level, set for objects.
        let mut objects = 0u128;
        loop {
            if let open @ (b'{' | b'[') = self.peek() {
                self.enter()?;
                objects = objects << 1 | u128::from(open == b'{');
                // In ASCII, an opening bracket's counterpart stands two places behind it.
                if self.space() != open + 2 {
                    self.skip_name(objects)?;
                    continue;
                }
            } else {
                self.scalar()?;
            }
            loop {
                match (self.space(), objects & 1) {
                    (b',', _) => {
                        self.at += 1;
                        self.space();
                        self.skip_name(objects)?;
                        break;
                    }
                    (b'}', 1) | (b']', 0) => self.leave(),
                    _ => return self.fail("a comma or a closing bracket is wanted"),
                }
                objects >>= 1;
                if self.depth == outside {
                    return Ok(());
                }
            }
        }
    }

    /// Steps over the name of a value, if the innermost level is an object.
    fn skip_name(&mut self, objects: u128) -> Result<(), Broken> {
        if objects & 1 == 0 {
            return Ok(());
        }
        if self.peek() != b'"' {
            return self.fail("a name in quotes is wanted");
        }
        self.scalar()?;
        self.colon()
    }

    fn word(&mut self, word: &str, found: Found) -> Result<Found, Broken> {
        if self.input[self.at..].starts_with(word.as_bytes()) {
            self.at += word.len();
            return Ok(found);
        }
        self.fail("a value is wanted")
    }
}

/// Equality of short slices of one length, by overlapping words where a call of `memcmp` would cost more.
#[inline(always)]
fn same(left: &[u8], right: &[u8]) -> bool {
    if let (Some(left_end), Some(right_end)) = (left.last_chunk::<8>(), right.last_chunk::<8>()) {
        let words = left.as_chunks::<8>().0.iter().zip(right.as_chunks::<8>().0);
        return words.fold(left_end == right_end, |same, (left, right)| same & (left == right));
    }
    left.first_chunk::<4>() == right.first_chunk::<4>() && left.last_chunk::<4>() == right.last_chunk::<4>()
}
