//! A click is predicted to lead to a purchase where the score is above a threshold.

use tailwater_sdk::prelude::*;

#[derive(View)]
pub struct Scored {
    user_id: i64,
    item_id: i64,
    #[from(score)]
    score: f32,
}

#[derive(Row, Debug, PartialEq)]
pub struct Prediction {
    user_id: i64,
    item_id: i64,
    score: f32,
    prediction: bool,
}

#[derive(Settings)]
struct Limits {
    threshold: f32,
}

#[rules]
fn predict(seen: &Scored, limits: &Limits) -> Prediction {
    let Scored { user_id, item_id, score } = *seen;
    Prediction { user_id, item_id, score, prediction: score > limits.threshold }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tailwater_sdk::testing;

    #[test]
    fn the_threshold_itself_is_not_above_it() {
        let predicted = |score| {
            predict(&Scored { user_id: 1, item_id: 2, score }, &Limits { threshold: 0.5 }).prediction
        };
        assert!(!predicted(0.5));
        assert!(predicted(0.500_001));
    }

    #[test]
    fn without_a_threshold_it_does_not_start() {
        assert!(testing::start(plugin(), &[]).unwrap_err().contains("`threshold` is missing"));
    }
}
