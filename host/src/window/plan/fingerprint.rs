//! Which plans can read each other's frozen states.

use super::{Column, Custom, Lane, LaneKind, Plan, Span};
use crate::bytes::Write;
use crate::window::hash::hash;

/// Raised when states are written in another form, or mean something else.
const FORM: u64 = 1;

/// Raised when what says by which plan a state is kept is written in another form.
const FAMILY_FORM: u64 = 2;

impl Plan {
    /// Differs whenever a state of one plan must not be read by another; the same on every machine and in every
    /// version. Cells count for nothing: another quantile is read from the same state, and so is another name.
    pub fn fingerprint(&self) -> u64 {
        let mut bytes = Vec::new();
        bytes.number(FORM);
        list(&self.inputs, &mut bytes, |input, into| {
            list(&input.layout.kept, into, column);
            optional(input.layout.flags, into);
            optional(input.layout.id, into);
        });
        list(&self.spans, &mut bytes, span);
        list(&self.lanes, &mut bytes, lane);
        list(&self.customs, &mut bytes, custom);
        list(self.closing.as_slice(), &mut bytes, |kind, into| text(kind, into));
        hash(&bytes)
    }
}

impl Plan {
    /// Differs whenever states can't be [converted](crate::window::History::convert) from one plan to the other.
    pub fn family(&self) -> u64 {
        let mut bytes = Vec::new();
        bytes.number(FAMILY_FORM);
        if self.closing.is_some() {
            let own = Self::union(&[self]).map(Self::loosened);
            bytes.word(own.as_ref().unwrap_or(self).fingerprint());
            return hash(&bytes);
        }
        list(&self.inputs, &mut bytes, |input, into| text(&input.source, into));
        // There once stood custom folds.
        bytes.number(0);
        hash(&bytes)
    }
}

/// What the fingerprint takes of a span.
pub(super) fn span_bytes(of: &Span) -> Vec<u8> {
    let mut bytes = Vec::new();
    span(of, &mut bytes);
    bytes
}

/// What the fingerprint takes of an aggregate with a custom fold.
pub(super) fn custom_bytes(of: &Custom) -> Vec<u8> {
    let mut bytes = Vec::new();
    custom(of, &mut bytes);
    bytes
}

/// What the fingerprint takes of a lane.
pub(super) fn lane_bytes(of: &Lane) -> Vec<u8> {
    let mut bytes = Vec::new();
    lane(of, &mut bytes);
    bytes
}

fn list<T>(things: &[T], into: &mut Vec<u8>, write: impl Fn(&T, &mut Vec<u8>)) {
    into.number(things.len() as u64);
    things.iter().for_each(|thing| write(thing, into));
}

fn optional(index: Option<usize>, into: &mut Vec<u8>) {
    into.number(index.map_or(0, |index| index as u64 + 1));
}

fn column(Column { name, kind, nullable }: &Column, into: &mut Vec<u8>) {
    text(name, into);
    text(kind.name(), into);
    into.byte(u8::from(*nullable));
}

fn text(text: impl ToString, into: &mut Vec<u8>) {
    into.list(text.to_string().as_bytes());
}

fn span(Span { input, kind }: &Span, into: &mut Vec<u8>) {
    into.number(*input as u64);
    text(kind, into);
}

fn lane(Lane { span, column, filter, kind, forever, endless }: &Lane, into: &mut Vec<u8>) {
    into.number(*span as u64);
    optional(*column, into);
    optional(*filter, into);
    text(kind.name(), into);
    if let LaneKind::Decayed { half_life } = kind {
        into.number(*half_life);
    }
    into.byte(u8::from(*forever) | u8::from(*endless) << 1);
}

fn custom(custom: &Custom, into: &mut Vec<u8>) {
    let Custom { name, version, span, filter, invertible, register_bytes, .. } = custom;
    text(name, into);
    into.number(u64::from(*version));
    into.number(*span as u64);
    optional(*filter, into);
    into.byte(u8::from(*invertible));
    into.number(*register_bytes as u64);
}
