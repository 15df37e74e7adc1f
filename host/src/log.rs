//! What a process says of itself in words: lines on stderr.
//!
//! - A line has a time, a level, a room, a message and fields, as text or as JSON, one object a line.
//! - Which levels are said is told by room. A filter that names what there is not is refused.
//! - Of one and the same kind only so many lines are said in an interval, and then how many were left out: a storm
//!   of warnings fills no disk. What is finer than info is said in full: somebody wanted all of it.
//! - Nothing of a record is in a line, neither key nor value nor header: where one is, its topic, partition and offset
//!   say. A plugin's own lines are the plugin's, and need its grant `log`.

mod filter;
mod layer;
mod line;
mod quiet;

use std::fmt;
use std::io::{self, IsTerminal, Write};
use std::sync::Arc;
use std::thread;
use std::time::Instant;

use tracing::Subscriber;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry::Registry;
use tracing_subscriber::util::SubscriberInitExt;

pub use filter::Filter;
use layer::{Lines, Output};
use quiet::INTERVAL;

/// How lines look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    #[default]
    Text,
    Json,
}

/// What is said, and how.
#[derive(Clone, Debug, Default)]
pub struct Options {
    pub filter: Filter,
    pub format: Format,
}

/// The log of the process. Dropped, it tells what was left out.
pub struct Log(Arc<Output>);

impl fmt::Debug for Log {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Log").finish_non_exhaustive()
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        self.0.tell_left_out(true);
    }
}

/// Opens the process's log on stderr.
///
/// # Panics
/// If there is one already.
pub fn open(options: Options) -> Log {
    let no_color = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    let colors = io::stderr().is_terminal() && !no_color;
    let output = Arc::new(Output::new(options.format, colors, Box::new(io::stderr()), clock()));
    with(&options.filter, Arc::clone(&output)).init();
    // What was left out is told also if nothing else is said any more.
    let own = Arc::clone(&output);
    let told = thread::Builder::new().name("log".to_owned()).spawn(move || {
        loop {
            thread::sleep(INTERVAL);
            own.tell_left_out(false);
        }
    });
    if let Err(error) = told {
        tracing::warn!("lines that are left out are told at the end only: {error}");
    }
    Log(output)
}

/// One that writes text elsewhere, all that is info or more.
pub fn to_writer(writer: impl Write + Send + 'static) -> impl Subscriber + Send + Sync {
    let output = Output::new(Format::Text, false, Box::new(writer), clock());
    with(&Filter::default(), Arc::new(output))
}

fn with(filter: &Filter, output: Arc<Output>) -> impl Subscriber + Send + Sync + use<> {
    Registry::default().with(filter.targets()).with(Lines(output))
}

fn clock() -> layer::Clock {
    let began = Instant::now();
    Box::new(move || began.elapsed())
}
