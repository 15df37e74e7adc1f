//! The admin API of a process that runs pipelines.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Args;

use crate::admin::{Options, Server, Tokens};
use crate::error::{Code, Error, Result};

/// In a variable alone: a command line is seen by all who look at the processes of a machine.
const TOKEN: &str = "TAILWATER_ADMIN_TOKEN";

#[derive(Debug, Args)]
pub(super) struct Admin {
    /// Serves the admin API there, such as 127.0.0.1:8811. What is not loopback needs a token.
    #[arg(long = "admin", env = "TAILWATER_ADMIN", value_name = "ADDRESS:PORT")]
    listen: Option<SocketAddr>,
    /// Has the admin API's tokens, one a line, with a name before it or without; so has TAILWATER_ADMIN_TOKEN one.
    #[arg(long = "admin-token-file", env = "TAILWATER_ADMIN_TOKEN_FILE", value_name = "FILE")]
    tokens: Option<PathBuf>,
}

impl Admin {
    /// None: it is not wanted.
    pub(super) fn open(self) -> Result<Option<Server>> {
        let Some(listen) = self.listen else { return Ok(None) };
        let token = std::env::var_os(TOKEN).map(|token| {
            let text = token.into_string();
            text.map_err(|_| Error::new(Code::AdminToken, format!("{TOKEN}: it is no text")))
        });
        let token = token.transpose()?.filter(|token| !token.is_empty());
        let tokens = Tokens::read(self.tokens.as_deref(), token.as_deref())?;
        Server::open(Options { listen, tokens }).map(Some)
    }
}
