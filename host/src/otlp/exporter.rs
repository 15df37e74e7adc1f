//! The thread that sends to a collector.

use std::path::PathBuf;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant, SystemTime};

use prost::Message;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::oneshot;
use tokio::time::{Interval, MissedTickBehavior, interval_at, timeout};
use tracing::{info, warn};

use super::endpoint::Endpoint;
use super::metrics::{self, Times};
use super::post::{Failure, Post};
use super::spans;
use super::trouble::Trouble;
use super::wire::{KeyValue, Resource};
use crate::engine::{Meter, Span, Traces};
use crate::error::{Code, Error, Result};
use crate::telemetry::Sheet;

/// How often spans are sent, and how many at once.
const SPANS_EVERY: Duration = Duration::from_secs(1);
const SPANS: usize = 512;
/// At the end, for what happened last.
const LAST_WITHIN: Duration = Duration::from_secs(2);

/// Where a collector is, and what it is told of.
#[derive(Clone)]
pub struct Options {
    pub endpoint: Endpoint,
    /// For each message; such as `authorization`.
    pub headers: Vec<(String, String)>,
    /// Has the authorities that are trusted, instead of the system's.
    pub ca: Option<PathBuf>,
    /// From one message with metrics to the next.
    pub interval: Duration,
    /// Of records without a `traceparent`, so many are followed. None: spans are not wanted at all.
    pub ratio: Option<f64>,
    /// Attributes of this process, in addition to our own, and instead of those of the same name.
    pub resource: Vec<(String, String)>,
}

/// What a collector is told.
pub struct Told {
    /// Metrics, as they are now.
    pub sheet: Box<dyn Fn() -> Sheet + Send>,
    /// Have spans.
    pub meters: Vec<Arc<Meter>>,
}

/// A collector that can be sent to.
#[derive(Debug)]
pub struct Collector {
    post: Post,
    interval: Duration,
    ratio: Option<f64>,
    resource: Resource,
    began: SystemTime,
}

impl Collector {
    /// Nothing is sent yet. Counters begin now.
    pub fn new(options: Options) -> Result<Self> {
        let Options { endpoint, headers, ca, interval, ratio, resource } = options;
        let post = Post::new(endpoint, &headers, ca.as_deref())?;
        Ok(Self { post, interval, ratio, resource: described(resource), began: SystemTime::now() })
    }

    /// So many records are to be followed, if any.
    pub fn ratio(&self) -> Option<f64> {
        self.ratio
    }

    /// Sends from now on.
    pub fn export(self, told: Told) -> Result<Exporter> {
        let refuse = |error| Error::new(Code::Internal, format!("no thread for telemetry: {error}"));
        let runtime =
            Builder::new_current_thread().enable_all().max_blocking_threads(1).build().map_err(refuse)?;
        let (close, closed) = oneshot::channel();
        let thread = thread::Builder::new().name("otlp".to_owned());
        let spans = self.ratio.is_some();
        info!(endpoint = %self.post.endpoint(), every = ?self.interval, spans, "metrics are pushed");
        let thread = thread.spawn(move || self.work(runtime, &told, closed)).map_err(refuse)?;
        Ok(Exporter { close: Some(close), thread: Some(thread) })
    }

    fn work(self, runtime: Runtime, told: &Told, mut closed: oneshot::Receiver<()>) {
        let (mut metrics, mut spans) = (Metrics::new(&self, told), Spans::new(&self, told));
        runtime.block_on(async {
            let always = async {
                tokio::join!(metrics.push_always(self.interval), spans.send_always());
            };
            tokio::select! {
                _ = &mut closed => {}
                () = always => {}
            }
            let last = async { tokio::join!(metrics.push(), spans.send()) };
            if timeout(LAST_WITHIN, last).await.is_err() {
                warn!("what happened last is not told: no answer within {LAST_WITHIN:?}");
            }
        });
        // What looks a name up is left behind.
        runtime.shutdown_background();
    }

    /// Says what became of a message, if that is news.
    fn tell(&self, what: &str, sent: Result<(), &Failure>, trouble: &mut Trouble) {
        let endpoint = self.post.endpoint();
        match sent {
            Ok(()) => {
                if let Some(lasted) = trouble.is_over(Instant::now()) {
                    info!("{what} are pushed again to {endpoint}, after {:.0} s", lasted.as_secs_f64());
                }
            }
            Err(failure) if trouble.comes(&failure.why, Instant::now()) => {
                warn!("{what} can't be pushed to {endpoint}: {}; the run goes on", failure.why);
            }
            Err(_) => {}
        }
    }
}

struct Metrics<'a> {
    collector: &'a Collector,
    told: &'a Told,
    trouble: Trouble,
}

impl<'a> Metrics<'a> {
    fn new(collector: &'a Collector, told: &'a Told) -> Self {
        Self { collector, told, trouble: Trouble::default() }
    }

    async fn push_always(&mut self, interval: Duration) {
        let mut ticks = ticks(interval);
        loop {
            ticks.tick().await;
            self.push().await;
        }
    }

    async fn push(&mut self) {
        let Self { collector, told, trouble } = self;
        let times = Times { start: collector.began, now: SystemTime::now() };
        let message = metrics::request(&(told.sheet)(), &collector.resource, times).encode_to_vec();
        let sent = collector.post.send("metrics", message).await;
        collector.tell("metrics", sent.as_ref().copied(), trouble);
    }
}

struct Spans<'a> {
    collector: &'a Collector,
    trouble: Trouble,
    /// Each with spans that were not taken at the last try, and may be at the next.
    traces: Vec<(&'a Traces, Vec<Span>)>,
}

impl<'a> Spans<'a> {
    fn new(collector: &'a Collector, told: &'a Told) -> Self {
        let traces = told.meters.iter().filter_map(|meter| Some((&**meter.traces.get()?, Vec::new())));
        Self { collector, trouble: Trouble::default(), traces: traces.collect() }
    }

    async fn send_always(&mut self) {
        let mut ticks = ticks(SPANS_EVERY);
        loop {
            ticks.tick().await;
            self.send().await;
        }
    }

    /// All that wait, until one try fails.
    async fn send(&mut self) {
        let Self { collector, trouble, traces } = self;
        for (traces, batch) in traces {
            loop {
                if batch.is_empty() {
                    *batch = traces.take(SPANS);
                }
                if batch.is_empty() {
                    break;
                }
                let message = spans::request(batch, &collector.resource).encode_to_vec();
                let sent = collector.post.send("traces", message).await;
                collector.tell("spans", sent.as_ref().copied(), trouble);
                let may_pass = sent.as_ref().is_err_and(|failure| failure.may_pass);
                if !may_pass {
                    traces.ended(batch.len(), sent.is_ok());
                    batch.clear();
                }
                if sent.is_err() {
                    return;
                }
            }
        }
    }
}

fn ticks(every: Duration) -> Interval {
    let mut ticks = interval_at(tokio::time::Instant::now() + every, every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks
}

/// Who tells.
fn described(more: Vec<(String, String)>) -> Resource {
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let (host, process) = (host.trim().to_owned(), std::process::id());
    let own = [
        ("service.name", "tailwater".to_owned()),
        ("service.version", env!("CARGO_PKG_VERSION").to_owned()),
        ("service.instance.id", format!("{host}/{process}")),
        ("host.name", host),
    ];
    let is_given = |name: &str| more.iter().any(|(given, _)| given == name);
    let own =
        own.into_iter().filter(|(name, _)| !is_given(name)).map(|(name, value)| (name.to_owned(), value));
    let all: Vec<_> = own.chain(more.iter().cloned()).collect();
    Resource { attributes: all.into_iter().map(|(name, value)| KeyValue::text(name, value)).collect() }
}

/// Sends until it is dropped, and then once more.
#[derive(Debug)]
pub struct Exporter {
    close: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Drop for Exporter {
    fn drop(&mut self) {
        drop(self.close.take());
        if let Some(thread) = self.thread.take() {
            // It panicked: that was said.
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_user_has_the_last_word_on_who_tells() {
        let given =
            [("service.name", "scoring"), ("team", "risk")].map(|(a, b)| (a.to_owned(), b.to_owned()));
        let Resource { attributes } = described(given.to_vec());
        let names: Vec<_> = attributes.iter().map(|attribute| attribute.key.as_str()).collect();
        assert_eq!(names, ["service.version", "service.instance.id", "host.name", "service.name", "team"]);
        assert_eq!(attributes[3], KeyValue::text("service.name", "scoring"));
    }
}
