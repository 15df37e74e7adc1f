//! What the program says of itself.

use clap::{Args, ValueEnum};

use crate::log::{Filter, Format, Options};

#[derive(Debug, Args)]
pub(super) struct Log {
    /// What is logged: off, error, warn, info, debug or trace, also of single rooms: info,kafka=debug. A room is a folder
    /// of host/src; `tasks`, `transactions` and `lsm_tree` are some others, which a wrong name lists.
    #[arg(
        long = "log",
        env = "TAILWATER_LOG",
        value_name = "LEVEL,ROOM=LEVEL,...",
        global = true,
        default_value = "info"
    )]
    filter: Filter,
    /// How lines look: for people, or a JSON object each.
    #[arg(
        long = "log-format",
        env = "TAILWATER_LOG_FORMAT",
        value_enum,
        global = true,
        default_value = "text"
    )]
    format: Look,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Look {
    Text,
    Json,
}

impl Log {
    pub(super) fn options(&self) -> Options {
        let format = match self.format {
            Look::Text => Format::Text,
            Look::Json => Format::Json,
        };
        Options { filter: self.filter.clone(), format }
    }
}
