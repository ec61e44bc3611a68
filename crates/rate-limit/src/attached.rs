use std::fmt;
use std::sync::{Arc, Mutex, PoisonError, Weak};

/// What a handle sees: the limits of several services, as long as these live.
pub(crate) struct Attached<T>(Arc<Mutex<Vec<Weak<T>>>>);

impl<T> Attached<T> {
    /// Takes the limits of one more service; those of services that are gone are forgotten.
    pub(crate) fn attach(&self, limits: &Arc<T>) {
        let mut attached = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        attached.retain(|limits| limits.strong_count() > 0);
        attached.push(Arc::downgrade(limits));
    }

    /// Those that live.
    pub(crate) fn all(&self) -> Vec<Arc<T>> {
        let attached = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        attached.iter().filter_map(Weak::upgrade).collect()
    }
}

impl<T> Clone for Attached<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T> Default for Attached<T> {
    fn default() -> Self {
        Self(Arc::default())
    }
}

impl<T> fmt::Debug for Attached<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Attached").finish_non_exhaustive()
    }
}
