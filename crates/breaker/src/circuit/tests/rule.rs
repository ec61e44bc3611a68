//! When a model opens, step by step.

use super::super::Trip;
use super::super::trip::Counts;

/// What the trip says of all calls, and when most of them are recent, also with a few more successes
/// or of a run beyond the successes.
pub(super) fn is_due(trip: &Trip, counts: &Counts) -> bool {
    let least = u64::from(trip.min_calls);
    let is_run =
        |run: Option<u32>, more: u64| run.is_some_and(|run| counts.run >= u64::from(run) + more);
    let ratios = |more: u64| {
        let both = [(trip.failures, counts.failures), (trip.slow, counts.slow)];
        both.into_iter().any(|(ratio, part)| {
            ratio.is_some_and(|ratio| ratio.is_reached(part, counts.calls + more))
        })
    };
    if is_run(trip.consecutive, 0) {
        return true;
    }
    let due = if counts.calls < least {
        is_run(trip.fallback, 0)
    } else {
        ratios(0)
    };
    let earlier = counts.calls - counts.recent;
    let successes = counts.calls - counts.failures;
    due && (4 * earlier >= counts.calls || ratios(least) || is_run(trip.fallback, successes))
}
