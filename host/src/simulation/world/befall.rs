//! What befalls hosts.

use super::{Host, World};
use crate::simulation::cluster::Faults;
use crate::simulation::journal::Time;

/// How a host is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    Runs,
    /// Nothing of it moves; then it goes on as if nothing had been.
    Paused {
        until: Time,
    },
    Down {
        until: Time,
    },
    /// Ended in order, and not to come back by itself.
    Gone,
}

/// How often what happens: turns in ten thousand.
#[derive(Clone, Copy, Debug, Default)]
pub struct Odds {
    /// New records.
    pub feed: u32,
    /// A host is to crash within the next calls of its ports.
    pub crash: u32,
    /// A host stands still for up to twice the session's time-out.
    pub pause: u32,
    /// A host stands still, and another process takes its name; later the first one goes on.
    pub replace: u32,
    /// A host ends in order, or one that ended so starts again.
    pub leave: u32,
    pub return_: u32,
    /// The group hears nothing of a member for too long.
    pub kick: u32,
    /// A host loses its disk while it is down.
    pub wipe: u32,
}

impl Odds {
    pub fn usual() -> Self {
        Self { feed: 1_500, crash: 30, pause: 20, replace: 4, leave: 8, return_: 15, kick: 10, wipe: 3 }
    }
}

/// Calls within which an armed crash comes.
const CRASH_WITHIN: usize = 400;
/// Turns of one thread in a row.
const TURNS: usize = 8;

impl World {
    pub(super) fn turn(&mut self) {
        self.wake();
        let Odds { feed, crash, pause, replace, leave, return_, kick, wipe } = self.options.odds;
        let mut roll = self.random.below(10_000) as u32;
        let mut falls_on = |odds: u32| {
            let hit = roll < odds;
            roll = if hit { u32::MAX } else { roll.saturating_sub(odds) };
            hit
        };
        let what = if falls_on(feed) {
            return self.feeder.feed(&mut self.random);
        } else if falls_on(crash) {
            self.any(Fate::Runs).map(|host| self.arm_soon(host)).map(|()| "crash")
        } else if falls_on(pause) {
            self.any(Fate::Runs).map(|host| self.pause(host)).map(|()| "pause")
        } else if falls_on(replace) {
            self.any(Fate::Runs).map(|host| self.replace(host)).map(|()| "replace")
        } else if falls_on(leave) {
            self.any(Fate::Runs).map(|host| self.remove(host)).map(|()| "leave")
        } else if falls_on(return_) {
            self.any(Fate::Gone).map(|host| self.start(host)).map(|()| "return")
        } else if falls_on(kick) {
            self.cluster.kick();
            Some("kick")
        } else if falls_on(wipe) {
            let down = |host: &&Host| matches!(host.fate, Fate::Down { .. });
            self.hosts.iter().find(down).map(|host| host.disk.wipe()).map(|()| "wipe")
        } else {
            return self.step_some();
        };
        if let Some(what) = what {
            self.journal.tally(what);
        }
    }

    /// Some host of this fate.
    fn any(&mut self, fate: Fate) -> Option<usize> {
        let fitting: Vec<usize> =
            (0..self.hosts.len()).filter(|index| self.hosts[*index].fate == fate).collect();
        self.random.pick(&fitting).copied()
    }

    fn step_some(&mut self) {
        let ghost = self.random.below(20);
        if ghost < self.ghosts.len() && self.haunt(ghost) {
            return;
        }
        let Some(host) = self.any(Fate::Runs) else { return };
        let thread = self.random.below(self.options.threads);
        for _ in 0..1 + self.random.below(TURNS) {
            self.step(host, thread);
        }
    }

    /// Moves a ghost, if it may be. It ends with its first error.
    fn haunt(&mut self, index: usize) -> bool {
        let now = self.journal.clock.now();
        let Some(ghost) = self.ghosts.get_mut(index) else { return false };
        if matches!(ghost.fate, Fate::Paused { until } if until > now) {
            return false;
        }
        if ghost.fate != Fate::Runs {
            ghost.fate = Fate::Runs;
            self.cluster.resume(ghost.process.number);
            self.journal.note(format_args!("process {} goes on as a ghost", ghost.process.number));
        }
        let thread = self.random.below(ghost.threads.len());
        if let Some(stepper) = ghost.threads.get_mut(thread)
            && let Err(error) = stepper.step()
        {
            let ghost = self.ghosts.swap_remove(index);
            ghost.process.kill();
            drop(ghost);
            self.count(&error);
        }
        true
    }

    /// Those whose time has come go on.
    fn wake(&mut self) {
        let now = self.journal.clock.now();
        for index in 0..self.hosts.len() {
            match self.hosts[index].fate {
                Fate::Paused { until } if until <= now => self.resume(index),
                Fate::Down { until } if until <= now => self.start(index),
                _ => {}
            }
        }
    }

    fn arm_soon(&mut self, index: usize) {
        let (calls, after) = (1 + self.random.below(CRASH_WITHIN), self.random.coin());
        self.arm(index, calls as u64, after);
    }

    fn pause(&mut self, index: usize) {
        let session = self.options.timeouts.session.as_micros() as Time;
        let until = self.journal.clock.now() + self.random.between(0, 2 * session);
        let host = &mut self.hosts[index];
        host.fate = Fate::Paused { until };
        self.cluster.pause(host.process.number);
        self.journal.note(format_args!("host {} pauses until {until}", host.name));
    }

    fn resume(&mut self, index: usize) {
        let host = &mut self.hosts[index];
        host.fate = Fate::Runs;
        self.cluster.resume(host.process.number);
        self.journal.note(format_args!("host {} goes on", host.name));
    }

    /// The new process runs elsewhere: on a disk of its own.
    fn replace(&mut self, index: usize) {
        self.pause(index);
        let name = self.hosts[index].name;
        self.journal.note(format_args!("host {name} is replaced"));
        self.add_host(name);
        let ghost = self.hosts.swap_remove(index);
        self.ghosts.push(ghost);
    }

    /// Ends a host in order.
    pub(super) fn remove(&mut self, index: usize) {
        self.journal.note(format_args!("host {} is stopped", self.hosts[index].name));
        let threads = std::mem::take(&mut self.hosts[index].threads);
        self.hosts[index].fate = Fate::Gone;
        for thread in threads {
            if let Err(error) = thread.stop() {
                self.count(&error);
            }
        }
        self.hosts[index].process.kill();
    }

    pub(super) fn heal(&mut self) {
        self.journal.note(format_args!("everything is healed"));
        self.cluster.set_faults(Faults::default());
        self.feeder.finish();
        self.ghosts.iter().for_each(|ghost| ghost.process.kill());
        self.ghosts.clear();
        for index in 0..self.hosts.len() {
            self.hosts[index].disk.set_failing(0);
            self.hosts[index].process.crash_in(u64::MAX, false);
            match self.hosts[index].fate {
                Fate::Paused { .. } => self.resume(index),
                Fate::Down { .. } => self.start(index),
                Fate::Runs | Fate::Gone => {}
            }
        }
        if self.any(Fate::Runs).is_none() {
            self.start(0);
        }
    }
}
