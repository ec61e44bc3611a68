use std::{
    collections::VecDeque,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use http::{Method, request::Parts};

use super::{Exhausted, Outcome};
use crate::Reply;

/// Which requests get what. Clones share one route, so a kept one counts what the mock gives out.
///
/// All conditions must hold. The outcomes are given in the order they were scripted; a route without
/// any answers 200, one that has given its last fails with [`Exhausted`].
#[derive(Clone)]
pub struct Route {
    shared: Arc<Mutex<Shared>>,
}

struct Shared {
    name: String,
    conditions: Vec<Condition>,
    outcomes: VecDeque<(usize, Outcome)>,
    scripted: bool,
    calls: usize,
    expected: Option<usize>,
}

type Condition = Arc<dyn Fn(&Parts) -> bool + Send + Sync>;

impl Route {
    pub(super) fn new(method: Option<Method>, path: &str) -> Self {
        let name = format!("{} {path}", method.as_ref().map_or("ANY", Method::as_str));
        let shared = Shared {
            name,
            conditions: Vec::new(),
            outcomes: VecDeque::new(),
            scripted: false,
            calls: 0,
            expected: None,
        };
        let path = path.to_owned();
        Self {
            shared: Arc::new(Mutex::new(shared)),
        }
        .when(move |head| {
            let found = head.uri.path();
            method.as_ref().is_none_or(|method| head.method == method)
                && path
                    .strip_suffix('*')
                    .map_or(found == path, |prefix| found.starts_with(prefix))
        })
    }

    /// Takes only requests that have this header with this value, among others perhaps.
    pub fn header(self, name: &'static str, value: &'static str) -> Self {
        self.when(move |head| {
            head.headers
                .get_all(name)
                .iter()
                .any(|found| found == value)
        })
    }

    /// Takes only requests for which this holds.
    pub fn when(self, condition: impl Fn(&Parts) -> bool + Send + Sync + 'static) -> Self {
        self.lock().conditions.push(Arc::new(condition));
        self
    }

    /// Gives the next `calls` requests this outcome.
    pub fn times(self, calls: usize, outcome: impl Into<Outcome>) -> Self {
        let mut shared = self.lock();
        shared.scripted = true;
        shared.outcomes.push_back((calls, outcome.into()));
        drop(shared);
        self
    }

    /// Gives all further requests this outcome.
    pub fn always(self, outcome: impl Into<Outcome>) -> Self {
        self.times(usize::MAX, outcome)
    }

    /// Lets [`Mock::assert_satisfied`](super::Mock::assert_satisfied) fail unless it was called exactly
    /// `calls` times.
    pub fn expect(self, calls: usize) -> Self {
        self.lock().expected = Some(calls);
        self
    }

    /// Returns how many requests it was given.
    #[must_use]
    pub fn calls(&self) -> usize {
        self.lock().calls
    }

    pub(super) fn name(&self) -> String {
        self.lock().name.clone()
    }

    pub(super) fn takes(&self, head: &Parts) -> bool {
        // A condition is the test's code, which does not run under the lock.
        let conditions = self.lock().conditions.clone();
        conditions.iter().all(|condition| condition(head))
    }

    pub(super) fn next(&self) -> Result<Outcome, Exhausted> {
        let mut shared = self.lock();
        shared.calls += 1;
        if !shared.scripted {
            return Ok(Reply::status(200).into());
        }
        while shared.outcomes.front().is_some_and(|(left, _)| *left == 0) {
            shared.outcomes.pop_front();
        }
        let (route, calls) = (shared.name.clone(), shared.calls);
        let (left, outcome) = shared
            .outcomes
            .front_mut()
            .ok_or(Exhausted { route, calls })?;
        *left -= usize::from(*left != usize::MAX);
        Ok(outcome.clone())
    }

    /// Says what it expected and did not get.
    pub(super) fn complaint(&self) -> Option<String> {
        let shared = self.lock();
        let expected = shared
            .expected
            .filter(|expected| *expected != shared.calls)?;
        Some(format!(
            "{} was called {} times, not {expected}",
            shared.name, shared.calls
        ))
    }

    fn lock(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shared = self.lock();
        f.debug_struct("Route")
            .field("name", &shared.name)
            .field("calls", &shared.calls)
            .finish_non_exhaustive()
    }
}
