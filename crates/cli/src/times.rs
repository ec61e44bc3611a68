use std::time::Duration;

/// How long the calls of a run took.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Times(Vec<Duration>);

impl Times {
    /// Adds a call.
    pub(crate) fn add(&mut self, took: Duration) {
        self.0.push(took);
    }

    /// The time within which so many of a hundred calls came out, by nearest rank.
    pub(crate) fn percentile(&self, percent: usize) -> Duration {
        let mut times = self.0.clone();
        times.sort_unstable();
        let rank = (times.len() * percent).div_ceil(100);
        times
            .get(rank.saturating_sub(1))
            .copied()
            .unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_of_the_nearest_rank() {
        let mut times = Times::default();
        assert_eq!(times.percentile(99), Duration::ZERO);
        for millis in (1..=200).rev() {
            times.add(Duration::from_millis(millis));
        }
        let of = |percent| times.percentile(percent).as_millis();
        assert_eq!((of(50), of(99), of(100)), (100, 198, 200));
    }
}
