//! The name of a release.

use sha2::{Digest, Sha256};

use crate::config::Config;
use crate::pipeline::Identity;

/// Of the plugins, the model and what the configuration says about results. Where brokers are and how
/// many threads run does not count, so that all members of a group give the same.
pub(super) fn of(config: &Config, identity: &Identity) -> String {
    let Identity { preprocess, features, model, rules, .. } = identity;
    let results = (&config.name, &config.source, &config.preprocess, &config.features);
    let results = (results, &config.model, &config.rules, &config.routes, &config.dead_letters);
    let results = (results, &config.order, &config.late);
    // What is larger becomes a dead letter.
    let results = (results, config.limits.record.bytes());
    let configuration = serde_json::to_string(&results).expect("a configuration is plain data");
    let mut hash = Sha256::new();
    let one = |digest: &Option<String>| digest.clone().unwrap_or_else(|| "-".to_owned());
    let features = features.join(",");
    for part in [one(preprocess), features, one(model), one(rules)] {
        hash.update(part);
        hash.update("\n");
    }
    hash.update(configuration);
    let hex: String = hash.finalize().iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    hex
}
