use std::error::Error;
use std::iter;

use outrigger::Outcome;

/// The most links of an error's chain that are shown.
const LONGEST_CHAIN: usize = 16;

/// One word for an outcome, as reports write it.
pub(crate) fn outcome(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Unsent => "unsent",
        Outcome::Unprocessed => "unprocessed",
        Outcome::Ambiguous => "ambiguous",
        Outcome::Answered(_) => "answered",
    }
}

/// An error and its sources in one line. What a link only repeats is left out.
pub(crate) fn chain<'a>(error: &'a (dyn Error + 'static)) -> String {
    let sources = iter::successors(Some(error), |error: &&'a (dyn Error + 'static)| {
        (*error).source()
    });
    let mut links: Vec<String> = Vec::new();
    for link in sources.take(LONGEST_CHAIN).map(ToString::to_string) {
        if !links.contains(&link) {
            links.push(link);
        }
    }
    links.join(": ")
}

#[cfg(test)]
mod tests {
    use outrigger::{Failure, Fault};

    use super::*;

    #[test]
    fn a_chain_is_told_without_its_echoes() {
        let fault = Fault::new(Outcome::Unsent);
        let inner = Failure::new("refused", fault);
        let echo = Failure::new("could not connect", fault).with_source(inner);
        let middle = Failure::new("request failed", fault).with_source(echo);
        let outer = Failure::new("could not connect", fault).with_source(middle);
        assert_eq!(chain(&outer), "could not connect: request failed: refused");
    }
}
