//! What brokers say of offsets.

use rdkafka::TopicPartitionList;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::topic_partition_list::Offset;

use crate::error::{Code, Error, Result};
use crate::record::PartitionId;

pub(super) fn committed_offset(
    answer: &TopicPartitionList,
    topic: &str,
    id: PartitionId,
) -> Result<Option<i64>> {
    let found = answer.find_partition(topic, id.partition);
    let element = found.ok_or_else(|| Error::new(Code::Internal, "a partition is missing in the answer"))?;
    element.error().map_err(|error| {
        Error::new(Code::Consuming, format!("committed offset of {topic}/{}: {error}", id.partition))
    })?;
    Ok(match element.offset() {
        Offset::Offset(offset) => Some(offset),
        _ => None,
    })
}

/// Somebody else has the partitions: the next poll says so, and the records are read again there.
pub(super) fn fenced(error: &KafkaError) -> bool {
    use RDKafkaErrorCode as E;
    matches!(
        error.rdkafka_error_code(),
        Some(
            E::IllegalGeneration
                | E::UnknownMemberId
                | E::RebalanceInProgress
                | E::AssignmentLost
                | E::StaleMemberEpoch
                | E::FencedMemberEpoch
        )
    )
}

pub(super) fn uncommitted(error: &KafkaError) -> Error {
    Error::new(Code::Commit, format!("offsets were not committed: {error}"))
}
