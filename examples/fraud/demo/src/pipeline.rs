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
    let stages = [
        ("TAILWATER__PREPROCESS__PLUGIN", config.preprocess.as_ref().map(|stage| stage.plugin())),
        ("TAILWATER__FEATURES__0__PLUGIN", config.features.first().map(|stage| stage.plugin())),
        ("TAILWATER__RULES__PLUGIN", config.rules.as_ref().map(|stage| stage.plugin())),
    ];
    let moved = stages.into_iter().filter_map(|(variable, stage)| {
        let plugin = guests.join(stage?.plugin.file_name()?);
        Some((variable.to_owned(), plugin.to_str()?.to_owned()))
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

    /// A model is worth something only on features made as those it was trained with.
    #[test]
    fn training_is_serving_up_to_the_features() {
        let part = |text: &str| {
            let mut table: Table = text.parse().unwrap();
            for key in ["name", "threads", "model", "rules", "routes"] {
                table.remove(key);
            }
            table
        };
        let serving = part(include_str!("../../fraud.toml"));
        assert_eq!(part(include_str!("../../training.toml")), serving);
        assert!(serving.contains_key("preprocess") && serving.contains_key("features"));
    }
}
