use crate::sync::{AtomicU64, Ordering};

/// The tokens of one budget: a number that never leaves `0..=capacity`, and the second at which it
/// was last refilled, in one atomic.
#[derive(Debug)]
pub(crate) struct Tokens {
    /// Tokens in the upper 32 bits, seconds in the lower.
    state: AtomicU64,
    capacity: u32,
    per_second: u32,
}

impl Tokens {
    /// A full bucket at second 0, refilled with `per_second` tokens.
    pub(crate) fn full(capacity: u32, per_second: u32) -> Self {
        Self {
            state: AtomicU64::new(pack(capacity, 0)),
            capacity,
            per_second,
        }
    }

    /// Takes `cost` tokens, all or none, at a second of the bucket's life.
    pub(crate) fn take(&self, cost: u32, second: u32) -> bool {
        self.change(|state| {
            let (tokens, second) = self.refilled(state, second);
            Some(pack(tokens.checked_sub(cost)?, second))
        })
    }

    /// Puts `tokens` in, as far as there is room.
    pub(crate) fn put(&self, tokens: u32) {
        self.change(|state| {
            let (present, second) = unpack(state);
            let tokens = present.saturating_add(tokens).min(self.capacity);
            (tokens != present).then(|| pack(tokens, second))
        });
    }

    /// How many tokens there are at a second of the bucket's life.
    pub(crate) fn left(&self, second: u32) -> u32 {
        self.refilled(self.state.load(Ordering::Relaxed), second).0
    }

    /// How many tokens there can be.
    pub(crate) fn capacity(&self) -> u32 {
        self.capacity
    }

    /// The tokens after the refill that is due. A clock that went backwards refills nothing.
    fn refilled(&self, state: u64, now: u32) -> (u32, u32) {
        let (tokens, then) = unpack(state);
        let due = now.saturating_sub(then).saturating_mul(self.per_second);
        (tokens.saturating_add(due).min(self.capacity), now.max(then))
    }

    fn change(&self, change: impl FnMut(u64) -> Option<u64>) -> bool {
        self.state
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, change)
            .is_ok()
    }
}

fn pack(tokens: u32, second: u32) -> u64 {
    (u64::from(tokens) << 32) | u64::from(second)
}

fn unpack(state: u64) -> (u32, u32) {
    let [a, b, c, d, e, f, g, h] = state.to_be_bytes();
    (
        u32::from_be_bytes([a, b, c, d]),
        u32::from_be_bytes([e, f, g, h]),
    )
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_idle_year_refills_in_one_step() {
        let tokens = Tokens::full(1_000, 14);
        assert!(tokens.take(1_000, 0));
        assert!(!tokens.take(15, 1));
        assert!(tokens.take(14, 1));
        assert_eq!(tokens.left(365 * 24 * 60 * 60), 1_000);
        assert_eq!(tokens.left(u32::MAX), 1_000);
    }

    #[test]
    fn a_clock_that_goes_backwards_refills_nothing() {
        let tokens = Tokens::full(10, 1);
        assert!(tokens.take(10, 100));
        assert!(!tokens.take(1, 0));
        assert!(!tokens.take(1, 100));
        assert!(tokens.take(1, 101));
    }

    #[test]
    fn sixteen_threads_conserve_tokens() {
        const CAPACITY: u32 = 1 << 30;
        let tokens = Tokens::full(CAPACITY, 0);
        assert!(tokens.take(CAPACITY / 2, 0));
        let taken: Vec<u32> = std::thread::scope(|scope| {
            let work = |seed: u64| {
                let tokens = &tokens;
                move || {
                    let mut dice = fastrand::Rng::with_seed(seed);
                    let mut held = 0;
                    for _ in 0..20_000 {
                        let cost = dice.u32(1..20);
                        if dice.bool() && tokens.take(cost, 0) {
                            held += cost;
                        } else if held >= cost {
                            tokens.put(cost);
                            held -= cost;
                        }
                    }
                    held
                }
            };
            let threads: Vec<_> = (0..16).map(|seed| scope.spawn(work(seed))).collect();
            threads
                .into_iter()
                .map(|thread| thread.join().unwrap())
                .collect()
        });
        assert_eq!(tokens.left(0) + taken.iter().sum::<u32>(), CAPACITY / 2);
    }

    #[test]
    fn sixteen_threads_get_exactly_what_there_is() {
        let tokens = Tokens::full(200, 0);
        let granted: usize = std::thread::scope(|scope| {
            let ask = || (0..100).filter(|_| tokens.take(1, 0)).count();
            let threads: Vec<_> = (0..16).map(|_| scope.spawn(ask)).collect();
            threads
                .into_iter()
                .map(|thread| thread.join().unwrap())
                .sum()
        });
        assert_eq!((granted, tokens.left(0)), (200, 0));
    }

    #[derive(Clone, Copy, Debug)]
    enum Step {
        Take(u32),
        Put(u32),
        Wait(u32),
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            (0..40_u32).prop_map(Step::Take),
            (0..40_u32).prop_map(Step::Put),
            (0..3_u32).prop_map(Step::Wait),
            any::<u32>().prop_map(Step::Wait),
        ]
    }

    proptest! {
        #[test]
        fn a_bucket_equals_the_plain_model(
            capacity in 0_u32..1_000,
            per_second in 0_u32..50,
            steps in prop::collection::vec(step(), 0..200),
        ) {
            let tokens = Tokens::full(capacity, per_second);
            // The model refills each second by itself, up to more seconds than any bucket needs.
            let (mut model, mut second) = (capacity, 0_u32);
            for step in steps {
                match step {
                    Step::Take(cost) => {
                        let enough = model >= cost;
                        prop_assert_eq!(tokens.take(cost, second), enough);
                        model -= if enough { cost } else { 0 };
                    }
                    Step::Put(more) => {
                        // What is due is counted first: the bucket does it when it is asked.
                        tokens.put(more);
                        model = (model + more).min(capacity);
                    }
                    Step::Wait(seconds) => {
                        let seconds = seconds.min(u32::MAX - second);
                        for _ in 0..seconds.min(1_001) {
                            model = (model + per_second).min(capacity);
                        }
                        second += seconds;
                    }
                }
                prop_assert_eq!(tokens.left(second), model);
            }
        }
    }
}

#[cfg(all(test, outrigger_loom))]
mod loom_tests {
    use loom::thread;

    use super::*;
    use std::sync::Arc;

    #[test]
    fn two_that_take_the_last_tokens_get_them_once() {
        loom::model(|| {
            let tokens = Arc::new(Tokens::full(14, 0));
            let other = Arc::clone(&tokens);
            let other = thread::spawn(move || other.take(14, 0));
            let one = tokens.take(14, 0);
            assert!(one != other.join().unwrap());
            assert_eq!(tokens.left(0), 0);
        });
    }

    #[test]
    fn what_is_given_back_meanwhile_is_not_lost() {
        loom::model(|| {
            let tokens = Arc::new(Tokens::full(28, 0));
            assert!(tokens.take(28, 0));
            let threads = [(); 2].map(|()| {
                let tokens = Arc::clone(&tokens);
                thread::spawn(move || tokens.put(14))
            });
            let took = tokens.take(14, 0);
            for thread in threads {
                thread.join().unwrap();
            }
            assert_eq!(tokens.left(0), if took { 14 } else { 28 });
        });
    }

    #[test]
    fn a_refill_that_two_see_is_made_once() {
        loom::model(|| {
            let tokens = Arc::new(Tokens::full(14, 14));
            assert!(tokens.take(14, 0));
            let other = Arc::clone(&tokens);
            let other = thread::spawn(move || other.take(14, 1));
            let one = tokens.take(14, 1);
            assert!(one != other.join().unwrap());
        });
    }
}
