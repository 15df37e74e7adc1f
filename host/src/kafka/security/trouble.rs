//! What librdkafka says when clients and brokers do not come together, and whose fault that is.

use rdkafka::error::RDKafkaErrorCode;

use super::probe::probe;
use crate::config::Security;
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
    /// The broker has other ways to log in, or none.
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
            E::SSL | E::BrokerTransportFailure if alert(words).is_some() => Some(Self::OwnCertificate),
            _ => None,
        }
    }
}

/// Why the other side ended TLS, if that is since it wants another certificate: `... alert bad certificate: ...`.
pub(super) fn alert(words: &str) -> Option<&str> {
    const ABOUT: [&str; 4] = ["certificate", "unknown ca", "handshake failure", "access denied"];
    let (_, alert) = words.split_once(" alert ")?;
    let alert = alert.split_once(':').map_or(alert, |(alert, _)| alert);
    ABOUT.iter().any(|about| alert.contains(about)).then_some(alert)
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
        _ => at_broker(Code::Login, brief(words).to_owned()),
    }
}

/// Where no broker answered in time: whether that is since one side expects what the other does not do. Brokers hang up
/// then and say nothing: it shows in how far the client had come.
pub(in crate::kafka) fn looked_into(cluster: &Cluster, words: &str) -> Option<Error> {
    let first = cluster.brokers.split(',').next().unwrap_or_default().trim();
    let place = broker(words).unwrap_or(first);
    let at_broker = |code, text: &str| Some(Error::new(code, format!("broker {place}: {text}")));
    // Whoever was about to write then says it in other words.
    let signs = ["Disconnected", "Broken pipe", "Connection reset"];
    let hung_up = |state: &str| signs.iter().any(|sign| words.contains(sign)) && words.contains(state);
    let Security { tls, sasl } = &cluster.security;
    if let Some(tls) = tls
        && let Some(error) = probe(tls, place)
    {
        return Some(error);
    }
    if tls.is_none() && hung_up("in state APIVERSION_QUERY") {
        let text = "it hangs up at the first word, as one that speaks TLS does, and there is no [kafka.tls]";
        return at_broker(Code::NotTls, text);
    }
    if sasl.is_none() && hung_up("in state UP") {
        let text = "it hangs up at the first question, as one that wants clients to log in does, and there is no \
                    [kafka.sasl]";
        return at_broker(Code::Login, text);
    }
    None
}

/// `sasl_ssl://HOST:PORT/bootstrap: reason`, in plain text without the first part: which broker it is about, and what.
fn split(words: &str) -> Option<(&str, &str)> {
    let named = words.split_once("://").map_or(words, |(_, rest)| rest);
    let (broker, rest) = named.split_once('/')?;
    let (_, reason) = rest.split_once(": ")?;
    (!broker.contains(' ')).then_some((broker, reason))
}

fn broker(words: &str) -> Option<&str> {
    split(words).map(|(broker, _)| broker)
}

/// Without the broker.
fn brief(words: &str) -> &str {
    split(words).map_or(words, |(_, reason)| reason)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Sasl;
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
    fn a_broker_that_hangs_up_wants_something_else() {
        let mut cluster = Cluster::at("b:9092");
        let code = |cluster: &Cluster, words| looked_into(cluster, words).map(|error| error.code);
        let first = "b:9092/bootstrap: Disconnected: connection closed (after 2ms in state APIVERSION_QUERY)";
        let second = "b:9092/bootstrap: Disconnected: connection closed (after 2ms in state UP)";
        assert_eq!(code(&cluster, first), Some(Code::NotTls));
        assert_eq!(code(&cluster, second), Some(Code::Login));
        let written =
            "b:9092/bootstrap: Send failed: SSL transport error: Broken pipe (after 1ms in state UP)";
        assert_eq!(code(&cluster, written), Some(Code::Login));
        assert_eq!(code(&cluster, "b:9092/bootstrap: Connect to b:9092 failed: Connection refused"), None);
        cluster.security.sasl = Some(Sasl::default());
        assert_eq!(code(&cluster, second), None);
    }

    #[test]
    fn words_are_split_into_the_broker_and_what_it_is_about() {
        let words = "sasl_ssl://127.0.0.1:9093/bootstrap: SASL authentication error: no";
        assert_eq!((broker(words), brief(words)), (Some("127.0.0.1:9093"), "SASL authentication error: no"));
        let plain = "127.0.0.1:9093/1: Disconnected (after 1ms in state UP)";
        assert_eq!(split(plain), Some(("127.0.0.1:9093", "Disconnected (after 1ms in state UP)")));
        assert_eq!((broker("1/1 brokers are down"), brief("timed out")), (None, "timed out"));
    }
}
