use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use http::{Method, request::Parts};

use crate::Route;

/// The routes of a mock or an upstream, in the order they were added.
#[derive(Debug)]
pub(crate) struct Routes<O> {
    routes: Arc<Mutex<Vec<Route<O>>>>,
}

impl<O> Routes<O> {
    pub(crate) fn new() -> Self {
        Self {
            routes: Arc::default(),
        }
    }

    pub(crate) fn add(&self, method: Option<Method>, path: &str) -> Route<O> {
        let route = Route::new(method, path);
        self.lock().push(route.clone());
        route
    }

    /// Finds the first route that takes this request.
    pub(crate) fn find(&self, head: &Parts) -> Option<Route<O>> {
        // Conditions are the test's code, which does not run under the lock.
        let routes = self.lock().clone();
        routes.into_iter().find(|route| route.takes(head))
    }

    pub(crate) fn names(&self) -> Vec<String> {
        self.lock().iter().map(Route::name).collect()
    }

    /// Says which routes were not called as often as they expect.
    pub(crate) fn complaints(&self) -> Vec<String> {
        self.lock().iter().filter_map(Route::complaint).collect()
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Route<O>>> {
        self.routes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<O> Clone for Routes<O> {
    fn clone(&self) -> Self {
        Self {
            routes: Arc::clone(&self.routes),
        }
    }
}
