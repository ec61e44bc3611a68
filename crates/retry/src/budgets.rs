use std::sync::Arc;

use http::Uri;
use outrigger_core::Keyed;
use tokio::time::Instant;

use crate::Budget;

/// Which [`Budget`] pays for the retries of a call. Clones share.
///
/// ```
/// use outrigger_retry::{Budget, Budgets, RetryLayer};
///
/// let one_for_all = Budget::ratio(1, 10);
/// let layer = RetryLayer::new().budget(one_for_all.clone());
/// let other = RetryLayer::new().budget(one_for_all);
///
/// let each_its_own = Budgets::per_endpoint(Budget::ratio(1, 10));
/// let third = RetryLayer::new().budget(each_its_own.clone());
/// let endpoint = "https://a.example/".parse().unwrap();
/// assert!(each_its_own.of(&endpoint).is_none(), "nothing was retried there");
/// # let _ = (layer, other, third);
/// ```
#[derive(Clone, Debug)]
pub struct Budgets(Kind);

#[derive(Clone, Debug)]
enum Kind {
    Unlimited,
    Shared(Budget),
    PerEndpoint {
        terms: Budget,
        kept: Arc<Keyed<Budget>>,
    },
}

impl Budgets {
    /// How many endpoints have a budget of their own at most: 10,000. Those that are full again go
    /// first; beyond that, endpoints share.
    pub const ENDPOINTS: usize = 10_000;

    /// A budget on these terms for each endpoint.
    pub fn per_endpoint(terms: Budget) -> Self {
        Self(Kind::PerEndpoint {
            terms,
            kept: Arc::new(Keyed::new(Self::ENDPOINTS)),
        })
    }

    /// Retries that cost nothing: only the number of attempts bounds them. In an outage each call is
    /// sent as often as it may be.
    pub fn unlimited() -> Self {
        Self(Kind::Unlimited)
    }

    /// The budget of the endpoint of a URI; `None` where nothing was ever retried.
    pub fn of(&self, uri: &Uri) -> Option<Budget> {
        match &self.0 {
            Kind::Unlimited => None,
            Kind::Shared(budget) => Some(budget.clone()),
            Kind::PerEndpoint { kept, .. } => {
                let budget = kept.find(uri)?;
                Some(Budget::clone(&budget))
            }
        }
    }

    /// Whether no call can earn anything, because nothing was ever paid.
    #[inline]
    pub(crate) fn are_untouched(&self) -> bool {
        match &self.0 {
            Kind::Unlimited => true,
            Kind::Shared(_) => false,
            Kind::PerEndpoint { kept, .. } => kept.is_empty(),
        }
    }

    /// The budget that a retry to this URI is paid from; `None` when it is free.
    pub(crate) fn to_pay(&self, uri: &Uri, now: Instant) -> Option<Budget> {
        let Kind::PerEndpoint { terms, kept } = &self.0 else {
            return self.of(uri);
        };
        let budget = kept.at(uri, || now, || terms.afresh());
        Some(Budget::clone(&budget))
    }
}

impl Default for Budgets {
    /// [`Budget::new`] for each endpoint.
    fn default() -> Self {
        Self::per_endpoint(Budget::new())
    }
}

impl From<Budget> for Budgets {
    /// One budget for all endpoints.
    fn from(budget: Budget) -> Self {
        Self(Kind::Shared(budget))
    }
}
