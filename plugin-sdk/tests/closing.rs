//! Vectors of windows as they close.

use tailwater_sdk::describe::{Description, Trigger, Window};
use tailwater_sdk::prelude::*;
use tailwater_sdk::testing::{self, Running};
use tailwater_sdk::{Column, Kind};

#[derive(Row)]
#[allow(dead_code)]
struct Tx<'a> {
    amount: f64,
    merchant: &'a str,
    unused: i64,
}

#[derive(Row)]
#[allow(dead_code)]
struct Label {
    fraud: bool,
}

#[derive(Row, Clone)]
struct Hour<'a> {
    #[column("card.id")]
    card: &'a str,
    #[column("@end")]
    end: Time,
    #[column("@revision")]
    revision: i64,
}

#[derive(Windows)]
#[input("labels", Label)]
struct Card<'a> {
    #[lookup("cards", "card.id", "owner")]
    owner: Option<&'a str>,
    #[sum("amount", hopping("1h", "15m"))]
    amount: f64,
    #[distinct("merchant", hopping("60m", "15m"))]
    merchants: i64,
    #[sum("fraud", hopping("1h", "15m"), from = "labels")]
    frauds: i64,
}

#[derive(Features)]
struct F<'a> {
    amount: f64,
    merchants: i64,
    frauds: i64,
    owned: bool,
    minutes: f32,
    #[id]
    card: &'a str,
}

#[derive(Settings)]
struct Limits {
    most: i64,
}

#[features(on_close = Tx<'_>)]
fn features<'a>(hour: &Hour<'a>, card: &Card<'_>, limits: &Limits) -> Result<F<'a>, Rejection> {
    if hour.revision > limits.most {
        Err("too often")?;
    }
    let Card { amount, merchants, frauds, owner } = *card;
    let minutes = (hour.end.0 / 60_000) as f32;
    Ok(F { amount, merchants, frauds, owned: owner.is_some(), minutes, card: hour.card })
}

fn start() -> Running {
    testing::start(plugin(), &[("most", 1.into())]).expect("it has all its settings")
}

#[test]
fn columns_of_the_closed_window_are_declared() {
    let running = start();
    let Description::Features(description) = running.description() else { panic!("it is one of features") };
    let taken = [("card.id", Kind::Text), ("@end", Kind::Time), ("@revision", Kind::Int)];
    let taken = taken.map(|(name, kind)| Column::new(name, kind));
    assert_eq!(description.trigger, Trigger::Close(taken.to_vec()));
    let [tx, labels] = &description.inputs[..] else { panic!("there are two") };
    assert_eq!((tx.source.as_ref(), tx.updates_only, &tx.kept[..]), ("", false, &[0, 1][..]));
    assert_eq!((labels.source.as_ref(), labels.updates_only, &labels.kept[..]), ("labels", true, &[0][..]));
    let names: Vec<_> = tx.columns.iter().map(|column| column.name.as_ref()).collect();
    assert_eq!(names, ["amount", "merchant", "unused"]);
    let window = Window::Hopping { size: 3_600_000, slide: 900_000 };
    assert!(description.aggregates.iter().all(|aggregate| aggregate.window == window));
    let lookup = &description.lookups[0];
    assert_eq!((lookup.table.as_ref(), lookup.key.as_ref()), ("cards", "card.id"));
}

#[test]
fn vectors_come_of_closed_windows() {
    #[derive(Row, Debug, PartialEq)]
    struct Ids<'a> {
        card: &'a str,
    }
    let hour = Hour { card: "a", end: Time(3_600_000), revision: 0 };
    let hours = [hour.clone(), Hour { revision: 2, ..hour.clone() }, Hour { card: "b", revision: 1, ..hour }];
    let card = |owner, amount| Card { owner, amount, merchants: 2, frauds: 3 };
    let values = [card(Some("x"), 1.5), card(None, 2.5), card(None, 3.5)];
    let vectors = start().compute_closed::<Tx<'_>, _, _>(&hours, &values);
    assert_eq!(vectors.vector(0), [1.5, 2.0, 3.0, 1.0, 60.0]);
    assert_eq!(vectors.vector(2), [3.5, 2.0, 3.0, 0.0, 60.0]);
    assert_eq!(vectors.rejected.iter().map(|rejected| rejected.row).collect::<Vec<_>>(), [1]);
    let ids = vectors.ids::<Ids>();
    assert_eq!((ids[0].card, ids[2].card), ("a", "b"));
}

/// The columns of lookups stand behind those of aggregates, whatever the order of the fields.
#[test]
fn batches_have_aggregates_before_lookups() {
    let mut instance =
        plugin().start_with(&tailwater_sdk::Table::new(vec![("most".into(), 1.into())])).unwrap();
    #[derive(Row)]
    struct Given<'a> {
        card: &'a str,
        end: Time,
        revision: i64,
        amount: f64,
        merchants: i64,
        frauds: i64,
        owner: Option<&'a str>,
    }
    let given = Given {
        card: "a",
        end: Time(0),
        revision: 0,
        amount: 0.5,
        merchants: 7,
        frauds: 8,
        owner: Some("x"),
    };
    let batch = testing::rows_as_batch(&[given]);
    let computed = instance.compute(&batch.as_batch()).unwrap();
    assert_eq!(computed.matrix, [0.5, 7.0, 8.0, 1.0, 0.0]);
}
