//! The breaker's kernel, told the time.

use std::time::Duration;

use outrigger_core::Verdict;

use crate::circuit::{BUCKETS, Circuit, Settings, Trip};

/// A circuit with the default rules.
#[derive(Debug)]
pub struct ToldCircuit {
    circuit: Circuit,
    settings: Settings,
}

impl ToldCircuit {
    /// A closed one.
    pub fn new() -> Self {
        let second = Duration::from_secs(1);
        let (open, lease, ramp) = ((5 * second, 60 * second), 10 * second, 6 * second);
        let circuit = Circuit::new();
        let settings = Settings::new(Trip::default(), open, 3, lease, ramp, BUCKETS);
        Self { circuit, settings }
    }

    /// A call at this time that ends so, if it is let through.
    #[inline]
    pub fn call(&self, now: u64, verdict: Verdict) -> bool {
        let admitted = self.circuit.admit(now, &self.settings);
        let report = |admission| {
            self.circuit
                .report(admission, verdict, now, &self.settings, || 1 << 63)
        };
        admitted.map(report).is_ok()
    }

    /// Whether a call at this time is refused.
    #[inline]
    pub fn refuses(&self, now: u64) -> bool {
        self.circuit.check(now, &self.settings).is_err()
    }
}

impl Default for ToldCircuit {
    fn default() -> Self {
        Self::new()
    }
}
