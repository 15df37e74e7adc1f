//! Memory for rows on their way: one budget for all threads of a pipeline in this process.
//!
//! ```text
//! ├── set aside ───────┼── the rest ────────────────────────────────────────────────────┤
//!  read ahead, batches   rows that wait for their watermark (half of it), messages that
//!                        wait to be sent
//! ```
//!
//! With much held, only the partitions are read that are behind; what comes of them may be held, too. With no room to
//! send, nothing is read at all; what is read ahead fills up and stops by itself. Some of the rest is for messages alone,
//! however much is held: a transaction that sends them one by one is not over in time. And a thread may always send one
//! message: none waits for another.

use std::sync::Arc;

use super::sum::{Part, Sum};

/// Of the rest, what messages have for themselves: one of so many parts.
const SENDS: usize = 8;

/// Shared by the threads of a pipeline.
#[derive(Debug)]
pub struct Budget {
    most: usize,
    aside: Sum,
    held: Sum,
    sending: Sum,
}

/// Of a budget, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Use {
    pub most: usize,
    /// Set aside for what is read ahead, and batches.
    pub aside: usize,
    /// Rows that wait for their watermark.
    pub held: usize,
    /// Messages that wait to be sent.
    pub sending: usize,
}

impl Budget {
    /// Of so many bytes.
    pub fn new(most: usize) -> Arc<Self> {
        Arc::new(Self { most, aside: Sum::default(), held: Sum::default(), sending: Sum::default() })
    }

    /// Sets bytes aside for what a thread reads ahead, until they are given back.
    pub fn set_aside(&self, bytes: usize) -> Part {
        let mut part = self.aside.part();
        part.set(bytes);
        part
    }

    /// For a thread's rows that wait for their watermark.
    pub fn held(&self) -> Part {
        self.held.part()
    }

    /// For a thread's messages that wait to be sent.
    pub fn sending(&self) -> Part {
        self.sending.part()
    }

    /// Whether rows that wait leave too little for the others; `still`: they did the last time, and have to become
    /// a good deal fewer.
    pub fn holds_much(&self, still: bool) -> bool {
        let share = if still { 4 } else { 2 };
        self.held.get() > self.rest() / share
    }

    /// Whether a thread that has `sending` may send so much more.
    pub fn has_room(&self, sending: &Part, more: usize) -> bool {
        let (rest, sent) = (self.rest(), self.sending.get().saturating_add(more));
        sending.own() == 0 || sent <= rest / SENDS || self.held.get().saturating_add(sent) <= rest
    }

    /// What it is, and what of it is in use.
    pub fn use_of(&self) -> Use {
        let Self { most, aside, held, sending } = self;
        Use { most: *most, aside: aside.get(), held: held.get(), sending: sending.get() }
    }

    fn rest(&self) -> usize {
        self.most.saturating_sub(self.aside.get())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn threads_share_what_is_not_set_aside() {
        let budget = Budget::new(1_000);
        let first = budget.set_aside(400);
        let (mut held, mut one, mut other) = (budget.held(), budget.sending(), budget.sending());
        assert!(budget.has_room(&one, 5_000), "a first message always has");
        one.set(100);
        assert!(budget.has_room(&one, 500) && !budget.has_room(&one, 501));
        held.set(300);
        assert!(!budget.holds_much(false) && budget.holds_much(true));
        assert!(budget.has_room(&one, 200) && !budget.has_room(&one, 201));
        other.set(200);
        assert!(!budget.has_room(&one, 1) && !budget.has_room(&other, 1));
        one.set(20);
        other.set(20);
        held.set(5_000);
        assert!(budget.has_room(&one, 35) && !budget.has_room(&one, 36), "held is more than there should be");
        one.set(100);
        other.set(200);
        held.set(301);
        assert!(budget.holds_much(false));
        drop((held, other, first));
        assert!(budget.has_room(&one, 900) && !budget.holds_much(true));
        assert!(!budget.has_room(&one, 901), "what was dropped is given back, and no more");
    }
}
