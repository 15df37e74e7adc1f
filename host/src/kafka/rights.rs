//! What a pipeline's client must be allowed to do, compared with what it is: all that is missing is told at once, before
//! anything is read.
//!
//! Brokers tell rights of topics and groups. Those of transactional ids, and the right to make a topic, show when they
//! are needed.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::Duration;

use rdkafka::bindings::rd_kafka_AclOperation_t as Acl;
use rdkafka::consumer::Consumer;
use rdkafka::error::RDKafkaErrorCode;

use super::Cluster;
use super::events::denied;
use super::native::{About, Allowed, Answer, rights};
use super::reach::Asker;
use crate::error::{Code, Error, Result};

/// A right to do something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Right {
    Read,
    Write,
    Describe,
}

impl Right {
    fn operation(self) -> Acl {
        match self {
            Self::Read => Acl::RD_KAFKA_ACL_OPERATION_READ,
            Self::Write => Acl::RD_KAFKA_ACL_OPERATION_WRITE,
            Self::Describe => Acl::RD_KAFKA_ACL_OPERATION_DESCRIBE,
        }
    }
}

impl fmt::Display for Right {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self:?}")
    }
}

/// What must be allowed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Needs {
    pub group: String,
    /// Of those that are not there nobody says anything.
    pub topics: BTreeMap<String, BTreeSet<Right>>,
}

/// A group is read, and asked for.
const OF_GROUP: [Right; 2] = [Right::Read, Right::Describe];

/// An error names all that is missing. What brokers don't say is not known to be missing.
pub fn check_rights(cluster: &Cluster, needs: &Needs, within: Duration) -> Result<()> {
    let Needs { group, topics } = needs;
    let asker = Asker::new(cluster, within)?;
    // What they have against this client at all is told first.
    topics.keys().next().map_or(Ok(()), |name| asker.ask(name).map(drop))?;
    let names: Vec<&str> = topics.keys().map(String::as_str).collect();
    let answers = |about, names: &[&str]| {
        let answers = rights(asker.consumer().client(), about, names, within);
        answers.unwrap_or_else(|error| {
            tracing::debug!(target: "kafka", "{error}");
            Vec::new()
        })
    };
    let mut missing = Vec::new();
    let answer = answers(About::Topics, &names);
    for (name, wanted) in topics {
        let answer = answer.iter().find(|answer| answer.name == *name);
        missing.extend(lacking("topic", name, wanted, answer));
    }
    let answer = answers(About::Group, &[group]);
    missing.extend(lacking("group", group, &OF_GROUP, answer.first()));
    if missing.is_empty() { Ok(()) } else { Err(told(cluster, &missing)) }
}

/// What is missing of one topic or group.
#[derive(Debug, PartialEq, Eq)]
struct Lack<'a> {
    kind: &'static str,
    name: &'a str,
    rights: Vec<Right>,
}

/// None: nothing, or nobody says.
fn lacking<'a, 'r>(
    kind: &'static str,
    name: &'a str,
    wanted: impl IntoIterator<Item = &'r Right>,
    answer: Option<&Answer>,
) -> Option<Lack<'a>> {
    let has = match answer?.outcome {
        Ok(None) => return None,
        Ok(Some(allowed)) => allowed,
        // Nothing of it is told to whom may not ask.
        Err(code) if denied(code) => Allowed::default(),
        // It is not there, or its broker is not: whoever needs it says so.
        Err(_) => return None,
    };
    let rights: Vec<Right> =
        wanted.into_iter().copied().filter(|right| !has.has(right.operation())).collect();
    (!rights.is_empty()).then_some(Lack { kind, name, rights })
}

fn told(cluster: &Cluster, missing: &[Lack<'_>]) -> Error {
    let mut message = "the brokers do not let this client do all that it must. It lacks:".to_owned();
    for Lack { kind, name, rights } in missing {
        message += &format!("\n  {} on {kind} `{name}`", list(rights, ", "));
    }
    message += "\nTo grant it:";
    for Lack { kind, name, rights } in missing {
        let operations: Vec<String> = rights.iter().map(|right| format!("--operation {right}")).collect();
        message += &format!("\n  {} {} --{kind} {name}", granting(cluster), operations.join(" "));
    }
    Error::new(Code::Denied, message)
}

fn list(rights: &[Right], between: &str) -> String {
    rights.iter().map(Right::to_string).collect::<Vec<_>>().join(between)
}

/// The command that grants, but for what.
fn granting(cluster: &Cluster) -> String {
    let user = cluster.security.sasl.as_ref().map_or("NAME", |sasl| &sasl.username);
    format!("kafka-acls.sh --bootstrap-server {} --add --allow-principal User:{user}", cluster.brokers)
}

/// An error for a right that is taken, or that nobody could ask for before.
pub(super) fn denial(code: RDKafkaErrorCode, words: &str) -> Error {
    use RDKafkaErrorCode as E;
    let lacks = match code {
        E::TopicAuthorizationFailed => "Read on topics that are read, or Write on those that are written to",
        E::GroupAuthorizationFailed => "Read and Describe on the group",
        E::TransactionalIdAuthorizationFailed => "Write and Describe on the transactional id",
        E::ClusterAuthorizationFailed => "IdempotentWrite on the cluster, which brokers before 3.0 want",
        _ => return Error::new(Code::Denied, words),
    };
    Error::new(Code::Denied, format!("{words}\nThis client lacks {lacks}."))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Sasl;

    #[test]
    fn all_that_is_missing_is_named_with_how_to_grant_it() {
        let mut cluster = Cluster::at("b:9093");
        cluster.security.sasl = Some(Sasl { username: "scorer".to_owned(), ..Sasl::default() });
        let answer = |outcome| Some(Answer { name: "in".to_owned(), outcome });
        let wanted = [Right::Read, Right::Write];
        let lack = |answer: Option<Answer>| lacking("topic", "in", &wanted, answer.as_ref());
        let read = Allowed::of(&[Acl::RD_KAFKA_ACL_OPERATION_READ]);
        let half = lack(answer(Ok(Some(read)))).expect("Write is missing");
        assert_eq!(half.rights, [Right::Write]);
        let nothing = lack(answer(Err(RDKafkaErrorCode::TopicAuthorizationFailed))).expect("all is missing");
        assert_eq!(nothing.rights, wanted);
        for unknown in [None, answer(Ok(None)), answer(Err(RDKafkaErrorCode::UnknownTopicOrPartition))] {
            assert_eq!(lack(unknown), None);
        }
        let error = told(&cluster, &[half, Lack { kind: "group", name: "g", rights: vec![Right::Read] }]);
        assert_eq!(error.code, Code::Denied);
        for part in [
            "Write on topic `in`",
            "Read on group `g`",
            "kafka-acls.sh --bootstrap-server b:9093 --add --allow-principal User:scorer --operation Write --topic in",
        ] {
            assert!(error.message.contains(part), "{}", error.message);
        }
    }
}
