//! When a run is to end, and what the system says of it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::thread;

use tokio::runtime::Builder;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tracing::info;

use crate::error::{Code, Error, Result};

/// Tells all threads to finish what they have begun and to end.
#[derive(Clone, Debug, Default)]
pub struct Stop(Arc<State>);

#[derive(Debug, Default)]
struct State {
    asked: AtomicBool,
    /// A run looks at it, and ends by itself.
    heard: AtomicBool,
}

impl Stop {
    /// One that SIGTERM and Ctrl-C ask for, from now on. As long as no run looks at it they end the process at once:
    /// pipelines may take long to be loaded, and nothing is to be finished. Left alone the system would do so, but not
    /// with the first process of a container, which no signal ends that it does not listen to.
    pub fn at_signals() -> Result<Self> {
        let failed = |error| Error::new(Code::Internal, format!("no thread for signals: {error}"));
        let runtime = Builder::new_current_thread().enable_all().build().map_err(failed)?;
        let mut signals = {
            let _entered = runtime.enter();
            Signals::new()?
        };
        let stop = Self::default();
        let asked = stop.clone();
        let wait = async move {
            loop {
                tokio::select! {
                    _ = signals.terminate.recv() => asked.now_or_never(),
                    _ = signals.interrupt.recv() => asked.now_or_never(),
                    _ = signals.hangup.recv() => {}
                }
            }
        };
        thread::Builder::new()
            .name("signals".to_owned())
            .spawn(move || runtime.block_on(wait))
            .map_err(failed)?;
        Ok(stop)
    }

    pub fn now(&self) {
        self.0.asked.store(true, SeqCst);
    }

    pub fn asked(&self) -> bool {
        self.0.asked.load(SeqCst)
    }

    /// A run looks at it from now on.
    pub(super) fn is_heard(&self) {
        self.0.heard.store(true, SeqCst);
    }

    /// Asks for the end; where nobody listens yet, ends the process.
    fn now_or_never(&self) {
        self.now();
        if !self.0.heard.load(SeqCst) {
            info!("ended before anything ran");
            std::process::exit(0);
        }
    }
}

/// Those that are listened to.
pub(super) struct Signals {
    pub terminate: Signal,
    pub interrupt: Signal,
    /// Reads the pipeline files again.
    pub hangup: Signal,
}

impl Signals {
    pub fn new() -> Result<Self> {
        let listen =
            |kind| signal(kind).map_err(|error| Error::new(Code::Internal, format!("no signals: {error}")));
        Ok(Self {
            terminate: listen(SignalKind::terminate())?,
            interrupt: listen(SignalKind::interrupt())?,
            hangup: listen(SignalKind::hangup())?,
        })
    }
}
