/// A pointer that few values have. Where there is none, to drop it is one look, and the rest of the
/// work is kept out of the way of the others.
#[derive(Debug)]
pub(crate) struct Rare<P>(Option<P>);

impl<P> Rare<P> {
    pub(crate) const NONE: Self = Self(None);

    pub(crate) const fn some(pointer: P) -> Self {
        Self(Some(pointer))
    }

    pub(crate) fn get(&self) -> Option<&P> {
        self.0.as_ref()
    }

    pub(crate) fn get_mut(&mut self) -> Option<&mut P> {
        self.0.as_mut()
    }

    pub(crate) fn get_or_insert_with(&mut self, make: impl FnOnce() -> P) -> &mut P {
        self.0.get_or_insert_with(make)
    }

    pub(crate) fn take(&mut self) -> Option<P> {
        self.0.take()
    }
}

impl<P> Drop for Rare<P> {
    #[inline]
    fn drop(&mut self) {
        if let Some(pointer) = self.0.take() {
            discard(pointer);
        }
    }
}

#[inline(never)]
fn discard<P>(_: P) {}
