use std::num::NonZeroUsize;

use clap::Args;

use crate::options::count;
use crate::request::RequestArgs;

/// What to send, how often, and how many at a time.
#[derive(Args, Debug)]
#[command(
    override_usage = "outrigger load [OPTIONS] --requests <N> --concurrency <N> [METHOD] <URL>",
    after_help = "The exit code is that of the most frequent failure, as `outrigger call --help` lists them."
)]
pub(crate) struct LoadArgs {
    /// How many requests to send in all
    #[arg(short = 'n', long, value_name = "N", value_parser = count::<NonZeroUsize>)]
    pub(super) requests: NonZeroUsize,

    /// How many to have under way at a time
    #[arg(short, long, value_name = "N", value_parser = count::<NonZeroUsize>)]
    pub(super) concurrency: NonZeroUsize,

    #[command(flatten)]
    pub(super) request: RequestArgs,
}
