use super::recovery::Recovery;
use crate::tally::Tally;

/// What one client did in one phase.
#[derive(Clone, Debug)]
pub(super) struct Score {
    pub(super) client: &'static str,
    pub(super) tally: Tally,
    /// Requests that left for these calls.
    pub(super) sent: u64,
    /// POSTs that the upstream executed again.
    pub(super) repeated: usize,
    /// How it came through the phase's event, if that had one.
    pub(super) recovery: Option<Recovery>,
}
