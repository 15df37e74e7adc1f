//! Whether a process is well: pure.
//!
//! - Live: each stream thread has come round not long ago. A thread that waits for brokers, for however long, comes round;
//!   one that hangs, in a model or in us, does not. That this server answers says nothing.
//! - Ready: all pipelines have all their threads, and each has joined its group and brought back what was assigned to it.
//!   A thread may be assigned nothing.

use std::time::Duration;

use super::ports::{Host, Thread};

/// Longer than all that a thread does without coming round: each call of a broker, a plugin or a model has a limit, of a
/// minute at most, and a few may follow each other.
pub(super) const COMES_ROUND_WITHIN: Duration = Duration::from_secs(300);

/// How far a stream thread has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// It waits for the tables.
    Starting,
    Joining,
    /// It lacks a task that was assigned to it.
    Restoring,
    Running,
}

impl Place {
    pub const ALL: [Self; 4] = [Self::Starting, Self::Joining, Self::Restoring, Self::Running];

    pub fn name(self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Joining => "joining",
            Self::Restoring => "restoring",
            Self::Running => "running",
        }
    }
}

/// An error says which pipelines have threads that don't come round.
pub(super) fn live(host: &Host) -> Result<(), String> {
    let hangs = |thread: &Thread| thread.place != Place::Starting && thread.silent > COMES_ROUND_WITHIN;
    let mut faults = Vec::new();
    for pipeline in host.pipelines().unwrap_or_default() {
        let (_, threads) = pipeline.threads();
        let silent = threads.iter().filter(|thread| hangs(thread)).map(|thread| thread.silent);
        if let Some(longest) = silent.max() {
            let name = pipeline.name();
            faults.push(format!("{name}: a thread has not come round for {} s", longest.as_secs()));
        }
    }
    if faults.is_empty() { Ok(()) } else { Err(faults.join("; ")) }
}

/// An error says what is waited for.
pub(super) fn ready(host: &Host) -> Result<(), String> {
    if host.stops() {
        return Err("it is ending".to_owned());
    }
    let pipelines = host.pipelines().ok_or("pipelines are being loaded")?;
    let waits: Vec<String> = pipelines
        .iter()
        .filter_map(|pipeline| {
            let (wanted, threads) = pipeline.threads();
            let why = waits_for(wanted, &threads)?;
            Some(format!("{}: {why}", pipeline.name()))
        })
        .collect();
    if waits.is_empty() { Ok(()) } else { Err(waits.join("; ")) }
}

/// What a pipeline lacks until it is ready.
fn waits_for(wanted: usize, threads: &[Thread]) -> Option<String> {
    let at = |place: Place| threads.iter().filter(|thread| thread.place == place).count();
    let (starting, joining, restoring) = (at(Place::Starting), at(Place::Joining), at(Place::Restoring));
    let missing = wanted.saturating_sub(threads.len());
    let parts = [
        (missing, "to be started"),
        (starting, "waiting for tables"),
        (joining, "joining the group"),
        (restoring, "restoring"),
    ];
    let lacking = parts.iter().filter(|(count, _)| *count > 0);
    let lacking: Vec<String> = lacking.map(|(count, what)| format!("{count} {what}")).collect();
    let is_ready = lacking.is_empty() && wanted > 0;
    (!is_ready).then(|| format!("of {wanted} threads {}", lacking.join(", ")))
}

/// Of a pipeline, in a word.
pub(super) fn state(is_ending: bool, wanted: usize, threads: &[Thread]) -> &'static str {
    if is_ending {
        return "ending";
    }
    if wanted == 0 || threads.len() < wanted {
        return Place::Starting.name();
    }
    let order = [Place::Starting, Place::Joining, Place::Restoring];
    let last = order.into_iter().find(|place| threads.iter().any(|thread| thread.place == *place));
    last.unwrap_or(Place::Running).name()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn thread(place: Place) -> Thread {
        Thread { place, partitions: 1, silent: Duration::ZERO }
    }

    #[test]
    fn a_pipeline_is_ready_when_all_its_threads_are() {
        use Place as P;
        let waits = |wanted, places: &[Place]| {
            let threads: Vec<Thread> = places.iter().copied().map(thread).collect();
            (waits_for(wanted, &threads), state(false, wanted, &threads))
        };
        assert_eq!(waits(2, &[P::Running, P::Running]), (None, "running"));
        let (why, state) = waits(3, &[P::Running, P::Joining]);
        assert_eq!(
            (why.as_deref(), state),
            (Some("of 3 threads 1 to be started, 1 joining the group"), "starting")
        );
        let (why, state) = waits(2, &[P::Restoring, P::Running]);
        assert_eq!((why.as_deref(), state), (Some("of 2 threads 1 restoring"), "restoring"));
        assert_eq!(waits(1, &[P::Starting]).1, "starting");
        assert!(waits(0, &[]).0.is_some(), "it has not begun");
        // One more than wanted is on its way out.
        assert_eq!(waits(1, &[P::Running, P::Running]).0, None);
    }
}
