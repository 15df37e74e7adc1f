//! Through a record, once, filling the slots of the wanted columns.

use super::base64;
use super::cursor::{Broken, Cursor, Piece};
use super::number::Number;
use super::shape::{Object, Target};
use super::slot::{Found, Slot};
use super::string::Text;
use super::time::{self, TimeUnit};
use crate::columns::Kind;

#[derive(Debug)]
pub(super) struct Walk<'a> {
    pub(super) cursor: Cursor<'a>,
    pub(super) objects: &'a mut [Object],
    /// One a column.
    pub(super) slots: &'a mut [Slot],
    pub(super) unit: TimeUnit,
}

impl Walk<'_> {
    /// The whole input.
    pub(super) fn record(&mut self) -> Result<(), Broken> {
        if self.cursor.space() != b'{' {
            return self.cursor.fail("a JSON object is wanted");
        }
        self.object(0)?;
        self.cursor.space();
        if self.cursor.at < self.cursor.input.len() {
            return self.cursor.fail("something follows on the object");
        }
        Ok(())
    }

    /// Goes at most as deep as the cursor lets it.
    fn object(&mut self, object: usize) -> Result<(), Broken> {
        self.cursor.enter()?;
        if self.cursor.space() == b'}' {
            self.cursor.leave();
            return Ok(());
        }
        let mut before = self.objects[object].members.len();
        loop {
            match self.name(object, &mut before)? {
                Some(Target::Column { index, kind }) => self.slots[index] = self.value(kind)?,
                Some(Target::Object(nested)) => self.nested(nested)?,
                None => drop(self.cursor.skip()?),
            }
            match self.cursor.space() {
                b',' => self.cursor.at += 1,
                b'}' => {
                    self.cursor.leave();
                    return Ok(());
                }
                _ => return self.cursor.fail("a comma or a closing brace is wanted"),
            }
            self.cursor.space();
        }
    }

    /// Reads a field's name and colon. `before` is the wanted field that came last.
    #[inline(always)]
    fn name(&mut self, object: usize, before: &mut usize) -> Result<Option<Target>, Broken> {
        let shape = &self.objects[object];
        let guess = shape.next[*before];
        let Some(target) =
            self.cursor.take(&shape.members[guess].pattern).then(|| shape.members[guess].target)
        else {
            return self.search(object, before);
        };
        *before = guess;
        self.cursor.space();
        Ok(Some(target))
    }

    #[inline(never)]
    fn search(&mut self, object: usize, before: &mut usize) -> Result<Option<Target>, Broken> {
        if self.cursor.peek() != b'"' {
            return self.cursor.fail("a name in quotes is wanted");
        }
        let made = self.cursor.made.len();
        let name = self.cursor.string()?;
        let shape = &mut self.objects[object];
        let found = shape.by_name.get(self.cursor.bytes(name)).copied();
        self.cursor.made.truncate(made);
        self.cursor.colon()?;
        Ok(found.map(|member| {
            shape.next[*before] = member;
            *before = member;
            shape.members[member].target
        }))
    }

    /// A value that should be an object. It replaces what an earlier one of that name held.
    fn nested(&mut self, object: usize) -> Result<(), Broken> {
        if self.cursor.peek() == b'{' {
            self.fill(object, Slot::Absent);
            return self.object(object);
        }
        let slot = match self.cursor.skip()? {
            Found::Null => Slot::Null,
            found => Slot::NoObject(found),
        };
        self.fill(object, slot);
        Ok(())
    }

    fn fill(&mut self, object: usize, slot: Slot) {
        self.objects[object].columns.iter().for_each(|column| self.slots[*column] = slot);
    }

    #[inline(always)]
    fn value(&mut self, kind: Kind) -> Result<Slot, Broken> {
        match (kind, self.cursor.peek()) {
            (Kind::Int, b'-' | b'0'..=b'9') => self.int(),
            (Kind::Float, b'-' | b'0'..=b'9') => Ok(Slot::Float(self.cursor.number()?.as_f64())),
            (Kind::Single, b'-' | b'0'..=b'9') => {
                let number = self.cursor.number()?;
                Ok(single(number).map_or(Slot::Wrong(Found::NoSingle), Slot::Single))
            }
            (Kind::Time, b'-' | b'0'..=b'9') => Ok(match self.int()? {
                Slot::Int(number) => self.unit.millis(number).map_or(Slot::Wrong(Found::FarTime), Slot::Int),
                other => other,
            }),
            (Kind::Text, b'"') => self.text(),
            (Kind::Time, b'"') => self.time(),
            (Kind::Bytes, b'"') => self.base64(),
            (Kind::Floats, b'[') => self.floats(),
            (Kind::Boolean, byte @ (b't' | b'f')) => {
                self.cursor.skip()?;
                Ok(Slot::Boolean(byte == b't'))
            }
            _ => self.other(),
        }
    }

    /// A value that does not begin as the column's values do.
    #[cold]
    fn other(&mut self) -> Result<Slot, Broken> {
        Ok(match self.cursor.skip()? {
            Found::Null => Slot::Null,
            found => Slot::Wrong(found),
        })
    }

    #[inline(always)]
    fn int(&mut self) -> Result<Slot, Broken> {
        Ok(match self.cursor.number()? {
            Number::Int(number) => Slot::Int(number),
            Number::Float(_) => Slot::Wrong(Found::Number),
        })
    }

    #[inline(always)]
    fn text(&mut self) -> Result<Slot, Broken> {
        Ok(match self.cursor.string()? {
            Text::Plain(piece) => Slot::Plain(piece),
            Text::Made(piece) => Slot::Made(piece),
        })
    }

    fn time(&mut self) -> Result<Slot, Broken> {
        let text = self.cursor.string()?;
        let time = time::parse(self.cursor.bytes(text));
        Ok(time.map_or(Slot::Wrong(Found::NoTime), Slot::Int))
    }

    fn base64(&mut self) -> Result<Slot, Broken> {
        let start = self.cursor.made.len();
        let decoded = match self.cursor.string()? {
            Text::Plain(piece) => base64::decode(piece.of(self.cursor.input), self.cursor.made),
            // A slash may be escaped.
            Text::Made(_) => {
                let text = self.cursor.made.split_off(start);
                base64::decode(&text, self.cursor.made)
            }
        };
        Ok(match decoded {
            Some(()) => Slot::Made(Piece::new(start, self.cursor.made.len())),
            None => Slot::Wrong(Found::NoBase64),
        })
    }

    /// Reads an array to its end, even if it turns out to be none of numbers.
    fn floats(&mut self) -> Result<Slot, Broken> {
        let start = self.cursor.made.len();
        let mut wrong = None;
        self.cursor.enter()?;
        if self.cursor.space() != b']' {
            loop {
                if let Err(found) = self.element()? {
                    wrong = wrong.or(Some(found));
                }
                match self.cursor.space() {
                    b',' => self.cursor.at += 1,
                    b']' => break,
                    _ => return self.cursor.fail("a comma or a closing bracket is wanted"),
                }
                self.cursor.space();
            }
        }
        self.cursor.leave();
        Ok(wrong.map_or(Slot::Made(Piece::new(start, self.cursor.made.len())), Slot::Wrong))
    }

    fn element(&mut self) -> Result<Result<(), Found>, Broken> {
        if !matches!(self.cursor.peek(), b'-' | b'0'..=b'9') {
            self.cursor.skip()?;
            return Ok(Err(Found::NoNumbers));
        }
        let number = self.cursor.number()?;
        let element = single(number).ok_or(Found::NoSingle);
        Ok(element.map(|element| self.cursor.made.extend_from_slice(&element.to_le_bytes())))
    }
}

fn single(number: Number) -> Option<f32> {
    let single = number.as_f64() as f32;
    single.is_finite().then_some(single)
}
