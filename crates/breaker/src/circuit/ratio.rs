/// A share of calls, from none to all of them.
///
/// ```
/// use outrigger_breaker::Ratio;
///
/// assert_eq!(Ratio::percent(50), Ratio::per_mille(500));
/// assert_eq!(Ratio::percent(200), Ratio::percent(100));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ratio(u16);

impl Ratio {
    /// So many of a hundred. More than 100 counts as 100; 0 is reached by the first failure.
    pub const fn percent(percent: u16) -> Self {
        Self::per_mille(percent.saturating_mul(10))
    }

    /// So many of a thousand. More than 1,000 counts as 1,000.
    pub const fn per_mille(per_mille: u16) -> Self {
        Self(if per_mille < 1_000 { per_mille } else { 1_000 })
    }

    /// Whether `part` of `whole` is as much or more.
    pub(crate) fn is_reached(self, part: u64, whole: u64) -> bool {
        part > 0 && part.saturating_mul(1_000) >= whole.saturating_mul(u64::from(self.0))
    }
}
