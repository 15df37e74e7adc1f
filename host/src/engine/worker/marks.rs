//! At least once: offsets are noted, and committed when all that was sent before has arrived.

use std::time::Duration;

use super::Worker;
use crate::engine::ports::{Clock, Sink, Source};
use crate::error::Result;

impl<S: Source, K: Sink<Member = S::Member>, C: Clock> Worker<S, K, C> {
    /// Reading goes on meanwhile.
    pub(super) fn commit_what_arrived(&mut self) -> Result<()> {
        let under_way = self.sink.work(Duration::ZERO)?;
        if under_way.marked == 0 && !self.marked.is_empty() {
            self.source.commit(&std::mem::take(&mut self.marked), false)?;
        }
        if !self.marked.is_empty() {
            return Ok(());
        }
        let now = self.clock.monotonic();
        if now.saturating_sub(self.last_commit) < self.options.commit_interval {
            return Ok(());
        }
        self.mark();
        if self.marked.is_empty() {
            return Ok(());
        }
        self.last_commit = now;
        if under_way.all == 0 {
            self.source.commit(&std::mem::take(&mut self.marked), false)?;
        }
        Ok(())
    }

    /// Notes how far each partition is; a later offset of one replaces an earlier one.
    fn mark(&mut self) {
        let marked = &mut self.marked;
        for input in self.tasks.inputs_mut() {
            let Some(next) = input.resume().filter(|next| input.marked != Some(*next)) else { continue };
            input.marked = Some(next);
            marked.retain(|(other, _)| *other != input.id);
            marked.push((input.id, next));
        }
        if !marked.is_empty() {
            self.sink.mark();
        }
    }

    /// When everything has arrived: commits all of it, and waits for that.
    pub(super) fn commit_all(&mut self) -> Result<()> {
        self.mark();
        self.source.commit(&std::mem::take(&mut self.marked), true)
    }
}
