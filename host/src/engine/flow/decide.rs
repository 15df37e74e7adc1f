//! The last stage: rules, and what they decide as bytes.

use crate::columns::{Batch, Builder, Kind, View};
use crate::contract::NO_ROUTE;
use crate::error::{Code, Refusal, Result};
use crate::pipeline::{DecisionColumn, DecisionNode, Stage};
use crate::record::Records;

use super::Flow;
use super::intake::part;
use crate::engine::answers;
use crate::engine::bisect::bisect;
use crate::engine::lap::Activity;
use crate::engine::outbox::around;
use crate::engine::work::{Work, refusals};

impl Flow {
    pub(super) fn decide(&mut self, records: &Records<'_>, mut work: Work) -> Result<()> {
        if work.len() == 0 {
            return Ok(());
        }
        self.turn(Activity::Rules);
        let pipeline = std::sync::Arc::clone(&self.pipeline);
        let node = &pipeline.decision;
        let seen = seen(node, &work, &mut self.numbers);
        let Some(plugin) = &mut self.parts.rules else {
            let route = vec![0; seen.rows()];
            self.encode(records, &seen, &route, &work);
            return Ok(());
        };
        self.breakers.passed(Stage::Rules, seen.rows());
        self.counts.call(Stage::Rules, seen.rows());
        let routes = pipeline.routes.len();
        let pieces = bisect(seen.rows(), |range| {
            let count = range.len();
            let answer = match part(&seen, range) {
                Some(part) => plugin.decide(&part)?,
                None => plugin.decide(&seen)?,
            };
            answers::decided(&node.output, routes, count, answer)
        })?;

        let (mut batches, mut route, mut refused) = (Vec::new(), Vec::new(), Vec::new());
        for (range, answer) in pieces {
            match answer {
                Ok((batch, part, rejected)) => {
                    let rejected: Vec<_> = refusals(range.start, rejected).collect();
                    let stays = |row: &u32| {
                        rejected.binary_search_by_key(&(range.start as u32 + row), |r| r.0).is_err()
                    };
                    let keep: Vec<u32> = (0..range.len() as u32).filter(stays).collect();
                    route.extend(keep.iter().map(|row| part[*row as usize]));
                    batches.push(if rejected.is_empty() { batch } else { batch.gather(&keep) });
                    refused.extend(rejected);
                }
                Err(refusal) => refused.push((range.start as u32, refusal)),
            }
        }
        self.refuse(Stage::Rules, refused, &mut work);
        let rows = match batches.len() {
            1 => batches.remove(0),
            _ => Batch::concat(node.output.clone(), &batches),
        };
        self.encode(records, &rows, &route, &work);
        Ok(())
    }

    fn encode(&mut self, records: &Records<'_>, rows: &Batch, route: &[u8], work: &Work) {
        let (mut dropped, limit) = (0, self.pipeline.bounds.message_bytes);
        let is_traced = self.meter.traces.get().is_some() && records.windows.is_empty();
        let times = self.pipeline.sources[0].times.filter(|_| is_traced);
        let times = times.map(|times| work.rows.column(times.column));
        for (row, (place, route)) in work.places.iter().zip(route).enumerate() {
            if *route == NO_ROUTE {
                dropped += 1;
                continue;
            }
            let (encoder, outbox) = (&mut self.parts.encoder, &mut self.outbox);
            let size = outbox.decide(*place, usize::from(*route), |into| encoder.encode(rows, row, into));
            let size = size + around(&self.pipeline, records, *place);
            if size > limit {
                outbox.retract();
                let message = format!("the decision has {size} bytes; limits.record is {limit}");
                self.counts.dead_letter(Stage::Encode, Code::TooLarge);
                outbox.refuse(*place, Stage::Encode, Refusal::new(Code::TooLarge, message));
            } else {
                let time = records.rows[place.record as usize].timestamp;
                self.counts.decide(usize::from(*route), size, time);
                self.times.extend(times.map(|times| (*place, times.int(row))));
            }
        }
        self.counts.dropped += dropped;
    }
}

/// The batch that the rules see.
fn seen(node: &DecisionNode, work: &Work, numbers: &mut Builder) -> Batch {
    let made = node.input.iter().filter(|from| !matches!(from, DecisionColumn::Record(_)));
    for (index, from) in made.enumerate() {
        write(*from, work, numbers, index);
    }
    numbers.finish_rows(work.len());
    let numbers = numbers.seal();
    let mut next = 0;
    let views: Vec<View<'_>> = node
        .input
        .iter()
        .map(|from| match from {
            DecisionColumn::Record(index) => work.rows.column(*index),
            _ => {
                next += 1;
                numbers.column(next - 1)
            }
        })
        .collect();
    Batch::assemble(node.seen.clone(), work.len(), &views)
}

/// A column of features or scores.
fn write(from: DecisionColumn, work: &Work, builder: &mut Builder, index: usize) {
    let column = builder.column(index);
    let (matrix, width, at) = match from {
        DecisionColumn::Vector if work.features == 0 => {
            return (0..work.len()).for_each(|_| column.push_floats([]));
        }
        DecisionColumn::Vector => {
            return work.matrix.chunks(work.features).for_each(|row| column.push_floats(row.iter().copied()));
        }
        DecisionColumn::Feature(at) => (&work.matrix, work.features, at),
        DecisionColumn::Score(at) => (&work.scores, work.score_names, at),
        DecisionColumn::Record(_) => return,
    };
    let values = matrix.chunks(width).map(|row| row[at]);
    match column.kind() {
        Kind::Float => values.for_each(|value| column.push_float(value.into())),
        _ => values.for_each(|value| column.push_single(value)),
    }
}
