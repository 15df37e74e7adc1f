//! Through a record, once, filling the slots of the wanted columns.

use super::base64;
use super::cursor::{Broken, Cursor, Piece};
use super::number::Number;
use super::shape::{BEGINNING, Object, Target, Want};
use super::slot::{Found, Slot};
use super::string::Text;
use super::time;
use crate::columns::Kind;
use crate::config::TimeUnit;

#[derive(Debug)]
pub(super) struct Walk<'a> {
    pub(super) cursor: Cursor<'a>,
    pub(super) objects: &'a mut [Object],
    /// One a column.
    pub(super) slots: &'a mut [Slot],
    pub(super) unit: TimeUnit,
    /// Floats may have nulls: numbers that are not finite.
    pub(super) gaps: bool,
}

impl Walk<'_> {
    /// The whole input.
    pub(super) fn record(&mut self) -> Result<(), Broken> {
        let (byte, at) = self.cursor.space(0);
        if byte != b'{' {
            return self.cursor.fail(at, "a JSON object is wanted");
        }
        let at = self.object(0, at)?;
        let (_, at) = self.cursor.space(at);
        if at < self.cursor.end() {
            return self.cursor.fail(at, "something follows on the object");
        }
        Ok(())
    }

    /// Goes at most as deep as the cursor lets it.
    fn object(&mut self, object: usize, at: usize) -> Result<usize, Broken> {
        let at = self.cursor.enter(at)?;
        let (byte, mut at) = self.cursor.space(at);
        if byte == b'}' {
            return Ok(self.cursor.leave(at));
        }
        let mut last = BEGINNING;
        loop {
            let target;
            if let Some((member, wanted, colon)) = self.objects[object].guess(last, self.cursor.input, at) {
                (last, target) = (member, wanted);
                (_, at) = self.cursor.space(colon);
            } else {
                (last, target, at) = self.search(object, last, at)?;
            }
            at = self.field(target, at)?;
            let (byte, behind) = self.cursor.space(at);
            match byte {
                b',' => (_, at) = self.cursor.space(behind + 1),
                b'}' => return Ok(self.cursor.leave(behind)),
                _ => return self.cursor.fail(behind, "a comma or a closing brace is wanted"),
            }
        }
    }

    /// Reads any name and its colon.
    #[inline(never)]
    fn search(&mut self, object: usize, last: usize, at: usize) -> Result<(usize, Target, usize), Broken> {
        if self.cursor.byte(at) != b'"' {
            return self.cursor.fail(at, "a name in quotes is wanted");
        }
        let made = self.cursor.made.len();
        let (name, at) = self.cursor.string(at)?;
        let (member, target) = self.objects[object].search(last, self.cursor.bytes(name));
        self.cursor.made.truncate(made);
        Ok((member, target, self.cursor.colon(at)?))
    }

    #[inline(always)]
    fn field(&mut self, target: Target, at: usize) -> Result<usize, Broken> {
        let index = target.index;
        match (target.want, self.cursor.byte(at)) {
            (Want::Value(Kind::Int), b'-' | b'0'..=b'9') => {
                let (number, at) = self.cursor.number(at)?;
                self.slots[index] = int(number);
                Ok(at)
            }
            (Want::Value(Kind::Time), b'-' | b'0'..=b'9') => {
                let (number, at) = self.cursor.number(at)?;
                self.slots[index] = match number {
                    Number::Int(number) => {
                        self.unit.millis(number).map_or(Slot::Wrong(Found::FarTime), Slot::Int)
                    }
                    Number::Float(_) => Slot::Wrong(Found::Number),
                };
                Ok(at)
            }
            (Want::Value(Kind::Float), b'-' | b'0'..=b'9') => {
                let (number, at) = self.cursor.number(at)?;
                self.slots[index] = Slot::Float(number.as_f64());
                Ok(at)
            }
            (Want::Value(Kind::Text), b'"') => {
                let (text, at) = self.cursor.string(at)?;
                self.slots[index] = match text {
                    Text::Plain(piece) => Slot::Plain(piece),
                    Text::Made(piece) => Slot::Made(piece),
                };
                Ok(at)
            }
            (Want::Nothing, _) => Ok(self.cursor.skip(at)?.1),
            (Want::Object, _) => self.nested(index, at),
            (Want::Value(kind), _) => {
                let (slot, at) = self.value(kind, at)?;
                self.slots[index] = slot;
                Ok(at)
            }
        }
    }

    /// A value that should be an object. It replaces what an earlier one of that name held.
    #[inline(never)]
    fn nested(&mut self, object: usize, at: usize) -> Result<usize, Broken> {
        if self.cursor.byte(at) == b'{' {
            self.fill(object, Slot::Absent);
            return self.object(object, at);
        }
        let (found, at) = self.cursor.skip(at)?;
        self.fill(object, if found == Found::Null { Slot::Null } else { Slot::NoObject(found) });
        Ok(at)
    }

    fn fill(&mut self, object: usize, slot: Slot) {
        self.objects[object].columns.iter().for_each(|column| self.slots[*column] = slot);
    }

    /// What is rarer than the kinds in [`Self::field`].
    #[inline(never)]
    fn value(&mut self, kind: Kind, at: usize) -> Result<(Slot, usize), Broken> {
        match (kind, self.cursor.byte(at)) {
            (Kind::Single, b'-' | b'0'..=b'9') => {
                let (number, at) = self.cursor.number(at)?;
                Ok((single(number).map_or(Slot::Wrong(Found::NoSingle), Slot::Single), at))
            }
            (Kind::Time, b'"') => {
                let (text, at) = self.cursor.string(at)?;
                let time = time::parse(self.cursor.bytes(text));
                Ok((time.map_or(Slot::Wrong(Found::NoTime), Slot::Int), at))
            }
            (Kind::Bytes, b'"') => self.base64(at),
            (Kind::Floats, b'[') => self.floats(at),
            (Kind::Boolean, byte @ (b't' | b'f')) => {
                let (_, at) = self.cursor.skip(at)?;
                Ok((Slot::Boolean(byte == b't'), at))
            }
            _ => {
                let (found, at) = self.cursor.skip(at)?;
                Ok((if found == Found::Null { Slot::Null } else { Slot::Wrong(found) }, at))
            }
        }
    }

    fn base64(&mut self, at: usize) -> Result<(Slot, usize), Broken> {
        let start = self.cursor.made.len();
        let (text, at) = self.cursor.string(at)?;
        let decoded = match text {
            Text::Plain(piece) => base64::decode(piece.of(self.cursor.input), self.cursor.made),
            // A slash may be escaped.
            Text::Made(_) => {
                let text = self.cursor.made.split_off(start);
                base64::decode(&text, self.cursor.made)
            }
        };
        let slot = match decoded {
            Some(()) => Slot::Made(Piece::new(start, self.cursor.made.len())),
            None => Slot::Wrong(Found::NoBase64),
        };
        Ok((slot, at))
    }

    /// Reads an array to its end, even if it turns out to be none of numbers.
    fn floats(&mut self, at: usize) -> Result<(Slot, usize), Broken> {
        let start = self.cursor.made.len();
        let mut wrong = None;
        let at = self.cursor.enter(at)?;
        let (mut byte, mut at) = self.cursor.space(at);
        while byte != b']' {
            let (element, behind) = self.element(at)?;
            wrong = wrong.or(element.err());
            (byte, at) = self.cursor.space(behind);
            match byte {
                b',' => (_, at) = self.cursor.space(at + 1),
                b']' => {}
                _ => return self.cursor.fail(at, "a comma or a closing bracket is wanted"),
            }
        }
        let piece = Piece::new(start, self.cursor.made.len());
        Ok((wrong.map_or(Slot::Made(piece), Slot::Wrong), self.cursor.leave(at)))
    }

    fn element(&mut self, at: usize) -> Result<(Result<(), Found>, usize), Broken> {
        if !matches!(self.cursor.byte(at), b'-' | b'0'..=b'9') {
            let (found, at) = self.cursor.skip(at)?;
            if found != Found::Null || !self.gaps {
                return Ok((Err(Found::NoNumbers), at));
            }
            self.cursor.made.extend_from_slice(&f32::NAN.to_le_bytes());
            return Ok((Ok(()), at));
        }
        let (number, at) = self.cursor.number(at)?;
        let element = single(number).ok_or(Found::NoSingle);
        Ok((element.map(|element| self.cursor.made.extend_from_slice(&element.to_le_bytes())), at))
    }
}

#[inline(always)]
fn int(number: Number) -> Slot {
    match number {
        Number::Int(number) => Slot::Int(number),
        Number::Float(_) => Slot::Wrong(Found::Number),
    }
}

fn single(number: Number) -> Option<f32> {
    let single = number.as_f64() as f32;
    single.is_finite().then_some(single)
}
