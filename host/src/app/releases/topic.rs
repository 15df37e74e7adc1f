//! Where it is seen what the topic of releases says.

use std::sync::Arc;
use std::time::Duration;

use crate::app::control::Control;
use crate::app::steward::Board;
use crate::error::{Code, Error, Result};
use crate::release::ledger::Ledger;

#[derive(Debug)]
pub(super) enum Topic {
    /// It is read for this.
    Read(Box<Control>),
    /// The steward of the running pipeline tells it.
    Told { board: Arc<Board>, ledger: Arc<Ledger> },
}

impl Topic {
    /// Of a pipeline that runs in this process.
    pub fn told(board: &Arc<Board>) -> Result<Self> {
        let ledger = board.look().ok_or_else(|| {
            let text = "this pipeline takes no releases while it runs: releases.enabled is false, or the run ends by itself";
            Error::new(Code::ConfigValue, text)
        })?;
        Ok(Self::Told { board: Arc::clone(board), ledger })
    }

    /// As of the last look.
    pub fn ledger(&self) -> &Ledger {
        match self {
            Self::Read(control) => &control.ledger,
            Self::Told { ledger, .. } => ledger,
        }
    }

    /// Looks again, and waits for news.
    pub fn look(&mut self, wait: Duration) -> Result<()> {
        match self {
            Self::Read(control) => control.read(wait).map(drop),
            Self::Told { board, ledger } => {
                if let Some(now) = board.wait(ledger, wait) {
                    *ledger = now;
                }
                Ok(())
            }
        }
    }
}
