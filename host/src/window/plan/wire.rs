//! How a plan by which state is kept is written down beside that state: its inputs, spans, lanes and customs, no
//! cells. What is read is trusted in nothing: it is none, or a plan that some description could have led to, so
//! that no state of it does harm.

use std::collections::HashSet;
use std::hash::Hash;

use super::{
    CUSTOM_LIMIT, Custom, InputPlan, KEPT_LIMIT, Lane, LaneKind, Layout, Plan, Span, SpanKind, is_float,
};
use crate::bytes::{Reader, Write};
use crate::columns::{Column, Kind};

/// Raised when plans are written in another form.
const FORM: u64 = 1;
/// Inputs of a stage.
const INPUT_LIMIT: usize = 64;
/// Milliseconds that a window may span, and rows that one may hold.
const SPAN_LIMIT: u64 = 1 << 53;
/// Bytes of a register.
const REGISTER_LIMIT: usize = 64 << 10;

/// Kinds of columns that an entry may keep.
const KEPT: [Kind; 7] =
    [Kind::Boolean, Kind::Int, Kind::Float, Kind::Single, Kind::Time, Kind::Text, Kind::Bytes];
/// Kinds of lanes that have no parameter.
const PLAIN: [LaneKind; 10] = [
    LaneKind::Count,
    LaneKind::IntSum,
    LaneKind::FloatSum,
    LaneKind::Squares,
    LaneKind::Least,
    LaneKind::Greatest,
    LaneKind::Latest,
    LaneKind::Distinct,
    LaneKind::Quantile,
    LaneKind::Frequencies,
];

impl Plan {
    /// Appends what state depends on.
    pub fn write(&self, into: &mut Vec<u8>) {
        into.number(FORM);
        into.number(self.inputs.len() as u64);
        self.inputs.iter().for_each(|input| input.write(into));
        into.number(self.spans.len() as u64);
        for Span { input, kind } in &self.spans {
            into.number(*input as u64);
            kind.write(into);
        }
        into.number(self.lanes.len() as u64);
        self.lanes.iter().for_each(|lane| lane.write(into));
        into.number(self.customs.len() as u64);
        self.customs.iter().for_each(|custom| custom.write(into));
        into.byte(u8::from(self.closing.is_some()));
        if let Some(kind) = self.closing {
            kind.write(into);
        }
    }

    /// What was written of a plan: state of that one is state of this one. It has no cells, so a union is read as
    /// it was. None: that was never written, or it was damaged.
    pub fn read(reader: &mut Reader<'_>) -> Option<Self> {
        reader.number().filter(|form| *form == FORM)?;
        let inputs = all(reader, |reader| {
            let source = reader.text()?.to_owned();
            let kept = different(all(reader, read_column)?, |column| column.name.clone())?;
            (kept.len() <= KEPT_LIMIT).then(|| InputPlan::bare(source, Layout::new(kept, false)))
        })?;
        let spans = all(reader, |reader| {
            let input = below(reader, inputs.len())?;
            Some(Span { input, kind: SpanKind::read(reader)? })
        })?;
        let mut plan = Self {
            inputs,
            spans: different(spans, |span| *span)?,
            lanes: Vec::new(),
            cells: Vec::new(),
            columns: Vec::new(),
            customs: Vec::new(),
            closing: None,
        };
        plan.lanes = different(all(reader, |reader| Lane::read(&plan, reader))?, |lane| *lane)?;
        plan.customs = all(reader, |reader| Custom::read(&plan, reader))?;
        plan.closing = if reader.flag()? { Some(SpanKind::read(reader)?) } else { None };
        for Custom { span, .. } in &plan.customs {
            let layout = &mut plan.inputs[plan.spans[*span].input].layout;
            *layout = Layout::new(std::mem::take(&mut layout.kept), true);
        }
        plan.is_sound().then_some(plan)
    }

    /// What holds of the plan as a whole.
    fn is_sound(&self) -> bool {
        let closes = self.closing.is_none_or(|closing| {
            matches!(closing, SpanKind::Hopping { .. } | SpanKind::Session(_))
                && self.customs.is_empty()
                && self.spans.iter().all(|span| span.kind == closing)
                && self.lanes.iter().all(|lane| lane.kind != LaneKind::Latest)
        });
        let inputs = (1..=INPUT_LIMIT).contains(&self.inputs.len());
        inputs && closes && self.customs.len() <= CUSTOM_LIMIT
    }
}

impl InputPlan {
    fn write(&self, into: &mut Vec<u8>) {
        into.list(self.source.as_bytes());
        into.number(self.layout.kept.len() as u64);
        for Column { name, kind, nullable } in &self.layout.kept {
            into.list(name.as_bytes());
            into.list(kind.name().as_bytes());
            into.byte(u8::from(*nullable));
        }
    }

    /// Index of a kept column that is there, of a boolean one where it is a filter.
    fn read_index(&self, filter: bool, reader: &mut Reader<'_>) -> Option<Option<usize>> {
        let Some(index) = usize::try_from(reader.number()?).ok()?.checked_sub(1) else { return Some(None) };
        let column = self.layout.kept.get(index)?;
        (!filter || column.kind == Kind::Boolean).then_some(Some(index))
    }
}

impl SpanKind {
    fn write(self, into: &mut Vec<u8>) {
        let (tag, numbers) = match self {
            Self::Sliding(size) => (0, vec![size]),
            Self::Hopping { size, slide } => (1, vec![size, slide]),
            Self::Session(gap) => (2, vec![gap]),
            Self::Last(rows) => (3, vec![u64::from(rows)]),
            Self::Forever => (4, vec![]),
        };
        into.byte(tag);
        numbers.into_iter().for_each(|number| into.number(number));
    }

    fn read(reader: &mut Reader<'_>) -> Option<Self> {
        let tag = reader.byte()?;
        let mut number = || reader.number().filter(|number| (1..=SPAN_LIMIT).contains(number));
        Some(match tag {
            0 => Self::Sliding(number()?),
            1 => {
                let size = number()?;
                Self::Hopping { size, slide: number().filter(|slide| *slide <= size)? }
            }
            2 => Self::Session(number()?),
            3 => Self::Last(u32::try_from(number()?).ok()?),
            4 => Self::Forever,
            _ => return None,
        })
    }
}

impl Lane {
    fn write(&self, into: &mut Vec<u8>) {
        let Self { span, column, filter, kind, forever: _, endless: _ } = self;
        into.number(*span as u64);
        write_index(*column, into);
        write_index(*filter, into);
        into.list(kind.name().as_bytes());
        if let LaneKind::Decayed { half_life } = kind {
            into.number(*half_life);
        }
    }

    fn read(plan: &Plan, reader: &mut Reader<'_>) -> Option<Self> {
        let span = below(reader, plan.spans.len())?;
        let Span { input, kind } = plan.spans[span];
        let input = &plan.inputs[input];
        let (column, filter) = (input.read_index(false, reader)?, input.read_index(true, reader)?);
        let name = reader.text()?;
        let decayed = LaneKind::Decayed { half_life: 1 };
        let lane = Self {
            kind: match PLAIN.iter().find(|kind| kind.name() == name) {
                Some(kind) => *kind,
                None if name == decayed.name() => LaneKind::Decayed {
                    half_life: reader.number().filter(|half_life| (1..=SPAN_LIMIT).contains(half_life))?,
                },
                None => return None,
            },
            ..Self::over(span, kind, column, filter)
        };
        lane.kind.folds(column.map(|column| input.layout.kept[column].kind)).then_some(lane)
    }
}

impl LaneKind {
    /// Whether there are such lanes of this column, or of none.
    fn folds(self, column: Option<Kind>) -> bool {
        match (self, column) {
            (Self::Count, _) | (Self::Distinct, Some(_)) | (Self::Latest, None) => true,
            (Self::IntSum, Some(kind)) => !kind.is_list() && !is_float(kind),
            (_, Some(kind)) => !kind.is_list(),
            (_, None) => false,
        }
    }
}

impl Custom {
    fn write(&self, into: &mut Vec<u8>) {
        let Self { name, version, span, filter, invertible, register_bytes, .. } = self;
        into.list(name.as_bytes());
        into.number(u64::from(*version));
        into.number(*span as u64);
        write_index(*filter, into);
        into.byte(u8::from(*invertible));
        into.number(*register_bytes as u64);
    }

    fn read(plan: &Plan, reader: &mut Reader<'_>) -> Option<Self> {
        let (name, version) = (reader.text()?.to_owned(), u32::try_from(reader.number()?).ok()?);
        let span = below(reader, plan.spans.len())?;
        let filter = plan.inputs[plan.spans[span].input].read_index(true, reader)?;
        let invertible = reader.flag()?;
        let register_bytes = below(reader, REGISTER_LIMIT + 1).filter(|bytes| *bytes > 0)?;
        let (cells, runs) = (Vec::new(), None);
        Some(Self { name, version, span, filter, invertible, register_bytes, cells, runs })
    }
}

fn read_column(reader: &mut Reader<'_>) -> Option<Column> {
    let (name, kind) = (reader.text()?.to_owned(), reader.text()?);
    let kind = *KEPT.iter().find(|kept| kept.name() == kind)?;
    Some(Column { name, kind, nullable: reader.flag()? })
}

fn write_index(index: Option<usize>, into: &mut Vec<u8>) {
    into.number(index.map_or(0, |index| index as u64 + 1));
}

fn below(reader: &mut Reader<'_>, limit: usize) -> Option<usize> {
    usize::try_from(reader.number()?).ok().filter(|number| *number < limit)
}

/// A list of things of which each takes a byte at least.
fn all<'a, T>(reader: &mut Reader<'a>, mut read: impl FnMut(&mut Reader<'a>) -> Option<T>) -> Option<Vec<T>> {
    (0..reader.count()?).map(|_| read(reader)).collect()
}

/// The things, if none is there twice.
fn different<T, K: Hash + Eq>(things: Vec<T>, key: impl FnMut(&T) -> K) -> Option<Vec<T>> {
    let keys: HashSet<K> = things.iter().map(key).collect();
    (keys.len() == things.len()).then_some(things)
}
