//! The header `traceparent`, as W3C's Trace Context has it: `00-TRACE-SPAN-FLAGS` in hexadecimal digits.

/// Its name, as it stands in records.
pub const TRACEPARENT: &str = "traceparent";
/// Bytes of the version that is written; later ones may have more behind them.
const LENGTH: usize = 55;
const SAMPLED: u8 = 1;

/// What a record says of the trace that it belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Context {
    pub trace: u128,
    pub parent: Option<u64>,
    flags: u8,
}

impl Context {
    /// The beginning of a trace.
    pub(super) fn new(trace: u128) -> Self {
        Self { trace, parent: None, flags: SAMPLED }
    }

    /// None: it is not as it must be.
    pub fn read(value: &[u8]) -> Option<Self> {
        let (text, rest) = value.split_at_checked(LENGTH)?;
        let version = number(&text[..2])?;
        let may_go_on = version > 0 && rest.first() == Some(&b'-');
        let dashes = [2, 35, 52].into_iter().all(|at| text[at] == b'-');
        if version == 0xff || !dashes || !(rest.is_empty() || may_go_on) {
            return None;
        }
        let (trace, parent) = (number(&text[3..35])?, number(&text[36..52])? as u64);
        let flags = number(&text[53..])? as u8;
        (trace != 0 && parent != 0).then_some(Self { trace, parent: Some(parent), flags })
    }

    pub fn is_sampled(self) -> bool {
        self.flags & SAMPLED != 0
    }

    /// For who goes on from a span.
    pub fn write(self, span: u64) -> String {
        // Other flags than these two have no meaning yet.
        format!("00-{:032x}-{span:016x}-{:02x}", self.trace, self.flags & 3)
    }
}

/// Of lower-case digits alone, 32 at most.
fn number(digits: &[u8]) -> Option<u128> {
    digits.iter().try_fold(0, |number: u128, digit| match digit {
        b'0'..=b'9' => Some(number << 4 | u128::from(digit - b'0')),
        b'a'..=b'f' => Some(number << 4 | u128::from(digit - b'a' + 10)),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    #[test]
    fn the_example_of_the_specification() {
        let context = Context::read(GOOD.as_bytes()).expect("a context");
        assert_eq!(
            (context.trace, context.parent),
            (0x0af7651916cd43dd8448eb211c80319c, Some(0xb7ad6b7169203331))
        );
        assert!(context.is_sampled());
        assert_eq!(context.write(0xb7ad6b7169203331), GOOD);
        assert_eq!(context.write(5), "00-0af7651916cd43dd8448eb211c80319c-0000000000000005-01");
        let other = Context::read(GOOD.replace("-01", "-00").as_bytes()).expect("a context");
        assert!(!other.is_sampled());
        assert!(
            Context::read(GOOD.replace("-01", "-03").as_bytes())
                .expect("a context")
                .write(1)
                .ends_with("-03")
        );
    }

    #[test]
    fn later_versions_may_say_more() {
        let later = GOOD.replacen("00-", "01-", 1);
        for value in [later.clone(), format!("{later}-what-ever")] {
            let context = Context::read(value.as_bytes()).expect("a context");
            assert!(context.write(1).starts_with("00-"), "{value}");
        }
        assert_eq!(Context::read(format!("{later}x").as_bytes()), None);
    }

    #[test]
    fn what_is_malformed_is_none() {
        let zero = |range: std::ops::Range<usize>| {
            let mut text = GOOD.to_owned();
            text.replace_range(range.clone(), &"0".repeat(range.len()));
            text
        };
        let malformed = [
            String::new(),
            GOOD[..54].to_owned(),
            format!("{GOOD}-"),
            format!("{GOOD} "),
            format!(" {GOOD}"),
            GOOD.to_uppercase(),
            GOOD.replacen("00-", "ff-", 1),
            GOOD.replace('-', "_"),
            GOOD.replace("0af7", "0ag7"),
            GOOD.replace("0af7", "+af7"),
            zero(3..35),
            zero(36..52),
            "é".repeat(30),
        ];
        for value in malformed {
            assert_eq!(Context::read(value.as_bytes()), None, "{value:?}");
        }
        for length in 0..200 {
            assert_eq!(Context::read(&vec![0xc3; length]), None);
        }
    }
}
