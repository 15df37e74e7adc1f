//! What others see of where a thread is in its partitions.

use std::time::Duration;

use super::releases::Line;
use super::{Step, Worker};
use crate::engine::meter::{Place, Waits};
use crate::engine::ports::{Clock, Sink, Source};
use crate::record::PartitionId;
use crate::watermark::{BEGINNING, END};

/// How often they are told, at most.
const TELL: Duration = Duration::from_secs(1);

impl<S: Source, K: Sink<Member = S::Member>, C: Clock> Worker<S, K, C> {
    /// Tells, if it is time or partitions have come or gone.
    pub(super) fn tell_places(&mut self, step: Step) {
        let now = self.clock.monotonic();
        if step != Step::Rebalanced && now.saturating_sub(self.told_places) < TELL {
            return;
        }
        self.told_places = now;
        let sources = self.flow.pipeline().sources.len();
        let own = self.tasks.iter().flat_map(|(_, task)| task.inputs.iter().map(move |input| (task, input)));
        let own = own.map(|(task, input)| {
            let is_source = usize::from(input.id.source) < sources;
            let watermark = if is_source { input.progress.watermark } else { task.watermark.watermark() };
            let place = Place {
                next: input.next,
                end: self.source.end(input.id),
                watermark: Some(watermark).filter(|watermark| ![BEGINNING, END].contains(watermark)),
                waits: self.waits(input.id),
            };
            (input.id, place)
        });
        let waiting =
            self.waiting.iter().map(|id| (*id, Place { waits: Some(Waits::Task), ..Place::default() }));
        let places: Vec<(PartitionId, Place)> = own.chain(waiting).collect();
        self.places.set(places.into_iter());
    }

    /// Why it is not read, where it is not.
    fn waits(&self, id: PartitionId) -> Option<Waits> {
        if self.pauses.covers(self.flow.pipeline(), id) {
            return Some(Waits::Failing);
        }
        if self.line.iter().flat_map(Line::absent).any(|one| one == id) {
            return Some(Waits::Release);
        }
        let is_over = || self.tasks.has_ended(id);
        (self.held_back.contains(&id) && !is_over()).then_some(Waits::Watermark)
    }
}
