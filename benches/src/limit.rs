use gungraun::{Callgrind, EventKind, LibraryBenchmarkConfig};

use crate::BARE;

/// So many instructions, and no more.
pub fn at_most(instructions: u64) -> LibraryBenchmarkConfig {
    let mut callgrind = Callgrind::default();
    callgrind.hard_limits([(EventKind::Ir, instructions)]);
    let mut config = LibraryBenchmarkConfig::default();
    config.tool(callgrind);
    config
}

/// So many instructions above the bare service, and no more: what grows dearer turns this red.
pub fn above_bare(instructions: u64) -> LibraryBenchmarkConfig {
    at_most(BARE + instructions)
}
