//! Attributes of an operator, by name.

use std::collections::HashMap;

use super::Unsound;
use crate::model::wire::{Damaged, Fields, Value, numbers};
use crate::model::words;

/// Numbers of one list: more than any model of trees has, and no more memory than ONNX Runtime takes.
const LIST_LIMIT: usize = 1 << 27;

/// Field numbers of `onnx.proto`.
mod field {
    pub const NAME: u32 = 1;
    pub const INT: u32 = 3;
    pub const TENSOR: u32 = 5;
    pub const FLOATS: u32 = 7;
    pub const INTS: u32 = 8;
    pub const STRINGS: u32 = 9;
    pub const TYPE: u32 = 20;
    pub const REFERENCE: u32 = 21;

    pub const TENSOR_TYPE: u32 = 2;
    pub const TENSOR_FLOATS: u32 = 4;
    pub const TENSOR_BYTES: u32 = 5;
    pub const TENSOR_RAW: u32 = 9;
    pub const TENSOR_DOUBLES: u32 = 10;
    pub const TENSOR_ELSEWHERE: u32 = 13;
}

/// Values of [`field::TYPE`].
mod kind {
    pub const INT: u64 = 2;
    pub const TENSOR: u64 = 4;
    pub const FLOATS: u64 = 6;
    pub const INTS: u64 = 7;
    pub const STRINGS: u64 = 8;
}

/// Messages by the attributes' names.
#[derive(Debug)]
pub(super) struct Attributes<'a>(HashMap<&'a [u8], &'a [u8]>);

impl<'a> Attributes<'a> {
    /// Refuses a name that is there twice: who knows which one counts.
    pub fn read(messages: &[&'a [u8]]) -> Result<Self, Unsound> {
        let mut found = HashMap::with_capacity(messages.len());
        for message in messages {
            let mut name: &[u8] = b"";
            for one in Fields::of(message) {
                match one.map_err(damaged)? {
                    (field::NAME, Value::Bytes(bytes)) => name = bytes,
                    (field::REFERENCE, _) => {
                        return Err("an attribute is another's of a function: write it out".to_owned());
                    }
                    _ => {}
                }
            }
            if found.insert(name, *message).is_some() {
                let name = words::quoted(&String::from_utf8_lossy(name));
                return Err(format!("the attribute {name} is there twice"));
            }
        }
        Ok(Self(found))
    }

    /// Empty if it is not there.
    pub fn ints(&self, name: &str) -> Result<Vec<i64>, Unsound> {
        let mut list = Vec::new();
        self.each(name, kind::INTS, |number, value| {
            if number == field::INTS {
                numbers(value, &mut list)?;
            }
            if list.len() > LIST_LIMIT { Err(Damaged) } else { Ok(()) }
        })?;
        Ok(list.into_iter().map(u64::cast_signed).collect())
    }

    pub fn int(&self, name: &str) -> Result<Option<i64>, Unsound> {
        let mut found = None;
        self.each(name, kind::INT, |number, value| {
            if let (field::INT, Value::Number(number)) = (number, value) {
                found = Some(number.cast_signed());
            }
            Ok(())
        })?;
        Ok(found)
    }

    pub fn strings(&self, name: &str) -> Result<Vec<&'a [u8]>, Unsound> {
        let mut list = Vec::new();
        self.each(name, kind::STRINGS, |number, value| {
            if let (field::STRINGS, Value::Bytes(text)) = (number, value) {
                list.push(text);
            }
            Ok(())
        })?;
        Ok(list)
    }

    /// How many floats it has, as a list or in the tensor `NAME_as_tensor`.
    pub fn count_floats(&self, name: &str) -> Result<usize, Unsound> {
        let mut count = 0;
        self.each(name, kind::FLOATS, |number, value| {
            match (number, value) {
                (field::FLOATS, Value::Bytes(packed)) => count += packed.len() / 4,
                (field::FLOATS, Value::Single(_)) => count += 1,
                _ => {}
            }
            Ok(())
        })?;
        Ok(count + self.tensor(&format!("{name}_as_tensor"))?.len())
    }

    /// Empty if it is not there. Of bytes, floats or doubles, and not in another file.
    pub fn tensor(&self, name: &str) -> Result<Tensor, Unsound> {
        let mut message = None;
        self.each(name, kind::TENSOR, |number, value| match (number, value) {
            (field::TENSOR, Value::Bytes(tensor)) if message.is_none() => {
                message = Some(tensor);
                Ok(())
            }
            // Two would be merged.
            (field::TENSOR, _) => Err(Damaged),
            _ => Ok(()),
        })?;
        match message {
            Some(message) => Tensor::read(message)
                .map_err(|Damaged| format!("the tensor {name} is damaged, or of another sort")),
            None => Ok(Tensor::default()),
        }
    }

    fn each(
        &self,
        name: &str,
        wanted: u64,
        mut take: impl FnMut(u32, Value<'a>) -> Result<(), Damaged>,
    ) -> Result<(), Unsound> {
        let Some(message) = self.0.get(name.as_bytes()) else { return Ok(()) };
        let mut found = None;
        for one in Fields::of(message) {
            let (number, value) = one.map_err(damaged)?;
            if let (field::TYPE, Value::Number(kind)) = (number, value) {
                found = Some(kind);
            }
            take(number, value).map_err(damaged)?;
        }
        // Of another type it counts as absent for ONNX Runtime.
        if found != Some(wanted) {
            return Err(format!("the attribute {name} is of another type"));
        }
        Ok(())
    }
}

/// The elements of a tensor.
#[derive(Debug, Default, PartialEq)]
pub(super) enum Tensor {
    #[default]
    None,
    Bytes(Vec<u8>),
    Floats(Vec<f64>),
}

impl Tensor {
    pub fn len(&self) -> usize {
        match self {
            Self::None => 0,
            Self::Bytes(list) => list.len(),
            Self::Floats(list) => list.len(),
        }
    }

    fn read(message: &[u8]) -> Result<Self, Damaged> {
        let (mut kind, mut raw) = (0, None);
        let (mut bytes, mut floats) = (Vec::new(), Vec::new());
        for one in Fields::of(message) {
            match one? {
                (field::TENSOR_TYPE, Value::Number(number)) => kind = number,
                (field::TENSOR_RAW, Value::Bytes(all)) if raw.is_none() => raw = Some(all),
                (field::TENSOR_BYTES, value) => numbers(value, &mut bytes)?,
                (field::TENSOR_FLOATS, Value::Single(one)) => floats.push(f64::from(f32::from_le_bytes(one))),
                (field::TENSOR_FLOATS, Value::Bytes(packed)) => floats.extend(singles(packed)),
                (field::TENSOR_DOUBLES, Value::Double(one)) => floats.push(f64::from_le_bytes(one)),
                (field::TENSOR_DOUBLES, Value::Bytes(packed)) => floats.extend(doubles(packed)),
                (field::TENSOR_RAW | field::TENSOR_ELSEWHERE, _) => return Err(Damaged),
                _ => {}
            }
        }
        if raw.is_some() && !(bytes.is_empty() && floats.is_empty()) {
            return Err(Damaged);
        }
        match (kind, raw) {
            (2, Some(raw)) => Ok(Self::Bytes(raw.to_vec())),
            (2, None) => {
                let narrow = bytes.into_iter().map(|one| u8::try_from(one).map_err(|_| Damaged));
                narrow.collect::<Result<_, _>>().map(Self::Bytes)
            }
            (1, Some(raw)) => Ok(Self::Floats(singles(raw).collect())),
            (11, Some(raw)) => Ok(Self::Floats(doubles(raw).collect())),
            (1 | 11, None) => Ok(Self::Floats(floats)),
            _ => Err(Damaged),
        }
    }
}

fn singles(packed: &[u8]) -> impl Iterator<Item = f64> {
    packed.as_chunks().0.iter().map(|one| f64::from(f32::from_le_bytes(*one)))
}

fn doubles(packed: &[u8]) -> impl Iterator<Item = f64> {
    packed.as_chunks().0.iter().map(|one| f64::from_le_bytes(*one))
}

fn damaged(_: Damaged) -> Unsound {
    "an attribute is damaged".to_owned()
}
