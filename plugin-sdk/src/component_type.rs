//! The sections that say which world a plugin implements. They are generated from
//! `wit/tailwater.wit`; the test `component_type` compares, and with `BLESS=1` rewrites them.

/// Of the world `preprocessor`.
pub const PREPROCESSOR: &[u8] = include_bytes!("../wit/preprocessor.component-type");
/// Of the world `rules`.
pub const RULES: &[u8] = include_bytes!("../wit/rules.component-type");
const FEATURES: &[u8] = include_bytes!("../wit/features.component-type");
const CUSTOM_FEATURES: &[u8] = include_bytes!("../wit/custom-features.component-type");

/// Of the world `features` or `custom-features`.
pub const fn features(custom: bool) -> &'static [u8] {
    if custom { CUSTOM_FEATURES } else { FEATURES }
}

/// A section must be an array, not a reference to one.
pub const fn array<const LENGTH: usize>(section: &[u8]) -> [u8; LENGTH] {
    *section.first_chunk().expect("as long as the section")
}
