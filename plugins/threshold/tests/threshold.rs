//! The plugin through batches.

use tailwater_sdk::prelude::*;
use tailwater_sdk::testing;

#[derive(View)]
struct Seen<'a> {
    user_id: i64,
    country: Option<&'a str>,
    #[score]
    fraud: f32,
}

#[derive(Row, Debug, PartialEq)]
struct Out<'a> {
    user_id: i64,
    country: Option<&'a str>,
    score: f32,
    prediction: bool,
}

const KEEP: &str = "user_id: int, country : text ?,";

#[test]
fn scores_above_the_threshold_are_predictions() {
    let settings = [("score", "fraud".into()), ("threshold", 0.75.into()), ("keep", KEEP.into())];
    let mut running = testing::start(threshold::plugin(), &settings).unwrap();
    for country in [Some("fr"), None] {
        let seen = |user_id, fraud| Seen { user_id, country, fraud };
        let decided = running.decide(&[seen(1, 0.75), seen(2, 0.76), seen(3, f32::NAN)]);
        let out = |user_id, score, prediction| Out { user_id, country, score, prediction };
        let rows = decided.rows::<Out>();
        assert_eq!(rows[..2], [out(1, 0.75, false), out(2, 0.76, true)]);
        assert!(rows[2].score.is_nan() && !rows[2].prediction);
        assert!(decided.route.iter().all(|route| route.as_deref() == Some("output")));
    }
}

#[test]
fn mistakes_in_the_settings_are_named() {
    let error = |keep: &str| {
        let settings = [("score", "fraud".into()), ("keep", keep.into())];
        testing::start(threshold::plugin(), &settings).unwrap_err()
    };
    assert_eq!(error("user_id"), "setting `keep`: `user_id` is not like `user_id: int`");
    assert!(
        error("user_id: integer").starts_with("setting `keep`: `integer` is no kind; there are `boolean`")
    );
    assert_eq!(error("score: float"), "setting `keep`: there are two columns `score`");
    assert_eq!(error("a: int, a: text"), "setting `keep`: there are two columns `a`");
    let missing = testing::start(threshold::plugin(), &[]).unwrap_err();
    assert_eq!(missing, "setting `score` is missing (text)");
}
