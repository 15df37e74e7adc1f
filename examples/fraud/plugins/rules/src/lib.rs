//! What is done with a transaction, and which rule said so. The first rule that fires decides.

use tailwater_sdk::prelude::*;

#[derive(View, Clone)]
pub struct Scored<'a> {
    transaction_id: i64,
    event_time: Time,
    card_id: i64,
    amount_eur: f64,
    country: &'a str,
    category: &'a str,
    #[features]
    count_1h: f32,
    #[features]
    declined_1h: f32,
    /// NaN for a new card, which is above nothing.
    #[features]
    ratio_to_mean: f32,
    #[score]
    score: f32,
}

#[derive(Row, Debug, PartialEq)]
pub struct Decision<'a> {
    transaction_id: i64,
    event_time: Time,
    card_id: i64,
    amount_eur: f64,
    country: &'a str,
    category: &'a str,
    score: f32,
    decision: &'a str,
    rule: &'a str,
}

#[derive(Routes, Debug, PartialEq)]
pub enum Route {
    /// What is allowed.
    Decisions,
    /// What is blocked or shall be looked at.
    Alerts,
}

#[derive(Settings)]
pub struct Thresholds {
    block_score: f32,
    review_score: f32,
    /// Declined ones of an hour from which on a card is taken for one under test by thieves.
    declined_per_hour: f32,
    /// Transactions of an hour that are too many.
    velocity_per_hour: f32,
    /// Times the mean amount of the card ...
    far_from_usual: f32,
    /// ... if it is at least that many euros.
    far_from_usual_amount: f64,
}

impl Thresholds {
    fn decide(&self, seen: &Scored<'_>) -> (&'static str, &'static str) {
        let is_far =
            seen.ratio_to_mean > self.far_from_usual && seen.amount_eur >= self.far_from_usual_amount;
        match seen {
            _ if seen.score >= self.block_score => ("block", "score"),
            _ if seen.declined_1h >= self.declined_per_hour => ("block", "card-testing"),
            _ if seen.score >= self.review_score => ("review", "score"),
            _ if seen.count_1h >= self.velocity_per_hour => ("review", "velocity"),
            _ if is_far => ("review", "far-from-usual"),
            _ => ("allow", "none"),
        }
    }
}

#[rules]
fn decide<'a>(seen: &Scored<'a>, thresholds: &Thresholds) -> (Route, Decision<'a>) {
    let (decision, rule) = thresholds.decide(seen);
    let Scored { transaction_id, event_time, card_id, amount_eur, country, category, score, .. } = *seen;
    let route = if decision == "allow" { Route::Decisions } else { Route::Alerts };
    (
        route,
        Decision {
            transaction_id,
            event_time,
            card_id,
            amount_eur,
            country,
            category,
            score,
            decision,
            rule,
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const THRESHOLDS: Thresholds = Thresholds {
        block_score: 0.8,
        review_score: 0.3,
        declined_per_hour: 4.0,
        velocity_per_hour: 8.0,
        far_from_usual: 10.0,
        far_from_usual_amount: 300.0,
    };

    fn usual() -> Scored<'static> {
        Scored {
            transaction_id: 1,
            event_time: Time(0),
            card_id: 4711,
            amount_eur: 400.0,
            country: "DE",
            category: "grocery",
            count_1h: 1.0,
            declined_1h: 0.0,
            ratio_to_mean: f32::NAN,
            score: 0.1,
        }
    }

    fn decided(seen: Scored<'static>) -> (Route, &'static str, &'static str) {
        let (route, decision) = decide(&seen, &THRESHOLDS);
        (route, decision.decision, decision.rule)
    }

    #[test]
    fn each_rule_fires_at_its_threshold_and_not_before() {
        let alert = |decision, rule| (Route::Alerts, decision, rule);
        assert_eq!(decided(usual()), (Route::Decisions, "allow", "none"));
        assert_eq!(decided(Scored { score: 0.8, ..usual() }), alert("block", "score"));
        assert_eq!(decided(Scored { score: 0.3, ..usual() }), alert("review", "score"));
        assert_eq!(decided(Scored { declined_1h: 4.0, ..usual() }), alert("block", "card-testing"));
        assert_eq!(decided(Scored { count_1h: 8.0, ..usual() }), alert("review", "velocity"));
        assert_eq!(decided(Scored { ratio_to_mean: 11.0, ..usual() }), alert("review", "far-from-usual"));
        assert_eq!(decided(Scored { ratio_to_mean: 11.0, amount_eur: 299.0, ..usual() }).1, "allow");
    }

    #[test]
    fn the_stricter_decision_wins() {
        let both = Scored { score: 0.5, declined_1h: 9.0, count_1h: 20.0, ..usual() };
        assert_eq!(decided(both), (Route::Alerts, "block", "card-testing"));
    }
}
