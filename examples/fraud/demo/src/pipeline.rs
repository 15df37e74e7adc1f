//! Reads the example's pipelines.

use std::path::Path;

use tailwater::config::Config;
use tailwater::error::Result;

/// Where plugins are, if not where the file says.
const GUESTS: &str = "TAILWATER_GUESTS";

/// With its plugins out of the folder of the environment's TAILWATER_GUESTS, if that is set.
pub(crate) fn read(path: &Path) -> Result<Config> {
    let config = Config::read(path)?;
    let Some(guests) = std::env::var_os(GUESTS).filter(|folder| !folder.is_empty()) else {
        return Ok(config);
    };
    let guests = std::path::absolute(guests).unwrap_or_default();
    let variable = |stage: &str| format!("TAILWATER__{stage}__PLUGIN");
    let preprocess = config.preprocess.iter().map(|stage| (variable("PREPROCESS"), stage.plugin()));
    let features = config.features.iter().enumerate();
    let features = features.map(|(index, stage)| (variable(&format!("FEATURES__{index}")), stage.plugin()));
    let rules = config.rules.iter().map(|stage| (variable("RULES"), stage.plugin()));
    let moved = preprocess.chain(features).chain(rules).filter_map(|(variable, stage)| {
        let plugin = guests.join(stage.plugin.file_name()?);
        Some((variable, plugin.to_str()?.to_owned()))
    });
    // Variables that are no text don't concern a pipeline.
    let variables = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
    let text = std::fs::read_to_string(path).unwrap_or_default();
    Config::parse(&text, &config.folder, variables.chain(moved)).map_err(|error| error.at(path.display()))
}

#[cfg(test)]
mod tests {
    use toml::Table;

    /// A model is worth something only on features made as those it was trained with. The order may differ: by event
    /// time rows meet what they would meet by arrival if nothing were ever delayed.
    #[test]
    fn training_is_serving_up_to_the_features() {
        let part = |text: &str| {
            let mut table: Table = text.parse().unwrap();
            for key in ["name", "order", "threads", "model", "rules", "routes"] {
                table.remove(key);
            }
            table
        };
        let serving = part(include_str!("../../fraud.toml"));
        assert_eq!(part(include_str!("../../training.toml")), serving);
        assert!(serving.contains_key("preprocess") && serving.contains_key("features"));
    }
}
