use std::fmt;

/// What a circuit does with calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum State {
    /// It lets them through, and watches what becomes of them.
    Closed,
    /// It refuses them.
    Open,
    /// It lets a few through, as probes.
    HalfOpen,
    /// The probes succeeded: it lets more and more of them through.
    Ramping,
    /// It refuses them until it is told otherwise.
    ForcedOpen,
    /// It lets them through until it is told otherwise, whatever becomes of them.
    ForcedClosed,
}

impl State {
    /// One lower-case word, for labels and reports.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Open => "open",
            Self::HalfOpen => "half-open",
            Self::Ramping => "ramping",
            Self::ForcedOpen => "forced-open",
            Self::ForcedClosed => "forced-closed",
        }
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
