//! The `outrigger` command.

mod args;
mod call;
mod console;
mod exit;
mod load;
mod options;
mod pem;
mod report;
mod request;
mod storm;
mod tally;
mod times;
mod upstream;
mod usage;
mod wire;
mod words;

use std::process::ExitCode;

use clap::Parser;
use tokio::runtime::Builder;

use crate::args::{Args, Command};
use crate::exit::Exit;
use crate::usage::Usage;

fn main() -> ExitCode {
    let exit = run(Args::parse().command).unwrap_or_else(|usage| {
        console::note(format_args!("outrigger: {usage}"));
        Exit::Usage
    });
    exit.into()
}

fn run(command: Command) -> Result<Exit, Usage> {
    let runtime = Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Usage::new(format!("cannot start: {error}")))?;
    let exit = runtime.block_on(async {
        match command {
            Command::Call(args) => call::run(*args).await,
            Command::Load(args) => load::run(*args).await,
            Command::Download { .. } => Err(Usage::new(
                "download is not built yet: call URL -o FILE fetches it, without resuming",
            )),
            Command::Storm(args) => storm::run(args).await,
            Command::Upstream(args) => upstream::run(args).await,
        }
    });
    // A read of standard input that nobody waits for any more must not keep the process alive.
    runtime.shutdown_background();
    exit
}
