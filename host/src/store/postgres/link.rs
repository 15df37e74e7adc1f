//! A connection, and what the database says.

use std::io::Cursor;
use std::time::Duration;

use futures_util::SinkExt;
use tokio::task::JoinHandle;
use tokio_postgres::config::SslMode;
use tokio_postgres::error::SqlState;
use tokio_postgres::tls::MakeTlsConnect;
use tokio_postgres::{Client, Config, NoTls, Socket, Statement};

use super::credentials::Credentials;
use super::table::{Found, Shape};
use crate::config::Postgres;
use crate::error::{Code, Error, Result};

const CONNECTED_WITHIN: Duration = Duration::from_secs(10);
/// A machine that says nothing for so long is gone.
const SILENT_AT_MOST: Duration = Duration::from_secs(30);
const ASKED_AFTER: Duration = Duration::from_secs(10);
/// A transaction that takes longer is begun anew.
const WRITTEN_WITHIN: Duration = Duration::from_secs(300);
const CLOSED_WITHIN: Duration = Duration::from_secs(1);

const COLUMNS: &str = "SELECT a.attname::text, format_type(a.atttypid, a.atttypmod), \
     a.attnotnull AND NOT a.atthasdef AND a.attidentity = '' \
     FROM pg_attribute a WHERE a.attrelid = $1 AND a.attnum > 0 AND NOT a.attisdropped";
/// Columns of what makes rows unique, in order of their names.
const KEYS: &str = "SELECT array_agg(a.attname::text ORDER BY a.attname::text COLLATE \"C\") \
     FROM pg_index i JOIN pg_attribute a ON a.attrelid = i.indrelid \
     AND a.attnum = ANY ((i.indkey::int2[])[0:i.indnkeyatts - 1]) \
     WHERE i.indrelid = $1 AND i.indisunique AND i.indisvalid AND i.indimmediate \
     AND i.indpred IS NULL AND i.indexprs IS NULL GROUP BY i.indexrelid";

/// Who is asked.
pub(super) fn address(section: &Postgres) -> Result<Config> {
    let refuse = |why: &str| Error::new(Code::ConfigValue, format!("store.postgres.url: {why}"));
    // What is wrong with it is not repeated: somebody may have written a password into it.
    let parsed = section.url.parse::<Config>();
    let mut config =
        parsed.map_err(|_| refuse("it must be such as \"postgresql://USER@HOST:5432/DATABASE\""))?;
    if config.get_password().is_some() {
        return Err(refuse(
            "a password does not belong into it: name a file with `password_file`, or set PGPASSWORD",
        ));
    }
    if config.get_hosts().is_empty() && config.get_hostaddrs().is_empty() {
        return Err(refuse("it names no host"));
    }
    if config.get_connect_timeout().is_none() {
        config.connect_timeout(CONNECTED_WITHIN);
    }
    if config.get_ssl_mode() == SslMode::Require && section.tls.is_none() {
        return Err(refuse("it wants TLS, for which there is the section [store.postgres.tls]"));
    }
    config.ssl_mode(if section.tls.is_some() { SslMode::Require } else { SslMode::Disable });
    config.tcp_user_timeout(SILENT_AT_MOST).keepalives_idle(ASKED_AFTER).keepalives_interval(ASKED_AFTER);
    config.keepalives_retries(2);
    Ok(config)
}

/// A connection with all that is needed to write.
pub(super) struct Link {
    client: Client,
    copy: Statement,
    insert: Statement,
    connection: Connection,
}

/// What carries it. Dropped, it is cut.
struct Connection(JoinHandle<()>);

impl Drop for Connection {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Link {
    /// Connects, and looks at the table, which is made if it is not there.
    pub async fn open(address: &Config, credentials: &Credentials, shape: &Shape) -> Result<Self> {
        let mut address = address.clone();
        if let Some(password) = credentials.password()? {
            address.password(password);
        }
        let connected = match credentials.connector()? {
            Some(connector) => tokio::time::timeout(CONNECTED_WITHIN * 2, connect(&address, connector)).await,
            None => tokio::time::timeout(CONNECTED_WITHIN * 2, connect(&address, NoTls)).await,
        };
        let (client, connection) = connected.map_err(|_| late(CONNECTED_WITHIN * 2))??;
        let mut link = Pending { client, connection };
        let prepared = tokio::time::timeout(WRITTEN_WITHIN, link.prepare(shape)).await;
        let (copy, insert) = prepared.map_err(|_| late(WRITTEN_WITHIN))??;
        let Pending { client, connection } = link;
        Ok(Self { client, copy, insert, connection })
    }

    /// Writes rows in one transaction.
    pub async fn write(&mut self, rows: &[u8]) -> Result<()> {
        let written = tokio::time::timeout(WRITTEN_WITHIN, self.write_all(rows)).await;
        written.map_err(|_| late(WRITTEN_WITHIN))?.map_err(|error| told(&error, "writing rows"))
    }

    /// Says good-bye.
    pub async fn close(self) {
        let Self { client, mut connection, .. } = self;
        drop(client);
        // What does not end by itself is cut.
        let _ = tokio::time::timeout(CLOSED_WITHIN, &mut connection.0).await;
    }

    async fn write_all(&mut self, rows: &[u8]) -> Result<(), tokio_postgres::Error> {
        let transaction = self.client.transaction().await?;
        let sink = transaction.copy_in(&self.copy).await?;
        let mut sink = std::pin::pin!(sink);
        sink.send(Cursor::new(rows.to_vec())).await?;
        sink.finish().await?;
        transaction.execute(&self.insert, &[]).await?;
        transaction.commit().await
    }
}

async fn connect<T>(address: &Config, tls: T) -> Result<(Client, Connection)>
where
    T: MakeTlsConnect<Socket>,
    T::Stream: Send + 'static,
{
    let (client, connection) = address.connect(tls).await.map_err(|error| told(&error, "connecting"))?;
    let connection = tokio::spawn(async {
        // Whoever asks something hears it too.
        let _ = connection.await;
    });
    Ok((client, Connection(connection)))
}

/// Connected, and no more.
struct Pending {
    client: Client,
    connection: Connection,
}

impl Pending {
    async fn prepare(&mut self, shape: &Shape) -> Result<(Statement, Statement)> {
        let schema = self.make(shape).await?;
        let client = &self.client;
        let prepare = async {
            client.batch_execute(&shape.create_stage()).await?;
            Ok((client.prepare(&shape.copy()).await?, client.prepare(&shape.insert(&schema)).await?))
        };
        prepare.await.map_err(|error| told(&error, "preparing"))
    }

    /// Makes the table what it has to be. Gives its schema.
    async fn make(&mut self, shape: &Shape) -> Result<String> {
        let looking = |error: tokio_postgres::Error| told(&error, "looking at the table");
        let transaction = self.client.transaction().await.map_err(looking)?;
        let encoding: String =
            transaction.query_one("SHOW server_encoding", &[]).await.map_err(looking)?.get(0);
        if encoding != "UTF8" {
            let text = format!("the database has the encoding {encoding}, and needs UTF8");
            return Err(Error::new(Code::StoreTable, text));
        }
        let schema = match &shape.schema {
            Some(schema) => Some(schema.clone()),
            None => {
                transaction.query_one("SELECT current_schema()::text", &[]).await.map_err(looking)?.get(0)
            }
        };
        let schema = schema.ok_or_else(|| {
            Error::new(Code::StoreTable, "no schema of the search_path exists: name one, `SCHEMA.TABLE`")
        })?;
        let name = shape.name(&schema);
        // Processes that start at the same time make it one after the other.
        let lock = "SELECT pg_advisory_xact_lock(hashtextextended($1, 0))";
        transaction.execute(lock, &[&format!("tailwater {name}")]).await.map_err(looking)?;
        let found = transaction.query_one("SELECT to_regclass($1)::oid", &[&name]).await.map_err(looking)?;
        let change = match found.get::<_, Option<u32>>(0) {
            None => Some(shape.create(&schema)),
            Some(table) => {
                let columns = transaction.query(COLUMNS, &[&table]).await.map_err(looking)?;
                let columns: Vec<Found> = columns
                    .iter()
                    .map(|row| Found { name: row.get(0), kind: row.get(1), is_demanding: row.get(2) })
                    .collect();
                let keys = transaction.query(KEYS, &[&table]).await.map_err(looking)?;
                let keys: Vec<Vec<String>> = keys.iter().map(|row| row.get(0)).collect();
                shape.compare(&schema, &columns, &keys)?
            }
        };
        if let Some(change) = &change {
            let changed = transaction.batch_execute(change).await;
            changed.map_err(|error| {
                let Error { code, message } = told(&error, "changing the table");
                Error::new(code, format!("{message}\nSomebody else may do it:\n{change}"))
            })?;
        }
        transaction.commit().await.map_err(looking)?;
        if change.is_some() {
            tracing::info!("made what was lacking of table {name}");
        }
        Ok(schema)
    }
}

fn late(within: Duration) -> Error {
    Error::new(Code::StoreUnreachable, format!("the database did not answer within {within:?}"))
}

/// What went wrong. Of rows nothing is repeated.
fn told(error: &tokio_postgres::Error, doing: &str) -> Error {
    let Some(said) = error.as_db_error() else {
        let source =
            std::error::Error::source(error).map_or_else(String::new, |source| format!(": {source}"));
        let text = format!("{doing}: {error}{source}");
        let is_distrust = ["certificate", "does not support TLS"].iter().any(|part| text.contains(part));
        return Error::new(if is_distrust { Code::StoreDenied } else { Code::StoreUnreachable }, text);
    };
    let mut text = format!("{doing}: {} (SQLSTATE {})", said.message(), said.code().code());
    for (what, name) in
        [("table", said.table()), ("column", said.column()), ("constraint", said.constraint())]
    {
        text += &name.map_or_else(String::new, |name| format!(", {what} {name:?}"));
    }
    Error::new(code_of(said.code()), text)
}

fn code_of(state: &SqlState) -> Code {
    let class = state.code().get(..2).unwrap_or_default();
    match class {
        // Who asks, or for what, is not known or not let in.
        "28" | "3D" => Code::StoreDenied,
        _ if *state == SqlState::INSUFFICIENT_PRIVILEGE => Code::StoreDenied,
        // The connection, resources, an operator; transactions that met; what waited too long.
        "08" | "53" | "57" | "58" | "40" | "55" => Code::StoreUnreachable,
        // It was changed, or dropped, meanwhile.
        "42" => Code::StoreTable,
        _ => Code::StoreRefused,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(url: &str) -> Result<Config> {
        let section = Postgres { url: url.to_owned(), table: "t".to_owned(), password_file: None, tls: None };
        address(&section)
    }

    #[test]
    fn addresses_are_those_of_postgresqls_own_clients() {
        for url in [
            "postgresql://me@db:5433/d",
            "postgres://db/d?target_session_attrs=read-write",
            "host=/run/postgresql user=me dbname=d",
            "host=a,b port=1,2",
        ] {
            assert!(at(url).is_ok(), "{url}");
        }
        for url in ["", "http://db/d", "postgresql:///d", "host=db nonsense=1"] {
            assert_eq!(at(url).unwrap_err().code, Code::ConfigValue, "{url}");
        }
    }

    #[test]
    fn passwords_are_neither_taken_nor_repeated() {
        for url in ["postgresql://me:hush@db/d", "host=db password=hush", "postgresql://me:hush@db:x/d"] {
            let error = at(url).unwrap_err();
            assert!(!error.message.contains("hush"), "{error}");
        }
    }

    #[test]
    fn what_helps_decides_the_code() {
        let code = |state: &str| code_of(&SqlState::from_code(state));
        assert_eq!(code("57P03"), Code::StoreUnreachable);
        assert_eq!(code("28P01"), Code::StoreDenied);
        assert_eq!(code("42501"), Code::StoreDenied);
        assert_eq!(code("42P01"), Code::StoreTable);
        assert_eq!(code("23514"), Code::StoreRefused);
        assert_eq!(code("53100"), Code::StoreUnreachable);
    }
}
