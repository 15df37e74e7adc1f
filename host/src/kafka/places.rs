//! Offsets that are looked for: where a partition begins or ends, and where a time is in it.

use std::time::Duration;

use rdkafka::TopicPartitionList;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::topic_partition_list::Offset;

use super::consumer::consuming;
use super::events::ConsumerEvents;
use crate::config::Start;
use crate::error::Result;

/// The offset of a place in each of these partitions, as far as the consumer's isolation lets it see.
pub(super) fn find(
    consumer: &BaseConsumer<ConsumerEvents>,
    partitions: &[(&str, i32)],
    start: Start,
    within: Duration,
) -> Result<Vec<i64>> {
    let bounds = |(topic, partition): (&str, i32)| {
        let bounds = consumer.fetch_watermarks(topic, partition, within);
        bounds.map_err(|error| consuming(&error).at(format!("{topic}/{partition}")))
    };
    let Start::At(time) = start else {
        let bounds = partitions.iter().map(|place| bounds(*place));
        let offset = |(first, end)| if start == Start::Earliest { first } else { end };
        return bounds.map(|bounds| bounds.map(offset)).collect();
    };
    let mut times = TopicPartitionList::new();
    for (topic, partition) in partitions {
        times
            .add_partition_offset(topic, *partition, Offset::Offset(time))
            .map_err(|error| consuming(&error))?;
    }
    let found = consumer.offsets_for_times(times, within).map_err(|error| consuming(&error))?;
    let offset = |place: &(&str, i32)| {
        let element = found.find_partition(place.0, place.1);
        if let Some(element) = &element {
            element.error().map_err(|error| consuming(&error).at(format!("{}/{}", place.0, place.1)))?;
        }
        match element.map(|element| element.offset()) {
            Some(Offset::Offset(offset)) => Ok(offset),
            // Nothing is so new.
            _ => bounds(*place).map(|(_, end)| end),
        }
    };
    partitions.iter().map(offset).collect()
}
