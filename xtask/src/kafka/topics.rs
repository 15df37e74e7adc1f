//! Makes topics, by the tool that Kafka brings for it.

use super::java::Java;
use super::{answering, background, jars};
use crate::home::{Home, variable};
use anyhow::{Context, Result};
use clap::Args;

const TOOL: &str = "org.apache.kafka.tools.TopicCommand";
const NO_KAFKA: &str = "no Kafka is known\n  to do  Start one (cargo xtask kafka start), or name yours: \
                        --brokers HOST:PORT, or the variable TAILWATER_KAFKA.";

#[derive(Args, Debug)]
pub(crate) struct NewTopics {
    #[arg(required = true, value_name = "TOPIC")]
    names: Vec<String>,
    /// Of each topic
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u32).range(1..))]
    partitions: u32,
    /// Without it: TAILWATER_KAFKA, or the one that `start` started
    #[arg(long, value_name = "HOST:PORT")]
    brokers: Option<String>,
}

/// `kafka create`: makes those that are not there yet.
pub(crate) fn create(home: &Home, NewTopics { names, partitions, brokers }: &NewTopics) -> Result<()> {
    let known =
        brokers.clone().or_else(|| variable("TAILWATER_KAFKA")).or_else(|| answering(&background(home)));
    let brokers = known.context(NO_KAFKA)?;
    let java = Java::find(&jars::libraries(home)?)?;
    for name in names {
        let said = home.steps.quiet("create", &format!("topic {name}"), || {
            java.tool(&[], TOOL)
                .args(["--bootstrap-server", &brokers, "--create", "--if-not-exists", "--topic", name])
                .args(["--partitions", &partitions.to_string()])
                .advise(&format!("See that a Kafka answers at {brokers}."))
                .output()
        })?;
        if !said.contains("Created topic") {
            eprintln!("{:<8} topic {name}: it was there before, and stays as it is", "keep");
        }
    }
    Ok(())
}
