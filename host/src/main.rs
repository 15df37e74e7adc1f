//! The program.

use std::io::IsTerminal;
use std::process::ExitCode;

use clap::Parser;
use tailwater::cli::Cli;
use tracing_subscriber::EnvFilter;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    // ONNX Runtime (1.31) opens a database of what it would tell its makers before it can be asked not to.
    // SAFETY: no other thread is there yet that could look at the environment.
    unsafe { std::env::set_var("ORT_DISABLE_TELEMETRY", "1") };
    let filter =
        EnvFilter::try_from_env("TAILWATER_LOG").unwrap_or_else(|_| EnvFilter::new("info,lsm_tree=warn"));
    let no_color = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    let colors = std::io::stderr().is_terminal() && !no_color;
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    log.with_ansi(colors).compact().init();
    match Cli::parse().run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{}", error.report());
            ExitCode::FAILURE
        }
    }
}
