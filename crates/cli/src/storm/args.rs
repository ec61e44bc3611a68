use std::path::PathBuf;

use clap::Args;

/// A storm on the loopback: two clients, the same traffic, one misbehaving upstream each.
#[derive(Args, Debug)]
pub(crate) struct StormArgs {
    /// How long the traffic lasts, all phases together; waiting for the last answers comes on top
    #[arg(long, value_name = "N", default_value_t = 40, value_parser = clap::value_parser!(u64).range(1..=3600))]
    pub(super) seconds: u64,

    /// What the dice of the traffic begin with: the same seed, the same traffic
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub(super) seed: u64,

    /// Write the figures as a page
    #[arg(long, value_name = "FILE.html")]
    pub(super) report: Option<PathBuf>,
}
