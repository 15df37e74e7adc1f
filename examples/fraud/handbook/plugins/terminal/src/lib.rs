//! What the handbook knows of a transaction's terminal: how much went on there and how much of it was fraud, as far
//! as labels tell by then.

use tailwater_sdk::prelude::*;

#[derive(Row)]
pub struct Transaction {
    event_time: Time,
}

/// Says a week after a transaction whether it was fraud.
#[derive(Row)]
pub struct Label {
    fraud: bool,
}

/// Of the terminal, by the labels that came before the transaction.
#[derive(Windows, Clone, Default)]
#[input("labels", Label)]
pub struct Terminal {
    #[count("1d", from = "labels")]
    count_1d: f32,
    #[mean("fraud", "1d", from = "labels")]
    risk_1d: Option<f32>,
    #[count("7d", from = "labels")]
    count_7d: f32,
    #[mean("fraud", "7d", from = "labels")]
    risk_7d: Option<f32>,
    #[count("30d", from = "labels")]
    count_30d: f32,
    #[mean("fraud", "30d", from = "labels")]
    risk_30d: Option<f32>,
}

#[derive(Features)]
pub struct Vector {
    terminal_count_1d: f32,
    terminal_risk_1d: f32,
    terminal_count_7d: f32,
    terminal_risk_7d: f32,
    terminal_count_30d: f32,
    terminal_risk_30d: f32,
}

#[features]
fn features(_: &Transaction, terminal: &Terminal) -> Vector {
    // Of a terminal that nothing is known of the handbook says that it is no risk.
    let risk = |share: Option<f32>| share.unwrap_or(0.0);
    Vector {
        terminal_count_1d: terminal.count_1d,
        terminal_risk_1d: risk(terminal.risk_1d),
        terminal_count_7d: terminal.count_7d,
        terminal_risk_7d: risk(terminal.risk_7d),
        terminal_count_30d: terminal.count_30d,
        terminal_risk_30d: risk(terminal.risk_30d),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tailwater_sdk::describe::{Description, Fold, Window};
    use tailwater_sdk::testing;

    #[test]
    fn all_windows_are_of_labels_which_get_no_vectors() {
        let running = testing::start(plugin(), &[]).unwrap();
        let Description::Features(description) = running.description() else { panic!("it makes features") };
        let [rows, labels] = &description.inputs[..] else { panic!("there are two inputs") };
        assert_eq!((rows.updates_only, labels.updates_only), (false, true));
        assert_eq!((labels.source.as_ref(), &labels.kept[..]), ("labels", &[0][..]));
        let day = 86_400_000;
        for (index, aggregate) in description.aggregates.iter().enumerate() {
            let fold = [Fold::Count, Fold::Mean][index % 2];
            let size = [1, 7, 30][index / 2] * day;
            assert_eq!((aggregate.input, aggregate.fold), (1, fold), "{}", aggregate.name);
            assert_eq!(aggregate.window, Window::Sliding(size), "{}", aggregate.name);
        }
    }

    #[test]
    fn a_terminal_without_labels_is_no_risk() {
        let mut running = testing::start(plugin(), &[]).unwrap();
        let known = Terminal {
            count_1d: 0.0,
            risk_1d: None,
            count_7d: 4.0,
            risk_7d: Some(0.25),
            count_30d: 8.0,
            risk_30d: Some(0.5),
        };
        let rows = [Transaction { event_time: Time(0) }, Transaction { event_time: Time(0) }];
        let vectors = running.compute(&rows, &[Terminal::default(), known]);
        assert_eq!(vectors.vector(0), [0.0; 6]);
        assert_eq!(vectors.vector(1), [0.0, 0.0, 4.0, 0.25, 8.0, 0.5]);
    }
}
