//! How clients and brokers know each other: certificates and passwords on their way from files to clients, and what it
//! means when one of them is refused.

mod pem;
mod probe;
mod trouble;

use std::path::Path;

use rdkafka::ClientConfig;

use crate::config::{Sasl, Secret, Security, Tls};
use crate::error::{Code, Error, Result};
use pem::{Pem, Trust};

pub(super) use trouble::{Trouble, explained, looked_into};

/// Parts of names of properties whose values nobody is shown.
const SECRET: [&str; 3] = ["password", "secret", ".pem"];

/// Whether the value of a property is to be kept from others.
pub(super) fn is_secret(property: &str) -> bool {
    SECRET.iter().any(|part| property.contains(part))
}

/// Tells a client's configuration what the files have now.
pub(super) fn secure(Security { tls, sasl }: &Security, config: &mut ClientConfig) -> Result<()> {
    let protocol = match (tls, sasl) {
        (None, None) => "plaintext",
        (Some(_), None) => "ssl",
        (None, Some(_)) => "sasl_plaintext",
        (Some(_), Some(_)) => "sasl_ssl",
    };
    config.set("security.protocol", protocol);
    if let Some(tls) = tls {
        encrypt(tls, config)?;
    }
    if let Some(sasl) = sasl {
        let mechanism = sasl.mechanism.map(|mechanism| mechanism.to_string());
        config.set("sasl.mechanism", mechanism.unwrap_or_default());
        config.set("sasl.username", &sasl.username);
        config.set("sasl.password", password(sasl)?.reveal());
    }
    Ok(())
}

fn encrypt(tls: &Tls, config: &mut ClientConfig) -> Result<()> {
    let Pem { trust, own } = Pem::read(tls)?;
    match &trust {
        Trust::Given(text) => {
            config.set("ssl.ca.pem", text);
        }
        Trust::System(path) => {
            config.set("ssl.ca.location", path.to_string_lossy());
        }
        Trust::OpenSsl => {}
    }
    config.set("ssl.endpoint.identification.algorithm", if tls.check_host { "https" } else { "none" });
    if let Some(own) = own {
        config.set("ssl.certificate.pem", own.certificate);
        config.set("ssl.key.pem", own.key);
        if let Some(password) = own.password {
            config.set("ssl.key.password", password.reveal());
        }
    }
    Ok(())
}

/// With which a client logs in now.
pub(super) fn password(sasl: &Sasl) -> Result<Secret> {
    secret("kafka.sasl.password", sasl.password.as_ref(), sasl.password_file.as_deref())?
        .ok_or_else(|| Error::new(Code::ConfigValue, "kafka.sasl: there is no password"))
}

/// A secret as it is, or as its file has it, but for the end of its line.
fn secret(key: &str, given: Option<&Secret>, file: Option<&Path>) -> Result<Option<Secret>> {
    let (Some(file), None) = (file, given) else { return Ok(given.cloned()) };
    let text = pem::read(&format!("{key}_file"), file)?;
    let text = text.trim_end_matches(['\r', '\n']);
    if text.is_empty() {
        let message = format!("{key}_file: {} is empty", file.display());
        return Err(Error::new(Code::ConfigValue, message));
    }
    Ok(Some(Secret::new(text)))
}
