//! Which output a record is, by its headers.

use crate::record::{Header, ORIGIN, RELEASE, WINDOW};

/// Of an output; nothing else has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Identity<'a> {
    /// Which of the rows of which record.
    Row { topic: &'a str, partition: i64, offset: i64, index: i64 },
    /// Milliseconds.
    Window { key: &'a str, start: i64, end: i64, revision: i64 },
}

impl<'a> Identity<'a> {
    /// `windows`: it is to be that of a closed window. An error says what is not as it should be.
    pub fn of(key: Option<&'a [u8]>, headers: &[Header<'a>], windows: bool) -> Result<Self, &'static str> {
        if windows { Self::of_window(key, headers) } else { Self::of_row(headers) }
    }

    fn of_row(headers: &[Header<'a>]) -> Result<Self, &'static str> {
        let text = text(headers, ORIGIN).ok_or("it has no header `tailwater-origin`")?;
        // Names of topics have no slash, but who knows.
        let mut parts = text.rsplitn(4, '/');
        let [index, offset, partition] =
            numbers(&mut parts).ok_or("its header `tailwater-origin` is none")?;
        let topic = parts.next().ok_or("its header `tailwater-origin` names no topic")?;
        Ok(Self::Row { topic, partition, offset, index })
    }

    fn of_window(key: Option<&'a [u8]>, headers: &[Header<'a>]) -> Result<Self, &'static str> {
        let text = text(headers, WINDOW).ok_or("it has no header `tailwater-window`")?;
        let mut parts = text.split('/');
        let numbers = numbers(&mut parts).filter(|_| parts.next().is_none());
        let [start, end, revision] = numbers.ok_or("its header `tailwater-window` is none")?;
        let key = std::str::from_utf8(key.unwrap_or_default()).map_err(|_| "its key is no text")?;
        Ok(Self::Window { key, start, end, revision })
    }
}

/// What made it.
pub(super) fn release<'a>(headers: &[Header<'a>]) -> Option<&'a str> {
    text(headers, RELEASE)
}

fn text<'a>(headers: &[Header<'a>], name: &str) -> Option<&'a str> {
    let found = headers.iter().find(|header| header.name == name)?;
    std::str::from_utf8(found.value?).ok()
}

fn numbers<'a>(parts: &mut impl Iterator<Item = &'a str>) -> Option<[i64; 3]> {
    let mut number = || parts.next()?.parse().ok();
    Some([number()?, number()?, number()?])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{Origin, PartitionId, WindowId};

    fn header<'a>(name: &'a str, value: &'a str) -> [Header<'a>; 1] {
        [Header { name, value: Some(value.as_bytes()) }]
    }

    #[test]
    fn what_was_written_is_read() {
        let mut text = String::new();
        let from = PartitionId { source: 0, partition: 3 };
        Origin { from, offset: 41, index: 2 }.write("tx.in", &mut text);
        let row = Identity::of(None, &header(ORIGIN, &text), false);
        assert_eq!(row, Ok(Identity::Row { topic: "tx.in", partition: 3, offset: 41, index: 2 }));
        let mut text = String::new();
        WindowId { start: -60_000, end: 0, revision: 1 }.write(&mut text);
        let window = Identity::of(Some(b"b1|7"), &header(WINDOW, &text), true);
        assert_eq!(window, Ok(Identity::Window { key: "b1|7", start: -60_000, end: 0, revision: 1 }));
    }

    #[test]
    fn what_is_no_output_is_told() {
        for wrong in ["", "a/1/2", "a/1/2/x", "1/2/3"] {
            assert!(Identity::of(None, &header(ORIGIN, wrong), false).is_err(), "{wrong:?}");
        }
        for wrong in ["", "1/2", "1/2/3/4", "1/2/x"] {
            assert!(Identity::of(Some(b"k"), &header(WINDOW, wrong), true).is_err(), "{wrong:?}");
        }
        assert!(Identity::of(Some(b"\xff"), &header(WINDOW, "1/2/3"), true).is_err());
        assert!(Identity::of(None, &[], false).is_err());
        assert!(Identity::of(None, &header(WINDOW, "1/2/3"), false).is_err(), "of another kind");
    }
}
