//! The thread that sends to a collector.

use std::path::PathBuf;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant, SystemTime};

use prost::Message;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::oneshot;
use tokio::time::{MissedTickBehavior, interval_at, timeout};
use tracing::{info, warn};

use super::endpoint::Endpoint;
use super::metrics::{Times, request};
use super::post::Post;
use super::trouble::Trouble;
use super::wire::{KeyValue, Resource};
use crate::error::{Code, Error, Result};
use crate::telemetry::Sheet;

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
    /// Attributes of this process, in addition to our own, and instead of those of the same name.
    pub resource: Vec<(String, String)>,
}

/// What is to be told now.
pub type Teller = Box<dyn Fn() -> Sheet + Send>;

/// A collector that can be sent to.
#[derive(Debug)]
pub struct Collector {
    post: Post,
    interval: Duration,
    resource: Resource,
    began: SystemTime,
}

impl Collector {
    /// Nothing is sent yet. Counters begin now.
    pub fn new(options: Options) -> Result<Self> {
        let Options { endpoint, headers, ca, interval, resource } = options;
        let post = Post::new(endpoint, &headers, ca.as_deref())?;
        Ok(Self { post, interval, resource: described(resource), began: SystemTime::now() })
    }

    /// Sends from now on.
    pub fn export(self, tell: Teller) -> Result<Exporter> {
        let refuse = |error| Error::new(Code::Internal, format!("no thread for telemetry: {error}"));
        let runtime =
            Builder::new_current_thread().enable_all().max_blocking_threads(1).build().map_err(refuse)?;
        let (close, closed) = oneshot::channel();
        let thread = thread::Builder::new().name("otlp".to_owned());
        info!(endpoint = %self.post.endpoint(), every = ?self.interval, "metrics are pushed");
        let thread = thread.spawn(move || self.work(runtime, &tell, closed)).map_err(refuse)?;
        Ok(Exporter { close: Some(close), thread: Some(thread) })
    }

    fn work(self, runtime: Runtime, tell: &Teller, mut closed: oneshot::Receiver<()>) {
        let mut trouble = Trouble::default();
        runtime.block_on(async {
            let first = tokio::time::Instant::now() + self.interval;
            let mut ticks = interval_at(first, self.interval);
            ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            loop {
                let next = async {
                    ticks.tick().await;
                    self.push(tell, &mut trouble).await;
                };
                tokio::select! {
                    _ = &mut closed => break,
                    () = next => {}
                }
            }
            if timeout(LAST_WITHIN, self.push(tell, &mut trouble)).await.is_err() {
                warn!("the last metrics are not told: no answer within {LAST_WITHIN:?}");
            }
        });
        // What looks a name up is left behind.
        runtime.shutdown_background();
    }

    async fn push(&self, tell: &Teller, trouble: &mut Trouble) {
        let times = Times { start: self.began, now: SystemTime::now() };
        let message = request(&tell(), &self.resource, times).encode_to_vec();
        let sent = self.post.send("metrics", message).await;
        let endpoint = self.post.endpoint();
        match sent {
            Ok(()) => {
                if let Some(lasted) = trouble.is_over(Instant::now()) {
                    info!("metrics are pushed again to {endpoint}, after {:.0} s", lasted.as_secs_f64());
                }
            }
            Err(failure) if trouble.comes(&failure.why, Instant::now()) => {
                warn!("metrics can't be pushed to {endpoint}: {}; the next try has them all", failure.why);
            }
            Err(_) => {}
        }
    }
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
