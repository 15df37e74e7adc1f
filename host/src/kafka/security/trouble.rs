//! What librdkafka says when clients and brokers do not come together, and whose fault that is.

use rdkafka::error::RDKafkaErrorCode;

use super::probe::probe;
use crate::error::{Code, Error};
use crate::kafka::Cluster;

/// Something that no time heals.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::kafka) enum Trouble {
    /// This client does not believe the broker's certificate.
    Certificate,
    /// The broker does not believe this client's, or misses it.
    OwnCertificate,
    /// The broker does not know the user, or not with this password.
    Credentials,
    /// The broker has other ways to log in, or this client does not try any.
    Login,
}

impl Trouble {
    /// Of an error of librdkafka (2.12), by its code where that is enough, else by its words. None: another try may help.
    pub(in crate::kafka) fn of(code: RDKafkaErrorCode, words: &str) -> Option<Self> {
        use RDKafkaErrorCode as E;
        let says = |part: &str| words.contains(part);
        match code {
            E::Authentication | E::SaslAuthenticationFailed if says("mechanism handshake failed") => {
                Some(Self::Login)
            }
            E::Authentication | E::SaslAuthenticationFailed => Some(Self::Credentials),
            E::SSL if says("certificate verify failed") => Some(Self::Certificate),
            // With TLS 1.3 it comes when the client has connected already.
            E::SSL | E::BrokerTransportFailure if is_alert(words) => Some(Self::OwnCertificate),
            E::BrokerTransportFailure if says("might require SASL") => Some(Self::Login),
            _ => None,
        }
    }
}

/// Whether the other side ended TLS since it wants another certificate.
pub(super) fn is_alert(words: &str) -> bool {
    const ABOUT: [&str; 4] = ["certificate", "unknown ca", "handshake failure", "access denied"];
    let alert = words.split_once(" alert ").map(|(_, alert)| alert);
    alert.is_some_and(|alert| ABOUT.iter().any(|about| alert.contains(about)))
}

/// The error of a trouble, in librdkafka's words where there are none that help more.
pub(in crate::kafka) fn explained(cluster: &Cluster, trouble: Trouble, words: &str) -> Error {
    let place = broker(words).unwrap_or(&cluster.brokers);
    let (tls, sasl) = (&cluster.security.tls, &cluster.security.sasl);
    let at_broker = |code, text: String| Error::new(code, format!("broker {place}: {text}"));
    match (trouble, tls, sasl) {
        (Trouble::Certificate | Trouble::OwnCertificate, Some(tls), _) => {
            probe(tls, place).unwrap_or_else(|| match trouble {
                Trouble::Certificate => at_broker(Code::Untrusted, brief(words).to_owned()),
                _ => at_broker(Code::OwnCertificate, brief(words).to_owned()),
            })
        }
        (Trouble::Credentials, _, Some(sasl)) => {
            let mechanism = sasl.mechanism.map_or_else(String::new, |mechanism| format!(" by {mechanism}"));
            at_broker(
                Code::Credentials,
                format!("user {:?} can't log in{mechanism}: {}", sasl.username, brief(words)),
            )
        }
        (_, _, None) => at_broker(
            Code::Login,
            format!("it seems to want clients that log in, and there is no [kafka.sasl]: {}", brief(words)),
        ),
        _ => at_broker(Code::Login, brief(words).to_owned()),
    }
}

/// Where no broker answered in time: whether TLS is the reason.
pub(in crate::kafka) fn looked_into(cluster: &Cluster, words: &str) -> Option<Error> {
    let first = cluster.brokers.split(',').next().unwrap_or_default().trim();
    let place = broker(words).unwrap_or(first);
    match &cluster.security.tls {
        Some(tls) => probe(tls, place),
        None if words.contains("SSL listener") => {
            let text = format!(
                "broker {place}: it hangs up, as one that speaks TLS does, and there is no [kafka.tls]"
            );
            Some(Error::new(Code::NotTls, text))
        }
        None => None,
    }
}

/// `sasl_ssl://HOST:PORT/bootstrap: reason`: which broker it is about.
fn broker(words: &str) -> Option<&str> {
    let (_, rest) = words.split_once("://")?;
    rest.split_once('/').map(|(broker, _)| broker)
}

/// Without the broker.
fn brief(words: &str) -> &str {
    let named = words.split_once("://").and_then(|(_, rest)| rest.split_once('/'));
    named.and_then(|(_, rest)| rest.split_once(": ")).map_or(words, |(_, reason)| reason)
}

#[cfg(test)]
mod tests {
    use super::*;
    use RDKafkaErrorCode as E;

    #[test]
    fn troubles_are_told_apart() {
        for (code, words, trouble) in [
            (
                E::SSL,
                "ssl://b:1/bootstrap: SSL handshake failed: error:0A000086:SSL routines::certificate verify failed: \
                 broker certificate could not be verified",
                Some(Trouble::Certificate),
            ),
            (
                E::BrokerTransportFailure,
                "ssl://b:1/1: Receive failed: error:0A00045C:SSL routines::tlsv13 alert certificate required",
                Some(Trouble::OwnCertificate),
            ),
            (
                E::SSL,
                "ssl://b:1/1: SSL handshake failed: error:0A000412:SSL routines::sslv3 alert bad certificate",
                Some(Trouble::OwnCertificate),
            ),
            (E::Authentication, "sasl_ssl://b:1/1: SASL authentication error", Some(Trouble::Credentials)),
            (
                E::Authentication,
                "sasl_ssl://b:1/1: SASL PLAIN mechanism handshake failed: Broker: Unsupported SASL mechanism",
                Some(Trouble::Login),
            ),
            (E::BrokerTransportFailure, "ssl://b:1/1: Connect to b:1 failed: Connection refused", None),
            (E::SSL, "ssl://b:1/1: SSL handshake failed: wrong version number", None),
            (E::AllBrokersDown, "1/1 brokers are down", None),
        ] {
            assert_eq!(Trouble::of(code, words), trouble, "{words}");
        }
    }

    #[test]
    fn words_are_split_into_the_broker_and_what_it_is_about() {
        let words = "sasl_ssl://127.0.0.1:9093/bootstrap: SASL authentication error: no";
        assert_eq!((broker(words), brief(words)), (Some("127.0.0.1:9093"), "SASL authentication error: no"));
        assert_eq!((broker("timed out"), brief("timed out")), (None, "timed out"));
    }
}
