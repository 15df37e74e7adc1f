//! Events on their way to lines.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::Write;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use tracing::callsite::Identifier;
use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;

use super::Format;
use super::line::Line;
use super::quiet::{Quiet, Verdict};

/// Fields that say of whom an event tells: those of others are of another kind.
const WHOSE: [&str; 5] = ["pipeline", "client", "facility", "stage", "log.target"];

/// Time since some moment.
pub type Clock = Box<dyn Fn() -> Duration + Send + Sync>;

/// Where an event is in the program, and of whom it tells.
type Kind = (Identifier, u64);

/// Where lines go.
pub struct Output {
    format: Format,
    colors: bool,
    writer: Mutex<Box<dyn Write + Send>>,
    quiet: Mutex<Quiet<Kind, Line>>,
    clock: Clock,
}

impl Output {
    pub fn new(format: Format, colors: bool, writer: Box<dyn Write + Send>, clock: Clock) -> Self {
        Self { format, colors, writer: Mutex::new(writer), quiet: Mutex::default(), clock }
    }

    /// Of intervals that are over, or of all.
    pub fn tell_left_out(&self, all: bool) {
        let over = self.quiet.lock().unwrap_or_else(PoisonError::into_inner).over((self.clock)(), all);
        for (line, count) in over {
            self.write(&line.left_out(count, SystemTime::now()));
        }
    }

    fn see(&self, event: &Event<'_>) {
        let mut whose = Whose(DefaultHasher::new());
        event.record(&mut whose);
        let (kind, now) = ((event.metadata().callsite(), whose.0.finish()), (self.clock)());
        let mut quiet = self.quiet.lock().unwrap_or_else(PoisonError::into_inner);
        match quiet.see(kind.clone(), *event.metadata().level(), now) {
            Verdict::Said => {
                drop(quiet);
                self.write(&Line::new(event, SystemTime::now()));
            }
            Verdict::Sample => quiet.keep(&kind, Line::new(event, SystemTime::now())),
            Verdict::LeftOut => {}
        }
    }

    fn write(&self, line: &Line) {
        let text = if self.format == Format::Json { line.json() } else { line.text(self.colors) };
        let mut writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        // Whom should it be told to?
        let _ = writer.write_all(text.as_bytes());
    }
}

struct Whose(DefaultHasher);

impl Visit for Whose {
    fn record_str(&mut self, field: &Field, value: &str) {
        if WHOSE.contains(&field.name()) {
            value.hash(&mut self.0);
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        if WHOSE.contains(&field.name()) {
            format!("{value:?}").hash(&mut self.0);
        }
    }
}

pub struct Lines(pub Arc<Output>);

impl<S: Subscriber> Layer<S> for Lines {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        self.0.see(event);
    }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

    use super::super::quiet::INTERVAL;
    use super::super::{Filter, with};
    use super::*;

    #[derive(Clone, Default)]
    struct Page(Arc<Mutex<Vec<u8>>>);

    impl Write for Page {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().expect("nobody panicked").extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl Page {
        fn lines(&self) -> Vec<serde_json::Value> {
            let bytes = self.0.lock().expect("nobody panicked").clone();
            let text = String::from_utf8(bytes).expect("UTF-8");
            text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
        }
    }

    #[test]
    fn a_storm_of_one_pipeline_leaves_room_for_others() {
        let (page, seconds) = (Page::default(), Arc::new(AtomicU64::new(0)));
        let own = Arc::clone(&seconds);
        let clock: Clock = Box::new(move || Duration::from_secs(own.load(Relaxed)));
        let output = Arc::new(Output::new(Format::Json, false, Box::new(page.clone()), clock));
        let filter: Filter = "info,plugin=debug".parse().expect("a filter");
        tracing::subscriber::with_default(with(&filter, Arc::clone(&output)), || {
            let warn = |pipeline: &str, number: usize| tracing::warn!(pipeline, number, "it waits");
            (0..1_000).for_each(|number| warn("a", number));
            warn("b", 0);
            tracing::debug!("not wanted");
            (0..50).for_each(|line| tracing::debug!(target: "plugin", "line {line}"));
        });
        let lines = page.lines();
        let of = |pipeline: &str| lines.iter().filter(|line| line["pipeline"] == pipeline).count();
        assert_eq!((of("a"), of("b"), lines.len()), (10, 1, 61), "{lines:?}");
        assert_eq!((&lines[0]["level"], &lines[0]["number"]), (&"WARN".into(), &0.into()));
        assert_eq!((&lines[0]["room"], &lines[60]["room"]), (&"log".into(), &"plugin".into()));
        output.tell_left_out(false);
        assert_eq!(page.lines().len(), 61);
        seconds.store(INTERVAL.as_secs(), Relaxed);
        output.tell_left_out(false);
        output.tell_left_out(true);
        let lines = page.lines();
        assert_eq!(lines.len(), 62, "told once");
        assert_eq!((&lines[61]["left_out"], &lines[61]["number"]), (&990.into(), &10.into()));
        assert_eq!((&lines[61]["level"], &lines[61]["pipeline"]), (&"WARN".into(), &"a".into()));
    }
}
