//! Error budgets: how often plugins and the model may fail before their partitions wait.
//!
//! What is the data's fault does not count: records that can't be decoded, rows that a plugin refuses.

use super::ports::without_words;
use crate::error::{Code, Refusal};
use crate::pipeline::{ErrorBudget, Identity, Stage};

/// Rows that are looked back on, about.
const SPAN: u64 = 1024;

/// A stage that failed too often.
#[derive(Clone, Debug)]
pub struct Failing {
    pub stage: Stage,
    pub group: usize,
    /// The stamp of its release.
    pub release: String,
    /// Digest of its plugin or model.
    pub what: String,
    /// So many failed, of so many.
    pub failed: u64,
    pub rows: u64,
    /// Why the last one did, in our words alone: the plugin's are logged at level debug.
    pub last: String,
}

#[derive(Debug)]
struct Breaker {
    stage: Stage,
    group: usize,
    what: String,
    rows: u64,
    failed: u64,
    last: String,
}

/// The error budgets of all stages, in one thread.
#[derive(Debug)]
pub(super) struct Breakers {
    budget: ErrorBudget,
    release: String,
    stages: Vec<Breaker>,
    /// The one that rows came to last.
    current: usize,
}

impl Breakers {
    /// `stages`: with the group that each is of.
    pub fn new(
        budget: ErrorBudget,
        identity: &Identity,
        stages: impl Iterator<Item = (Stage, usize)>,
    ) -> Self {
        let breaker = |(stage, group)| {
            let what = identity.of(stage).unwrap_or_default().to_owned();
            Breaker { stage, group, what, rows: 0, failed: 0, last: String::new() }
        };
        let stages = stages.map(breaker).collect();
        Self { budget, release: identity.stamp.clone(), stages, current: 0 }
    }

    /// So many rows came to a stage.
    pub fn passed(&mut self, stage: Stage, rows: usize) {
        if let Some(at) = self.stages.iter().position(|one| one.stage == stage) {
            self.current = at;
            self.stages[at].rows += rows as u64;
        }
    }

    /// The stage that rows came to last did not get through with them.
    pub fn gave_up(&mut self, why: &str) -> Failing {
        let one = &mut self.stages[self.current];
        (one.failed, one.last) = (one.rows.max(1), without_words(why).to_owned());
        one.spend(&self.release)
    }

    /// A row was refused, for whatever reason.
    pub fn refused(&mut self, stage: Stage, refusal: &Refusal) {
        if is_fault(refusal.code)
            && let Some(one) = self.of(stage)
        {
            one.failed += 1;
            let Refusal { code, message, .. } = refusal;
            tracing::debug!(target: "plugin", stage = stage.name(), "{code} {message}");
            one.last = format!("{code} {}", without_words(message));
        }
    }

    /// Stages whose budget is spent; it begins anew.
    pub fn spent(&mut self) -> Vec<Failing> {
        let (mut spent, ErrorBudget { share, at_least }) = (Vec::new(), self.budget);
        for one in &mut self.stages {
            if one.failed >= at_least && one.failed as f64 > share * one.rows as f64 {
                spent.push(one.spend(&self.release));
            }
            while one.rows > SPAN {
                (one.rows, one.failed) = (one.rows / 2, one.failed / 2);
            }
        }
        spent
    }

    /// The same, however few failed; all begin anew.
    pub fn judge_all(&mut self) -> Vec<Failing> {
        let share = self.budget.share;
        let is_spent = |one: &Breaker| one.failed > 0 && one.failed as f64 > share * one.rows as f64;
        let spent = self.stages.iter_mut().map(|one| (is_spent(one), one.spend(&self.release)));
        spent.filter(|(is_spent, _)| *is_spent).map(|(_, failing)| failing).collect()
    }

    fn of(&mut self, stage: Stage) -> Option<&mut Breaker> {
        self.stages.iter_mut().find(|one| one.stage == stage)
    }
}

impl Breaker {
    /// Begins anew.
    fn spend(&mut self, release: &str) -> Failing {
        let (failed, rows) = (std::mem::take(&mut self.failed), std::mem::take(&mut self.rows));
        Failing {
            stage: self.stage,
            group: self.group,
            release: release.to_owned(),
            what: self.what.clone(),
            failed,
            rows: rows.max(failed),
            last: std::mem::take(&mut self.last),
        }
    }
}

/// Whether it is a plugin's fault, or the model's.
fn is_fault(code: Code) -> bool {
    use Code as C;
    matches!(
        code,
        C::PluginTrap | C::PluginTime | C::PluginMemory | C::PluginOutput | C::ModelRun | C::ModelScore
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULES: Stage = Stage::Rules;

    fn breakers(share: f64) -> Breakers {
        let budget = ErrorBudget { share, at_least: 16 };
        Breakers::new(budget, &Identity::default(), [(RULES, 1)].into_iter())
    }

    /// Batches of so many rows, of which so many fail; says when the budget was spent.
    fn feed(breakers: &mut Breakers, batches: &[(usize, usize)]) -> Option<usize> {
        batches.iter().position(|&(rows, failed)| {
            breakers.passed(RULES, rows);
            (0..failed).for_each(|_| breakers.refused(RULES, &Refusal::new(Code::PluginTrap, "no")));
            !breakers.spent().is_empty()
        })
    }

    #[test]
    fn a_share_of_the_last_rows_may_fail() {
        assert_eq!(feed(&mut breakers(0.1), &[(100, 10); 500]), None);
        assert_eq!(feed(&mut breakers(0.1), &[(100, 11); 500]), Some(1), "16 at the least");
        let worse = [vec![(100, 0); 500], vec![(100, 100); 3]].concat();
        assert_eq!(feed(&mut breakers(0.1), &worse), Some(501), "what was long ago does not help");
        assert_eq!(feed(&mut breakers(1.0), &[(1, 1); 5_000]), None, "no budget");
        assert_eq!(feed(&mut breakers(0.1), &[(65_536, 3_000); 9]), None, "a batch is looked at as a whole");
    }

    #[test]
    fn a_few_failures_are_nothing() {
        assert_eq!(feed(&mut breakers(0.0), &[(5, 5); 3]), None);
        assert_eq!(feed(&mut breakers(0.0), &[(5, 5); 4]), Some(3));
    }

    #[test]
    fn what_the_data_is_to_blame_for_does_not_count() {
        let mut breakers = breakers(0.0);
        for code in [Code::Rejected, Code::NoKey, Code::Undecodable, Code::TooLarge] {
            (0..1_000).for_each(|_| breakers.refused(RULES, &Refusal::new(code, "no")));
        }
        (0..1_000).for_each(|_| breakers.refused(Stage::Decode, &Refusal::new(Code::PluginTrap, "no")));
        assert!(breakers.spent().is_empty());
    }

    #[test]
    fn what_is_spent_is_told_with_the_last_reason_and_begins_anew() {
        let mut breakers = breakers(0.5);
        assert_eq!(feed(&mut breakers, &[(20, 15), (20, 6)]), Some(1));
        breakers.passed(RULES, 10);
        let trap = Refusal::new(Code::PluginTrap, "it trapped; in decide; it said: no card 4711");
        (0..16).for_each(|_| breakers.refused(RULES, &trap));
        let spent = breakers.spent();
        let [Failing { stage: RULES, group: 1, failed: 16, rows: 16, last, .. }] = &spent[..] else {
            panic!("{spent:?}")
        };
        assert_eq!(last, "TW206 it trapped; in decide", "a plugin's words may be a record's");
        assert!(breakers.spent().is_empty());
    }
}
