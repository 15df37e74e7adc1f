//! Hosts that go by one topic, each at its own pace.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::config::Role;
use crate::release::manifest::{Artifact, Digest, number_of, stamp};

const KEEP: usize = 8;

type Record = (String, Option<Vec<u8>>);

fn content(number: u8) -> Content {
    Content { id: format!("{number:016x}"), configuration: String::new(), artifacts: Vec::new() }
}

fn number_in(content: &Content) -> u8 {
    u8::from_str_radix(&content.id, 16).expect("one of ours")
}

/// Contents that come to nothing when they are staged.
fn is_bad(content: &Content) -> bool {
    number_in(content) % 5 == 4
}

fn releases() -> config::Releases {
    config::Releases { keep: KEEP, keep_for: config::Duration::from_millis(0), ..config::Releases::default() }
}

struct Host {
    course: Course,
    ledger: Ledger,
    read: usize,
    running: u64,
    /// At the desk.
    job: Option<Job>,
    /// It can't run this content, which others can.
    lacks: Option<u8>,
    ran: Vec<String>,
}

struct Fleet {
    log: Vec<Record>,
    history: Vec<Event>,
    hosts: Vec<Host>,
}

impl Fleet {
    fn new(hosts: usize) -> Self {
        let host = |number: usize| Host {
            course: Course::new(format!("host-{number}"), &releases()),
            ledger: Ledger::default(),
            read: 0,
            running: 0,
            job: None,
            lacks: None,
            ran: Vec::new(),
        };
        let mut fleet = Self { log: Vec::new(), history: Vec::new(), hosts: (0..hosts).map(host).collect() };
        let facts = Facts {
            content: content(0),
            by: "somebody".to_owned(),
            how: How::Start,
            at: 0,
            why: String::new(),
            returns_to: None,
            bootstrap: None,
            generation: 0,
        };
        fleet.write(Manifest { number: 1, ticket: Ticket(1), facts }.record(Ticket(1)).expect("small"));
        fleet
    }

    fn write(&mut self, (key, value): (String, Vec<u8>)) {
        self.log.push((key, Some(value)));
    }

    /// A command.
    fn apply(&mut self, number: u8) -> Ticket {
        let facts = Facts {
            content: content(number),
            by: "somebody".to_owned(),
            how: How::Apply,
            at: 0,
            why: String::new(),
            returns_to: None,
            bootstrap: None,
            generation: 0,
        };
        let proposal = Proposal { ticket: Ticket::random(), facts };
        self.write(proposal.record().expect("small"));
        proposal.ticket
    }

    fn read(&mut self, host: usize) {
        let one = &mut self.hosts[host];
        if let Some((key, value)) = self.log.get(one.read) {
            one.ledger.take(one.read as i64, Some(key.as_bytes()), value.as_deref()).expect("ours");
            one.read += 1;
        }
    }

    /// Does what is at the desk of a host. `fails`: brokers and disks are away.
    fn work(&mut self, host: usize, fails: bool) {
        let one = &mut self.hosts[host];
        let Some(job) = one.job.take() else { return };
        let away = || Error::new(Code::Delivery, "away");
        let done = || if fails { Err(away()) } else { Ok(()) };
        let reply = match job {
            Job::Stage { .. } if fails => Reply::Staged(Err(away())),
            Job::Stage { content, .. } if is_bad(&content) => {
                Reply::Staged(Err(Error::new(Code::PluginInvalid, "bad")))
            }
            Job::Stage { .. } => Reply::Staged(Ok(())),
            Job::Number(manifest, _) => {
                if !fails {
                    let record = manifest.record(Ticket::random()).expect("small");
                    self.log.push((record.0, Some(record.1)));
                }
                Reply::Numbered(done())
            }
            Job::Refuse(refusal) => {
                if !fails {
                    let (key, value) = refusal.record(Ticket::random());
                    self.log.push((key, Some(value)));
                }
                Reply::Refused(done())
            }
            Job::Go(manifest, _) => {
                let number = manifest.number;
                let lacks = one.lacks == Some(number_in(&manifest.facts.content));
                let gone = if lacks { Err(Error::new(Code::Unsigned, "no")) } else { done() };
                if gone.is_ok() {
                    assert!(number > one.running);
                    one.running = number;
                    one.ran.push(manifest.stamp());
                }
                Reply::Gone(gone)
            }
            Job::Tell(events) => {
                if !fails {
                    self.history.extend(events);
                }
                Reply::Told(done())
            }
            Job::Clear(keys, _) => {
                if !fails {
                    self.log.extend(keys.iter().map(|key| (key.to_string(), None)));
                }
                Reply::Cleared(done())
            }
            other => panic!("{other:?} is not a course's"),
        };
        let (_, job) = one.course.heard(reply, &one.ledger);
        one.job = job;
    }

    fn next(&mut self, host: usize) {
        let one = &mut self.hosts[host];
        if one.job.is_none() {
            one.job = one.course.next(&one.ledger, one.running);
        }
    }

    /// Until nobody has anything to do.
    fn settle(&mut self) {
        for _ in 0..10_000 {
            let before = self.log.len();
            let mut busy = false;
            for host in 0..self.hosts.len() {
                while self.hosts[host].read < self.log.len() {
                    self.read(host);
                }
                self.next(host);
                busy |= self.hosts[host].job.is_some();
                self.work(host, false);
            }
            if !busy && before == self.log.len() {
                return;
            }
        }
        panic!("they never come to an end");
    }

    fn runs(&self, host: usize) -> Option<u8> {
        let one = &self.hosts[host];
        one.ledger.release(one.running).map(|release| number_in(&release.facts.content))
    }
}

#[test]
fn one_command_changes_all_hosts() {
    let mut fleet = Fleet::new(3);
    fleet.settle();
    assert!((0..3).all(|host| fleet.runs(host) == Some(0)));
    let ticket = fleet.apply(7);
    fleet.settle();
    assert!((0..3).all(|host| fleet.runs(host) == Some(7)));
    assert!(matches!(fleet.hosts[0].ledger.answer(ticket), Some(Answer::Released(one)) if one.number == 2));
    // What fails changes nothing, and neither does the same again.
    for (number, code) in [(4, "TW202"), (7, "TW708")] {
        let ticket = fleet.apply(number);
        fleet.settle();
        let ledger = &fleet.hosts[1].ledger;
        assert!(matches!(ledger.answer(ticket), Some(Answer::Refused(refusal)) if refusal.code == code));
        assert!((0..3).all(|host| fleet.runs(host) == Some(7)));
    }
}

#[test]
fn files_become_a_release_once_and_what_went_back_does_not_come_again() {
    let mut fleet = Fleet::new(2);
    fleet.settle();
    for host in [0, 1] {
        let Host { course, ledger, .. } = &mut fleet.hosts[host];
        assert!(!course.see(&content(0), ledger), "it runs");
        assert!(course.see(&content(3), ledger));
        assert!(!course.see(&content(3), ledger), "it is on its way");
    }
    fleet.settle();
    assert_eq!(fleet.hosts[0].ran, [stamp(1, &content(0).id), stamp(2, &content(3).id)]);
    for host in [0, 1] {
        let Host { course, ledger, .. } = &mut fleet.hosts[host];
        assert_eq!(course.go_back(2, "slow".to_owned(), ledger), Some(1));
        assert_eq!(course.go_back(1, "late".to_owned(), ledger), None, "it is not the current one");
    }
    fleet.settle();
    for host in [0, 1] {
        assert_eq!(fleet.runs(host), Some(0));
        let Host { course, ledger, ran, .. } = &mut fleet.hosts[host];
        assert_eq!(ran.len(), 3, "both wanted it, and it came once");
        assert!(!course.see(&content(3), ledger));
        assert!(course.see(&content(4), ledger));
    }
    fleet.settle();
    let Host { course, ledger, ran, .. } = &mut fleet.hosts[0];
    assert_eq!(ran.len(), 3, "a bad one never runs");
    assert!(!course.see(&content(4), ledger), "and is not tried again");
}

#[test]
fn a_host_that_can_not_run_a_release_has_the_one_before_back() {
    let mut fleet = Fleet::new(3);
    fleet.hosts[2].lacks = Some(7);
    fleet.settle();
    fleet.apply(7);
    fleet.settle();
    assert!((0..3).all(|host| fleet.runs(host) == Some(0)));
    let current = fleet.hosts[0].ledger.current().expect("one");
    assert_eq!((current.number, current.facts.how, current.facts.returns_to), (3, How::Probation, Some(1)));
    assert!(current.facts.why.contains("host-2 can't run release 2-"), "{}", current.facts.why);
}

#[derive(Clone, Copy, Debug)]
enum Happening {
    Apply(u8),
    See(usize, u8),
    GoBack(usize),
    Read(usize),
    Next(usize),
    Work(usize, bool),
}

fn happenings() -> impl Strategy<Value = Vec<Happening>> {
    let host = 0..3usize;
    let one = prop_oneof![
        1 => (0..9u8).prop_map(Happening::Apply),
        1 => (host.clone(), 0..9u8).prop_map(|(host, number)| Happening::See(host, number)),
        1 => host.clone().prop_map(Happening::GoBack),
        8 => host.clone().prop_map(Happening::Read),
        8 => host.clone().prop_map(Happening::Next),
        8 => (host, prop::bool::weighted(0.1)).prop_map(|(host, fails)| Happening::Work(host, fails)),
    ];
    prop::collection::vec(one, 0..200)
}

proptest! {
    /// Whatever happens in which order, all come to the same release, each proposal gets one answer, and no bad content
    /// is ever numbered.
    #[test]
    fn hosts_agree(happenings in happenings()) {
        let mut fleet = Fleet::new(3);
        let mut tickets = Vec::new();
        for one in happenings {
            match one {
                Happening::Apply(number) => tickets.push(fleet.apply(number)),
                Happening::See(host, number) => {
                    let Host { course, ledger, .. } = &mut fleet.hosts[host];
                    course.see(&content(number), ledger);
                }
                Happening::GoBack(host) => {
                    let Host { course, ledger, running, .. } = &mut fleet.hosts[host];
                    course.go_back(*running, "no good".to_owned(), ledger);
                }
                Happening::Read(host) => fleet.read(host),
                Happening::Next(host) => fleet.next(host),
                Happening::Work(host, fails) => fleet.work(host, fails),
            }
        }
        fleet.settle();
        let ledger = &fleet.hosts[0].ledger;
        let current = ledger.current().expect("one").number;
        let mut by_number = BTreeMap::new();
        for host in &fleet.hosts {
            prop_assert_eq!(&host.ledger, ledger);
            prop_assert_eq!(host.running, current);
            for ran in &host.ran {
                let number = number_of(ran).expect("a stamp");
                prop_assert_eq!(by_number.entry(number).or_insert_with(|| ran.clone()), ran);
            }
        }
        prop_assert!(ledger.waiting().is_empty());
        prop_assert!(ledger.releases().all(|release| !is_bad(&release.facts.content)));
        let kept = ledger.releases().count();
        prop_assert!(kept <= KEEP + fleet.hosts.len());
        prop_assert!(tickets.iter().all(|ticket| ledger.proposal(*ticket).is_none() || ledger.answer(*ticket).is_some()));
    }
}

#[test]
fn what_fails_for_a_while_is_tried_again() {
    let mut fleet = Fleet::new(1);
    fleet.settle();
    fleet.apply(7);
    for _ in 0..3 {
        while fleet.hosts[0].read < fleet.log.len() {
            fleet.read(0);
        }
        for _ in 0..4 {
            fleet.next(0);
            fleet.work(0, true);
        }
    }
    assert_eq!(fleet.runs(0), Some(0));
    fleet.settle();
    let told: Vec<_> = fleet.history.iter().map(|event| event.what.name()).collect();
    assert_eq!((fleet.runs(0), told), (Some(7), vec!["released"]));
}

#[test]
fn what_came_to_nothing_is_tried_again_when_it_is_signed_anew() {
    let mut fleet = Fleet::new(1);
    fleet.settle();
    let see = |fleet: &mut Fleet, content: &Content| {
        let Host { course, ledger, .. } = &mut fleet.hosts[0];
        let is_new = course.see(content, ledger);
        fleet.settle();
        is_new
    };
    let signed = |signature: u8| {
        let (role, digest, file) = (Role::Rules, Digest([4; 32]), "f.wasm".to_owned());
        let artifact = Artifact { role, file, digest, bytes: 3, signature: Some([signature; 64]) };
        Content { artifacts: vec![artifact], ..content(4) }
    };
    assert!(see(&mut fleet, &signed(1)) && see(&mut fleet, &signed(2)));
    assert!(!see(&mut fleet, &signed(1)) && !see(&mut fleet, &signed(2)));
    assert_eq!(fleet.runs(0), Some(0));
}

#[test]
fn a_failure_of_the_host_itself_is_believed_in_the_end() {
    let mut fleet = Fleet::new(1);
    fleet.settle();
    let ticket = fleet.apply(7);
    let Host { course, ledger, read, .. } = &mut fleet.hosts[0];
    let (key, value) = &fleet.log[*read];
    ledger.take(*read as i64, Some(key.as_bytes()), value.as_deref()).expect("ours");
    *read += 1;
    for times in 1..=FAILURES {
        assert!(matches!(course.next(ledger, 1), Some(Job::Stage { .. })), "{times}");
        let full = Reply::Staged(Err(Error::new(Code::Internal, "no instance is free")));
        let (outcome, job) = course.heard(full, ledger);
        assert_eq!(matches!(outcome, Outcome::Later(_)), times < FAILURES);
        assert_eq!(matches!(job, Some(Job::Refuse(refusal)) if refusal.ticket == ticket), times == FAILURES);
    }
}
