use std::{
    collections::VecDeque,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use http::{Method, request::Parts};

use crate::Reply;

/// Which requests get what, in a [`Mock`](crate::mock::Mock) or an
/// upstream. Clones share one route, so a kept one counts.
///
/// All conditions must hold. The outcomes are given in the order they were scripted; a route without
/// any answers 200, one that has given its last fails with [`Exhausted`].
pub struct Route<O> {
    shared: Arc<Mutex<Shared<O>>>,
}

struct Shared<O> {
    name: String,
    conditions: Vec<Condition>,
    outcomes: VecDeque<(usize, O)>,
    scripted: bool,
    calls: usize,
    expected: Option<usize>,
}

type Condition = Arc<dyn Fn(&Parts) -> bool + Send + Sync>;

impl<O> Route<O> {
    pub(crate) fn new(method: Option<Method>, path: &str) -> Self {
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
    pub fn times(self, calls: usize, outcome: impl Into<O>) -> Self {
        let mut shared = self.lock();
        shared.scripted = true;
        shared.outcomes.push_back((calls, outcome.into()));
        drop(shared);
        self
    }

    /// Gives all further requests this outcome.
    pub fn always(self, outcome: impl Into<O>) -> Self {
        self.times(usize::MAX, outcome)
    }

    /// Lets `assert_satisfied` fail unless it was called exactly
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

    pub(crate) fn name(&self) -> String {
        self.lock().name.clone()
    }

    pub(crate) fn takes(&self, head: &Parts) -> bool {
        // A condition is the test's code, which does not run under the lock.
        let conditions = self.lock().conditions.clone();
        conditions.iter().all(|condition| condition(head))
    }

    /// Says what it expected and did not get.
    pub(crate) fn complaint(&self) -> Option<String> {
        let shared = self.lock();
        let expected = shared
            .expected
            .filter(|expected| *expected != shared.calls)?;
        Some(format!(
            "{} was called {} times, not {expected}",
            shared.name, shared.calls
        ))
    }

    fn lock(&self) -> MutexGuard<'_, Shared<O>> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<O: Clone + From<Reply>> Route<O> {
    pub(crate) fn next(&self) -> Result<O, Exhausted> {
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
}

impl<O> Clone for Route<O> {
    fn clone(&self) -> Self {
        Self {
            shared: Arc::clone(&self.shared),
        }
    }
}

impl<O> fmt::Debug for Route<O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shared = self.lock();
        f.debug_struct("Route")
            .field("name", &shared.name)
            .field("calls", &shared.calls)
            .finish_non_exhaustive()
    }
}

/// The route has given all the outcomes that were scripted for it.
#[derive(Clone, Debug)]
pub struct Exhausted {
    route: String,
    calls: usize,
}

impl fmt::Display for Exhausted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} has no outcome scripted for call {}",
            self.route, self.calls
        )
    }
}

impl std::error::Error for Exhausted {}
