//! One running value over the entries of a span.

use super::decayed::Decayed;
use super::distinct::Distinct;
use super::exact::ExactSum;
use super::extremes::{Extremes, ordered};
use super::frequencies::Frequencies;
use super::plan::{Lane, LaneKind, Layout, is_float};
use super::quantile::Quantiles;
use crate::bytes::{Reader, Write};
use crate::columns::{Kind, TIMES};

/// What weighs in a state, about, in bytes: a candidate of extremes, a bucket of quantiles, a block of a decayed mean, a
/// value of frequencies; and what a value of a distinct count weighs at the most.
const CANDIDATE: usize = 16;
const BUCKET: usize = 12;
const DECAYED: usize = 128;
const FREQUENCY: usize = 72;
const DISTINCT: usize = 24;

/// State of a lane. Adding what was added before and retracting are each other's inverse; so are merge and
/// unmerge. All but the newest entry depends on which entries are in alone, not on how they came in.
#[derive(Clone, Debug)]
pub enum LaneState {
    Count(u64),
    IntSum(Box<i128>),
    Float(ExactSum),
    Extremes(Extremes),
    Latest(Option<Latest>),
    Distinct(Box<Distinct>),
    Quantile(Box<Quantiles>),
    Decayed(Box<Decayed>),
    Frequencies(Box<Frequencies>),
}

#[cfg(test)]
thread_local! {
    static LOST: std::cell::Cell<bool> = const { std::cell::Cell::new(false) };
}

/// Whether some entries are not let go of: a mistake, to see it found.
#[cfg(test)]
pub fn lose_retracts(lose: bool) {
    LOST.set(lose);
}

/// The newest entry so far, and when it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Latest {
    pub time: i64,
    pub word: u64,
}

impl LaneState {
    /// Bytes held beside this struct.
    pub fn size(&self) -> usize {
        match self {
            Self::Count(_) | Self::Latest(_) => 0,
            Self::IntSum(_) => size_of::<i128>(),
            Self::Float(sum) => sum.size(),
            Self::Extremes(extremes) => extremes.size(),
            Self::Distinct(distinct) => size_of::<Distinct>() + distinct.size(),
            Self::Quantile(quantiles) => size_of::<Quantiles>() + quantiles.size(),
            Self::Decayed(decayed) => size_of::<Decayed>() + decayed.size(),
            Self::Frequencies(frequencies) => size_of::<Frequencies>() + frequencies.size(),
        }
    }

    /// Bytes that grow with what is in, by lengths alone: the same for all states that took in the same.
    pub fn weight(&self) -> usize {
        match self {
            Self::Count(_) | Self::IntSum(_) | Self::Float(_) | Self::Latest(_) => 0,
            Self::Extremes(extremes) => extremes.len() * CANDIDATE,
            Self::Distinct(distinct) => distinct.weight(),
            Self::Quantile(quantiles) => quantiles.len() * BUCKET,
            Self::Decayed(decayed) => decayed.len() * DECAYED,
            Self::Frequencies(frequencies) => frequencies.len() * FREQUENCY,
        }
    }

    /// The same with so many of its entries, at the most.
    pub fn weight_of(&self, entries: usize) -> usize {
        let most = match self {
            Self::Count(_) | Self::IntSum(_) | Self::Float(_) | Self::Latest(_) => return 0,
            Self::Extremes(_) => CANDIDATE,
            Self::Distinct(_) => DISTINCT,
            Self::Quantile(_) => BUCKET,
            Self::Decayed(_) => DECAYED,
            Self::Frequencies(_) => FREQUENCY,
        };
        self.weight().min(entries.saturating_mul(most))
    }

    /// Takes in all that another state of the same lane took in.
    pub fn merge(&mut self, other: &Self) {
        match (self, other) {
            (Self::Count(count), Self::Count(other)) => *count = count.wrapping_add(*other),
            (Self::IntSum(sum), Self::IntSum(other)) => **sum = sum.wrapping_add(**other),
            (Self::Float(sum), Self::Float(other)) => sum.merge(other),
            (Self::Extremes(extremes), Self::Extremes(other)) => extremes.merge(other),
            (Self::Latest(latest), Self::Latest(other)) => {
                if latest.is_none_or(|latest| other.is_some_and(|other| latest.time <= other.time)) {
                    *latest = *other;
                }
            }
            (Self::Distinct(distinct), Self::Distinct(other)) => distinct.merge(other),
            (Self::Quantile(quantiles), Self::Quantile(other)) => quantiles.merge(other),
            (Self::Decayed(decayed), Self::Decayed(other)) => decayed.merge(other),
            (Self::Frequencies(frequencies), Self::Frequencies(other)) => frequencies.merge(other),
            _ => unreachable!("states of one lane are of one kind"),
        }
    }

    /// Steps that it takes to merge this into another, about.
    pub fn steps(&self) -> usize {
        match self {
            Self::Count(_) | Self::IntSum(_) | Self::Float(_) | Self::Latest(_) => 1,
            Self::Extremes(extremes) => extremes.len(),
            Self::Distinct(distinct) => distinct.cells(),
            Self::Quantile(quantiles) => quantiles.len(),
            Self::Decayed(decayed) => decayed.len(),
            Self::Frequencies(frequencies) => frequencies.len(),
        }
    }

    /// Lets go of all that another state took in and this one merged. Extremes and the newest entry can't:
    /// they stay as they are.
    pub fn unmerge(&mut self, other: &Self) {
        match (self, other) {
            (Self::Count(count), Self::Count(other)) => *count = count.wrapping_sub(*other),
            (Self::IntSum(sum), Self::IntSum(other)) => **sum = sum.wrapping_sub(**other),
            (Self::Float(sum), Self::Float(other)) => sum.unmerge(other),
            (Self::Extremes(_), Self::Extremes(_)) | (Self::Latest(_), Self::Latest(_)) => {}
            (Self::Distinct(distinct), Self::Distinct(other)) => distinct.unmerge(other),
            (Self::Quantile(quantiles), Self::Quantile(other)) => quantiles.unmerge(other),
            (Self::Decayed(decayed), Self::Decayed(other)) => decayed.unmerge(other),
            (Self::Frequencies(frequencies), Self::Frequencies(other)) => frequencies.unmerge(other),
            _ => unreachable!("states of one lane are of one kind"),
        }
    }

    pub fn freeze(&self, into: &mut Vec<u8>) {
        match self {
            Self::Count(count) => into.number(*count),
            Self::IntSum(sum) => into.extend(sum.to_le_bytes()),
            Self::Float(sum) => sum.freeze(into),
            Self::Extremes(extremes) => extremes.freeze(into),
            Self::Latest(latest) => {
                into.byte(u8::from(latest.is_some()));
                if let Some(Latest { time, word }) = latest {
                    into.signed(*time);
                    into.word(*word);
                }
            }
            Self::Distinct(distinct) => distinct.freeze(into),
            Self::Quantile(quantiles) => quantiles.freeze(into),
            Self::Decayed(decayed) => decayed.freeze(into),
            Self::Frequencies(frequencies) => frequencies.freeze(into),
        }
    }
}

impl Lane {
    /// A state of this lane that was frozen.
    pub fn thaw(&self, layout: &Layout, reader: &mut Reader<'_>) -> Option<LaneState> {
        let is_time = self.column.is_some_and(|column| layout.kept[column].kind == Kind::Time);
        let fits = |value: i64| !is_time || TIMES.contains(&value);
        Some(match self.kind {
            LaneKind::Count => LaneState::Count(reader.number()?),
            LaneKind::IntSum => LaneState::IntSum(Box::new(i128::from_le_bytes(reader.fixed()?))),
            LaneKind::FloatSum | LaneKind::Squares => LaneState::Float(ExactSum::thaw(reader)?),
            LaneKind::Least | LaneKind::Greatest => {
                LaneState::Extremes(Extremes::thaw(reader, |order| fits(self.turned(order)))?)
            }
            LaneKind::Latest if !reader.flag()? => LaneState::Latest(None),
            LaneKind::Latest => {
                let time = reader.signed().filter(|time| TIMES.contains(time))?;
                let word = reader.word().filter(|word| fits(word.cast_signed()))?;
                LaneState::Latest(Some(Latest { time, word }))
            }
            LaneKind::Distinct => LaneState::Distinct(Box::new(Distinct::thaw(reader)?)),
            LaneKind::Quantile => LaneState::Quantile(Box::new(Quantiles::thaw(reader)?)),
            LaneKind::Decayed { half_life } => {
                LaneState::Decayed(Box::new(Decayed::thaw(half_life, reader)?))
            }
            LaneKind::Frequencies => LaneState::Frequencies(Box::new(Frequencies::thaw(reader)?)),
        })
    }

    pub fn fresh(&self) -> LaneState {
        match self.kind {
            LaneKind::Count => LaneState::Count(0),
            LaneKind::IntSum => LaneState::IntSum(Box::default()),
            LaneKind::FloatSum | LaneKind::Squares => LaneState::Float(ExactSum::default()),
            LaneKind::Least | LaneKind::Greatest => LaneState::Extremes(Extremes::default()),
            LaneKind::Latest => LaneState::Latest(None),
            LaneKind::Distinct => LaneState::Distinct(Box::default()),
            LaneKind::Quantile => LaneState::Quantile(Box::default()),
            LaneKind::Decayed { half_life } => LaneState::Decayed(Box::new(Decayed::new(half_life))),
            LaneKind::Frequencies => LaneState::Frequencies(Box::default()),
        }
    }

    /// Whether any entry can be retracted, not only the oldest.
    pub fn invertible(&self) -> bool {
        !matches!(self.kind, LaneKind::Least | LaneKind::Greatest | LaneKind::Latest)
    }

    /// Takes an entry in, if it counts here.
    pub fn add(&self, state: &mut LaneState, layout: &Layout, entry: &[u64]) {
        let Some(word) = self.counts(layout, entry) else { return };
        let time = entry[0].cast_signed();
        match state {
            LaneState::Count(count) => *count = count.wrapping_add(1),
            LaneState::IntSum(sum) => **sum = sum.wrapping_add(word.cast_signed().into()),
            LaneState::Float(sum) if self.kind == LaneKind::Squares => {
                let value = self.float(layout, word);
                sum.add_product(value, value);
            }
            LaneState::Float(sum) => sum.add(self.float(layout, word)),
            LaneState::Extremes(extremes) if self.forever => {
                extremes.add_forever(time, self.order(layout, word));
            }
            LaneState::Extremes(extremes) => extremes.add(time, self.order(layout, word)),
            LaneState::Latest(latest) => {
                if latest.is_none_or(|latest| latest.time <= time) {
                    *latest = Some(Latest { time, word });
                }
            }
            LaneState::Distinct(distinct) => distinct.add(self.value(layout, word)),
            LaneState::Quantile(quantiles) => quantiles.add(self.float(layout, word)),
            LaneState::Decayed(decayed) => {
                decayed.add(time, self.float(layout, word));
                if self.endless {
                    decayed.forget();
                }
            }
            LaneState::Frequencies(frequencies) if self.endless => {
                frequencies.add_forever(self.order(layout, self.value(layout, word)));
            }
            LaneState::Frequencies(frequencies) => {
                frequencies.add(self.order(layout, self.value(layout, word)));
            }
        }
    }

    /// Lets go of an entry. Of extremes, all up to its time leave: there, entries leave in order of time.
    pub fn retract(&self, state: &mut LaneState, layout: &Layout, entry: &[u64]) {
        #[cfg(test)]
        if LOST.get() && entry[0].is_multiple_of(7) {
            return;
        }
        let Some(word) = self.counts(layout, entry) else { return };
        let time = entry[0].cast_signed();
        match state {
            LaneState::Count(count) => *count = count.wrapping_sub(1),
            LaneState::IntSum(sum) => **sum = sum.wrapping_sub(word.cast_signed().into()),
            LaneState::Float(sum) if self.kind == LaneKind::Squares => {
                let value = self.float(layout, word);
                sum.retract_product(value, value);
            }
            LaneState::Float(sum) => sum.retract(self.float(layout, word)),
            LaneState::Extremes(extremes) => extremes.expire(time),
            LaneState::Latest(_) => {} // its time tells whether it still counts
            LaneState::Distinct(distinct) => distinct.retract(self.value(layout, word)),
            LaneState::Quantile(quantiles) => quantiles.retract(self.float(layout, word)),
            LaneState::Decayed(decayed) => decayed.retract(time, self.float(layout, word)),
            LaneState::Frequencies(frequencies) => {
                frequencies.retract(self.order(layout, self.value(layout, word)));
            }
        }
    }

    /// The word that the lane sees of an entry, if it counts here.
    pub(super) fn counts(&self, layout: &Layout, entry: &[u64]) -> Option<u64> {
        if self.filter.is_some_and(|filter| layout.value(entry, filter) != Some(1)) {
            return None;
        }
        self.column.map_or(Some(0), |column| layout.value(entry, column))
    }

    fn is_float(&self, layout: &Layout) -> bool {
        self.column.is_some_and(|column| is_float(layout.kept[column].kind))
    }

    fn float(&self, layout: &Layout, word: u64) -> f64 {
        if self.is_float(layout) { f64::from_bits(word) } else { word.cast_signed() as f64 }
    }

    /// The word that all equal values have: there are two zeros among floats.
    fn value(&self, layout: &Layout, word: u64) -> u64 {
        if self.is_float(layout) { (f64::from_bits(word) + 0.0).to_bits() } else { word }
    }

    /// A number whose minimum is what the lane looks for. `!` turns the order around and never overflows.
    fn order(&self, layout: &Layout, word: u64) -> i64 {
        let order = if self.is_float(layout) { ordered(f64::from_bits(word)) } else { word.cast_signed() };
        self.turned(order)
    }

    /// Its own inverse.
    fn turned(&self, order: i64) -> i64 {
        if self.kind == LaneKind::Greatest { !order } else { order }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::columns::{Column, Kind};
    use proptest::prelude::*;

    const KINDS: [LaneKind; 11] = [
        LaneKind::Count,
        LaneKind::IntSum,
        LaneKind::FloatSum,
        LaneKind::Squares,
        LaneKind::Distinct,
        LaneKind::Quantile,
        LaneKind::Decayed { half_life: 3 },
        LaneKind::Frequencies,
        LaneKind::Least,
        LaneKind::Greatest,
        LaneKind::Latest,
    ];

    fn lane(kind: LaneKind) -> Lane {
        Lane { span: 0, column: Some(0), filter: Some(1), kind, forever: false, endless: false }
    }

    fn layout(kind: Kind) -> Layout {
        let kept = vec![Column::nullable("value", kind), Column::new("counts", Kind::Boolean)];
        Layout { stride: 4, kept, flags: Some(3), id: None }
    }

    /// (time, value, whether it counts, whether there is a value)
    type Entry = (i64, i64, bool, bool);

    fn words((time, value, counts, has): Entry) -> [u64; 4] {
        [time.cast_unsigned(), value.cast_unsigned(), u64::from(counts), 0b10 | u64::from(has)]
    }

    fn of(lane: &Lane, entries: &[Entry]) -> LaneState {
        let (mut state, layout) = (lane.fresh(), layout(Kind::Int));
        entries.iter().for_each(|entry| lane.add(&mut state, &layout, &words(*entry)));
        state
    }

    fn read(state: &LaneState) -> String {
        match state {
            LaneState::Count(count) => count.to_string(),
            LaneState::IntSum(sum) => sum.to_string(),
            LaneState::Float(sum) => sum.value().to_string(),
            LaneState::Extremes(extremes) => format!("{:?}", extremes.least()),
            LaneState::Latest(latest) => format!("{latest:?}"),
            LaneState::Distinct(distinct) => distinct.estimate().to_string(),
            LaneState::Quantile(quantiles) => {
                format!("{:?}", [0.0, 0.3, 0.5, 1.0].map(|q| quantiles.quantile(q)))
            }
            LaneState::Decayed(decayed) => format!("{:?}", decayed.mean()),
            LaneState::Frequencies(frequencies) => format!("{:?}", frequencies.top().collect::<Vec<_>>()),
        }
    }

    fn entries() -> impl Strategy<Value = Vec<Entry>> {
        prop::collection::vec((0i64..400, -9i64..9, any::<bool>(), any::<bool>()), 0..40)
    }

    proptest! {
        #[test]
        fn only_what_is_in_counts(list in entries(), detour in entries(), split in 0usize..40) {
            let (layout, split) = (layout(Kind::Int), split.min(list.len()));
            let counting: Vec<Entry> = list.iter().copied().filter(|entry| entry.2 && entry.3).collect();
            for lane in KINDS.map(lane) {
                let expected = read(&of(&lane, &counting));
                prop_assert_eq!(&read(&of(&lane, &list)), &expected);
                let mut parts = of(&lane, &list[..split]);
                parts.merge(&of(&lane, &list[split..]));
                prop_assert_eq!(&read(&parts), &expected, "{:?}", lane.kind);
                if lane.invertible() {
                    parts.merge(&of(&lane, &detour));
                    let (left, rest) = detour.split_at(detour.len() / 2);
                    left.iter().for_each(|entry| lane.retract(&mut parts, &layout, &words(*entry)));
                    parts.unmerge(&of(&lane, rest));
                    prop_assert_eq!(&read(&parts), &expected, "{:?}", lane.kind);
                }
            }
        }
    }

    #[test]
    fn two_zeros_are_one_value() {
        let layout = layout(Kind::Float);
        for (kind, expected) in [(LaneKind::Distinct, "1"), (LaneKind::Frequencies, "[(0, 2)]")] {
            let (lane, mut state) = (lane(kind), lane(kind).fresh());
            let entry = |value: f64| [0, value.to_bits(), 1, 0b11];
            [0.0, -0.0].iter().for_each(|zero| lane.add(&mut state, &layout, &entry(*zero)));
            assert_eq!(read(&state), expected);
            lane.retract(&mut state, &layout, &entry(-0.0));
            lane.retract(&mut state, &layout, &entry(-0.0));
            assert_eq!(read(&state), read(&lane.fresh()));
        }
    }

    #[test]
    fn only_an_endless_lane_forgets_what_weighs_nothing() {
        let list: Vec<Entry> = (0..1000).map(|n| (n * 192, 1, true, true)).collect();
        let sizes = [false, true].map(|endless| {
            let lane = Lane { endless, ..lane(LaneKind::Decayed { half_life: 3 }) };
            let mut state = of(&lane, &list);
            let size = state.size();
            let newer = list.iter().skip(1);
            newer.for_each(|entry| lane.retract(&mut state, &layout(Kind::Int), &words(*entry)));
            assert_eq!(read(&state), if endless { "None" } else { "Some(1.0)" });
            size
        });
        assert!(sizes[1] * 20 < sizes[0], "{sizes:?}");
    }
}
