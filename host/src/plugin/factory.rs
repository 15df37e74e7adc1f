//! Where stream threads get their instances from.

use std::fmt;
use std::sync::Arc;

use super::file::Plugin;
use super::grants::Counters;
use super::instance::{Sandbox, Template};
use super::stage::Stage;
use super::v0_1::CONTRACT;
use super::world::World;
use crate::engine::Sum;
use crate::error::Result;

/// Makes instances of one plugin in one stage, each for one thread. A clone is the same factory.
pub struct Factory<Port: ?Sized> {
    make: Arc<dyn Fn() -> Result<Box<Port>> + Send + Sync>,
    counters: Arc<Counters>,
    memory: Sum,
    place: Arc<str>,
}

impl<Port: ?Sized> Factory<Port> {
    /// A fresh instance, described and ready.
    pub fn instance(&self) -> Result<Box<Port>> {
        (self.make)().map_err(|error| error.at(&self.place))
    }

    /// What all instances counted.
    pub fn counters(&self) -> &Counters {
        &self.counters
    }

    /// Bytes that all instances have.
    pub fn memory(&self) -> usize {
        self.memory.get()
    }
}

impl<Port: ?Sized> Clone for Factory<Port> {
    fn clone(&self) -> Self {
        let Self { make, counters, memory, place } = self;
        let (make, counters, place) = (Arc::clone(make), Arc::clone(counters), Arc::clone(place));
        Self { make, counters, memory: memory.clone(), place }
    }
}

impl<Port: ?Sized> fmt::Debug for Factory<Port> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Factory").field("place", &self.place).finish_non_exhaustive()
    }
}

/// Checks a plugin for its stage.
pub(super) fn open<W: World>(plugin: &Plugin, stage: &Stage) -> Result<(W::Description, Factory<W::Port>)> {
    let place: Arc<str> = format!("stage {}, plugin {}", stage.name, plugin.path().display()).into();
    let template = Template::<W>::new(plugin, &CONTRACT, stage).map_err(|error| error.at(&place))?;
    let template = Arc::new(template);
    let description = template.description.clone();
    let (counters, memory) = (Arc::clone(template.counters()), template.memory().clone());
    let make = move || Sandbox::new(Arc::clone(&template)).map(W::port);
    Ok((description, Factory { make: Arc::new(make), counters, memory, place }))
}
