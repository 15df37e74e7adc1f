//! The program.

use std::process::ExitCode;

use clap::Parser;
use tailwater::cli::Cli;
use tailwater::log;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    // ONNX Runtime (1.31) opens a database of what it would tell its makers before it can be asked not to.
    // SAFETY: no other thread is there yet that could look at the environment.
    unsafe { std::env::set_var("ORT_DISABLE_TELEMETRY", "1") };
    let cli = Cli::parse();
    let _log = log::open(cli.log());
    match cli.run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{}", error.report());
            ExitCode::FAILURE
        }
    }
}
