use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use fastrand::Rng;
use http::request::Parts;

use super::traffic::CALL;

/// The upstream's dice: whether the n-th arrival of a call is struck depends on the seed, the call
/// and n alone, so that both clients meet the same weather, however their calls interleave.
#[derive(Clone, Debug)]
pub(super) struct Dice {
    seed: u64,
    arrivals: Arc<Mutex<HashMap<u64, u64>>>,
}

impl Dice {
    pub(super) fn new(seed: u64) -> Self {
        Self {
            seed,
            arrivals: Arc::default(),
        }
    }

    /// Whether this arrival is among the so many of a hundred that are struck.
    pub(super) fn strike(&self, head: &Parts, percent: u32) -> bool {
        let call = head.headers.get(CALL).and_then(|call| call.to_str().ok());
        let Some(call) = call.and_then(|call| call.parse().ok()) else {
            return false;
        };
        let mut arrivals = self.arrivals.lock().unwrap_or_else(PoisonError::into_inner);
        let nth = arrivals.entry(call).or_default();
        *nth += 1;
        let mut dice = Rng::with_seed(self.seed);
        for part in [call, *nth] {
            dice = Rng::with_seed(dice.u64(..) ^ part);
        }
        dice.u32(0..100) < percent
    }
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    fn arrival(call: u64) -> Parts {
        Request::get("/")
            .header(CALL, call)
            .body(())
            .unwrap()
            .into_parts()
            .0
    }

    #[test]
    fn the_same_seed_strikes_the_same_arrivals_in_any_order() {
        let (one, other) = (Dice::new(7), Dice::new(7));
        let forth: Vec<_> = (0..100)
            .map(|call| one.strike(&arrival(call), 50))
            .collect();
        let mut back: Vec<_> = (0..100)
            .rev()
            .map(|call| other.strike(&arrival(call), 50))
            .collect();
        back.reverse();
        assert_eq!(forth, back);
        let again: Vec<_> = (0..100)
            .map(|call| one.strike(&arrival(call), 50))
            .collect();
        assert_ne!(forth, again);
    }

    #[test]
    fn as_many_are_struck_as_was_said() {
        let dice = Dice::new(1);
        let struck = (0..10_000)
            .filter(|call| dice.strike(&arrival(*call), 30))
            .count();
        assert!((2_800..3_200).contains(&struck), "{struck}");
    }
}
