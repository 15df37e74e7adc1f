//! Rows of other sources: each attribute can take its entries from them.

use tailwater_sdk::describe::{Description, Fold as Declared, Window};
use tailwater_sdk::prelude::*;
use tailwater_sdk::testing::{self, Tape, rows_as_batch};
use tailwater_sdk::{Field, Kind};

#[derive(Row)]
#[allow(dead_code)]
struct Tx<'a> {
    merchant: &'a str,
    amount: f64,
    device: &'a [u8],
}

#[derive(Row)]
#[allow(dead_code)]
struct Label<'a> {
    who: &'a str,
    fraud: bool,
    weight: f64,
    code: i64,
}

struct Weight;

#[derive(Row)]
struct Weighed {
    weight: f64,
}

#[derive(Register)]
struct Total {
    weight: f64,
    latest: Time,
}

impl Fold for Weight {
    type Entry = Weighed;
    type Register = Total;
    type Cell = f64;
    const NAME: &'static str = "weight";

    fn add(total: &mut Total, entry: &Weighed, at: Time) {
        total.weight += entry.weight;
        total.latest = total.latest.max(at);
    }

    fn merge(total: &mut Total, other: &Total) {
        total.weight += other.weight;
        total.latest = total.latest.max(other.latest);
    }

    fn emit(total: &Total) -> f64 {
        total.weight + total.latest.0 as f64
    }
}

#[derive(Windows, Default)]
#[input("labels", Label<'static>)]
#[input("others", Tx)]
struct W {
    #[count("7d", from = "labels")]
    count: i64,
    #[count("who", "7d", from = "labels")]
    count_of: i64,
    #[sum("fraud", "7d", from = "labels")]
    sum: i64,
    #[mean("weight", "7d", from = "labels", filter = "fraud")]
    mean: f64,
    #[variance("weight", last(3), from = "labels")]
    variance: f64,
    #[min("code", tumbling("1h"), from = "labels")]
    min: i64,
    #[max("code", hopping("2h", "1h"), from = "labels")]
    max: i64,
    #[latest("weight", from = "labels")]
    latest: f64,
    #[since_latest(from = "labels", filter = "fraud")]
    since: i64,
    #[distinct("who", session("1h"), from = "labels")]
    distinct: i64,
    #[quantile("weight", 0.5, "7d", from = "labels")]
    quantile: f64,
    #[decayed_mean("weight", "1h", "7d", from = "labels")]
    decayed: f64,
    #[fold(Weight, "7d", from = "labels")]
    fold: f64,
    #[distinct("device", "7d")]
    devices: i64,
    #[distinct("merchant", "7d", from = "others")]
    merchants: i64,
}

#[derive(Features)]
struct F {
    sum: f64,
}

#[features]
fn features(_: &Tx<'_>, w: &W) -> F {
    F { sum: w.sum as f64 }
}

#[test]
fn each_attribute_takes_entries_of_another_source() {
    let running = testing::start(plugin(), &[]).unwrap();
    let Description::Features(description) = running.description() else { panic!("it is one of features") };
    let sources: Vec<_> =
        description.inputs.iter().map(|input| (input.source.as_ref(), input.updates_only)).collect();
    assert_eq!(sources, [("", false), ("labels", true), ("others", true)]);
    let kept: Vec<_> = description.inputs.iter().map(|input| input.kept.as_slice()).collect();
    assert_eq!(kept, [&[2][..], &[0, 1, 2, 3], &[0]]);

    let (who, fraud, weight, code) = (Some(0), Some(1), Some(2), Some(3));
    let (week, hour) = (Window::Sliding(604_800_000), 3_600_000);
    let expected = [
        (1, Declared::Count, None, None, week),
        (1, Declared::Count, who, None, week),
        (1, Declared::Sum, fraud, None, week),
        (1, Declared::Mean, weight, fraud, week),
        (1, Declared::Variance, weight, None, Window::Last(3)),
        (1, Declared::Min, code, None, Window::Tumbling(hour)),
        (1, Declared::Max, code, None, Window::Hopping { size: 2 * hour, slide: hour }),
        (1, Declared::Latest, weight, None, Window::Forever),
        (1, Declared::SinceLatest, None, fraud, Window::Forever),
        (1, Declared::Distinct, who, None, Window::Session(hour)),
        (1, Declared::Quantile(0.5), weight, None, week),
        (1, Declared::DecayedMean(hour), weight, None, week),
        (1, Declared::Custom(0), None, None, week),
        (0, Declared::Distinct, Some(0), None, week),
        (2, Declared::Distinct, Some(0), None, week),
    ];
    let declared = description.aggregates.iter();
    let declared: Vec<_> = declared
        .map(|wanted| (wanted.input, wanted.fold, wanted.column, wanted.filter, wanted.window))
        .collect();
    assert_eq!(declared, expected);
    assert_eq!(description.custom_folds[0].name, "weight@labels");
}

#[test]
fn entries_of_folds_come_without_texts() {
    #[derive(Row)]
    struct Entry {
        fraud: bool,
        weight: f64,
        code: i64,
        at: Time,
    }
    let entries = [(0.5, 3), (0.25, 7)];
    let entries = entries.map(|(weight, at)| Entry { fraud: true, weight, code: 5, at: Time(at) });
    let table = tailwater_sdk::Table::default();
    let mut instance = plugin().start_with(&table).unwrap();
    let tape = Tape::new().add(0, 0).add(1, 1).merge(0, 1).emit(0).emit(1);
    let mut registers = [0; 32];
    let batch = rows_as_batch(&entries);
    let cells = instance.fold(0, &batch.as_batch(), tape.words(), &mut registers).unwrap();
    assert_eq!(<f64 as Field>::KIND, Kind::Float);
    let cells: Vec<f64> = cells.data().as_chunks().0.iter().map(|bytes| f64::from_le_bytes(*bytes)).collect();
    assert_eq!(cells, [7.75, 7.25]);
}
