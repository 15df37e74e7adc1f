//! A release is tried on records that came just now, before it is to run: through all stages, with windows that hold what
//! was kept of their keys, as far as it was copied. Nothing is sent, kept or counted.

use std::sync::Arc;
use std::time::Duration;

use crate::error::{Code, Result};
use crate::record::{Message, PartitionId, Record, Records, SourceId};

use super::Flow;
use crate::engine::breaker::Failing;
use crate::engine::lap::Lap;
use crate::engine::meter::Counts;
use crate::engine::sample::Sample;
use crate::engine::task::{Input, Task, TaskId, Tasks};
use crate::pipeline::Role;

/// How a trial went.
#[derive(Clone, Debug)]
pub struct Rehearsed {
    pub records: usize,
    /// So many rows became dead letters, for whatever reason.
    pub refused: u64,
    pub decisions: usize,
    /// Stages whose plugin or model failed for a larger share of its rows than is tolerated.
    pub failing: Vec<Failing>,
}

/// Where all records of a source are, for once.
const PARTITION: i32 = 0;

impl Flow {
    /// Tries all stages. An error: something else than a plugin or the model failed.
    pub fn rehearse(&mut self, sample: &Sample) -> Result<Rehearsed> {
        let partitions = self.partitions.iter().map(|_| 1).collect();
        let partitions = std::mem::replace(&mut self.partitions, partitions);
        let meter = std::mem::take(&mut self.meter);
        let mut tasks = self.empty_tasks();
        let ended = self.lay(sample, &mut tasks).and_then(|()| self.play(sample, &mut tasks));
        (self.partitions, self.meter) = (partitions, meter);
        self.lap = Lap::default();
        self.clear();
        let counts = std::mem::take(&mut self.counts);
        let Counts { decisions, .. } = counts;
        let gave_up = match ended {
            Ok(()) => Ok(None),
            Err(error) if error.code == Code::PluginFailing => {
                Ok(Some(self.breakers.gave_up(&error.message)))
            }
            Err(error) => Err(error),
        };
        let judged = self.breakers.judge_all();
        let failing = gave_up?.into_iter().chain(judged).collect();
        Ok(Rehearsed { records: sample.len(), refused: counts.refused(), decisions, failing })
    }

    fn empty_tasks(&self) -> Tasks {
        let mut tasks = Tasks::default();
        let sources = (0..self.pipeline.topics.len() as SourceId)
            .filter(|source| self.pipeline.role(*source) != Role::Table);
        for source in sources {
            let id = TaskId::of(&self.pipeline, PartitionId { source, partition: PARTITION });
            let stages =
                self.pipeline.groups.get(usize::from(id.group)).map_or(0, |group| group.stages.len());
            let mut task = Task::new(stages);
            let inputs = id.inputs(&self.pipeline);
            task.inputs = inputs.map(|input| Input::new(input, None, Duration::ZERO)).collect();
            tasks.insert(id, task);
        }
        tasks
    }

    fn play(&mut self, sample: &Sample, tasks: &mut Tasks) -> Result<()> {
        let mut offset = 0;
        let mut records = sample.records();
        for record in &mut records.rows {
            (record.from.partition, record.offset) = (PARTITION, offset);
            offset += 1;
        }
        let mut sent = self.play_batch(&records, tasks, true)?;
        // What goes through a repartition topic comes back.
        while !sent.is_empty() {
            let mut records = Records::default();
            for (source, value) in &sent {
                let from = PartitionId { source: *source, partition: PARTITION };
                let (timestamp, key) = (None, None);
                records.rows.push(Record {
                    from,
                    offset,
                    timestamp,
                    key,
                    value: Some(value),
                    headers: 0..0,
                    is_muted: false,
                });
                offset += 1;
            }
            sent = self.play_batch(&records, tasks, false)?;
        }
        Ok(())
    }

    /// Gives what goes to repartition topics. `last`: nothing comes of sources any more.
    fn play_batch(
        &mut self,
        records: &Records<'_>,
        tasks: &mut Tasks,
        last: bool,
    ) -> Result<Vec<(SourceId, Vec<u8>)>> {
        let (pipeline, mut sent) = (Arc::clone(&self.pipeline), Vec::new());
        let mut catch = |message: Message<'_>| {
            let own = pipeline.repartition_topics().find(|(_, topic)| *topic == message.topic);
            sent.extend(own.map(|(source, _)| (source, message.value.unwrap_or_default().to_vec())));
            Ok(())
        };
        self.process(records, tasks, &mut catch)?;
        let sources = self.pipeline.sources.len();
        let is_source = |input: &&mut Input| usize::from(input.id.source) < sources;
        tasks.inputs_mut().filter(|input| last && is_source(input)).for_each(Input::end);
        self.advance(tasks, &mut catch)?;
        self.tell(tasks, &mut catch)?;
        Ok(sent)
    }
}
