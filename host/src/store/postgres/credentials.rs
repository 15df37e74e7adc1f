//! How this client and the database know each other. Files are read whenever a connection is made: they may have changed.

use std::path::{Path, PathBuf};

use openssl::error::ErrorStack;
use openssl::ssl::{SslConnector, SslFiletype, SslMethod};
use postgres_openssl::MakeTlsConnector;

use crate::config::{Postgres, StoreTls};
use crate::error::{Code, Error, Result};

/// Where a password is looked for, if no file is named: as by PostgreSQL's own clients.
const PASSWORD: &str = "PGPASSWORD";

/// Of one store.
#[derive(Clone, Debug)]
pub(super) struct Credentials {
    folder: PathBuf,
    password_file: Option<PathBuf>,
    tls: Option<StoreTls>,
}

impl Credentials {
    /// Paths are relative to the folder.
    pub fn of(section: &Postgres, folder: &Path) -> Self {
        let Postgres { password_file, tls, .. } = section.clone();
        Self { folder: folder.to_owned(), password_file, tls }
    }

    pub fn password(&self) -> Result<Option<String>> {
        let Some(file) = &self.password_file else { return Ok(std::env::var(PASSWORD).ok()) };
        let file = self.folder.join(file);
        let text =
            std::fs::read_to_string(&file).map_err(|error| unreadable("password_file", &file, &error))?;
        Ok(Some(text.trim_end_matches(['\r', '\n']).to_owned()))
    }

    /// None: without TLS.
    pub fn connector(&self) -> Result<Option<MakeTlsConnector>> {
        let Some(StoreTls { ca, certificate, key, check_host }) = &self.tls else { return Ok(None) };
        let mut builder = SslConnector::builder(SslMethod::tls_client())
            .map_err(|error| Error::new(Code::Internal, format!("OpenSSL has no client: {error}")))?;
        self.read("ca", ca.as_ref(), |file| builder.set_ca_file(file))?;
        self.read("certificate", certificate.as_ref(), |file| builder.set_certificate_chain_file(file))?;
        self.read("key", key.as_ref(), |file| builder.set_private_key_file(file, SslFiletype::PEM))?;
        let (mut connector, check_host) = (MakeTlsConnector::new(builder.build()), *check_host);
        connector.set_callback(move |configuration, _host| {
            configuration.set_verify_hostname(check_host);
            Ok(())
        });
        Ok(Some(connector))
    }

    fn read(
        &self,
        key: &str,
        file: Option<&PathBuf>,
        read: impl FnOnce(&Path) -> Result<(), ErrorStack>,
    ) -> Result<()> {
        let Some(file) = file else { return Ok(()) };
        let file = self.folder.join(file);
        read(&file).map_err(|error| unreadable(&format!("tls.{key}"), &file, &error))
    }
}

fn unreadable(key: &str, file: &Path, error: &dyn std::fmt::Display) -> Error {
    let text = format!("store.postgres.{key}: {}: {error}", file.display());
    Error::new(Code::ConfigUnreadable, text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(password_file: Option<&Path>, tls: Option<StoreTls>) -> Credentials {
        let password_file = password_file.map(Path::to_owned);
        Credentials { folder: PathBuf::from("/nowhere"), password_file, tls }
    }

    #[test]
    fn a_password_file_may_end_in_a_newline() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), " a b \r\n").unwrap();
        assert_eq!(with(Some(file.path()), None).password().unwrap().as_deref(), Some(" a b "));
        let error = with(Some(Path::new("at/all")), None).password().unwrap_err();
        assert_eq!(error.code, Code::ConfigUnreadable);
    }

    #[test]
    fn files_that_are_not_there_are_named() {
        assert!(with(None, None).connector().unwrap().is_none());
        assert!(with(None, Some(StoreTls::default())).connector().unwrap().is_some());
        let tls = StoreTls { ca: Some("ca.pem".into()), ..StoreTls::default() };
        let error = with(None, Some(tls)).connector().err().unwrap();
        assert!(error.message.contains("store.postgres.tls.ca: /nowhere/ca.pem"), "{error}");
    }
}
