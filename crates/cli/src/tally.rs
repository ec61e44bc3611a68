use std::cmp::Reverse;
use std::collections::HashMap;
use std::fmt;
use std::time::Duration;

use http::StatusCode;
use outrigger::{Error, ErrorKind, Outcome};

use crate::exit::Exit;
use crate::times::Times;

/// How many calls came out how, and how long they took.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tally {
    ok: u64,
    failed: HashMap<Failed, u64>,
    times: Times,
}

/// Why a call counts as failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Failed {
    /// Answered, but neither 2xx nor 3xx.
    Status(StatusCode),
    /// Not answered, or not to the end.
    Error(ErrorKind),
    /// Cut off before it came out.
    Unfinished,
}

impl Tally {
    /// Counts a call, answered to the end with this status or failed, that took so long.
    pub(crate) fn add(&mut self, result: Result<StatusCode, Error>, took: Duration) {
        match result {
            Ok(status) if status.is_success() || status.is_redirection() => self.ok += 1,
            Ok(status) => self.fail(Failed::Status(status)),
            Err(error) => self.fail(match error.outcome() {
                Outcome::Answered(status) => Failed::Status(status),
                _ => Failed::Error(error.kind()),
            }),
        }
        self.times.add(took);
    }

    /// Counts a call that was cut off after so long.
    pub(crate) fn cut_off(&mut self, after: Duration) {
        self.fail(Failed::Unfinished);
        self.times.add(after);
    }

    /// All calls.
    pub(crate) fn calls(&self) -> u64 {
        self.ok + self.not_ok()
    }

    /// The calls that were answered 2xx or 3xx.
    pub(crate) fn ok(&self) -> u64 {
        self.ok
    }

    /// The calls that were not.
    pub(crate) fn not_ok(&self) -> u64 {
        self.failed.values().sum()
    }

    /// The failures, the most frequent first.
    pub(crate) fn failed(&self) -> Vec<(Failed, u64)> {
        let mut failed: Vec<_> = self.failed.iter().map(|(why, n)| (*why, *n)).collect();
        failed.sort_by_cached_key(|(why, n)| (Reverse(*n), why.to_string()));
        failed
    }

    /// How long the calls took.
    pub(crate) fn times(&self) -> &Times {
        &self.times
    }

    fn fail(&mut self, why: Failed) {
        *self.failed.entry(why).or_default() += 1;
    }
}

impl Failed {
    /// How the command ends when this is what happened most.
    pub(crate) fn exit(self) -> Exit {
        match self {
            Self::Status(status) => Exit::answered(status),
            Self::Error(kind) => Exit::failed(kind),
            Self::Unfinished => Exit::Transport,
        }
    }
}

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Status(status) => f.write_str(status.as_str()),
            Self::Error(kind) => f.write_str(kind.as_str()),
            Self::Unfinished => f.write_str("unfinished"),
        }
    }
}

#[cfg(test)]
mod tests {
    use outrigger::{BoxError, Elapsed, Failure, Fault, Phase};

    use super::*;

    #[test]
    fn every_call_is_counted_once() {
        let late = || Error::from(BoxError::from(Elapsed::new(Phase::Total, Duration::ZERO)));
        let busy = Outcome::Answered(StatusCode::SERVICE_UNAVAILABLE);
        let aborted = Failure::new("no further attempt", Fault::new(busy));
        let aborted = Error::from(BoxError::from(aborted));
        let results = [
            Ok(StatusCode::OK),
            Ok(StatusCode::FOUND),
            Ok(StatusCode::SERVICE_UNAVAILABLE),
            Err(late()),
            Err(late()),
            Err(aborted),
        ];
        let mut tally = Tally::default();
        for result in results {
            tally.add(result, Duration::from_millis(5));
        }
        tally.cut_off(Duration::from_secs(1));
        assert_eq!((tally.calls(), tally.ok(), tally.not_ok()), (7, 2, 5));
        let failed = tally.failed();
        let words: Vec<_> = failed.iter().map(|(why, n)| format!("{n} {why}")).collect();
        assert_eq!(words, ["2 503", "2 timeout", "1 unfinished"]);
        assert_eq!(tally.times().percentile(100), Duration::from_secs(1));
    }
}
