use std::sync::Arc;

use outrigger_core::Spare;
use tokio::time::Instant;

use crate::tokens::Tokens;

/// What retries are paid from, so that they cannot become a storm: when nothing succeeds, nothing is
/// earned, and a drained budget grants none.
///
/// It begins full. A retry takes its cost when it is decided and gives it back when it is not sent
/// after all. A call that succeeds earns; the first attempts of calls are free. All numbers are whole
/// tokens in one atomic: as many threads as you like are granted exactly what there is.
///
/// Clones share one budget, between layers and clients.
///
/// ```
/// use outrigger_retry::Budget;
///
/// let budget = Budget::ratio(1, 10); // a retry for each ten calls that succeed
/// assert_eq!((budget.tokens(), budget.capacity()), (100, 100));
/// ```
#[derive(Clone, Debug)]
pub struct Budget {
    terms: Terms,
    state: Arc<State>,
}

#[derive(Debug)]
struct State {
    tokens: Tokens,
    born: Instant,
}

/// Prices and earnings, in tokens.
#[derive(Clone, Copy, Debug)]
struct Terms {
    capacity: u32,
    retry: u32,
    throttled: u32,
    success: u32,
    returned: bool,
    floor: u32,
}

impl Budget {
    /// 500 tokens. A retry costs 14, one after throttling (429, 503) 5. A call that succeeds at once
    /// earns 1; one that succeeds in a retry gets the price of that retry back. (The AWS SDKs' retry
    /// quota, 2026.)
    pub fn new() -> Self {
        Self::on(Terms {
            capacity: 500,
            retry: 14,
            throttled: 5,
            success: 1,
            returned: true,
            floor: 0,
        })
    }

    /// `num` retries for each `den` calls that succeed, and ten retries saved up to begin with.
    ///
    /// With a `den` of 0 retries cost nothing.
    pub fn ratio(num: u32, den: u32) -> Self {
        Self::on(Terms {
            capacity: den.saturating_mul(10),
            retry: den,
            throttled: den,
            success: num,
            returned: false,
            floor: 0,
        })
    }

    /// Begins anew with room for `retries` that can be saved up, all of them there at the beginning.
    /// Default: 500 tokens, or 35 retries; with [`ratio`](Self::ratio) 10. With 0 there are none, ever.
    #[must_use]
    pub fn reserve(self, retries: u32) -> Self {
        let Terms { retry, success, .. } = self.terms;
        // A budget too poor for a retry must have room for what the next success earns.
        let least = retry.saturating_add(success).saturating_sub(1);
        let capacity = match retries {
            0 => 0,
            _ => retry.saturating_mul(retries).max(least),
        };
        Self::on(Terms {
            capacity,
            ..self.terms
        })
    }

    /// Begins anew with at least this many retries a second, whether or not calls succeed: a client
    /// that seldom calls is not starved. Default: 0.
    #[must_use]
    pub fn floor(self, retries_per_second: u32) -> Self {
        Self::on(Terms {
            floor: self.terms.retry.saturating_mul(retries_per_second),
            ..self.terms
        })
    }

    /// A full budget on the same terms that shares nothing with this one.
    #[must_use]
    pub fn afresh(&self) -> Self {
        Self::on(self.terms)
    }

    /// The tokens that are left.
    pub fn tokens(&self) -> u32 {
        self.state.tokens.left(self.second(Instant::now()))
    }

    /// The tokens there can be.
    pub fn capacity(&self) -> u32 {
        self.state.tokens.capacity()
    }

    /// Pays for a retry, decided at `now`.
    pub(crate) fn pay(&self, throttled: bool, now: Instant) -> Option<Payment> {
        let cost = if throttled {
            self.terms.throttled
        } else {
            self.terms.retry
        };
        let paid = self.state.tokens.take(cost, self.second(now));
        paid.then(|| Payment {
            budget: self.clone(),
            cost,
            spent: false,
        })
    }

    /// Earns by a call that succeeded, in the retry that was paid for if there was one.
    pub(crate) fn earn(&self, payment: Option<&Payment>) {
        let returned = payment.filter(|_| self.terms.returned);
        let earned = returned.map_or(self.terms.success, |payment| payment.cost);
        self.state.tokens.put(earned);
    }

    fn on(terms: Terms) -> Self {
        Self {
            terms,
            state: Arc::new(State {
                tokens: Tokens::full(terms.capacity, terms.floor),
                born: Instant::now(),
            }),
        }
    }

    fn second(&self, now: Instant) -> u32 {
        let age = now.saturating_duration_since(self.state.born);
        u32::try_from(age.as_secs()).unwrap_or(u32::MAX)
    }
}

impl Default for Budget {
    fn default() -> Self {
        Self::new()
    }
}

impl Spare for Budget {
    fn is_spare(&self, now: Instant) -> bool {
        self.state.tokens.left(self.second(now)) == self.capacity()
    }
}

/// The price of a retry. Dropped before it was spent, it goes back into the budget.
#[derive(Debug)]
pub(crate) struct Payment {
    budget: Budget,
    cost: u32,
    spent: bool,
}

impl Payment {
    /// The retry is sent now.
    pub(crate) fn spend(&mut self) {
        self.spent = true;
    }

    /// The retry was not sent after all.
    pub(crate) fn take_back(&mut self) {
        self.spent = false;
    }
}

impl Drop for Payment {
    fn drop(&mut self) {
        if !self.spent {
            self.budget.state.tokens.put(self.cost);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    /// Calls that each succeed in the end and would like one retry.
    fn granted(budget: &Budget, calls: u32) -> u32 {
        let mut granted = 0;
        for _ in 0..calls {
            if let Some(mut payment) = budget.pay(false, Instant::now()) {
                payment.spend();
                granted += 1;
            }
            budget.earn(None);
        }
        granted
    }

    #[test]
    fn a_ratio_is_exact() {
        for num in [1, 3, 6, 9, 10, 20] {
            let budget = Budget::ratio(num, 10).reserve(1);
            let granted = granted(&budget, 100_000);
            let exact = (num * 10_000).min(100_000);
            assert!(granted.abs_diff(exact) <= 1, "{num}/10 granted {granted}");
        }
        for (num, den, exact) in [(1, 1_000, 100), (1, 100, 1_000), (1_000, 1, 100_000)] {
            assert_eq!(granted(&Budget::ratio(num, den).reserve(1), 100_000), exact);
        }
    }

    #[test]
    fn odd_ratios_have_a_harmless_meaning() {
        let free = Budget::ratio(1, 0);
        assert_eq!(granted(&free, 1_000), 1_000);
        let none = Budget::ratio(0, 10);
        assert_eq!(granted(&none, 1_000), 10);
        let huge = Budget::ratio(u32::MAX, u32::MAX);
        assert_eq!(granted(&huge, 1_000), 1_000);
    }

    #[test]
    fn the_default_grants_35_retries_in_a_total_outage() {
        let budget = Budget::new();
        let payments = || budget.pay(false, Instant::now());
        let granted: Vec<_> = std::iter::from_fn(payments).take(1_000).collect();
        assert_eq!((granted.len(), budget.tokens()), (35, 10));
        assert!(
            budget.pay(true, Instant::now()).is_some(),
            "throttled is cheaper"
        );
    }

    #[test]
    fn a_payment_that_is_not_spent_goes_back() {
        let budget = Budget::new();
        drop(budget.pay(false, Instant::now()));
        assert_eq!(budget.tokens(), 500);
        let mut payment = budget.pay(false, Instant::now()).unwrap();
        payment.spend();
        payment.take_back();
        drop(payment);
        assert_eq!(budget.tokens(), 500);
        let mut payment = budget.pay(true, Instant::now()).unwrap();
        payment.spend();
        drop(payment);
        assert_eq!(budget.tokens(), 495);
    }

    #[test]
    fn success_earns_one_and_a_successful_retry_its_price() {
        let budget = Budget::new();
        let mut payments = [(); 4].map(|()| budget.pay(false, Instant::now()).unwrap());
        payments.iter_mut().for_each(Payment::spend);
        budget.earn(None);
        assert_eq!(budget.tokens(), 500 - 4 * 14 + 1);
        budget.earn(Some(&payments[0]));
        assert_eq!(budget.tokens(), 500 - 3 * 14 + 1);
        for _ in 0..100 {
            budget.earn(None);
        }
        assert_eq!(budget.tokens(), 500);
    }

    #[test]
    fn a_floor_grants_retries_without_success() {
        let budget = Budget::new().reserve(2).floor(1);
        let start = Instant::now();
        for (seconds, granted) in [(0, 2), (1, 1), (2, 1), (60 * 60 * 24 * 365, 2)] {
            let now = start + Duration::from_secs(seconds);
            let payments = std::iter::from_fn(|| {
                let mut payment = budget.pay(false, now)?;
                payment.spend();
                Some(payment)
            });
            assert_eq!(payments.take(9).count(), granted, "at {seconds} s");
        }
    }

    #[test]
    fn clones_share_and_afresh_does_not() {
        let budget = Budget::new();
        let shared = budget.clone();
        budget.pay(false, Instant::now()).unwrap().spend();
        assert_eq!((shared.tokens(), shared.afresh().tokens()), (486, 500));
        assert!(!budget.is_spare(Instant::now()) && budget.afresh().is_spare(Instant::now()));
    }
}
