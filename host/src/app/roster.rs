//! Which threads there are. Each tells how it ended, and whoever waits knows for whom.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use crate::error::Result;

/// Places of those that have not ended.
#[derive(Clone, Debug, Default)]
pub(super) struct Roster(Arc<Mutex<Vec<String>>>);

/// Where threads tell how they ended.
#[derive(Clone, Debug)]
pub(super) struct Report {
    roster: Roster,
    ended: UnboundedSender<Result<()>>,
}

impl Roster {
    pub fn open() -> (Self, Report, UnboundedReceiver<Result<()>>) {
        let (ended, reports) = unbounded_channel();
        let roster = Self::default();
        (roster.clone(), Report { roster, ended }, reports)
    }

    /// One behind the other.
    pub fn names(&self) -> String {
        self.places().join("; ")
    }

    fn places(&self) -> MutexGuard<'_, Vec<String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Report {
    /// A thread is about to start.
    pub fn begins(&self, place: &str) {
        self.roster.places().push(place.to_owned());
    }

    pub fn ends(&self, place: &str, how: Result<()>) {
        let mut places = self.roster.places();
        if let Some(at) = places.iter().position(|other| other == place) {
            places.remove(at);
        }
        drop(places);
        // Nobody listens any more if the process is ending.
        let _ = self.ended.send(how.map_err(|error| error.at(place)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::{Code, Error};

    #[test]
    fn those_that_have_not_ended_are_named() {
        let (roster, report, mut reports) = Roster::open();
        ["thread 0", "thread 1", "thread 1", "table"].iter().for_each(|place| report.begins(place));
        report.ends("thread 1", Ok(()));
        report.ends("thread 0", Err(Error::new(Code::Internal, "why")));
        assert_eq!(roster.names(), "thread 1; table");
        assert!(reports.try_recv().is_ok_and(|ended| ended.is_ok()));
        let error = reports.try_recv().ok().and_then(Result::err).map(|error| error.to_string());
        assert!(error.is_some_and(|error| error.contains("thread 0")));
    }
}
