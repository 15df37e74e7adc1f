//! Clicks as they come: the model and the rules take their columns as they are.

use tailwater_sdk::prelude::*;

#[derive(Row, Clone, Debug, PartialEq)]
pub struct Click {
    user_id: i64,
    item_id: i64,
    event_time: Time,
}

/// The model's table has no item below 0.
#[preprocessor]
fn clean(click: &Click) -> Result<Click, Rejection> {
    if click.item_id < 0 {
        return Err(Rejection::new(1, "the item's number is negative"));
    }
    Ok(click.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_negative_item_is_refused_and_all_others_pass_unchanged() {
        let click = |item_id| Click { user_id: 7, item_id, event_time: Time(1) };
        assert_eq!(clean(&click(0)), Ok(click(0)));
        assert_eq!(clean(&click(-1)).unwrap_err().code, 1);
    }
}
