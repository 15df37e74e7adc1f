//! Rows and watermarks on their way into repartition topics.

use crate::error::Result;
use crate::pipeline::Stage;
use crate::record::{Message, PartitionId, Records, SourceId};
use crate::state::KeyColumns;

use super::admit::TakenRow;
use super::run::Flight;
use super::{Flow, Post};
use crate::engine::lap::Activity;
use crate::engine::parcel::{self, Cells, Head, Told};
use crate::engine::task::Tasks;

impl Flow {
    /// Sends the rows to the repartition topic of a group.
    pub(super) fn ship(
        &mut self,
        group: usize,
        records: &Records<'_>,
        flight: &mut Flight,
        send: &mut Post<'_>,
    ) -> Result<()> {
        self.turn(Activity::Send);
        let pipeline = std::sync::Arc::clone(&self.pipeline);
        let own = &pipeline.groups[group];
        let stage = Stage::Features(own.stages.start as u8);
        let Some(columns) = &own.key else { return Ok(()) };
        let (work, mut refused) = (&flight.work, Vec::new());
        let (views, times) = (columns.views(&work.rows), pipeline.sources[0].times);
        let mut key = Vec::new();
        for row in 0..work.len() {
            let place = work.places[row];
            let record = &records.rows[place.record as usize];
            if let Err(missing) = KeyColumns::write(&views, row, &mut key) {
                let name = &work.rows.schema()[columns.columns()[missing.0]].name;
                refused.push((row as u32, super::features::no_key(name)));
                continue;
            }
            let time = times.map_or(0, |times| work.rows.column(times.column).int(row));
            let head = Head::of(records, record, place.index, time, &pipeline.identity.stamp);
            let features = &work.matrix[row * work.features..][..work.features];
            let ids = work.ids.as_ref().filter(|ids| !ids.schema().is_empty());
            let cells = Cells { rows: &work.rows, row, features, ids };
            let most = pipeline.bounds.message_bytes.saturating_sub(key.len());
            if let Err(refusal) = self.row_layouts[group].pack_within(most, &head, cells, &mut self.bytes) {
                refused.push((row as u32, refusal));
                continue;
            }
            send(parcel_to(&pipeline.topics[usize::from(own.input)], &key, &self.bytes))?;
        }
        self.refuse_rows(stage, refused, flight);
        Ok(())
    }

    /// Sends a row of another source on to the groups behind the first that it feeds.
    pub(super) fn pass_on(&mut self, taken: &TakenRow<'_>, send: &mut Post<'_>) -> Result<()> {
        let TakenRow { records, record, source, rows, row, place, time } = *taken;
        if source == 0 {
            return Ok(());
        }
        let pipeline = std::sync::Arc::clone(&self.pipeline);
        let mut key = Vec::new();
        for (group, side) in pipeline.passed_to(source) {
            let own = &pipeline.groups[group];
            if let Err(missing) = KeyColumns::write(&side.key.views(rows), row, &mut key) {
                let name = &rows.schema()[side.key.columns()[missing.0]].name;
                self.refuse_update(own.stages.start, place, super::features::no_key(name));
                continue;
            }
            let head = Head::of(records, record, place.index, time, &pipeline.identity.stamp);
            let cells = Cells { rows, row, features: &[], ids: None };
            let most = pipeline.bounds.message_bytes.saturating_sub(key.len());
            let layout = &self.side_layouts[usize::from(source)];
            if let Err(refusal) = layout.pack_within(most, &head.into_update(), cells, &mut self.bytes) {
                self.refuse_update(own.stages.start, place, refusal);
                continue;
            }
            send(parcel_to(&pipeline.topics[usize::from(own.input)], &key, &self.bytes))?;
        }
        Ok(())
    }

    /// Tells the groups behind how far the tasks of this thread are, where that is news. Gives how many messages
    /// that took.
    pub fn tell(
        &mut self,
        tasks: &mut Tasks,
        send: &mut dyn FnMut(Message<'_>) -> Result<()>,
    ) -> Result<usize> {
        let pipeline = std::sync::Arc::clone(&self.pipeline);
        let mut count = 0;
        if pipeline.groups.len() == 1 {
            return Ok(count);
        }
        for task in 0..tasks.len() {
            let group = usize::from(tasks.id(task).group);
            let one = tasks.at(task);
            if let Some(next) = pipeline.groups.get(group + 1) {
                let (news, quiet) = (one.watermark.progress(), one.quiet);
                if news != one.told || quiet != one.told_quiet {
                    (one.told, one.told_quiet) = (news, quiet);
                    let of = PartitionId {
                        source: pipeline.groups[group].input,
                        partition: tasks.id(task).partition,
                    };
                    let told = Told { of, progress: news, run: self.run, quiet };
                    count += self.broadcast(next.input, told, send)?;
                }
            }
            for input in &mut tasks.at(task).inputs {
                let passes = usize::from(input.id.source) < pipeline.sources.len();
                let (of, progress, fence) = (input.id, input.progress, input.fence);
                let is_news = input.told != progress || input.told_fence != fence;
                if passes && input.id.source > 0 && is_news {
                    (input.told, input.told_fence) = (progress, fence);
                    let quiet = fence.map(|fence| fence.to);
                    for (group, _) in pipeline.passed_to(input.id.source) {
                        let to = pipeline.groups[group].input;
                        let told = Told { of, progress, run: self.run, quiet };
                        count += self.broadcast(to, told, send)?;
                    }
                }
            }
        }
        Ok(count)
    }

    /// To each partition of a repartition topic.
    fn broadcast(&mut self, to: SourceId, told: Told, send: &mut Post<'_>) -> Result<usize> {
        self.bytes.clear();
        parcel::pack_watermark(told, &mut self.bytes);
        for partition in 0..self.partitions[usize::from(to)] {
            send(Message {
                topic: &self.pipeline.topics[usize::from(to)],
                partition: Some(partition),
                key: None,
                value: Some(&self.bytes),
                timestamp: None,
                headers: &[],
                tag: None,
            })?;
        }
        Ok(self.partitions[usize::from(to)] as usize)
    }
}

/// Its timestamp is now, since brokers delete by timestamps; that of the record is inside.
fn parcel_to<'a>(topic: &'a str, key: &'a [u8], value: &'a [u8]) -> Message<'a> {
    Message {
        topic,
        partition: None,
        key: Some(key),
        value: Some(value),
        timestamp: None,
        headers: &[],
        tag: None,
    }
}
