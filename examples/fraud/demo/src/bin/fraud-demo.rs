//! Shows the fraud example live.

use std::process::ExitCode;

use clap::Parser;
use fraud_demo::args::Demo;
use fraud_demo::session;
use tracing_subscriber::EnvFilter;

fn main() -> ExitCode {
    // The host's log would run through the picture: it is there only for who asks for it.
    if let Ok(filter) = EnvFilter::try_from_env("TAILWATER_LOG") {
        tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).compact().init();
    }
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
