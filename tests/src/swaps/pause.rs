//! How long outputs stand still for a swap: latencies at the output topic, while releases come and while none does.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rdkafka::message::Message;

use super::Options;
use super::events::{self, Swap};
use super::files::Part;
use super::report::Report;
use super::works::{Ended, Works};
use crate::chaos::campaign::PARTITIONS;
use crate::chaos::read::{consumer_from, json};

/// Before anything is measured.
const WARM_UP: Duration = Duration::from_secs(5);
/// For a release to come.
const COMES_WITHIN: Duration = Duration::from_secs(60);
/// In turn.
const PARTS: [Part; 4] = [Part::Buyers, Part::Settings, Part::Shops, Part::Model];

/// An output: its purchase, its partition, and when it came.
type Heard = (u64, i32, Instant);

/// Notes when outputs come, on a thread of its own.
struct Stopwatch {
    heard: Arc<Mutex<Vec<Heard>>>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Stopwatch {
    fn start(brokers: &str, topic: &str) -> Self {
        let (heard, stop) = (Arc::<Mutex<Vec<Heard>>>::default(), Arc::<AtomicBool>::default());
        let consumer = consumer_from(brokers, topic, &[None; PARTITIONS as usize]);
        let (into, until) = (Arc::clone(&heard), Arc::clone(&stop));
        let thread = std::thread::spawn(move || {
            while !until.load(Relaxed) {
                let Some(Ok(message)) = consumer.poll(Duration::from_millis(100)) else { continue };
                let (now, id) = (Instant::now(), json(&message)["id"].as_u64().unwrap_or_default());
                into.lock().unwrap_or_else(PoisonError::into_inner).push((id, message.partition(), now));
            }
        });
        Self { heard, stop, thread: Some(thread) }
    }

    fn heard(&self) -> Vec<Heard> {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for Stopwatch {
    fn drop(&mut self) {
        self.stop.store(true, Relaxed);
        if let Some(thread) = self.thread.take() {
            // It panicked: that was said.
            let _ = thread.join();
        }
    }
}

/// Some durations, sorted.
#[derive(Clone, Debug, Default)]
pub struct Spread(Vec<Duration>);

impl Spread {
    fn of(mut durations: Vec<Duration>) -> Self {
        durations.sort_unstable();
        Self(durations)
    }

    /// So many of a thousand are no longer.
    pub fn at(&self, of_thousand: usize) -> Duration {
        let place = (self.0.len() * of_thousand / 1000).min(self.0.len().saturating_sub(1));
        self.0.get(place).copied().unwrap_or_default()
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Of a span of time.
#[derive(Clone, Debug, Default)]
pub struct Stats {
    /// From the moment that a purchase is fed to that of its output.
    pub latency: Spread,
    /// Between two outputs of a partition.
    pub gaps: Spread,
}

/// What was measured.
#[derive(Debug)]
pub struct Measured {
    pub swaps: usize,
    pub control: Stats,
    pub swapped: Stats,
    pub ended: Ended,
}

/// As long without swaps as with so many, of which the script says nothing. Nothing is killed.
pub fn measure(options: &Options) -> Measured {
    let Options { swaps, every, history, .. } = *options;
    let mut works = options.works();
    let stopwatch = Stopwatch::start(&works.brokers, &format!("{}-out", works.prefix));
    std::thread::sleep(WARM_UP);
    let first = Instant::now();
    std::thread::sleep(every * swaps as u32);
    let second = Instant::now();
    for swap in 0..swaps {
        let (due, before) = (Instant::now() + every, works.ledger.current());
        if history {
            events::happen(&mut works, &mut Report::default(), swap + 1, Swap::Bootstrap, None);
        } else {
            let Works { files, place, .. } = &mut works;
            files.change(place, &[PARTS[swap % PARTS.len()]], false);
            match works.ledger.wait_beyond(before, COMES_WITHIN) {
                Some(release) => println!("      release {release}"),
                None => works.troubles.push(format!("swap {swap}: no release comes of it")),
            }
        }
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
    }
    let third = Instant::now();
    if !works.recovers() {
        works.troubles.push("rows don't come out at the end".to_owned());
    }
    let heard = stopwatch.heard();
    let stats = |from: Instant, until: Instant| stats(&works, &heard, from, until);
    let (control, swapped) = (stats(first, second), stats(second, third));
    drop(stopwatch);
    Measured { swaps, control, swapped, ended: works.end() }
}

/// Of what was fed in a span.
fn stats(works: &Works, heard: &[Heard], from: Instant, until: Instant) -> Stats {
    let (mut latencies, mut gaps) = (Vec::new(), Vec::new());
    let mut last = [None::<Instant>; PARTITIONS as usize];
    for (id, partition, at) in heard {
        let Some(fed) = works.feed.fed_at(*id).filter(|fed| (from..until).contains(fed)) else { continue };
        latencies.push(*at - fed);
        if let Some(last) = last[*partition as usize].replace(*at) {
            gaps.push(*at - last);
        }
    }
    Stats { latency: Spread::of(latencies), gaps: Spread::of(gaps) }
}

impl fmt::Display for Measured {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { swaps, control, swapped, ended } = self;
        let millis = |duration: Duration| duration.as_secs_f64() * 1e3;
        writeln!(f, "{swaps} swaps, and as long without; in ms")?;
        writeln!(
            f,
            "  {:<10} {:>8} {:>8} {:>8} {:>8} {:>8}",
            "latency", "rows", "p50", "p99", "p99.9", "most"
        )?;
        for (name, Stats { latency, .. }) in [("without", control), ("with", swapped)] {
            let [p50, p99, p999, most] = [500, 990, 999, 1000].map(|place| millis(latency.at(place)));
            writeln!(f, "  {name:<10} {:>8} {p50:>8.1} {p99:>8.1} {p999:>8.1} {most:>8.1}", latency.len())?;
        }
        let difference =
            |of: fn(&Stats) -> &Spread| millis(of(swapped).at(999)) - millis(of(control).at(999));
        writeln!(f, "  difference at p99.9: {:+.1}", difference(|stats| &stats.latency))?;
        writeln!(
            f,
            "  gaps between outputs of a partition, p99.9: without {:.1}, with {:.1}, difference {:+.1}; most {:.1} and {:.1}",
            millis(control.gaps.at(999)),
            millis(swapped.gaps.at(999)),
            difference(|stats| &stats.gaps),
            millis(control.gaps.at(1000)),
            millis(swapped.gaps.at(1000))
        )?;
        write!(f, "{ended}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spread_is_looked_up_by_its_share() {
        let spread = Spread::of((0..1000).rev().map(Duration::from_millis).collect());
        assert_eq!([500, 999, 1000].map(|place| spread.at(place).as_millis()), [500, 999, 999]);
        assert_eq!(Spread::default().at(999), Duration::ZERO);
    }
}
