use super::Options;
use crate::usage::Usage;

impl Options {
    /// Refuses an option whose layer does not exist yet: nothing is promised that is not done.
    ///
    /// The `--no-…` options pass, for they already hold.
    pub(crate) fn refuse_gaps(&self) -> Result<(), Usage> {
        if self.breaker_failures.is_some() {
            return Err(gap("--breaker-failures", "breaker layer"));
        }
        Ok(())
    }
}

fn gap(option: &str, layer: &str) -> Usage {
    Usage::new(format!(
        "{option} needs the {layer}, which this version does not have yet"
    ))
}
