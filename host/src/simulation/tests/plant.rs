//! Pipelines for the simulator: plugins of plain Rust, rows of a few numbers.
//!
//! A row is `id buyer shop amount at`; so are those of all sources. Cells are made by buyer, and behind a
//! repartition topic by shop.

mod plugins;
mod works;

use std::path::Path;

use crate::columns::{Column, Kind};
use crate::config::Config;
use crate::contract::{Aggregate, FeaturesDescription, Fold, Input, Trigger, WINDOW_START, Window};
use crate::pipeline::{Declared, Front, Identity, Pipeline};
use crate::window::Plan;

pub use plugins::{MOST, ODD, POISON, SUM};
use plugins::{Versions, folds};
pub use works::Works;

pub const BUYERS: i64 = 8;
pub const SHOPS: i64 = 5;
/// How late a row may be, in milliseconds of event time.
pub const OUT_OF_ORDER: i64 = 300;

/// Rows of a full window, and how far it reaches back.
pub const ROOM: usize = 8;
pub const REACH: i64 = 2_000;

/// What is built.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Plant {
    /// Nothing to be remembered: rows come out as they came in.
    Plain,
    /// One key, in the order of arrival.
    Arrival,
    /// Two keys, in the order of event time.
    TwoKeys,
    /// Windows by shop that close, behind a repartition topic.
    Close,
    /// Folds of the plugin's own, in the order of arrival: rows come behind newer ones.
    Customs,
    /// One key, in the order of arrival, whose windows have room for few rows.
    Full,
    /// Two more sources, in the order of event time: one that the tasks of buyers read beside the rows and pass on
    /// to those of shops, one that is only passed on.
    Sides,
}

/// So many releases have windows of their own; then they come again.
pub const VARIANTS: u64 = 3;

/// A cell: of which input, which is that of the source of this number; fold and window.
pub type Cell = (usize, Fold, Window);

/// Topics that are read, and their partitions.
const SOURCES: [(&str, i32); 3] = [("in", 3), ("labels", 3), ("stock", 2)];
/// Partitions of the repartition topic.
const SHOP_PARTITIONS: i32 = 4;

impl Plant {
    pub fn sources(self) -> &'static [(&'static str, i32)] {
        if self == Self::Sides { &SOURCES } else { &SOURCES[..1] }
    }

    /// Whether rows wait until the watermark has passed them.
    pub fn is_ordered(self) -> bool {
        matches!(self, Self::TwoKeys | Self::Close | Self::Sides)
    }

    /// By buyer, and by shop, of a release. Windows differ, and none reaches further back than others do.
    pub fn cells(self, release: u64) -> [Vec<Cell>; 2] {
        if self == Self::Full {
            // What is held depends on which releases' windows are kept.
            return self.usual_cells();
        }
        let [mut buyers, mut shops] = self.usual_cells();
        let shorter = [(0, Fold::Sum, Window::Sliding(1_000)), (0, Fold::Max, Window::Sliding(1_500))];
        match release % VARIANTS {
            1 => buyers.extend(shorter.iter().take(buyers.len().min(1))),
            2 => {
                if self == Self::TwoKeys {
                    shops.reverse();
                    shops.extend(shorter);
                }
                // What is of the rows alone goes, and comes again.
                if let Some(sum) =
                    buyers.iter().position(|cell| *cell == (0, Fold::Sum, Window::Sliding(2_000)))
                {
                    buyers[sum] = shorter[1];
                }
            }
            _ => {}
        }
        [buyers, shops]
    }

    /// Of the folds of a release: of the sum there are three in turn, which are made of entries. Those of the most have
    /// a window of all time: what one version left the next takes over, and one that was there finds what it had.
    pub fn versions(self, release: u64) -> Versions {
        let most = if release < 8 { 1 + (release - 1) % 2 } else { 3 + release % 2 };
        match self {
            Self::Customs => [1 + (release % 3) as u32, most as u32],
            Self::Sides => [1 + (release % 3) as u32, 1],
            _ => [1, 1],
        }
    }

    /// Whether a release has folds that the one before can't make of entries again.
    fn is_delicate(self) -> bool {
        self == Self::Customs
    }

    fn usual_cells(self) -> [Vec<Cell>; 2] {
        let (sum, most) = (Fold::Custom(SUM), Fold::Custom(MOST));
        let (two, three) = (Window::Sliding(REACH as u64), Window::Sliding(3_000));
        let usual = vec![(0, Fold::Count, two), (0, Fold::Sum, two), (0, Fold::Sum, Window::Forever)];
        match self {
            Self::Plain => Default::default(),
            Self::Arrival => [usual, Vec::new()],
            Self::Full => [usual[..2].to_vec(), Vec::new()],
            Self::TwoKeys => [usual, vec![(0, Fold::Count, three), (0, Fold::Max, three)]],
            Self::Close => {
                let second = Window::Tumbling(1_000);
                [usual, vec![(0, Fold::Count, second), (0, Fold::Sum, second)]]
            }
            Self::Customs => {
                let (second, last) = (Window::Tumbling(1_000), Window::Last(4));
                let windows = [(sum, two), (most, two), (most, Window::Forever), (sum, second), (most, last)];
                let cells = windows.map(|(fold, window)| (0, fold, window));
                [[(0, Fold::Count, two)].into_iter().chain(cells).collect(), Vec::new()]
            }
            Self::Sides => [
                vec![(0, sum, two), (1, Fold::Sum, two), (1, most, two)],
                vec![
                    (0, sum, three),
                    (0, Fold::Max, three),
                    (1, Fold::Count, three),
                    (1, most, Window::Forever),
                    (2, sum, three),
                ],
            ],
        }
    }

    /// Behind the cells each stage gives the number of its release, and if that is odd, one more.
    fn describe(
        self,
        prefix: &str,
        cells: &[Cell],
        trigger: Trigger,
        release: u64,
        versions: Versions,
    ) -> FeaturesDescription {
        let inputs = cells.iter().map(|(input, ..)| input + 1).max().unwrap_or(1);
        let input = |(index, (name, _)): (usize, &(&str, i32))| {
            let mut columns = vec![Column::new("amount", Kind::Int)];
            // Custom folds see all columns that are kept.
            let is_custom = cells.iter().any(|(_, fold, _)| matches!(fold, Fold::Custom(_)));
            let is_fixed = is_custom || self == Self::Full;
            if index == 0 && prefix == "b" && !is_fixed && release % VARIANTS == 2 {
                columns.push(Column::new("id", Kind::Int));
            }
            Input {
                source: if index == 0 { String::new() } else { (*name).to_owned() },
                updates_only: index > 0,
                kept: (0..columns.len() as u32).collect(),
                columns,
            }
        };
        let aggregate = |(index, (input, fold, window)): (usize, &Cell)| Aggregate {
            name: format!("{prefix}{index}"),
            input: *input as u32,
            fold: *fold,
            column: (!matches!(fold, Fold::Count | Fold::Custom(_))).then_some(0),
            filter: None,
            window: *window,
        };
        let aggregates: Vec<Aggregate> = cells.iter().enumerate().map(aggregate).collect();
        let more = ["release", "odd"].into_iter().take(1 + (release % 2) as usize);
        let more = more.map(|name| format!("{prefix} {name}"));
        let features = aggregates.iter().map(|aggregate| aggregate.name.clone()).chain(more).collect();
        FeaturesDescription {
            inputs: self.sources()[..inputs].iter().enumerate().map(input).collect(),
            lookups: Vec::new(),
            features,
            aggregates,
            custom_folds: folds(versions),
            trigger,
            ids: Vec::new(),
        }
    }

    fn config(self) -> Config {
        let order = if self.is_ordered() { "event-time" } else { "arrival" };
        let time = if self == Self::Plain { "" } else { "event_time = \"at\"" };
        let source = |(name, _): &(&str, i32)| {
            let key = if *name == "stock" { "shop" } else { "buyer" };
            format!(
                r#"
                [[source]]
                topic = "{name}"
                columns = {{ id = "int", buyer = "int", shop = "int", amount = "int", at = "time" }}
                partitioned_by = ["{key}"]
                {time}
                out_of_orderness = "{OUT_OF_ORDER}ms"
                allowed_lateness = "0ms"
                idleness = "1h"
                max_ahead = "10000d"
                "#
            )
        };
        let stages = ["buyer", "shop"].iter().zip(self.usual_cells()).filter(|(_, cells)| !cells.is_empty());
        let stages =
            stages.map(|(key, _)| format!("[[features]]\nplugin = \"{key}s.wasm\"\nkey = \"{key}\"\n"));
        let text = format!(
            r#"
            name = "p"
            order = "{order}"
            routes.output.topic = "out"
            dead_letters.topic = "dead"
            late.topic = "late"
            {}
            {}
            "#,
            self.sources().iter().map(source).collect::<String>(),
            stages.collect::<String>()
        );
        Config::parse(&text, Path::new(""), []).expect("valid")
    }

    pub fn pipeline(self) -> Pipeline {
        self.release(1, self.versions(1))
    }

    /// The same of another release.
    fn release(self, number: u64, versions: Versions) -> Pipeline {
        let config = self.config();
        let [buyers, shops] = self.cells(number);
        let trigger = match self {
            Self::Close => {
                Trigger::Close(vec![Column::new("shop", Kind::Int), Column::new(WINDOW_START, Kind::Time)])
            }
            _ => Trigger::Row,
        };
        let stages = [("b", &buyers, Trigger::Row), ("s", &shops, trigger)]
            .map(|(prefix, cells, trigger)| self.describe(prefix, cells, trigger, number, versions));
        let stages: Vec<FeaturesDescription> =
            stages.into_iter().filter(|stage| !stage.aggregates.is_empty()).collect();
        let declared = Declared { features: stages.iter().collect(), ..Declared::default() };
        let front = Front::new(&config, &declared).expect("fits");
        let stamp = Identity::stamp_of(number, "simulated");
        let identity = Identity { number, stamp, ..Identity::default() };
        let mut pipeline = front.complete(&config, &declared, None, identity).expect("fits");
        pipeline.bounds.memory_bytes = 40_000;
        if self == Self::Full {
            let kept = Plan::union(&[&pipeline.features[0].plan]).expect("one is at peace with itself");
            pipeline.bounds.key_bytes = ROOM * kept.loosened().inputs[0].layout.stride * 8;
        }
        pipeline
    }

    /// All topics with their partitions.
    pub fn topics(self, pipeline: &Pipeline) -> Vec<(String, usize)> {
        let sources = self.sources();
        let mut topics = [sources, &[("out", 2), ("dead", 1), ("late", 1)]].concat();
        topics.extend(pipeline.repartition_topics().map(|(_, name)| (name, SHOP_PARTITIONS)));
        let partitions = |task: usize| match task.checked_sub(pipeline.groups.len()) {
            Some(source) => sources[source].1,
            None if task == 0 => sources[0].1,
            None => SHOP_PARTITIONS,
        };
        let changelogs = pipeline.changelogs.iter().enumerate();
        topics.extend(changelogs.filter_map(|(task, name)| Some((name.as_deref()?, partitions(task)))));
        topics.into_iter().map(|(name, partitions)| (name.to_owned(), partitions as usize)).collect()
    }
}
