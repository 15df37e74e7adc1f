//! Writes the history that the fraud example's model is trained with.

use std::process::ExitCode;

use clap::Parser;
use fraud_demo::args::History;
use fraud_demo::history::{self, Written};

fn main() -> ExitCode {
    match history::write(&History::parse()) {
        Ok(Written { rows, frauds, refused }) => {
            eprintln!("{rows} transactions, {frauds} of them fraud; {refused} records were refused");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::FAILURE
        }
    }
}
