use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use serde::Serialize;

use crate::tally::Tally;

/// What became of a load, as `--report` writes it.
#[derive(Debug, Serialize)]
pub(super) struct LoadReport {
    requests: u64,
    ok: u64,
    failed: BTreeMap<String, u64>,
    attempts: u64,
    /// Open at the end.
    connections: usize,
    rps: f64,
    p50_ms: f64,
    p99_ms: f64,
}

impl LoadReport {
    pub(super) fn new(tally: &Tally, sent: u64, connections: usize, took: Duration) -> Self {
        let failed = tally.failed().into_iter();
        Self {
            requests: tally.calls(),
            ok: tally.ok(),
            failed: failed.map(|(why, n)| (why.to_string(), n)).collect(),
            attempts: sent,
            connections,
            rps: rounded(tally.calls() as f64 / took.as_secs_f64()),
            p50_ms: millis(tally.times().percentile(50)),
            p99_ms: millis(tally.times().percentile(99)),
        }
    }
}

impl fmt::Display for LoadReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} requests, {} ok", self.requests, self.ok)?;
        for (why, n) in &self.failed {
            write!(f, ", {n} {why}")?;
        }
        write!(
            f,
            "; {} attempts over {} connections; {} requests/s; p50 {} ms, p99 {} ms",
            self.attempts, self.connections, self.rps, self.p50_ms, self.p99_ms
        )
    }
}

fn millis(time: Duration) -> f64 {
    rounded(time.as_secs_f64() * 1e3)
}

/// To three decimals.
fn rounded(figure: f64) -> f64 {
    (figure * 1e3).round() / 1e3
}
