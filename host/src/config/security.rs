//! `[kafka.tls]` and `[kafka.sasl]`: how clients and brokers know each other.
//!
//! Secrets come from files, which are read whenever a client is made, or from the environment. In the pipeline file none
//! may stand: it is kept in repositories, shown in reviews, and quoted where it is wrong.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::{Kafka, Secret};
use crate::error::{Code, Error, Result};

/// `[kafka.tls]`: with it, brokers are spoken to through TLS.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Tls {
    /// Of which authorities a broker's certificate must be; none: those that the system trusts.
    pub ca: Option<PathBuf>,
    /// This client's own certificate, and those between it and its authority.
    pub certificate: Option<PathBuf>,
    /// Its key.
    pub key: Option<PathBuf>,
    /// With which the key is encrypted.
    pub key_password_file: Option<PathBuf>,
    /// From the environment.
    pub key_password: Option<Secret>,
    /// Whether a broker's certificate must be for the host name by which it is reached.
    pub check_host: bool,
}

impl Default for Tls {
    fn default() -> Self {
        Self {
            ca: None,
            certificate: None,
            key: None,
            key_password_file: None,
            key_password: None,
            check_host: true,
        }
    }
}

/// `[kafka.sasl]`: with it, clients log in.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Sasl {
    pub mechanism: Option<Mechanism>,
    pub username: String,
    pub password_file: Option<PathBuf>,
    /// From the environment; it goes before the file.
    pub password: Option<Secret>,
}

/// How a client proves that it knows its password.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub enum Mechanism {
    /// The password itself goes over the wire.
    #[serde(rename = "PLAIN")]
    Plain,
    #[serde(rename = "SCRAM-SHA-256")]
    ScramSha256,
    #[serde(rename = "SCRAM-SHA-512")]
    ScramSha512,
}

impl fmt::Display for Mechanism {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Plain => "PLAIN",
            Self::ScramSha256 => "SCRAM-SHA-256",
            Self::ScramSha512 => "SCRAM-SHA-512",
        })
    }
}

/// Both, as the process sees their files.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Security {
    pub tls: Option<Tls>,
    pub sasl: Option<Sasl>,
}

/// Values that are taken from the environment as they are, and from nowhere else or never quoted.
const VERBATIM: [[&str; 3]; 3] =
    [["kafka", "sasl", "password"], ["kafka", "tls", "key_password"], ["kafka", "sasl", "username"]];

/// Whether a value of the environment is no TOML, but a text as it stands: a password may look like a number.
pub(super) fn is_verbatim(path: &[String]) -> bool {
    VERBATIM.iter().any(|known| path.iter().map(|part| part.to_lowercase()).eq(known.iter().copied()))
}

/// Properties of librdkafka for which there are keys, or whose secrets the pipeline file would have.
fn instead(property: &str) -> Option<&'static str> {
    const TLS: [&str; 6] = [
        "ssl.ca.",
        "ssl.certificate.",
        "ssl.key",
        "ssl.truststore.",
        "enable.ssl.certificate.verification",
        "ssl.endpoint.identification.algorithm",
    ];
    match property {
        "security.protocol" => Some("it follows from `[kafka.tls]` and `[kafka.sasl]`"),
        name if name.starts_with("sasl.") => {
            Some("`[kafka.sasl]` says how to log in, by PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512")
        }
        name if TLS.iter().any(|start| name.starts_with(start)) => {
            Some("`[kafka.tls]` has keys for it, and takes files in PEM form")
        }
        _ => None,
    }
}

impl Kafka {
    /// The pipeline file is no place for them.
    pub(super) fn refuse_secrets(&self) -> Result<()> {
        let password = self.sasl.as_ref().and_then(|sasl| sasl.password.as_ref());
        let key = self.tls.as_ref().and_then(|tls| tls.key_password.as_ref());
        for (key, secret) in [("sasl.password", password), ("tls.key_password", key)] {
            if secret.is_some() {
                let variable = key.to_uppercase().replace('.', "__");
                return Err(value(format!(
                    "kafka.{key}: a password must not stand in the pipeline file, which others read. Name a file that \
                     has it, kafka.{key}_file, or set the variable TAILWATER__KAFKA__{variable}"
                )));
            }
        }
        refuse_properties(&self.properties)
    }

    pub(super) fn check_security(&self) -> Result<()> {
        refuse_properties(&self.properties)?;
        self.tls.as_ref().map_or(Ok(()), Tls::check)?;
        self.sasl.as_ref().map_or(Ok(()), Sasl::check)
    }

    /// With paths as the process sees them, of a pipeline file in that folder.
    pub(super) fn security(&self, folder: &Path) -> Security {
        let seen = |path: &Option<PathBuf>| path.as_ref().map(|path| folder.join(path));
        Security {
            tls: self.tls.as_ref().map(|tls| Tls {
                ca: seen(&tls.ca),
                certificate: seen(&tls.certificate),
                key: seen(&tls.key),
                key_password_file: seen(&tls.key_password_file),
                ..tls.clone()
            }),
            sasl: self
                .sasl
                .as_ref()
                .map(|sasl| Sasl { password_file: seen(&sasl.password_file), ..sasl.clone() }),
        }
    }
}

impl Tls {
    fn check(&self) -> Result<()> {
        if self.certificate.is_some() != self.key.is_some() {
            return Err(value("kafka.tls: certificate and key go together".to_owned()));
        }
        if self.key.is_none() && (self.key_password.is_some() || self.key_password_file.is_some()) {
            return Err(value("kafka.tls.key_password: there is no kafka.tls.key".to_owned()));
        }
        Ok(())
    }
}

impl Sasl {
    fn check(&self) -> Result<()> {
        if self.mechanism.is_none() {
            return Err(value(
                "kafka.sasl.mechanism: is missing; \"SCRAM-SHA-512\" is what most brokers have".to_owned(),
            ));
        }
        if self.username.is_empty() {
            return Err(value("kafka.sasl.username: is missing".to_owned()));
        }
        if self.password.is_none() && self.password_file.is_none() {
            return Err(value(
                "kafka.sasl: there is no password. Name a file that has it, kafka.sasl.password_file, or set the \
                 variable TAILWATER__KAFKA__SASL__PASSWORD"
                    .to_owned(),
            ));
        }
        Ok(())
    }
}

fn refuse_properties(properties: &BTreeMap<String, String>) -> Result<()> {
    let refused = properties.keys().find_map(|name| Some((name, instead(name)?)));
    refused.map_or(Ok(()), |(name, why)| {
        Err(value(format!("kafka.properties: the Kafka property `{name}` can't be set: {why}")))
    })
}

fn value(message: String) -> Error {
    Error::new(Code::ConfigValue, message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    const LOGS_IN: &str = "[kafka.sasl]\nmechanism = \"SCRAM-SHA-256\"\nusername = \"u\"\n";

    fn read(kafka: &str, environment: &[(&str, &str)]) -> Result<Config> {
        let text = format!(
            "name = \"n\"\nroutes.a.topic = \"a\"\ndead_letters.topic = \"d\"\n[[source]]\ntopic = \"t\"\n\
             columns.a = \"int\"\n{kafka}"
        );
        let environment = environment.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Config::parse(&text, Path::new("etc"), environment)
    }

    fn refused(kafka: &str, environment: &[(&str, &str)]) -> String {
        read(kafka, environment).expect_err("an error").message
    }

    #[test]
    fn files_are_relative_to_the_pipeline_file() {
        let tls = "[kafka.tls]\nca = \"ca.pem\"\ncertificate = \"/run/own.pem\"\nkey = \"own.key\"\n";
        let config = read(&format!("{tls}{LOGS_IN}password_file = \"../word\"\n"), &[]).expect("valid");
        let Security { tls: Some(tls), sasl: Some(sasl) } = config.security() else {
            panic!("both are there")
        };
        assert_eq!(tls.ca.as_deref(), Some(Path::new("etc/ca.pem")));
        assert_eq!(tls.certificate.as_deref(), Some(Path::new("/run/own.pem")));
        assert_eq!(tls.key.as_deref(), Some(Path::new("etc/own.key")));
        assert!(tls.check_host);
        assert_eq!(sasl.password_file.as_deref(), Some(Path::new("etc/../word")));
        assert_eq!(sasl.mechanism.map(|mechanism| mechanism.to_string()).as_deref(), Some("SCRAM-SHA-256"));
        assert_eq!(read("", &[]).expect("valid").security(), Security::default());
    }

    #[test]
    fn all_may_come_from_the_environment_and_passwords_are_taken_as_they_are() {
        for word in ["hunter2", "271828", "\"quoted\"", "[a]", "true", " x ", "2026-11-01"] {
            let environment = [
                ("TAILWATER__KAFKA__TLS", "{}"),
                ("TAILWATER__KAFKA__SASL__MECHANISM", "PLAIN"),
                ("TAILWATER__KAFKA__SASL__USERNAME", "4711"),
                ("TAILWATER__KAFKA__SASL__PASSWORD", word),
            ];
            let security = read("", &environment).expect("valid").security();
            assert!(security.tls.is_some());
            let sasl = security.sasl.expect("given");
            assert_eq!((sasl.username.as_str(), sasl.password), ("4711", Some(Secret::new(word))));
        }
    }

    #[test]
    fn no_secret_may_stand_in_the_file() {
        for (kafka, says) in [
            (format!("{LOGS_IN}password = \"hunter2\"\n"), "TAILWATER__KAFKA__SASL__PASSWORD"),
            ("[kafka.tls]\nkey_password = \"hunter2\"\n".to_owned(), "TAILWATER__KAFKA__TLS__KEY_PASSWORD"),
            (format!("{LOGS_IN}pasword = \"hunter2\"\n"), "unknown field `pasword`"),
            (format!("{LOGS_IN}password = hunter2\n"), "not shown"),
            ("[kafka.properties]\n\"sasl.password\" = \"hunter2\"\n".to_owned(), "[kafka.sasl]"),
            ("[kafka.properties]\n\"ssl.key.password\" = \"hunter2\"\n".to_owned(), "[kafka.tls]"),
        ] {
            let said = refused(&kafka, &[]);
            assert!(said.contains(says) && !said.contains("hunter2"), "{said}");
        }
        let said = refused(LOGS_IN, &[("TAILWATER__KAFKA__SASL__PASWORD", "hunter2")]);
        assert!(said.contains("PASWORD") && !said.contains("hunter2"), "{said}");
    }

    #[test]
    fn halves_are_refused() {
        for (kafka, says) in [
            (LOGS_IN, "password_file"),
            ("[kafka.sasl]\nusername = \"u\"\n", "mechanism"),
            ("[kafka.sasl]\nmechanism = \"PLAIN\"\npassword_file = \"p\"\n", "username"),
            ("[kafka.sasl]\nmechanism = \"GSSAPI\"\n", "SCRAM-SHA-512"),
            ("[kafka.tls]\ncertificate = \"c\"\n", "go together"),
            ("[kafka.tls]\nkey_password_file = \"p\"\n", "no kafka.tls.key"),
            ("[kafka.properties]\n\"security.protocol\" = \"ssl\"\n", "follows from"),
        ] {
            let said = refused(kafka, &[]);
            assert!(said.contains(says), "{said}");
        }
    }

    #[test]
    fn a_secret_is_in_nothing_that_is_shown_or_released() {
        let config = read(LOGS_IN, &[("TAILWATER__KAFKA__SASL__PASSWORD", "hunter2")]).expect("valid");
        let other = read(LOGS_IN, &[("TAILWATER__KAFKA__SASL__PASSWORD", "other")]).expect("valid");
        let results = toml::to_string(&config.results()).expect("plain data");
        assert!(!results.contains("hunter2") && !results.contains("sasl"), "{results}");
        assert_eq!(results, toml::to_string(&other.results()).expect("plain data"));
        assert!(config.settled_at_start(&other).is_empty(), "a new password is no other setting");
        let shown = format!("{config:?} {:?}", config.security());
        assert!(shown.contains("<secret>") && !shown.contains("hunter2"), "{shown}");
    }
}
