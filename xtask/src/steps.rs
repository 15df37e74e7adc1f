//! Says on stderr what is being done and how long it took, and remembers it for the table at the end.

use anyhow::Result;
use std::cell::RefCell;
use std::io::Write;
use std::time::{Duration, Instant};

#[derive(Debug, Default)]
pub(crate) struct Steps {
    done: RefCell<Vec<(String, Duration)>>,
}

impl Steps {
    /// One line for work that prints nothing itself: `fetch    ONNX Runtime 1.31.1 ... 3.1 s`.
    pub(crate) fn quiet<T>(&self, verb: &str, what: &str, work: impl FnOnce() -> Result<T>) -> Result<T> {
        eprint!("{verb:<8} {what} ... ");
        // A stderr that can't be written to is no reason to stop.
        let _ = std::io::stderr().flush();
        let (result, took) = timed(work);
        eprintln!(
            "{}",
            if result.is_ok() { seconds(took) } else { format!("failed after {}", seconds(took)) }
        );
        self.note(verb, what, took);
        result
    }

    /// A line before and a line after work that prints by itself.
    pub(crate) fn loud<T>(&self, verb: &str, what: &str, work: impl FnOnce() -> Result<T>) -> Result<T> {
        eprintln!("{verb:<8} {what}");
        let (result, took) = timed(work);
        let end = if result.is_ok() { "done in" } else { "failed after" };
        eprintln!("{verb:<8} {what}: {end} {}", seconds(took));
        self.note(verb, what, took);
        result
    }

    fn note(&self, verb: &str, what: &str, took: Duration) {
        self.done.borrow_mut().push((format!("{verb:<8} {what}"), took));
    }

    pub(crate) fn print_table(&self) {
        eprint!("\n{}", table(&self.done.borrow()));
    }
}

fn timed<T>(work: impl FnOnce() -> T) -> (T, Duration) {
    let start = Instant::now();
    let result = work();
    (result, start.elapsed())
}

fn seconds(time: Duration) -> String {
    format!("{:.1} s", time.as_secs_f64())
}

fn table(done: &[(String, Duration)]) -> String {
    let total = ("total".to_owned(), done.iter().map(|(_, took)| *took).sum());
    let width = done.iter().map(|(what, _)| what.chars().count()).max().unwrap_or(0);
    done.iter()
        .chain([&total])
        .map(|(what, took)| format!("{what:<width$}  {:>8}\n", seconds(*took)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_lines_up_and_adds_up() {
        let done = [
            ("fetch    a".into(), Duration::from_millis(1250)),
            ("build    longer".into(), Duration::from_secs(100)),
        ];
        let want = "fetch    a          1.2 s\nbuild    longer   100.0 s\ntotal             101.2 s\n";
        assert_eq!(table(&done), want);
    }

    #[test]
    fn a_failed_step_is_in_the_table_too() {
        let steps = Steps::default();
        let result: Result<()> = steps.quiet("test", "nothing", || anyhow::bail!("no"));
        assert!(result.is_err());
        assert_eq!(steps.done.borrow().len(), 1);
    }
}
