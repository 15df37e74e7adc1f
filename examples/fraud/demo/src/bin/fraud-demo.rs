//! Shows the fraud example live.

use std::process::ExitCode;

use clap::Parser;
use fraud_demo::args::Demo;
use fraud_demo::session;
use tailwater::log::{self, Format, Options};

fn main() -> ExitCode {
    // The host's log would run through the picture: it is there only for who asks for it.
    let filter = std::env::var("TAILWATER_LOG").ok().and_then(|text| text.parse().ok());
    let _log = filter.map(|filter| log::open(Options { filter, format: Format::Text }));
    let demo = Demo::parse();
    match session::run(&demo) {
        Ok(report) => {
            match serde_json::to_string(&report) {
                Ok(line) if demo.json => println!("{line}"),
                _ => println!("{}", report.text()),
            }
            if report.predictions > 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::FAILURE
        }
    }
}
