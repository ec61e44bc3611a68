use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The calls that wait for one endpoint.
#[derive(Debug, Default)]
pub(crate) struct Places {
    taken: AtomicUsize,
}

/// A place among them; dropped, it is free again.
#[derive(Debug)]
pub(crate) struct Place(Arc<Places>);

impl Place {
    /// Takes a place, unless `most` are taken.
    pub(crate) fn take(places: &Arc<Places>, most: usize) -> Option<Self> {
        let more = |taken: usize| (taken < most).then_some(taken + 1);
        let taken = &places.taken;
        let took = taken.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more);
        took.ok().map(|_| Self(Arc::clone(places)))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.taken.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_so_many_places_and_each_comes_back() {
        let places = Arc::default();
        let take = || Place::take(&places, 2);
        let (one, other) = (take(), take());
        assert!(one.is_some() && other.is_some() && take().is_none());
        drop(one);
        assert!(take().is_some());
        assert!(Place::take(&places, 0).is_none());
    }
}
