//! What a campaign gave, as a table for people.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use super::check::Findings;

/// A kind of event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Event {
    Kill,
    KillDeleted,
    KillDamaged,
    KillTwo,
    KillInTransaction,
    KillInRebalance,
    KillBroker,
    FreezeBroker,
    Freeze,
    Join,
    Leave,
}

impl Event {
    pub const ALL: [Self; 11] = [
        Self::Kill,
        Self::KillDeleted,
        Self::KillDamaged,
        Self::KillTwo,
        Self::KillInTransaction,
        Self::KillInRebalance,
        Self::KillBroker,
        Self::FreezeBroker,
        Self::Freeze,
        Self::Join,
        Self::Leave,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Self::Kill => "kill -9",
            Self::KillDeleted => "kill -9, state deleted",
            Self::KillDamaged => "kill -9, state damaged",
            Self::KillTwo => "kill -9 of two",
            Self::KillInTransaction => "kill -9 in transaction",
            Self::KillInRebalance => "kill -9 in rebalance",
            Self::KillBroker => "kill -9 of the broker",
            Self::FreezeBroker => "SIGSTOP of the broker",
            Self::Freeze => "SIGSTOP, SIGCONT",
            Self::Join => "one more host",
            Self::Leave => "SIGTERM",
        }
    }
}

/// How one kind of event went.
#[derive(Clone, Debug, Default)]
pub struct Line {
    pub count: usize,
    /// The longest silence at the output after each event that was waited out.
    pub silences: Vec<Duration>,
    /// Of these, from the moment another host had partitions assigned.
    pub from_assigned: Vec<Duration>,
}

/// Kills that hit what they were meant for, as the log of the dead shows.
#[derive(Clone, Copy, Debug, Default)]
pub struct Landed {
    /// After `flush`, no `commit` and no end: everything was produced.
    pub flushing: usize,
    /// After `commit`, no end: offsets and end were on their way.
    pub committing: usize,
    /// After `revoked`, no `assigned`: the group waited for the answer.
    pub revoked: usize,
    /// After `assigned`, no `restored` and no transaction that ended.
    pub restoring: usize,
}

impl Landed {
    pub fn in_transaction(&self) -> usize {
        self.flushing + self.committing
    }

    pub fn in_rebalance(&self) -> usize {
        self.revoked + self.restoring
    }
}

/// A campaign's end.
#[derive(Debug)]
pub struct Report {
    pub campaign: &'static str,
    pub seed: u64,
    pub took: Duration,
    pub lines: Vec<(Event, Line)>,
    pub landed: Landed,
    /// So many of each were asked for.
    pub wanted: usize,
    pub findings: Findings,
    /// What else went wrong: hosts that ended by themselves, silences without end.
    pub troubles: Vec<String>,
    /// Where logs are.
    pub folder: PathBuf,
}

impl Report {
    pub fn is_clean(&self) -> bool {
        self.findings.is_clean() && self.troubles.is_empty() && self.has_landed()
    }

    /// Whether enough kills landed, inside a transaction and inside a rebalance.
    fn has_landed(&self) -> bool {
        self.landed.in_transaction().min(self.landed.in_rebalance()) >= self.wanted
    }
}

/// Troubles that are spelled out.
const SHOWN: usize = 6;

/// Middle and greatest.
fn spread(durations: &[Duration]) -> String {
    let mut sorted = durations.to_vec();
    sorted.sort_unstable();
    match sorted.last() {
        None => format!("{:>7} {:>7}", "-", "-"),
        Some(most) => {
            let middle = sorted[sorted.len() / 2];
            format!("{:>7.2} {:>7.2}", middle.as_secs_f64(), most.as_secs_f64())
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { campaign, seed, took, lines, landed, wanted, findings, troubles, folder } = self;
        let events: usize = lines.iter().map(|(_, line)| line.count).sum();
        writeln!(f, "campaign {campaign}, seed {seed}: {events} events in {} s", took.as_secs())?;
        writeln!(f, "  {:<24}{:>6}   {:<15}   since another was assigned", "event", "count", "silence, s")?;
        writeln!(f, "  {:<24}{:>6}   {2:>7} {3:>7}   {2:>7} {3:>7}", "", "", "median", "most")?;
        for (event, line) in lines {
            let Line { count, silences, from_assigned } = line;
            let (all, since) = (spread(silences), spread(from_assigned));
            writeln!(f, "  {:<24}{count:>6}   {all}   {since}", event.name())?;
        }
        writeln!(
            f,
            "  landed in a transaction {} (flush {}, commit {}), in a rebalance {} (revoked {}, restoring {}); \
             wanted of each: {wanted}",
            landed.in_transaction(),
            landed.flushing,
            landed.committing,
            landed.in_rebalance(),
            landed.revoked,
            landed.restoring
        )?;
        let Findings { rows_in, rows_out, late, lost, doubled, wrong, unexpected, dead_letters, faults } =
            findings;
        writeln!(f, "  rows in {rows_in}, out {rows_out}, late {late}")?;
        writeln!(
            f,
            "  lost {lost}, doubled {doubled}, wrong {wrong}, unexpected {unexpected}, dead letters {dead_letters}"
        )?;
        for fault in faults.iter().chain(troubles.iter().take(SHOWN)) {
            writeln!(f, "  ! {fault}")?;
        }
        if troubles.len() > SHOWN {
            writeln!(f, "  ! and {} more troubles like these", troubles.len() - SHOWN)?;
        }
        if !self.has_landed() {
            writeln!(f, "  ! too few kills landed")?;
        }
        let verdict = if self.is_clean() { "all is well" } else { "FAULTS" };
        write!(f, "  {verdict}; logs: {}", folder.display())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(landed: Landed, rows_in: u64) -> Report {
        Report {
            campaign: "arrival",
            seed: 1,
            took: Duration::ZERO,
            lines: Vec::new(),
            landed,
            wanted: 2,
            findings: Findings { rows_in, ..Findings::default() },
            troubles: Vec::new(),
            folder: PathBuf::new(),
        }
    }

    #[test]
    fn kills_must_have_landed_in_transactions_and_in_rebalances() {
        let enough = Landed { flushing: 1, committing: 1, revoked: 2, restoring: 0 };
        assert!(report(enough, 9).is_clean());
        for few in [Landed { committing: 0, ..enough }, Landed { revoked: 1, ..enough }] {
            let report = report(few, 9);
            assert!(!report.is_clean() && report.to_string().contains("too few kills"), "{report}");
        }
    }

    #[test]
    fn of_nothing_nothing_is_proved() {
        let enough = Landed { flushing: 2, restoring: 2, ..Landed::default() };
        assert!(!report(enough, 0).is_clean());
    }
}
