//! What a host runs: the release that its threads begin with, and the relays of those that run.
//!
//! A thread takes its relay before it asks for the release. So whoever passes the baton first and then looks for relays
//! misses none: a thread has begun with the new release, or its relay is there.

use std::sync::{Arc, Mutex, PoisonError, Weak};

use crate::engine::Relay;
use crate::release::Release;

#[derive(Debug)]
pub(in crate::app) struct Baton {
    release: Mutex<Arc<Release>>,
    relays: Mutex<Vec<Weak<Relay>>>,
}

impl Baton {
    pub fn new(release: Arc<Release>) -> Self {
        Self { release: Mutex::new(release), relays: Mutex::default() }
    }

    /// What a thread begins with.
    pub fn release(&self) -> Arc<Release> {
        Arc::clone(&self.release.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// From now on threads begin with this.
    pub fn pass(&self, release: Arc<Release>) {
        *self.release.lock().unwrap_or_else(PoisonError::into_inner) = release;
    }

    /// For a new thread, which is gone when it drops it.
    pub fn join(&self) -> Arc<Relay> {
        let relay = Arc::default();
        self.relays.lock().unwrap_or_else(PoisonError::into_inner).push(Arc::downgrade(&relay));
        relay
    }

    /// Those of threads that are not gone.
    pub fn relays(&self) -> Vec<Arc<Relay>> {
        let mut relays = self.relays.lock().unwrap_or_else(PoisonError::into_inner);
        relays.retain(|relay| relay.strong_count() > 0);
        relays.iter().filter_map(Weak::upgrade).collect()
    }
}
