//! `[[store]]`: where outputs are kept beside Kafka.

use std::path::PathBuf;

use serde::Deserialize;

use super::{Config, Duration, Size, is_plain};
use crate::error::{Code, Error, Result};

/// `[[store]]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Store {
    /// Part of the name of its consumer group.
    pub name: String,
    /// Whose outputs are kept; none: those of all routes.
    pub routes: Option<Vec<String>>,
    pub postgres: Option<Postgres>,
    pub parquet: Option<Parquet>,
}

/// `[store.postgres]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Postgres {
    /// As PostgreSQL's own clients take it, without a password.
    pub url: String,
    /// `TABLE`, or `SCHEMA.TABLE`.
    pub table: String,
    /// None: `PGPASSWORD`, if a password is asked for.
    pub password_file: Option<PathBuf>,
    /// None: what goes over the wire can be read there.
    pub tls: Option<StoreTls>,
}

/// `[store.postgres.tls]`: with it, the database is spoken to through TLS.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct StoreTls {
    /// Of which authorities the database's certificate must be; none: those that the system trusts.
    pub ca: Option<PathBuf>,
    /// This client's own certificate, and those between it and its authority.
    pub certificate: Option<PathBuf>,
    /// Its key.
    pub key: Option<PathBuf>,
    /// Whether the database's certificate must be for the host name by which it is reached.
    pub check_host: bool,
}

impl Default for StoreTls {
    fn default() -> Self {
        Self { ca: None, certificate: None, key: None, check_host: true }
    }
}

/// `[store.parquet]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Parquet {
    pub directory: PathBuf,
    /// A file ends when it has so much, written.
    #[serde(default = "file_bytes")]
    pub file_bytes: Size,
    /// Or so many rows.
    #[serde(default = "file_rows")]
    pub file_rows: usize,
    /// Or its first row has waited for so long.
    #[serde(default = "file_age")]
    pub file_age: Duration,
    /// Of rows that are not written yet, of all partitions.
    #[serde(default = "memory")]
    pub memory: Size,
}

fn file_bytes() -> Size {
    Size::from_mib(128)
}

fn file_rows() -> usize {
    1_000_000
}

fn file_age() -> Duration {
    Duration::from_millis(300_000)
}

fn memory() -> Size {
    Size::from_mib(64)
}

/// What a store is, one of these.
#[derive(Clone, Copy, Debug)]
pub enum StoreKind<'a> {
    Postgres(&'a Postgres),
    Parquet(&'a Parquet),
}

impl Store {
    /// None, if it is not said, or said twice.
    pub fn kind(&self) -> Option<StoreKind<'_>> {
        match (&self.postgres, &self.parquet) {
            (Some(section), None) => Some(StoreKind::Postgres(section)),
            (None, Some(section)) => Some(StoreKind::Parquet(section)),
            _ => None,
        }
    }

    /// Whether the outputs of a route are kept.
    pub fn keeps(&self, route: &str) -> bool {
        self.routes.as_ref().is_none_or(|routes| routes.iter().any(|name| name == route))
    }

    fn check(&self) -> Result<(), String> {
        if !is_plain(&self.name) {
            return Err(format!("name: {:?} must be 1 to 100 letters, digits, -, _ or .", self.name));
        }
        let Some(kind) = self.kind() else {
            return Err("one of `postgres` and `parquet` says where outputs are kept".to_owned());
        };
        match kind {
            StoreKind::Postgres(section) => section.check(),
            StoreKind::Parquet(section) => section.check(),
        }
    }
}

impl Postgres {
    /// Schema, if it is named, and table.
    pub fn place(&self) -> (Option<&str>, &str) {
        match self.table.split_once('.') {
            Some((schema, table)) => (Some(schema), table),
            None => (None, &self.table),
        }
    }

    fn check(&self) -> Result<(), String> {
        let (schema, table) = self.place();
        let is_name = |name: &str| (1..=63).contains(&name.len()) && !name.contains(['.', '\0']);
        if !is_name(table) || !schema.is_none_or(is_name) {
            return Err(format!("postgres.table: {:?} must be TABLE or SCHEMA.TABLE", self.table));
        }
        match &self.tls {
            Some(tls) if tls.certificate.is_some() != tls.key.is_some() => {
                Err("postgres.tls: a certificate needs its key, and a key its certificate".to_owned())
            }
            _ => Ok(()),
        }
    }
}

impl Parquet {
    fn check(&self) -> Result<(), String> {
        if self.directory.as_os_str().is_empty() {
            return Err("parquet.directory: is empty".to_owned());
        }
        for (name, size) in [("file_bytes", self.file_bytes), ("memory", self.memory)] {
            if !(1 << 20..=1 << 36).contains(&size.bytes()) {
                return Err(format!("parquet.{name}: {size:?} is not between 1MiB and 64GiB"));
            }
        }
        if !(1..=100_000_000).contains(&self.file_rows) {
            return Err(format!("parquet.file_rows: {} is not between 1 and 100000000", self.file_rows));
        }
        let age = self.file_age.get();
        if age.is_zero() || age.as_secs() > 86_400 {
            return Err(format!("parquet.file_age: {age:?} is not between 1ms and 1d"));
        }
        Ok(())
    }
}

impl Config {
    /// The consumer group of a store.
    pub fn store_group(&self, store: &Store) -> String {
        format!("{}.store.{}", self.name, store.name)
    }

    /// Routes may go with a release; those of the file are there when it is read.
    pub(super) fn check_stores(&self) -> Result<()> {
        let refuse = |message: String| Err(Error::new(Code::ConfigValue, message));
        for (index, store) in self.store.iter().enumerate() {
            if let Err(why) = store.check() {
                return refuse(format!("store.{why}"));
            }
            if self.store[..index].iter().any(|other| other.name == store.name) {
                return refuse(format!("store.name: two stores are called {:?}", store.name));
            }
            let directory = |store: &Store| store.parquet.as_ref().map(|section| section.directory.clone());
            let own = directory(store);
            if own.is_some() && self.store[..index].iter().any(|other| directory(other) == own) {
                return refuse(format!("store.parquet.directory: {own:?} is that of two stores"));
            }
            let routes = store.routes.iter().flatten();
            if let Some(route) = routes.clone().find(|route| !self.routes.contains_key(*route)) {
                return refuse(format!("store.routes: there is no [routes.{route}]"));
            }
            if store.routes.as_ref().is_some_and(Vec::is_empty) {
                return refuse("store.routes: is empty".to_owned());
            }
        }
        Ok(())
    }
}
