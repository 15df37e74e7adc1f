//! What every disk must do, against a simple model.

use std::collections::BTreeMap;

use proptest::collection::{btree_map, vec};
use proptest::prelude::*;

use super::{Base, Checkpoint, Commit, Disk, Frozen, Image};

/// Of a key: its windows, when it is due.
type Entry = (Option<Box<[u8]>>, Option<i64>);
type Keys = BTreeMap<(u8, Box<[u8]>), Entry>;

#[derive(Clone, Debug)]
pub enum Step {
    Write {
        images: Keys,
        head: Vec<u8>,
    },
    Written {
        wait: bool,
    },
    /// Looks at all there is to see.
    Look {
        until: i64,
        most: usize,
    },
    /// Takes a copy, to be looked at when the next is taken.
    Freeze,
    Reopen,
    Clear,
}

pub fn steps() -> impl Strategy<Value = Vec<Step>> {
    let moment = prop_oneof![8 => -3..4i64, 1 => Just(i64::MIN), 1 => Just(i64::MAX)];
    let bytes = prop::option::weighted(0.7, vec(any::<u8>(), 0..40).prop_map(Box::from));
    let key = prop_oneof![4 => vec(0..3u8, 1..3), 1 => vec(Just(255), 0..9)].prop_map(Box::from);
    let store = prop_oneof![Just(0), Just(1), Just(255)];
    let images = btree_map((store, key), (bytes, prop::option::of(moment)), 0..12);
    let until = prop_oneof![8 => -3..4i64, 1 => Just(i64::MIN), 1 => Just(i64::MAX)];
    let step = prop_oneof![
        8 => (images, vec(any::<u8>(), 0..5)).prop_map(|(images, head)| Step::Write { images, head }),
        3 => any::<bool>().prop_map(|wait| Step::Written { wait }),
        4 => (until, 0..5usize).prop_map(|(until, most)| Step::Look { until, most }),
        1 => Just(Step::Freeze),
        1 => Just(Step::Reopen),
        1 => Just(Step::Clear),
    ];
    vec(step, 1..50)
}

/// All states there were since it was clear, by commit; 0: nothing.
struct Model {
    states: BTreeMap<Commit, (Vec<u8>, Keys)>,
    /// That of the last checkpoint that is known to be written.
    written: Commit,
}

impl Model {
    fn empty() -> Self {
        Self { states: BTreeMap::from([(0, Default::default())]), written: 0 }
    }

    fn last(&self) -> &(Vec<u8>, Keys) {
        self.states.last_key_value().expect("never empty").1
    }

    /// The base is as of some checkpoint that it may be as of.
    fn find(&mut self, base: &dyn Base) {
        let position = base.position().map(|(commit, head)| (commit, head.to_vec()));
        let commit = position.as_ref().map_or(0, |(commit, _)| *commit);
        assert!(commit >= self.written, "{commit} after {}", self.written);
        assert_eq!(position.map(|(_, head)| head).unwrap_or_default(), self.states[&commit].0);
        self.written = commit;
    }

    fn frozen(&self) -> Vec<Frozen> {
        let keys = self.states[&self.written].1.iter();
        keys.filter_map(|((store, key), (bytes, _))| Some((*store, key.clone(), bytes.clone()?))).collect()
    }
}

/// `open` gives the same disk again, after the last one was dropped.
pub fn holds<D: Disk>(open: impl Fn() -> D, steps: Vec<Step>) {
    let mut disk = open();
    let mut base = disk.open("a").unwrap();
    let mut model = Model::empty();
    let mut commit = 0;
    let mut frozen = None;
    for step in steps {
        match step {
            Step::Write { images, head } => {
                commit += 1;
                let mut keys = model.last().1.clone();
                let images = images.into_iter().map(|((store, key), (bytes, due))| {
                    let before = keys.insert((store, key.clone()), (bytes.clone(), due));
                    Image { store, key, bytes, due, due_before: before.and_then(|(_, due)| due) }
                });
                let images = images.collect();
                model.states.insert(commit, (head.clone(), keys));
                base.write(Checkpoint { commit, head, images }).unwrap();
            }
            Step::Written { wait } => {
                let all = base.written(wait).unwrap();
                model.find(&*base);
                assert!(all || !wait);
                assert!(!all || model.written == *model.states.last_key_value().unwrap().0);
            }
            Step::Look { until, most } => {
                base.written(true).unwrap();
                model.find(&*base);
                look(&*base, &model, until, most);
            }
            Step::Freeze => {
                base.written(true).unwrap();
                model.find(&*base);
                let taken = (base.frozen().unwrap(), model.frozen());
                if let Some((found, expected)) = frozen.replace(taken) {
                    assert_eq!(found.collect::<Result<Vec<_>, _>>().unwrap(), expected);
                }
            }
            Step::Reopen => {
                if let Some((found, expected)) = frozen.take() {
                    assert_eq!(found.collect::<Result<Vec<_>, _>>().unwrap(), expected);
                }
                drop(base);
                drop(disk);
                disk = open();
                base = disk.open("a").unwrap();
                model.find(&*base);
                model.states.split_off(&(model.written + 1));
            }
            Step::Clear => {
                base.clear().unwrap();
                frozen = None;
                model = Model::empty();
                model.find(&*base);
            }
        }
    }
    base.written(true).unwrap();
    model.find(&*base);
    look(&*base, &model, i64::MAX, usize::MAX);
}

fn look(base: &dyn Base, model: &Model, until: i64, most: usize) {
    let keys = &model.states[&model.written].1;
    for ((store, key), (bytes, _)) in keys {
        assert_eq!(base.get(*store, key).unwrap(), *bytes);
    }
    assert_eq!(base.get(7, b"absent").unwrap(), None);
    for store in [0, 1, 255] {
        let due = keys.iter().filter(|((at, _), _)| *at == store);
        let mut due: Vec<_> = due.filter_map(|((_, key), (_, due))| Some(((*due)?, key.clone()))).collect();
        due.retain(|(moment, _)| *moment <= until);
        due.sort();
        due.truncate(most);
        assert_eq!(base.due(store, None, until, most).unwrap(), due, "{store} until {until}");
        for (index, behind) in due.iter().enumerate() {
            assert_eq!(base.due(store, Some(behind), until, most - index - 1).unwrap(), due[index + 1..]);
        }
    }
    assert_eq!(base.frozen().unwrap().collect::<Result<Vec<_>, _>>().unwrap(), model.frozen());
}
