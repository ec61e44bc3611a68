use std::path::PathBuf;

use clap::Args;

use crate::exit::Exit;
use crate::request::RequestArgs;

/// One call: what to send and where its answer goes.
#[derive(Args, Debug)]
#[command(
    override_usage = "outrigger call [OPTIONS] [METHOD] <URL>",
    after_help = Exit::HELP
)]
pub(crate) struct CallArgs {
    /// Write the response's body to a file
    #[arg(short, long, value_name = "FILE")]
    pub(super) output: Option<PathBuf>,

    /// Print the response's head before its body
    #[arg(short, long)]
    pub(super) include: bool,

    /// Tell of each attempt on standard error
    #[arg(short, long)]
    pub(super) verbose: bool,

    #[command(flatten)]
    pub(super) request: RequestArgs,
}
