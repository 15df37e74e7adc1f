//! What a host runs: the release that its threads begin with, and the relays of those that run.
//!
//! A thread takes its relay before it asks for the release. So whoever passes the baton first and then looks for relays
//! misses none: a thread has begun with the new release, or its relay is there.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use crate::engine::Relay;
use crate::release::Release;

#[derive(Debug)]
pub(in crate::app) struct Baton {
    /// And the one before, as long as it may come back.
    releases: Mutex<(Arc<Release>, Option<Arc<Release>>)>,
    relays: Mutex<Vec<Weak<Relay>>>,
}

impl Baton {
    pub fn new(release: Arc<Release>) -> Self {
        Self { releases: Mutex::new((release, None)), relays: Mutex::default() }
    }

    /// What a thread begins with.
    pub fn release(&self) -> Arc<Release> {
        Arc::clone(&self.releases().0)
    }

    /// What may come back: a thread keeps windows for it too.
    pub fn before(&self) -> Option<Arc<Release>> {
        self.releases().1.clone()
    }

    /// This one may come back still.
    pub fn keep_beside(&self, before: Arc<Release>) {
        self.releases().1 = Some(before);
    }

    /// From now on threads begin with this.
    pub fn pass(&self, release: Arc<Release>) {
        let mut releases = self.releases();
        let before = std::mem::replace(&mut releases.0, release);
        releases.1 = Some(before);
    }

    /// What ran before this release will not come back.
    pub fn settle(&self, number: u64) {
        self.releases().1 = None;
        self.relays().iter().for_each(|relay| relay.settle(number));
    }

    fn releases(&self) -> MutexGuard<'_, (Arc<Release>, Option<Arc<Release>>)> {
        self.releases.lock().unwrap_or_else(PoisonError::into_inner)
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
