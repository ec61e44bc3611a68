/// What few futures hold. Where there is none, to drop it is one look, and the rest of the work is kept
/// out of the way of the others.
#[derive(Debug)]
pub(crate) struct Rare<T>(Option<T>);

impl<T> Rare<T> {
    pub(crate) const fn some(rare: T) -> Self {
        Self(Some(rare))
    }

    pub(crate) fn get(&self) -> Option<&T> {
        self.0.as_ref()
    }

    pub(crate) fn get_mut(&mut self) -> Option<&mut T> {
        self.0.as_mut()
    }

    pub(crate) fn take(&mut self) -> Option<T> {
        self.0.take()
    }
}

impl<T> Drop for Rare<T> {
    #[inline]
    fn drop(&mut self) {
        if let Some(rare) = self.0.take() {
            discard(rare);
        }
    }
}

#[inline(never)]
fn discard<T>(_: T) {}
