//! Offsets that no transaction may still replace.

use std::time::Duration;

use rdkafka::TopicPartitionList;
use rdkafka::consumer::BaseConsumer;

use super::Claimant;
use crate::error::Result;
use crate::kafka::consumer;
use crate::kafka::events::ConsumerEvents;

/// The group's coordinator answers in milliseconds; this long it may be away before a run gives up.
const WITHIN: Duration = Duration::from_secs(60);
/// Where there is something else to be asked, it is after this.
const ONCE: Duration = Duration::from_secs(5);
/// So often: longer than a transaction may be open, all the time with a coordinator that answers.
const TIMES: usize = 9;

/// What the group committed last. `alive`: lets the group hear from the thread; it may end the wait.
pub(super) fn committed(
    asker: &BaseConsumer<ConsumerEvents>,
    claimant: Option<&mut Claimant>,
    list: TopicPartitionList,
    alive: impl Fn() -> Result<()>,
) -> Result<TopicPartitionList> {
    match claimant.filter(|claimant| claimant.may_ask()) {
        None => consumer::committed(asker, &list, WITHIN, alive),
        Some(claimant) => settled(
            || {
                let found = consumer::committed(asker, &list, ONCE, &alive);
                alive()?;
                Ok(found.ok())
            },
            || claimant.pending(&list, &alive),
        ),
    }
}

/// What is stable; or what is pending, if nothing is for as long as any transaction may last. A coordinator whose
/// broker was killed can keep offsets pending for ever (Apache Kafka 4.3.1). Then changelogs know which are the last.
fn settled<T>(
    mut stable: impl FnMut() -> Result<Option<T>>,
    mut pending: impl FnMut() -> Result<T>,
) -> Result<T> {
    // The first answer of the coordinator begins the wait: what was open when it was away has still to end.
    for _ in 0..=TIMES {
        if let Some(found) = stable()? {
            return Ok(found);
        }
        pending()?;
    }
    tracing::warn!(
        target: "kafka",
        "the group's coordinator keeps offsets pending for longer than a transaction may last: changelogs decide"
    );
    pending()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::{Code, Error};

    #[test]
    fn what_is_pending_counts_only_where_nothing_gets_stable_though_there_are_answers() {
        let mut asked = 0;
        let found = settled(
            || {
                asked += 1;
                Ok((asked == 4).then_some("stable"))
            },
            || Ok("pending"),
        );
        assert_eq!((found.unwrap(), asked), ("stable", 4));
        let mut asked = 0;
        let never = || {
            asked += 1;
            Ok(None)
        };
        assert_eq!(settled(never, || Ok("pending")).unwrap(), "pending");
        assert_eq!(asked, TIMES + 1);
    }

    #[test]
    fn a_coordinator_that_is_away_is_an_error() {
        let away = || Err(Error::new(Code::Consuming, "away"));
        assert_eq!(settled::<()>(|| Ok(None), away).unwrap_err().code, Code::Consuming);
    }
}
