//! Windows, vectors and folds.

use tailwater_sdk::describe::{Description, FeaturesDescription, Fold as Declared, Lookup, Trigger, Window};
use tailwater_sdk::prelude::*;
use tailwater_sdk::testing::{self, Running, Tape};
use tailwater_sdk::{Column, Kind, Rejection};

#[derive(Row, Clone)]
struct Tx<'a> {
    transaction_id: i64,
    event_time: Time,
    merchant: &'a str,
    amount: f64,
    items: i64,
    declined: bool,
    tip: Option<f64>,
}

#[derive(Row)]
struct Label {
    fraud: bool,
    noted: Time,
}

/// Sum and largest of the amounts, and when the last came.
struct Range;

#[derive(Row)]
struct Entry {
    tip: Option<f64>,
    amount: f64,
}

#[derive(Register)]
struct Seen {
    sum: f64,
    entries: u32,
    last: [Time; 2],
}

impl Fold for Range {
    type Entry = Entry;
    type Register = Seen;
    type Cell = Option<f64>;
    const NAME: &'static str = "range";
    const VERSION: u32 = 3;
    const INVERTIBLE: bool = true;

    fn add(seen: &mut Seen, entry: &Entry, at: Time) {
        seen.sum += entry.amount + entry.tip.unwrap_or_default();
        seen.entries += 1;
        seen.last = [seen.last[1], at];
    }

    fn retract(seen: &mut Seen, entry: &Entry, _: Time) {
        seen.sum -= entry.amount + entry.tip.unwrap_or_default();
        seen.entries -= 1;
    }

    fn merge(seen: &mut Seen, other: &Seen) {
        seen.sum += other.sum;
        seen.entries += other.entries;
    }

    fn emit(seen: &Seen) -> Option<f64> {
        (seen.entries > 0).then(|| seen.sum * f64::from(seen.entries) + seen.last[1].0 as f64)
    }
}

#[derive(Windows, Default)]
#[input("labels", Label)]
struct W<'a> {
    #[count("7d")]
    n: f64,
    #[count("tip", last(10))]
    tips: i64,
    #[mean("amount", "7d", filter = "declined")]
    mean: Option<f64>,
    #[sum("items", "forever")]
    items: i64,
    #[sum("items", hopping("1d", "1h"))]
    items_too: f32,
    #[latest("event_time")]
    before: Option<Time>,
    #[quantile("amount", 0.9, tumbling("1h"))]
    q: f64,
    #[lookup("merchants", "merchant", "trade")]
    trade: Option<&'a str>,
    #[top_k("items", 3, session("30m"))]
    top: &'a str,
    #[distinct("merchant", "1d")]
    merchants: i64,
    #[fold(Range, "1d")]
    range: f64,
    #[fold(Range, "500ms", filter = "declined")]
    range_too: Option<f64>,
    #[lookup("days", "transaction_id", "weight")]
    weight: Option<f64>,
    #[sum("fraud", "30s", from = "labels")]
    frauds: f64,
    #[lookup("merchants", "merchant", "risk")]
    risk: Option<f32>,
    #[decayed_mean("amount", "1h", "1d")]
    decayed: f64,
    #[since_latest]
    since: Option<i64>,
}

#[derive(Features)]
struct F<'a> {
    n: f32,
    #[name("the-mean")]
    mean: Option<f64>,
    #[id]
    merchant: &'a str,
    items: i64,
    sum: f32,
    late: bool,
    #[id]
    since: Option<i64>,
    looked_up: f64,
    traded: bool,
}

#[derive(Settings)]
struct Late {
    #[default(100)]
    after: i64,
}

#[features]
fn features<'a>(t: &Tx<'a>, w: &W<'_>, late: &Late) -> Result<F<'a>, Rejection> {
    if t.amount < 0.0 {
        Err("negative")?;
    }
    Ok(F {
        n: w.n as f32,
        mean: w.mean,
        merchant: t.merchant,
        items: w.items,
        sum: w.items_too + w.range as f32 + w.frauds as f32,
        late: w.before.is_some_and(|before| t.event_time.since(before) > late.after),
        since: w.since,
        looked_up: w.weight.unwrap_or(0.25) + f64::from(w.risk.unwrap_or(0.5)),
        traded: w.trade == Some("books"),
    })
}

fn start() -> Running {
    testing::start(plugin(), &[]).expect("it needs no settings")
}

fn described(running: &Running) -> &FeaturesDescription {
    match running.description() {
        Description::Features(description) => description,
        other => panic!("{other:?}"),
    }
}

fn tx(amount: f64) -> Tx<'static> {
    let event_time = Time(1_000);
    Tx { transaction_id: 1, event_time, merchant: "shop", amount, items: 2, declined: false, tip: None }
}

#[test]
fn only_what_aggregates_name_is_kept() {
    let running = start();
    let description = described(&running);
    let kept = |input: usize| {
        let input = &description.inputs[input];
        input.kept.iter().map(|index| input.columns[*index as usize].name.as_ref()).collect::<Vec<_>>()
    };
    assert_eq!(kept(0), ["event_time", "merchant", "amount", "items", "declined", "tip"]);
    assert_eq!(kept(1), ["fraud"]);
    let labels = &description.inputs[1];
    assert_eq!((labels.source.as_ref(), labels.updates_only), ("labels", true));
    assert_eq!(description.inputs[0].source, "");
    assert_eq!(description.features, ["n", "the-mean", "items", "sum", "late", "looked_up", "traded"]);
    assert_eq!(description.ids.iter().map(|id| id.nullable).collect::<Vec<_>>(), [false, true]);
}

#[test]
fn aggregates_are_declared_as_written() {
    let running = start();
    let description = described(&running);
    let aggregate = |name: &str| {
        let found = description.aggregates.iter().find(|aggregate| aggregate.name == name).unwrap();
        (found.input, found.fold, found.column, found.filter, found.window)
    };
    let day = 86_400_000;
    assert_eq!(aggregate("n"), (0, Declared::Count, None, None, Window::Sliding(7 * day)));
    assert_eq!(aggregate("tips"), (0, Declared::Count, Some(5), None, Window::Last(10)));
    assert_eq!(aggregate("mean"), (0, Declared::Mean, Some(2), Some(4), Window::Sliding(7 * day)));
    let hopping = Window::Hopping { size: day, slide: 3_600_000 };
    assert_eq!(aggregate("items_too"), (0, Declared::Sum, Some(3), None, hopping));
    assert_eq!(aggregate("before"), (0, Declared::Latest, Some(0), None, Window::Forever));
    assert_eq!(aggregate("q").1, Declared::Quantile(0.9));
    assert_eq!(aggregate("top"), (0, Declared::TopK(3), Some(3), None, Window::Session(1_800_000)));
    assert_eq!(aggregate("range_too"), (0, Declared::Custom(0), None, Some(4), Window::Sliding(500)));
    assert_eq!(aggregate("frauds"), (1, Declared::Sum, Some(0), None, Window::Sliding(30_000)));
    assert_eq!(aggregate("decayed").1, Declared::DecayedMean(3_600_000));
    assert_eq!(aggregate("merchants"), (0, Declared::Distinct, Some(1), None, Window::Sliding(day)));
    assert_eq!(description.trigger, Trigger::Row);
    let [fold] = &description.custom_folds[..] else { panic!("one fold on one input is one fold") };
    assert_eq!((fold.version, fold.register_bytes, fold.invertible), (3, 28, true));
    assert_eq!((fold.cell.kind, fold.cell.nullable), (Kind::Float, true));
}

#[test]
fn lookups_of_one_key_are_one() {
    let running = start();
    let lookup = |table: &'static str, key: &'static str, columns: Vec<Column>| Lookup {
        table: table.into(),
        key: key.into(),
        columns,
    };
    let of_merchants = vec![Column::nullable("trade", Kind::Text), Column::nullable("risk", Kind::Single)];
    let of_days = vec![Column::nullable("weight", Kind::Float)];
    let expected = [lookup("merchants", "merchant", of_merchants), lookup("days", "transaction_id", of_days)];
    assert_eq!(described(&running).lookups, expected);
    assert!(described(&running).aggregates.iter().all(|aggregate| aggregate.name != "trade"));
}

#[test]
fn vectors_come_of_rows_and_windows() {
    #[derive(Row, Debug, PartialEq)]
    struct Ids<'a> {
        merchant: &'a str,
        since: Option<i64>,
    }
    let looked_up = W { trade: Some("books"), weight: Some(2.0), risk: Some(0.25), ..W::default() };
    let windows = [
        W { n: 3.0, mean: Some(1.5), items: -4, items_too: 2.0, range: 0.5, frauds: 8.0, ..looked_up },
        W::default(),
        W { before: Some(Time(899)), since: Some(-3), ..W::default() },
    ];
    let vectors = start().compute(&[tx(1.0), tx(-1.0), tx(2.0)], &windows);
    assert_eq!(vectors.vector(0), [3.0, 1.5, -4.0, 10.5, 0.0, 2.25, 1.0]);
    assert_eq!(vectors.rejected[0].row, 1);
    assert!(vectors.vector(2)[1].is_nan());
    assert_eq!(vectors.vector(2)[4..], [1.0, 0.75, 0.0]);
    let ids = vectors.ids::<Ids>();
    assert_eq!(ids[0], Ids { merchant: "shop", since: None });
    assert_eq!(ids[2], Ids { merchant: "shop", since: Some(-3) });
}

/// A few thousand random instructions against registers kept as plain structs.
#[test]
fn tapes_do_what_a_naive_loop_does() {
    let mut seed = 7_u64;
    let mut random = |below: u64| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((seed >> 33) % below) as u32
    };
    let entries: Vec<_> = (0..50)
        .map(|n| {
            let tip = (n % 3 == 0).then_some(f64::from(n));
            (Tx { tip, ..tx(f64::from(n) / 8.0) }, Time(i64::from(n)))
        })
        .collect();
    let mut naive: Vec<Seen> = (0..5).map(|_| fresh()).collect();
    let (mut tape, mut expected) = (Tape::new(), Vec::new());
    for _ in 0..5_000 {
        let (register, other, entry) = (random(5), random(5), random(50));
        let (row, at) = &entries[entry as usize];
        let kept = Entry { tip: row.tip, amount: row.amount };
        let seen = &mut naive[register as usize];
        match random(12) {
            0 => {
                *seen = fresh();
                tape = tape.reset(register);
            }
            1..6 => {
                Range::add(seen, &kept, *at);
                tape = tape.add(register, entry);
            }
            6 if seen.entries > 0 => {
                Range::retract(seen, &kept, *at);
                tape = tape.retract(register, entry);
            }
            7 if seen.entries < 1_000_000 => {
                let other_seen = &naive[other as usize];
                let copy = Seen { sum: other_seen.sum, entries: other_seen.entries, last: other_seen.last };
                Range::merge(&mut naive[register as usize], &copy);
                tape = tape.merge(register, other);
            }
            _ => {
                expected.push(Range::emit(seen));
                tape = tape.emit(register);
            }
        }
    }
    let mut registers = vec![0; 5 * 28];
    let cells = start().fold::<Tx, Option<f64>>(0, &entries, &tape, &mut registers);
    assert_eq!(cells, expected);
    for (seen, bytes) in naive.iter().zip(registers.chunks(28)) {
        assert_eq!(bytes[..8], seen.sum.to_le_bytes());
        assert_eq!(bytes[8..12], seen.entries.to_le_bytes());
        assert_eq!(bytes[20..], seen.last[1].0.to_le_bytes());
    }
}

fn fresh() -> Seen {
    Seen { sum: 0.0, entries: 0, last: [Time(0); 2] }
}
