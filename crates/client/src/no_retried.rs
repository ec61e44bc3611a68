//! Without the retry layer nothing tells of more than one attempt.

use std::error::Error;

use crate::Attempt;

pub(crate) fn attempts(_: &(dyn Error + 'static)) -> Option<Vec<Attempt>> {
    None
}
