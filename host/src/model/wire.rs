//! Reads protobuf's wire format, as far as ONNX uses it. What it reads is not to be trusted: nothing is
//! allocated, nothing recurses, and what protobuf itself might read otherwise is refused.

/// A field's number with its value.
pub(super) type Field<'a> = (u32, Value<'a>);

/// What stands behind a field's number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Value<'a> {
    Number(u64),
    /// A text, a message, or numbers one behind the other.
    Bytes(&'a [u8]),
    /// Of 4 bytes.
    Single([u8; 4]),
    /// Of 8 bytes.
    Double([u8; 8]),
}

/// Why bytes are no message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Damaged;

/// The fields of a message, in the order in which they stand there. Ends with the first that is damaged.
#[derive(Clone, Debug)]
pub(super) struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    pub fn of(message: &'a [u8]) -> Self {
        Self(message)
    }

    fn read(&mut self) -> Result<Field<'a>, Damaged> {
        let tag = u32::try_from(varint(&mut self.0)?).map_err(|_| Damaged)?;
        let value = match tag & 7 {
            0 => Value::Number(varint(&mut self.0)?),
            1 => Value::Double(array(&mut self.0)?),
            2 => {
                let length = varint(&mut self.0)?;
                Value::Bytes(take(&mut self.0, usize::try_from(length).map_err(|_| Damaged)?)?)
            }
            5 => Value::Single(array(&mut self.0)?),
            // Groups, which ONNX does not have.
            _ => return Err(Damaged),
        };
        match tag >> 3 {
            0 => Err(Damaged),
            number => Ok((number, value)),
        }
    }
}

impl<'a> Iterator for Fields<'a> {
    type Item = Result<Field<'a>, Damaged>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let field = self.read();
        if field.is_err() {
            self.0 = &[];
        }
        Some(field)
    }
}

/// Appends the whole numbers of a repeated field: one, or many in a list.
pub(super) fn numbers(value: Value<'_>, into: &mut Vec<u64>) -> Result<(), Damaged> {
    match value {
        Value::Number(number) => into.push(number),
        Value::Bytes(mut packed) => {
            while !packed.is_empty() {
                into.push(varint(&mut packed)?);
            }
        }
        Value::Single(_) | Value::Double(_) => {}
    }
    Ok(())
}

/// At most ten bytes, the last of which has one bit.
fn varint(from: &mut &[u8]) -> Result<u64, Damaged> {
    let mut number = 0;
    for at in 0..10 {
        let byte = from.split_off_first().ok_or(Damaged)?;
        if at == 9 && *byte > 1 {
            return Err(Damaged);
        }
        number |= u64::from(byte & 0x7f) << (7 * at);
        if byte & 0x80 == 0 {
            return Ok(number);
        }
    }
    Err(Damaged)
}

fn take<'a>(from: &mut &'a [u8], count: usize) -> Result<&'a [u8], Damaged> {
    from.split_off(..count).ok_or(Damaged)
}

fn array<const N: usize>(from: &mut &[u8]) -> Result<[u8; N], Damaged> {
    take(from, N)?.try_into().map_err(|_| Damaged)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn fields_of_all_sorts() {
        let message = [
            &[0x08, 0x96, 0x01][..],
            &[0x12, 2, b'h', b'i'],
            &[0x1d, 1, 2, 3, 4],
            &[0x21, 1, 2, 3, 4, 5, 6, 7, 8],
        ];
        let message = message.concat();
        let fields: Vec<_> = Fields::of(&message).collect::<Result<_, _>>().unwrap();
        let expected = [
            (1, Value::Number(150)),
            (2, Value::Bytes(b"hi")),
            (3, Value::Single([1, 2, 3, 4])),
            (4, Value::Double([1, 2, 3, 4, 5, 6, 7, 8])),
        ];
        assert_eq!(fields, expected);
        let mut list = Vec::new();
        numbers(Value::Bytes(&[1, 0x96, 0x01]), &mut list).unwrap();
        numbers(Value::Number(u64::MAX), &mut list).unwrap();
        assert_eq!(list, [1, 150, u64::MAX]);
    }

    #[test]
    fn what_is_cut_off_or_ambiguous_is_damaged() {
        let eleven = [[0x08].as_slice(), &[0xff; 9], &[0x02]].concat();
        let wide = [[0x8a].as_slice(), &[0x80; 3], &[0x10, 1, 0]].concat();
        for message in [
            &[0x08][..],                   // no number behind the tag
            &[0x12, 3, 1, 2],              // shorter than it says
            &[0x12, 0xff, 0xff, 0xff, 15], // much shorter
            &[0x0b, 0x0c],                 // a group
            &[0x00, 1],                    // field 0
            &[0x0d, 1, 2],                 // half a float
            &eleven,
            &wide,
        ] {
            assert!(Fields::of(message).any(|field| field.is_err()), "{message:?}");
        }
    }

    proptest! {
        #[test]
        fn anything_ends(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let fields: Vec<_> = Fields::of(&bytes).collect();
            prop_assert!(fields.len() <= bytes.len());
            let mut list = Vec::new();
            let _ = numbers(Value::Bytes(&bytes), &mut list);
            prop_assert!(list.len() <= bytes.len());
        }
    }
}
