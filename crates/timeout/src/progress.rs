use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::Instant;

/// Whose turn it is with a request body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Turn {
    /// The transport's, since then: it has not come for the next frame.
    Transport(Instant),
    /// The caller's: the transport came, and the body had nothing for it.
    Caller,
    /// Nobody's, since then: the transport has taken the last frame, or dropped the body.
    Over(Instant),
}

/// What a request body, polled by the transport on whatever task, lets its attempt know.
///
/// One word, in which nothing else is ordered: nanoseconds since `start`, and the turn in two bits.
#[derive(Debug)]
pub(crate) struct Progress {
    start: Instant,
    word: AtomicU64,
}

const TRANSPORT: u64 = 0;
const CALLER: u64 = 1;
const OVER: u64 = 2;

impl Progress {
    /// A body that is given to the transport at `start`.
    pub(crate) fn new(start: Instant) -> Self {
        Self {
            start,
            word: AtomicU64::new(TRANSPORT),
        }
    }

    /// States whose turn it is.
    pub(crate) fn state(&self, turn: Turn) {
        let word = match turn {
            Turn::Transport(since) => self.nanos(since) << 2 | TRANSPORT,
            Turn::Caller => CALLER,
            Turn::Over(since) => self.nanos(since) << 2 | OVER,
        };
        self.word.store(word, Ordering::Relaxed);
    }

    /// Whose turn it is.
    pub(crate) fn turn(&self) -> Turn {
        let word = self.word.load(Ordering::Relaxed);
        let since = self.start + Duration::from_nanos(word >> 2);
        match word & 0b11 {
            TRANSPORT => Turn::Transport(since),
            CALLER => Turn::Caller,
            _ => Turn::Over(since),
        }
    }

    /// Nanoseconds since the start, in 62 bits: 146 years.
    fn nanos(&self, at: Instant) -> u64 {
        let since = at.saturating_duration_since(self.start).as_nanos();
        u64::try_from(since).unwrap_or(u64::MAX).min(u64::MAX >> 2)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_stated_is_read() {
        let start = Instant::now();
        let progress = Progress::new(start);
        assert_eq!(progress.turn(), Turn::Transport(start));
        let later = start + Duration::from_nanos(123_456_789_012_345_679);
        for turn in [Turn::Transport(later), Turn::Caller, Turn::Over(later)] {
            progress.state(turn);
            assert_eq!(progress.turn(), turn);
        }
    }

    #[test]
    fn an_instant_before_the_start_is_the_start() {
        let now = Instant::now();
        let start = now + Duration::from_secs(1);
        let progress = Progress::new(start);
        progress.state(Turn::Over(now));
        assert_eq!(progress.turn(), Turn::Over(start));
    }
}
