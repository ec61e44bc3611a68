use std::fmt;
use std::sync::Arc;

use http::request::Parts;
use http::{Request, Uri};

use crate::entry::{Entry, Rules};
use crate::table::{Sharing, Table};

/// What a call counts as, read off its head.
pub(crate) type CostOf = Arc<dyn Fn(&Parts) -> u32 + Send + Sync>;

/// The limits of all keys, shared by the clones of one service.
pub(crate) struct Limits {
    rules: Arc<Rules>,
    table: Table<Entry>,
    cost: Option<CostOf>,
}

impl Limits {
    pub(crate) fn new(rules: Rules, sharing: &Sharing, cap: usize, cost: Option<CostOf>) -> Self {
        let rules = Arc::new(rules);
        let table = Table::new(sharing, cap, || Entry::new(&rules));
        Self { rules, table, cost }
    }

    /// The limit of a request, where no function of the user must see its head: it costs 1.
    #[inline]
    pub(crate) fn known<B>(&self, request: &Request<B>) -> Option<Arc<Entry>> {
        match self.cost {
            None => self.table.known(request),
            Some(_) => None,
        }
    }

    /// The limit of a head, and what it costs.
    pub(crate) fn of_head(&self, head: &Parts) -> (Arc<Entry>, u32) {
        let entry = self.table.of_head(head, || Entry::new(&self.rules));
        (entry, self.cost.as_ref().map_or(1, |cost| cost(head)))
    }

    /// The limit of a URI's endpoint, if there is one.
    pub(crate) fn find(&self, uri: &Uri) -> Option<Arc<Entry>> {
        self.table.find(uri)
    }

    /// All limits, in no order.
    pub(crate) fn all(&self) -> Vec<Arc<Entry>> {
        self.table.all()
    }
}

impl fmt::Debug for Limits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Limits")
            .field("rules", &self.rules)
            .field("table", &self.table)
            .finish_non_exhaustive()
    }
}
