//! The one place where this crate waits.

use std::time::Duration;

use tokio::time::{Instant, sleep_until};

/// Waits `duration` on tokio's pausable clock; a duration past the clock's end waits a century.
pub(crate) async fn pause(duration: Duration) {
    const CENTURY: Duration = Duration::from_secs(100 * 365 * 24 * 60 * 60);
    sleep_until(Instant::now() + duration.min(CENTURY)).await;
}
