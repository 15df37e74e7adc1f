//! How a release works on state that is kept for several.

use super::{Ancestor, Cell, Counterparts, Custom, InputPlan, Plan, Runs};
use crate::columns::Column;

impl Plan {
    /// This plan over the state of a union: the union's layouts, spans, lanes and customs, the own cells. None:
    /// the union lacks something of this plan.
    pub fn view(&self, union: &Self) -> Option<Self> {
        let Counterparts { columns, spans, lanes, customs } = Counterparts::find(self, union)?;
        spans.into_iter().collect::<Option<Vec<_>>>()?;
        let lanes: Vec<usize> = lanes.into_iter().collect::<Option<_>>()?;
        let same = |ancestor| match ancestor {
            Some(Ancestor::Same(place)) => Some(place),
            _ => None,
        };
        let customs: Vec<usize> = customs.into_iter().map(same).collect::<Option<_>>()?;
        let columns = columns.into_iter().map(|columns| columns.into_iter().collect());
        let columns: Vec<Vec<usize>> = columns.collect::<Option<_>>()?;
        let inputs = self.inputs.iter().zip(&union.inputs).zip(&columns);
        let inputs = inputs.map(|((own, union), columns)| own.view(union, columns));
        let viewed = union.customs.iter().enumerate().map(|(index, custom)| {
            let own = || self.customs.iter().zip(&customs).filter(|(_, place)| **place == index);
            let cells = own().flat_map(|(own, _)| own.cells.iter().copied()).collect();
            let runs = own().find_map(|(own, _)| own.runs.as_ref());
            let runs = runs.map(|runs| runs.over(&columns[union.spans[custom.span].input]));
            Custom { cells, runs, ..custom.clone() }
        });
        Some(Self {
            inputs: inputs.collect::<Option<_>>()?,
            spans: union.spans.clone(),
            lanes: union.lanes.clone(),
            cells: self.cells.iter().map(|cell| cell.over(&lanes, &customs)).collect(),
            columns: self.columns.clone(),
            customs: viewed.collect(),
            closing: union.closing,
        })
    }
}

impl InputPlan {
    /// `columns`: where those that are kept here are in the union.
    fn view(&self, union: &Self, columns: &[usize]) -> Option<Self> {
        let layout = &union.layout;
        let mut kept_from = vec![None; layout.kept.len()];
        for ((own, place), from) in self.layout.kept.iter().zip(columns).zip(&self.kept_from) {
            if own.nullable && !layout.kept[*place].nullable {
                return None;
            }
            kept_from[*place] = *from;
        }
        Some(Self { source: union.source.clone(), layout: layout.clone(), kept_from })
    }
}

impl Runs {
    /// The same, of columns that are elsewhere: `columns` says where.
    fn over(&self, columns: &[usize]) -> Self {
        let shown = self.shown.iter().map(|(own, column)| (columns[*own], column.clone()));
        let shown: Vec<(usize, Column)> = shown.collect();
        Self { shown, ..self.clone() }
    }
}

impl Cell {
    /// The same, made of lanes and customs that are elsewhere: `lanes` and `customs` say where.
    fn over(self, lanes: &[usize], customs: &[usize]) -> Self {
        match self {
            Self::Count(lane) => Self::Count(lanes[lane]),
            Self::IntSum(lane) => Self::IntSum(lanes[lane]),
            Self::FloatSum(lane) => Self::FloatSum(lanes[lane]),
            Self::Mean { count, sum } => Self::Mean { count: lanes[count], sum: lanes[sum] },
            Self::Variance { count, sum, squares } => {
                Self::Variance { count: lanes[count], sum: lanes[sum], squares: lanes[squares] }
            }
            Self::Extreme(lane) => Self::Extreme(lanes[lane]),
            Self::Latest(lane) => Self::Latest(lanes[lane]),
            Self::SinceLatest(lane) => Self::SinceLatest(lanes[lane]),
            Self::Distinct(lane) => Self::Distinct(lanes[lane]),
            Self::Quantile { lane, q } => Self::Quantile { lane: lanes[lane], q },
            Self::DecayedMean(lane) => Self::DecayedMean(lanes[lane]),
            Self::TopK { lane, k } => Self::TopK { lane: lanes[lane], k },
            Self::Custom(custom) => Self::Custom(customs[custom]),
        }
    }
}
