//! What goes on at a transaction's terminal, and how much of it was fraud as far as is known by then.

use tailwater_sdk::prelude::*;

#[derive(Row)]
pub struct Transaction {
    card_id: i64,
}

/// Says, days after a transaction, whether it was fraud.
#[derive(Row)]
pub struct Label {
    fraud: bool,
}

/// Of the terminal: transactions, this one included; and labels that became known before it.
#[derive(Windows, Clone, Default)]
#[input("labels", Label)]
pub struct Terminal {
    #[count("1h")]
    count_1h: i64,
    #[count("1d")]
    count_1d: i64,
    #[distinct("card_id", "1d")]
    cards_1d: i64,
    #[count("1d", from = "labels")]
    labels_1d: i64,
    #[mean("fraud", "1d", from = "labels")]
    risk_1d: Option<f64>,
    #[count("7d", from = "labels")]
    labels_7d: i64,
    #[mean("fraud", "7d", from = "labels")]
    risk_7d: Option<f64>,
    #[count("30d", from = "labels")]
    labels_30d: i64,
    #[mean("fraud", "30d", from = "labels")]
    risk_30d: Option<f64>,
}

/// Labels are how many became known in that time; risk is the share of fraud among them, `None` if there are none,
/// which the model takes for a missing value.
#[derive(Features, Debug, PartialEq)]
pub struct Vector {
    terminal_count_1h: i64,
    terminal_count_1d: i64,
    terminal_cards_1d: i64,
    terminal_labels_1d: i64,
    terminal_risk_1d: Option<f64>,
    terminal_labels_7d: i64,
    terminal_risk_7d: Option<f64>,
    terminal_labels_30d: i64,
    terminal_risk_30d: Option<f64>,
}

#[features]
fn features(_: &Transaction, terminal: &Terminal) -> Vector {
    Vector {
        terminal_count_1h: terminal.count_1h,
        terminal_count_1d: terminal.count_1d,
        terminal_cards_1d: terminal.cards_1d,
        terminal_labels_1d: terminal.labels_1d,
        terminal_risk_1d: terminal.risk_1d,
        terminal_labels_7d: terminal.labels_7d,
        terminal_risk_7d: terminal.risk_7d,
        terminal_labels_30d: terminal.labels_30d,
        terminal_risk_30d: terminal.risk_30d,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tailwater_sdk::describe::Description;
    use tailwater_sdk::testing;

    #[test]
    fn risks_are_of_labels_and_the_rest_is_of_transactions() {
        let running = testing::start(plugin(), &[]).unwrap();
        let Description::Features(description) = running.description() else { panic!("it makes features") };
        let [rows, labels] = &description.inputs[..] else { panic!("there are two inputs") };
        assert_eq!((rows.updates_only, labels.updates_only), (false, true));
        assert_eq!(labels.source, "labels");
        for aggregate in &description.aggregates {
            let is_of_labels = aggregate.name.starts_with("labels_") || aggregate.name.starts_with("risk_");
            assert_eq!(aggregate.input, u32::from(is_of_labels), "{}", aggregate.name);
        }
    }

    #[test]
    fn a_terminal_of_which_nothing_is_known_has_no_risk_at_all() {
        let mut running = testing::start(plugin(), &[]).unwrap();
        let known = Terminal {
            count_1h: 1,
            count_1d: 2,
            cards_1d: 2,
            labels_1d: 0,
            risk_1d: None,
            labels_7d: 4,
            risk_7d: Some(0.25),
            labels_30d: 8,
            risk_30d: Some(0.5),
        };
        let rows = [Transaction { card_id: 4711 }, Transaction { card_id: 4712 }];
        let vectors = running.compute(&rows, &[Terminal::default(), known]);
        for risk in [4, 6, 8] {
            assert!(vectors.vector(0)[risk].is_nan());
        }
        let [.., labels_7d, risk_7d, labels_30d, risk_30d] = vectors.vector(1) else { panic!("it has nine") };
        assert_eq!([labels_7d, risk_7d, labels_30d, risk_30d], [&4.0, &0.25, &8.0, &0.5]);
    }
}
