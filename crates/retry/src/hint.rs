//! Size hints of bodies that are read in part.

use http_body::SizeHint;

/// A hint, less the bytes that were given out.
pub(crate) fn less(hint: &SizeHint, given: usize) -> SizeHint {
    let given = u64::try_from(given).unwrap_or(u64::MAX);
    let mut rest = SizeHint::new();
    rest.set_lower(hint.lower().saturating_sub(given));
    if let Some(upper) = hint.upper() {
        rest.set_upper(upper.saturating_sub(given));
    }
    rest
}
