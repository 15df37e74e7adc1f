//! What happens to hosts and broker, and how it is watched.
//!
//! After most events the world is left alone until rows fed after them have come out of every partition; some are
//! followed at once by the next one. A targeted kill waits for a line in the log of its victim and counts as landed
//! only if that log, which is read to its end, has nothing behind the line that would end what was to be hit. With two
//! threads a host that is a strict rule: the other thread may have ended its own.

use std::collections::BTreeMap;
use std::ops::Range;
use std::time::{Duration, Instant};

use super::ear::Ear;
use super::feed::Feed;
use super::hosts::Hosts;
use super::log::{Log, Mark};
use super::random::Random;
use super::report::{Event, Landed, Line};
use super::server::Server;

/// For rows to come out again, whatever happened: as long as at the end.
const RECOVERED_WITHIN: Duration = super::QUIET_AT_END;
/// How often it is looked for hosts that have ended.
const LOOK: Duration = Duration::from_secs(1);
/// Troubles after which a campaign is given up.
const HOPELESS: usize = 20;
/// For a line that a targeted kill waits for.
const LINE_WITHIN: Duration = Duration::from_secs(20);
/// Of a targeted kill, behind its line.
const AIM: Range<Duration> = Duration::ZERO..Duration::from_millis(4);
/// After an event that is not waited out.
const RUSH: Range<Duration> = Duration::ZERO..Duration::from_millis(500);

/// What a host that is not killed can be hit by.
const TRANSACTION: [Mark; 2] = [Mark::Flush, Mark::Commit];

/// All that runs, and what became of it.
#[derive(Debug)]
pub struct World {
    pub random: Random,
    pub hosts: Hosts,
    /// None: the broker is the user's and not killed.
    pub server: Option<Server>,
    pub feed: Feed,
    pub ear: Ear,
    /// At least that many hosts run when nothing is wrong.
    pub fewest: usize,
    /// For so long a killed host or broker is away.
    pub away: Range<Duration>,
    /// A host is frozen for longer than this.
    pub session: Duration,
    pub lines: BTreeMap<Event, Line>,
    pub landed: Landed,
    pub troubles: Vec<String>,
}

/// An event as it went.
struct Went {
    event: Event,
    /// Hosts that were hit.
    hit: Vec<usize>,
    said: String,
}

impl World {
    /// Draws an event; how often each comes is in the numbers.
    pub fn draw(&mut self) -> Event {
        let [killed, frozen] = if self.server.is_some() { [8, 4] } else { [0; 2] };
        let odds = [
            (Event::Kill, 10),
            (Event::KillDeleted, 6),
            (Event::KillDamaged, 6),
            (Event::KillTwo, 6),
            (Event::KillInTransaction, 20),
            (Event::KillInRebalance, 20),
            (Event::KillBroker, killed),
            (Event::FreezeBroker, frozen),
            (Event::Freeze, 8),
            (Event::Join, 8),
            (Event::Leave, 8),
        ];
        let mut drawn = self.random.below(odds.iter().map(|(_, weight)| weight).sum());
        for (event, weight) in odds {
            if drawn < weight {
                return event;
            }
            drawn -= weight;
        }
        Event::Kill
    }

    /// Lets an event happen, and, but for some, waits until all goes on. Says so in one line.
    pub fn happen(&mut self, number: usize, event: Event, pause: &Range<Duration>) {
        self.raise();
        let (began, fed) = (Instant::now(), self.feed.clock());
        let went = self.perform(event);
        self.lines.entry(went.event).or_default().count += 1;
        let mut said = format!("{number:>4}  {:<24}{}", went.event.name(), went.said);
        if self.random.chance(25) {
            println!("{said}");
            let rush = self.random.duration(&RUSH);
            return std::thread::sleep(rush);
        }
        // What is fed before all hosts are back may be through already.
        let fed = fed.max(self.feed.clock());
        if self.recovers(fed) {
            said += &self.note_silence(&went, began);
        } else {
            let text = format!(" event {number}: rows don't come out again");
            self.troubles.push(text.clone());
            said += &text;
        }
        println!("{said}");
        std::thread::sleep(self.random.duration(pause));
    }

    /// Whether rows of this event time come out everywhere. Hosts that end meanwhile are started again.
    pub fn recovers(&mut self, fed: i64) -> bool {
        let began = Instant::now();
        while !self.ear.wait_until(fed, LOOK) {
            self.raise();
            if began.elapsed() > RECOVERED_WITHIN || self.is_hopeless() {
                return false;
            }
        }
        true
    }

    /// Hosts don't live: what comes would be more of the same.
    pub fn is_hopeless(&self) -> bool {
        self.troubles.len() >= HOPELESS
    }

    fn note_silence(&mut self, went: &Went, began: Instant) -> String {
        let line = self.lines.entry(went.event).or_default();
        let Some((start, end)) = self.ear.silence(began) else {
            line.silences.push(Duration::ZERO);
            return " no silence".to_owned();
        };
        line.silences.push(end - start);
        let mut said = format!(" silent for {:.2} s", (end - start).as_secs_f64());
        let assigned = self.hosts.first_after(start, &went.hit, Mark::Assigned);
        if let Some(assigned) = assigned.filter(|assigned| *assigned < end) {
            line.from_assigned.push(end - assigned);
            said += &format!(", {:.2} s after an assignment", (end - assigned).as_secs_f64());
        }
        said
    }

    /// Hosts that ended by themselves are troubles; enough are started.
    pub fn raise(&mut self) {
        for said in self.hosts.troubles() {
            println!("      {said}");
            self.troubles.push(said);
        }
        while self.hosts.running().len() < self.fewest {
            let seat = self.hosts.free()[0];
            self.hosts.start(seat);
        }
    }

    fn perform(&mut self, event: Event) -> Went {
        match event {
            Event::Kill | Event::KillDeleted | Event::KillDamaged => self.kill(event),
            Event::KillTwo => self.kill_two(),
            Event::KillInTransaction => self.kill_in_transaction(),
            Event::KillInRebalance => self.kill_in_rebalance(),
            Event::KillBroker => self.kill_broker(),
            Event::FreezeBroker => self.freeze_broker(),
            Event::Freeze => self.freeze(),
            Event::Join => self.join(),
            Event::Leave => self.leave(),
        }
    }

    /// Mostly one with partitions: of many hosts some only stand by.
    fn victim(&mut self) -> usize {
        if self.random.chance(75) {
            return self.busy();
        }
        let running = self.hosts.running();
        self.random.pick(&running)
    }

    /// One that has something to be hit.
    fn busy(&mut self) -> usize {
        let busy = self.hosts.busy();
        self.random.pick(&busy)
    }

    /// Starts it after a while.
    fn bring_back(&mut self, seat: usize) -> String {
        let away = self.random.duration(&self.away);
        std::thread::sleep(away);
        self.hosts.start(seat);
        format!(" back after {:.1} s;", away.as_secs_f64())
    }

    fn kill(&mut self, event: Event) -> Went {
        let seat = self.victim();
        self.hosts.kill(seat);
        let mut said = format!("host {seat};");
        match event {
            Event::KillDeleted => self.hosts.delete_state(seat),
            Event::KillDamaged => {
                let damaged = self.hosts.damage_state(seat, &mut self.random);
                said += &format!(" {};", damaged.as_deref().unwrap_or("it had no files"));
            }
            _ => {}
        }
        said += &self.bring_back(seat);
        Went { event, hit: vec![seat], said }
    }

    fn kill_two(&mut self) -> Went {
        let first = self.victim();
        self.hosts.kill(first);
        let running = self.hosts.running();
        let second = self.random.pick(&running);
        self.hosts.kill(second);
        let mut said = format!("hosts {first} and {second};");
        for seat in [second, first] {
            said += &self.bring_back(seat);
        }
        Went { event: Event::KillTwo, hit: vec![first, second], said }
    }

    /// Kills a host a moment after a line that is new in its log; gives the log and the position behind the line.
    fn kill_at(&mut self, seat: usize, from: usize, wanted: Mark) -> Option<(Log, usize)> {
        let line = self.hosts.log(seat).wait(from, &[wanted], LINE_WITHIN);
        let aim = self.random.duration(&AIM);
        if line.is_some() {
            std::thread::sleep(aim);
        }
        let log = self.hosts.kill(seat);
        line.map(|line| (log, line))
    }

    fn kill_in_transaction(&mut self) -> Went {
        let (seat, wanted) = (self.busy(), self.random.pick(&TRANSACTION));
        let from = self.hosts.log(seat).position();
        let hit = self.kill_at(seat, from, wanted);
        let hit = hit.is_some_and(|(log, line)| {
            let ended = log.has_since(line, &[Mark::Committed, Mark::TakenBack]);
            let further = log.has_since(line, &[Mark::Commit]) || wanted == Mark::Commit;
            *(if further { &mut self.landed.committing } else { &mut self.landed.flushing }) +=
                usize::from(!ended);
            !ended
        });
        let mut said = format!("host {seat}, at {wanted:?}{};", landed(hit));
        said += &self.bring_back(seat);
        Went { event: Event::KillInTransaction, hit: vec![seat], said }
    }

    /// Another host comes or goes, so that the group rebalances.
    fn kill_in_rebalance(&mut self) -> Went {
        let (seat, free) = (self.busy(), self.hosts.free());
        // Of three rebalances two are hit before they are answered.
        let wanted = self.random.pick(&[Mark::Revoked, Mark::Revoked, Mark::Assigned]);
        let from = self.hosts.log(seat).position();
        let others: Vec<usize> = self.hosts.running().into_iter().filter(|other| *other != seat).collect();
        let joins = others.len() < self.fewest || !free.is_empty() && self.random.chance(50);
        let (mut left, mut said) = (None, format!("host {seat}, "));
        if let Some(other) = free.first().filter(|_| joins) {
            self.hosts.start(*other);
            said += &format!("as {other} joins");
        } else {
            let other = self.random.pick(&others);
            self.hosts.wait_until_up(other);
            self.hosts.ask_to_end(other);
            said += &format!("as {other} leaves");
            left = Some(other);
        }
        let hit = self.kill_at(seat, from, wanted);
        let hit = hit.is_some_and(|(log, line)| {
            let (ends, count) = match wanted {
                Mark::Revoked => ([Mark::Assigned; 2], &mut self.landed.revoked),
                _ => ([Mark::Restored, Mark::Committed], &mut self.landed.restoring),
            };
            let ended = log.has_since(line, &ends);
            *count += usize::from(!ended);
            !ended
        });
        said += &format!(", at {wanted:?}{};", landed(hit));
        if let Some(left) = left {
            self.await_end(left);
        }
        said += &self.bring_back(seat);
        Went { event: Event::KillInRebalance, hit: vec![seat], said }
    }

    fn await_end(&mut self, seat: usize) {
        if let Err(trouble) = self.hosts.await_end(seat) {
            println!("      {trouble}");
            self.troubles.push(trouble);
        }
    }

    fn kill_broker(&mut self) -> Went {
        // Without a broker a host does not start; that is not its fault.
        self.hosts.running().iter().for_each(|seat| self.hosts.wait_until_up(*seat));
        let away = self.random.duration(&self.away);
        if let Some(server) = &mut self.server {
            server.kill();
            std::thread::sleep(away);
            server.start();
        }
        let said = format!("away for {:.1} s and its start;", away.as_secs_f64());
        Went { event: Event::KillBroker, hit: Vec::new(), said }
    }

    fn freeze_broker(&mut self) -> Went {
        self.hosts.running().iter().for_each(|seat| self.hosts.wait_until_up(*seat));
        let long = self.random.duration(&self.away);
        if let Some(server) = &self.server {
            server.freeze(long);
        }
        let said = format!("for a session and {:.1} s;", long.as_secs_f64());
        Went { event: Event::FreezeBroker, hit: Vec::new(), said }
    }

    fn freeze(&mut self) -> Went {
        let seat = self.victim();
        let frozen = self.random.duration(&(self.session..self.session * 3));
        self.hosts.freeze(seat);
        std::thread::sleep(frozen);
        self.hosts.thaw(seat);
        let said = format!("host {seat} for {:.1} s;", frozen.as_secs_f64());
        Went { event: Event::Freeze, hit: vec![seat], said }
    }

    fn join(&mut self) -> Went {
        let Some(seat) = self.hosts.free().first().copied() else { return self.leave() };
        self.hosts.start(seat);
        Went { event: Event::Join, hit: vec![seat], said: format!("host {seat};") }
    }

    fn leave(&mut self) -> Went {
        if self.hosts.running().len() <= self.fewest {
            return self.join();
        }
        let seat = self.victim();
        self.hosts.wait_until_up(seat);
        self.hosts.ask_to_end(seat);
        self.await_end(seat);
        Went { event: Event::Leave, hit: vec![seat], said: format!("host {seat};") }
    }
}

fn landed(hit: bool) -> &'static str {
    if hit { ", landed" } else { ", missed" }
}
