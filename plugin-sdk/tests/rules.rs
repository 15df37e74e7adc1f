//! Views, routes and decisions.

use tailwater_sdk::describe::{Description, Origin};
use tailwater_sdk::prelude::*;
use tailwater_sdk::testing;

#[derive(View)]
struct Seen<'a> {
    transaction_id: i64,
    country: Option<&'a str>,
    #[features]
    amount: f32,
    #[features]
    all: &'a [f32],
    #[score]
    #[column("probability")]
    fraud: f32,
}

#[derive(Row, Debug, PartialEq)]
struct Out<'a> {
    transaction_id: i64,
    country: Option<&'a str>,
    features: &'a [f32],
    score: f32,
}

#[derive(Routes)]
enum Route {
    Decisions,
    ForReview,
    #[name("alarm")]
    Alert,
}

#[derive(Settings)]
struct Limits {
    #[default(0.5)]
    most: f32,
}

#[rules]
fn decide<'a>(seen: &Seen<'a>, limits: &Limits) -> Result<Option<(Route, Out<'a>)>, Rejection> {
    if seen.amount < 0.0 {
        count("negative", 1);
        return Err(Rejection::new(1, "negative"));
    }
    let Seen { transaction_id, country, all: features, fraud: score, .. } = *seen;
    let route = match score {
        score if score > 2.0 * limits.most => Route::Alert,
        score if score > limits.most => Route::ForReview,
        0.0 => return Ok(None),
        _ => Route::Decisions,
    };
    Ok(Some((route, Out { transaction_id, country, features, score })))
}

fn seen(transaction_id: i64, amount: f32, fraud: f32) -> Seen<'static> {
    Seen { transaction_id, country: Some("fr"), amount, all: &[1.0, 2.0], fraud }
}

#[test]
fn rows_go_where_the_function_says() {
    let mut plugin = testing::start(plugin(), &[]).unwrap();
    let decisions = plugin.decide(&[
        seen(1, 1.0, 0.1),
        seen(2, 1.0, 0.0),
        seen(3, 1.0, 0.7),
        seen(4, -1.0, 0.7),
        seen(5, 1.0, 3.0),
    ]);
    let routes: Vec<_> = decisions.route.iter().map(Option::as_deref).collect();
    assert_eq!(routes, [Some("decisions"), None, Some("for-review"), None, Some("alarm")]);
    assert_eq!(decisions.rejected.iter().map(|rejected| rejected.row).collect::<Vec<_>>(), [3]);
    let rows = decisions.rows::<Out>();
    assert_eq!(rows.len(), 5, "there is a row for each row in");
    let expected = Out { transaction_id: 5, country: Some("fr"), features: &[1.0, 2.0], score: 3.0 };
    assert_eq!(rows[4], expected);
    assert_eq!(testing::counted("negative"), 1);
}

#[test]
fn wanted_columns_say_where_they_come_from() {
    let plugin = testing::start(plugin(), &[]).unwrap();
    let Description::Rules(description) = plugin.description() else { panic!() };
    let wanted: Vec<_> = description.input.iter().map(|w| (w.column.name.as_ref(), w.from)).collect();
    assert_eq!(
        wanted,
        [
            ("transaction_id", Origin::Record),
            ("country", Origin::Record),
            ("amount", Origin::Feature),
            ("*", Origin::Feature),
            ("probability", Origin::Score),
        ]
    );
    assert_eq!(description.routes, ["decisions", "for-review", "alarm"]);
}

mod only {
    use super::*;

    #[derive(View)]
    pub(crate) struct One {
        #[score]
        pub(crate) score: f64,
    }

    #[derive(Row)]
    pub(crate) struct Score {
        pub(crate) score: f64,
    }

    #[rules]
    fn pass(one: &One) -> Score {
        Score { score: one.score }
    }
}

#[test]
fn without_routes_there_is_one_called_output() {
    let mut plugin = testing::start(only::plugin(), &[]).unwrap();
    let decisions = plugin.decide(&[only::One { score: 0.25 }]);
    assert_eq!(decisions.route, [Some("output".to_owned())]);
    assert_eq!(decisions.rows::<only::Score>()[0].score, 0.25);
}
