//! The live view: plain ANSI, painted over itself. Elsewhere than on a terminal a line now and then.

use std::io::{self, IsTerminal, Write};
use std::time::{Duration, Instant};

use tailwater_sdk::Time;

use crate::tally::{Decided, Tally};

/// Columns that fit any terminal.
const WIDTH: usize = 79;
/// Causes of dead letters that are shown: with them and all alerts, the picture has 22 lines, which fit any terminal.
const CAUSES: usize = 3;
const LINE_EVERY: Duration = Duration::from_secs(5);

/// What is known at an instant.
#[derive(Clone, Debug)]
pub(crate) struct Picture {
    pub elapsed: Duration,
    pub length: Option<Duration>,
    pub records: u64,
    pub labels: u64,
    /// Records a second, of late.
    pub rate: f64,
    pub event_time: Time,
    pub tally: Tally,
    pub brokers: String,
    pub alerts_topic: String,
}

/// Where pictures go.
#[derive(Debug)]
pub(crate) enum View {
    /// Lines of the picture that stands there.
    Terminal { painted: usize },
    /// On stderr if stdout is for an answer.
    Lines { on_stderr: bool, last: Instant },
}

impl View {
    /// `answers`: stdout is for an answer alone.
    pub(crate) fn new(answers: bool) -> Self {
        if !answers && io::stdout().is_terminal() {
            return Self::Terminal { painted: 0 };
        }
        Self::Lines { on_stderr: answers, last: Instant::now() }
    }

    pub(crate) fn say(&self, line: &str) {
        match self {
            Self::Lines { on_stderr: true, .. } => eprintln!("{line}"),
            _ => println!("{line}"),
        }
    }

    /// Says how to look at the topics, where the picture does not: once.
    pub(crate) fn invite(&self, brokers: &str, topic: &str) {
        if let Self::Lines { .. } = self {
            eprintln!("See for yourself, meanwhile: {}", look(brokers, topic));
        }
    }

    pub(crate) fn show(&mut self, picture: &Picture) -> io::Result<()> {
        match self {
            Self::Terminal { painted } => {
                let lines = lines(picture);
                let mut out = String::new();
                match *painted {
                    // The cursor would jump about.
                    0 => out += "\x1b[?25l",
                    height => out += &format!("\x1b[{height}A"),
                }
                for line in &lines {
                    out += &format!("\x1b[2K{line}\n");
                }
                // What the picture before had more.
                out += "\x1b[J";
                *painted = lines.len();
                let mut stdout = io::stdout().lock();
                stdout.write_all(out.as_bytes())?;
                stdout.flush()
            }
            Self::Lines { on_stderr, last } => {
                if last.elapsed() < LINE_EVERY {
                    return Ok(());
                }
                *last = Instant::now();
                let line = line(picture);
                if *on_stderr { writeln!(io::stderr(), "{line}") } else { writeln!(io::stdout(), "{line}") }
            }
        }
    }
}

impl Drop for View {
    fn drop(&mut self) {
        if let Self::Terminal { painted: 1.. } = self {
            // Nobody is left to be told that the cursor stays away.
            let _ = io::stdout().write_all(b"\x1b[?25h");
        }
    }
}

fn line(picture: &Picture) -> String {
    let tally = &picture.tally;
    format!(
        "{}  {} records, {:.0}/s  {} labels  {} predictions  {} dead letters  {} late  p50 {:.1} ms  p99 {:.1} ms",
        clock(picture.elapsed),
        thousands(picture.records),
        picture.rate,
        thousands(picture.labels),
        thousands(tally.predictions()),
        thousands(tally.dead()),
        thousands(tally.late),
        tally.quantile(0.5),
        tally.quantile(0.99)
    )
}

fn lines(picture: &Picture) -> Vec<String> {
    let Picture { tally, event_time, .. } = picture;
    let time = match picture.length {
        Some(length) => format!("{} of {}", clock(picture.elapsed), clock(length)),
        None => format!("{}   Ctrl-C ends it", clock(picture.elapsed)),
    };
    let decisions: Vec<_> = ["allow", "review", "block"].map(|name| count(tally, name)).into_iter().collect();
    let date = &event_time.to_string()[..16];
    let mut lines = vec![
        String::new(),
        format!("  \x1b[1mTailwater\x1b[0m   card transactions, scored as they come{:>27}", time),
        String::new(),
        labelled(
            "stream",
            &format!(
                "{} records/s   {} so far   event time {}",
                thousands(picture.rate.round() as u64),
                thousands(picture.records),
                date.replace('T', " ")
            ),
        ),
        labelled("labels", &format!("{} so far, 1 to 7 days behind", thousands(picture.labels))),
        labelled(
            "latency",
            &format!(
                "p50 {:.1} ms   p99 {:.1} ms   from due to read back",
                tally.quantile(0.5),
                tally.quantile(0.99)
            ),
        ),
        labelled("decisions", &decisions.join("   ")),
        labelled(
            "alerts",
            &format!(
                "on {:.1} % of frauds   on {:.2} % of honest ones",
                tally.fraud.share(),
                tally.honest.share()
            ),
        ),
    ];
    let mut causes: Vec<_> = tally.dead_letters.iter().collect();
    causes.sort_by(|a, b| b.1.cmp(a.1).then(a.0.cmp(b.0)));
    lines.push(labelled("refused", &format!("{}   late {}", thousands(tally.dead()), thousands(tally.late))));
    lines.extend(
        causes
            .iter()
            .take(CAUSES)
            .map(|(cause, count)| labelled("", &format!("{:>6}  {cause}", thousands(**count)))),
    );
    lines.push(String::new());
    let head = format!(
        "  {:<8} {:>10}  {:<2} {:<12} {:>6}  {:<7} {}",
        "card", "euros", "in", "for", "score", "alert", "rule"
    );
    lines.push(format!("\x1b[2m{head}\x1b[0m"));
    lines.extend(tally.alerts.iter().map(alert));
    lines.push(String::new());
    lines.push("  See for yourself, meanwhile:".to_owned());
    lines.push(format!("  {}", look(&picture.brokers, &picture.alerts_topic)));
    lines.push(String::new());
    lines.into_iter().map(cut).collect()
}

/// Prints a topic, with a client that is easily had.
fn look(brokers: &str, topic: &str) -> String {
    format!("kcat -C -b {brokers} -t {topic}")
}

fn labelled(label: &str, text: &str) -> String {
    format!("  {label:<11} {text}")
}

fn count(tally: &Tally, decision: &str) -> String {
    format!("{decision} {}", thousands(tally.decisions.get(decision).copied().unwrap_or_default()))
}

fn alert(alert: &Decided) -> String {
    let Decided { card_id, amount_eur, country, category, score, decision, rule, .. } = alert;
    let plain = format!(
        "  {card_id:<8} {amount_eur:>10.2}  {country:<2} {category:<12} {score:>6.3}  {decision:<7} {rule}"
    );
    let colour = if decision == "block" { 31 } else { 33 };
    plain.replacen(decision, &format!("\x1b[{colour}m{decision}\x1b[0m"), 1)
}

/// Counts what is seen; escapes stay whole.
fn cut(line: String) -> String {
    let (mut seen, mut in_escape, mut out) = (0, false, String::with_capacity(line.len()));
    for letter in line.chars() {
        in_escape |= letter == '\x1b';
        if in_escape || seen < WIDTH {
            out.push(letter);
        }
        seen += usize::from(!in_escape);
        in_escape &= letter != 'm';
    }
    out
}

fn clock(time: Duration) -> String {
    let seconds = time.as_secs();
    format!("{}:{:02}", seconds / 60, seconds % 60)
}

fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests;
