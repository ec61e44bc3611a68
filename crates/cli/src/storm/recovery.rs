use std::time::Duration;

/// How long it took, from the end of what caused the trouble, until calls began that all succeeded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Recovery {
    /// So long.
    After(Duration),
    /// Longer than this: in the last second of the phase calls still failed.
    NotWithin(Duration),
}

impl Recovery {
    /// The last second of a phase decides whether its calls succeed again.
    const LAST: Duration = Duration::from_secs(1);

    /// Judges by when the last call began that failed and when the last one began at all.
    pub(super) fn of(
        trouble_over: Duration,
        last_failed: Option<Duration>,
        last: Duration,
    ) -> Self {
        let since = |moment: Duration| moment.saturating_sub(trouble_over);
        match last_failed {
            Some(failed) if failed + Self::LAST >= last => Self::NotWithin(since(last)),
            Some(failed) => Self::After(since(failed)),
            None => Self::After(Duration::ZERO),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_failure_tells() {
        let of = |failed: Option<u64>| {
            let failed = failed.map(Duration::from_secs);
            Recovery::of(Duration::from_secs(4), failed, Duration::from_secs(12))
        };
        assert_eq!(of(None), Recovery::After(Duration::ZERO));
        assert_eq!(of(Some(3)), Recovery::After(Duration::ZERO));
        assert_eq!(of(Some(6)), Recovery::After(Duration::from_secs(2)));
        assert_eq!(of(Some(11)), Recovery::NotWithin(Duration::from_secs(8)));
    }
}
