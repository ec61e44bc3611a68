//! The circuit against a plain model, through every reachable state, and by several threads.

#[cfg(not(outrigger_loom))]
mod cold;
#[cfg(not(outrigger_loom))]
mod free;
#[cfg(outrigger_loom)]
mod loom_tests;
#[cfg(not(outrigger_loom))]
mod model;
#[cfg(not(outrigger_loom))]
mod random;
#[cfg(not(outrigger_loom))]
mod rule;
#[cfg(not(outrigger_loom))]
mod walk;

use std::time::Duration;

use super::*;

/// A circuit of few buckets, whose step is one unit of time and which opens for two, then four. A
/// warm-up may be as long as the window.
fn settings<const N: usize>(trip: Trip, probes: u32) -> Settings {
    Settings {
        trip,
        step: UNIT,
        recent: trip.recent_steps(UNIT, 4 * N as u64),
        open: outrigger_core::Exponential::new(
            Duration::from_nanos(2 * UNIT),
            Duration::from_nanos(4 * UNIT),
        )
        .jitter(outrigger_core::Jitter::None),
        open_at_most: 4 * UNIT,
        probes,
        lease: 3 * UNIT,
        ramp: 3 * UNIT,
    }
}

/// Long against a ramp's slice of a second, so that each unit has its own.
const UNIT: u64 = 10_000_000_000;

/// Half of the whole span of chance: an open time as it is set.
fn middle() -> u64 {
    u64::MAX / 2 + 1
}
