//! How a release works on state that is kept for several.

use super::{Cell, Counterparts, Custom, InputPlan, Plan};

impl Plan {
    /// This plan over the state of a union: the union's layouts, spans, lanes and customs, the own cells. None:
    /// the union lacks something of this plan.
    pub fn view(&self, union: &Self) -> Option<Self> {
        let Counterparts { columns, spans, lanes } = Counterparts::find(self, union)?;
        spans.into_iter().collect::<Option<Vec<_>>>()?;
        let lanes: Vec<usize> = lanes.into_iter().collect::<Option<_>>()?;
        let inputs = self.inputs.iter().zip(&union.inputs).zip(columns);
        let inputs = inputs
            .map(|((own, union), columns)| own.view(union, columns.into_iter().collect::<Option<_>>()?));
        let customs = self.customs.iter().zip(&union.customs);
        let customs =
            customs.map(|(own, custom)| Custom { fold: own.fold, cell: own.cell, ..custom.clone() });
        Some(Self {
            inputs: inputs.collect::<Option<_>>()?,
            spans: union.spans.clone(),
            lanes: union.lanes.clone(),
            cells: self.cells.iter().map(|cell| cell.over(&lanes)).collect(),
            columns: self.columns.clone(),
            customs: customs.collect(),
            closing: union.closing,
        })
    }
}

impl InputPlan {
    /// `columns`: where those that are kept here are in the union.
    fn view(&self, union: &Self, columns: Vec<usize>) -> Option<Self> {
        let layout = &union.layout;
        let mut kept_from = vec![None; layout.kept.len()];
        for ((own, place), from) in self.layout.kept.iter().zip(&columns).zip(&self.kept_from) {
            if own.nullable && !layout.kept[*place].nullable {
                return None;
            }
            kept_from[*place] = *from;
        }
        let shown = self.shown.iter().map(|(own, column)| (columns[*own], column.clone())).collect();
        Some(Self { source: union.source.clone(), layout: layout.clone(), kept_from, shown })
    }
}

impl Cell {
    /// The same, made of lanes that are elsewhere: `lanes` says where.
    fn over(self, lanes: &[usize]) -> Self {
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
            Self::Custom(custom) => Self::Custom(custom),
        }
    }
}
