//! What the retry layer tells of a call that failed.

use std::error::Error;

use outrigger_core::find;
use outrigger_retry::Exhausted;

use crate::Attempt;

/// The attempts that were made, if there was more than one; those that were prevented are none.
pub(crate) fn attempts(error: &(dyn Error + 'static)) -> Option<Vec<Attempt>> {
    let exhausted = find::<Exhausted>(error)?;
    let made = exhausted
        .attempts()
        .iter()
        .filter(|attempt| !attempt.prevented);
    Some(
        made.map(|attempt| Attempt::new(attempt.outcome, attempt.waited))
            .collect(),
    )
}
