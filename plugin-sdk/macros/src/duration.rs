//! `"500ms"`, `"30s"`, `"15m"`, `"1h"`, `"7d"`.

use syn::{Error, LitStr, Result};

/// Milliseconds.
pub(crate) fn parse(literal: &LitStr) -> Result<u64> {
    let wrong =
        || Error::new_spanned(literal, "a duration is a number from 1 on with ms, s, m, h or d: \"15m\"");
    millis(&literal.value()).ok_or_else(wrong)
}

fn millis(text: &str) -> Option<u64> {
    let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let unit = match &text[digits..] {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return None,
    };
    text[..digits].parse::<u64>().ok()?.checked_mul(unit).filter(|millis| *millis > 0)
}

#[cfg(test)]
mod tests {
    use super::millis;

    #[test]
    fn units_are_needed_and_known() {
        assert_eq!(millis("500ms"), Some(500));
        assert_eq!(millis("7d"), Some(604_800_000));
        for wrong in ["", "7", "d", "0s", "-1s", "1 h", "1w", "99999999999999999999d", "213503982335d"] {
            assert_eq!(millis(wrong), None, "{wrong}");
        }
    }
}
