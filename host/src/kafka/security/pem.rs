//! Certificates and keys in their files. They are read once for each client, and looked at before it gets them: what
//! librdkafka says of a file that is no good helps nobody.

use std::io::Read;
use std::path::{Path, PathBuf};

use openssl::pkey::{PKey, Private};
use openssl::x509::X509;

use super::secret;
use crate::config::{Secret, Tls};
use crate::error::{Code, Error, Result};

/// More than any bundle of authorities has.
const LARGEST: u64 = 4 << 20;

/// Where systems keep the authorities that they trust: Debian and Ubuntu, Fedora and RHEL, SUSE, Alpine.
const SYSTEM: [&str; 4] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
];

/// Of which authorities brokers must be.
pub(super) enum Trust {
    /// Those of the user's file.
    Given(String),
    /// Those of the system's.
    System(PathBuf),
    /// Those that OpenSSL finds.
    OpenSsl,
}

/// A client's own certificate and key.
pub(super) struct Own {
    pub certificate: String,
    pub key: String,
    pub password: Option<Secret>,
}

/// All of a client.
pub(super) struct Pem {
    pub trust: Trust,
    pub own: Option<Own>,
}

impl Pem {
    pub fn read(tls: &Tls) -> Result<Self> {
        let trust = match &tls.ca {
            None => system(),
            Some(path) => {
                let text = read("kafka.tls.ca", path)?;
                certificates("kafka.tls.ca", path, &text)?;
                Trust::Given(text)
            }
        };
        let own = match (&tls.certificate, &tls.key) {
            (Some(certificate), Some(key)) => Some(Own::read(tls, certificate, key)?),
            _ => None,
        };
        Ok(Self { trust, own })
    }
}

impl Own {
    fn read(tls: &Tls, certificate_path: &Path, key_path: &Path) -> Result<Self> {
        let password =
            secret("kafka.tls.key_password", tls.key_password.as_ref(), tls.key_password_file.as_deref())?;
        let certificate = read("kafka.tls.certificate", certificate_path)?;
        let key = read("kafka.tls.key", key_path)?;
        let chain = certificates("kafka.tls.certificate", certificate_path, &certificate)?;
        let own = Self { certificate, key, password };
        let private = own.private().map_err(|why| unusable("kafka.tls.key", key_path, why))?;
        // The first is the client's own; those of authorities follow.
        let is_pair = chain[0].public_key().is_ok_and(|public| public.public_eq(&private));
        if is_pair {
            return Ok(own);
        }
        let why = format!("the key is not that of the certificate in {}", certificate_path.display());
        Err(unusable("kafka.tls.key", key_path, &why))
    }

    /// The key itself.
    pub fn private(&self) -> Result<PKey<Private>, &'static str> {
        let password = self.password.as_ref().map_or("", Secret::reveal).as_bytes();
        let mut is_encrypted = false;
        let key = PKey::private_key_from_pem_callback(self.key.as_bytes(), |buffer| {
            is_encrypted = true;
            let length = password.len().min(buffer.len());
            buffer[..length].copy_from_slice(&password[..length]);
            Ok(length)
        });
        key.map_err(|_| match (is_encrypted, password.is_empty()) {
            (true, true) => {
                "the key is encrypted: name the file of its password, kafka.tls.key_password_file"
            }
            (true, false) => "the key can't be decrypted with its password",
            (false, _) => "there is no private key in PEM form",
        })
    }

    /// The client's own certificate, and those of authorities behind it.
    pub fn chain(&self) -> Vec<X509> {
        X509::stack_from_pem(self.certificate.as_bytes()).unwrap_or_default()
    }
}

/// At least one.
fn certificates(key: &str, path: &Path, text: &str) -> Result<Vec<X509>> {
    match X509::stack_from_pem(text.as_bytes()) {
        Ok(found) if !found.is_empty() => Ok(found),
        _ => Err(unusable(key, path, "there is no certificate in PEM form")),
    }
}

fn unusable(key: &str, path: &Path, why: &str) -> Error {
    Error::new(Code::TlsFile, format!("{key}: {}: {why}", path.display()))
}

/// Where the user, or whoever made this machine, says; or where systems have them.
fn system() -> Trust {
    if ["SSL_CERT_FILE", "SSL_CERT_DIR"].iter().any(|name| std::env::var_os(name).is_some()) {
        return Trust::OpenSsl;
    }
    let found = SYSTEM.iter().map(PathBuf::from).find(|path| path.is_file());
    found.map_or(Trust::OpenSsl, Trust::System)
}

/// A small file that a key of the pipeline file names.
pub(super) fn read(key: &str, path: &Path) -> Result<String> {
    let mut text = String::new();
    let file = std::fs::File::open(path).and_then(|file| file.take(LARGEST).read_to_string(&mut text));
    file.map_err(|error| Error::new(Code::ConfigUnreadable, format!("{key}: {}: {error}", path.display())))?;
    Ok(text)
}
