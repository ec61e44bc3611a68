use clap::{Parser, Subcommand};

use crate::call::CallArgs;
use crate::load::LoadArgs;
use crate::storm::StormArgs;
use crate::upstream::UpstreamArgs;

/// HTTP calls that stay upright in rough water.
#[derive(Debug, Parser)]
#[command(name = "outrigger", version)]
pub(crate) struct Args {
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Make one call and print the body of its answer
    Call(Box<CallArgs>),
    /// Make the same call many times, so many at a time
    Load(Box<LoadArgs>),
    /// Not built yet: call with -o fetches a file, without a bar and without resuming
    #[command(hide = true)]
    Download {
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        rest: Vec<String>,
    },
    /// Send a naive client and this stack through the same storm, and compare
    Storm(StormArgs),
    /// Be a server that misbehaves on demand
    Upstream(UpstreamArgs),
}
