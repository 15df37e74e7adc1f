//! The page of an error code.

use crate::error::Code;

const PAGES: &str = include_str!("../../errors.md");

/// What the code means and what to do: its section of `errors.md`.
pub(super) fn page(code: Code) -> String {
    let title = format!("{code}: {}", code.title());
    section(code).map_or(title.clone(), |section| format!("{title}\n\n{section}"))
}

fn section(code: Code) -> Option<&'static str> {
    let start = PAGES.find(&format!("\n## {code}"))?;
    let (_, body) = PAGES[start + 1..].split_once('\n')?;
    Some(body.split("\n## ").next().unwrap_or(body).trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_has_a_page() {
        for code in Code::ALL {
            let section = section(*code).unwrap_or_else(|| panic!("{code} has no section in errors.md"));
            assert!(section.contains("Cause:") && section.contains("What to do:"), "{code}: {section}");
        }
    }
}
