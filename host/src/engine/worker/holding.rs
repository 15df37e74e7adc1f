//! Which partitions are not read for now.

use std::time::Duration;

use super::Worker;
use super::floor::Seat;
use super::releases::Line;
use crate::engine::ports::{Clock, Sink, Source};
use crate::engine::task::Input;
use crate::error::Result;
use crate::record::PartitionId;
use crate::watermark::{BEGINNING, END};

/// How often people are told at most who holds a thread up.
const TELL: Duration = Duration::from_secs(60);

impl<S: Source, K: Sink<Member = S::Member>, C: Clock> Worker<S, K, C> {
    /// While too much is held, only partitions are read that are behind; and none that has ended, or that waits for
    /// its task, for a stage that fails or for a release.
    pub(super) fn hold_back(&mut self) -> Result<()> {
        let pipeline = self.flow.pipeline();
        self.held.set(self.tasks.held_bytes());
        let has_ended = |input: &&Input| self.options.until_end && input.progress.watermark == END;
        let mut back: Vec<PartitionId> =
            self.tasks.inputs().filter(has_ended).map(|input| input.id).collect();
        let sources = pipeline.sources.len();
        let is_much = self.held.own() > 0 && self.budget.holds_much(!self.held_back.is_empty());
        let slowest = if is_much { self.tasks.slowest(sources) } else { None };
        back.extend(slowest.iter().flat_map(|(_, watermark)| self.tasks.ahead(sources, *watermark)));
        let before = back.len();
        let paused = self.tasks.inputs().filter(|input| self.pauses.covers(pipeline, input.id));
        back.extend(paused.map(|input| input.id));
        self.paused.set(back.len() - before);
        back.extend(&self.waiting);
        back.extend(self.line.iter().flat_map(Line::absent));
        back.extend(self.seat.iter().flat_map(Seat::behind));
        back.sort_unstable();
        back.dedup();
        if back != self.held_back {
            self.source.hold(&back)?;
            let before = std::mem::replace(&mut self.held_back, back);
            let now = self.clock.monotonic();
            let is_read_again =
                |input: &&mut Input| before.contains(&input.id) && !self.held_back.contains(&input.id);
            self.tasks.inputs_mut().filter(is_read_again).for_each(|input| input.heard = now);
        }
        if let Some((id, watermark)) = slowest {
            self.tell_of_slow(id, watermark);
        }
        Ok(())
    }

    /// Says what rows wait for.
    fn tell_of_slow(&mut self, id: PartitionId, watermark: i64) {
        let now = self.clock.monotonic();
        if self.told_of_slow.is_some_and(|told| now.saturating_sub(told) < TELL) {
            return;
        }
        self.told_of_slow = Some(now);
        let pipeline = self.flow.pipeline();
        let topic = &pipeline.topics[usize::from(id.source)];
        let so_far = match watermark {
            BEGINNING => "of which no row has come yet".to_owned(),
            watermark => format!("which is at {}", crate::time::written(watermark)),
        };
        tracing::warn!(
            pipeline = %pipeline.name,
            "{} bytes of rows wait for {topic}/{}, {so_far}; partitions that are further are not read meanwhile",
            self.held.own(), id.partition
        );
    }
}
