//! What is under way.

use crate::engine::ports::UnderWay;

/// What librdkafka carries with a message until its report: its part, its size, its tag.
///
/// ```text
///   63        32  31   30         1   0
///   the tag       any  bytes          part
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Label(usize);

const _: () = assert!(usize::BITS == 64, "a label fits into a pointer");

const TAGGED: usize = 1 << 31;

/// librdkafka takes no message of more than 1,000,000,000 bytes.
const SIZE_BITS: usize = (1 << 30) - 1;

impl Label {
    fn new(part: usize, size: usize, tag: Option<u32>) -> Self {
        debug_assert!(size <= SIZE_BITS, "more than librdkafka takes");
        let tag = tag.map_or(0, |tag| (tag as usize) << 32 | TAGGED);
        Self(tag | (size & SIZE_BITS) << 1 | part)
    }

    pub(super) fn from_raw(raw: usize) -> Self {
        Self(raw)
    }

    pub(super) fn raw(self) -> usize {
        self.0
    }

    fn part(self) -> usize {
        self.0 & 1
    }

    fn size(self) -> usize {
        self.0 >> 1 & SIZE_BITS
    }

    pub(super) fn tag(self) -> Option<u32> {
        (self.0 & TAGGED != 0).then_some((self.0 >> 32) as u32)
    }
}

/// Messages are counted in two parts, before the mark and after it; the next mark takes the other part.
#[derive(Debug, Default)]
pub(super) struct Tally {
    bytes: usize,
    messages: [usize; 2],
    part: usize,
}

impl Tally {
    /// Of a message that is about to be sent.
    pub(super) fn label(&self, size: usize, tag: Option<u32>) -> Label {
        Label::new(self.part, size, tag)
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(super) fn add(&mut self, label: Label) {
        self.bytes += label.size();
        self.messages[label.part()] += 1;
    }

    pub(super) fn remove(&mut self, label: Label) {
        self.bytes -= label.size();
        self.messages[label.part()] -= 1;
    }

    pub(super) fn under_way(&self) -> UnderWay {
        let Self { messages, part, .. } = self;
        UnderWay { all: messages[0] + messages[1], marked: messages[part ^ 1] }
    }

    pub(super) fn mark(&mut self) {
        debug_assert_eq!(self.messages[self.part ^ 1], 0, "the part before is done");
        self.part ^= 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_label_keeps_all_that_it_was_given(
            part in 0usize..2,
            size in prop_oneof![0..=SIZE_BITS, Just(0), Just(SIZE_BITS)],
            tag in prop_oneof![Just(None), Just(Some(0)), Just(Some(u32::MAX)), any::<Option<u32>>()],
        ) {
            let label = Label::from_raw(Label::new(part, size, tag).raw());
            prop_assert_eq!((label.part(), label.size(), label.tag()), (part, size, tag));
        }

        #[test]
        fn what_was_added_and_removed_is_not_there(sizes in prop::collection::vec(0usize..1_000, 0..50)) {
            let mut tally = Tally::default();
            let labels: Vec<_> = sizes.iter().map(|&size| tally.label(size, None)).collect();
            labels.iter().for_each(|label| tally.add(*label));
            prop_assert_eq!(tally.bytes(), sizes.iter().sum::<usize>());
            prop_assert_eq!(tally.under_way(), UnderWay { all: sizes.len(), marked: 0 });
            tally.mark();
            prop_assert_eq!(tally.under_way(), UnderWay { all: sizes.len(), marked: sizes.len() });
            labels.iter().for_each(|label| tally.remove(*label));
            prop_assert_eq!((tally.bytes(), tally.under_way()), (0, UnderWay::default()));
        }
    }
}
