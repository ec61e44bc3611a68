use std::sync::Arc;

use crate::sync::{AtomicUsize, Ordering};

/// How many bytes the bodies of one layer may keep for replay, together and each.
#[derive(Debug)]
pub(crate) struct Memory {
    per_call: usize,
    total: usize,
    used: AtomicUsize,
}

impl Memory {
    pub(crate) fn new(per_call: usize, total: usize) -> Self {
        Self {
            per_call,
            total,
            used: AtomicUsize::new(0),
        }
    }

    /// How many bytes one body may keep.
    pub(crate) fn per_call(&self) -> usize {
        self.per_call
    }

    /// How many bytes are kept.
    #[cfg(test)]
    pub(crate) fn used(&self) -> usize {
        self.used.load(Ordering::Relaxed)
    }
}

/// The bytes that one body keeps; dropped, they are free again.
#[derive(Debug)]
pub(crate) struct Share {
    memory: Arc<Memory>,
    bytes: usize,
}

impl Share {
    pub(crate) fn none_of(memory: &Arc<Memory>) -> Self {
        Self {
            memory: Arc::clone(memory),
            bytes: 0,
        }
    }

    /// Takes `bytes` more, unless that is too much for the body or for the layer.
    pub(crate) fn take(&mut self, bytes: usize) -> bool {
        let Memory {
            per_call,
            total,
            used,
        } = &*self.memory;
        if bytes > per_call.saturating_sub(self.bytes) {
            return false;
        }
        let more = |used: usize| used.checked_add(bytes).filter(|used| used <= total);
        let taken = used
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, more)
            .is_ok();
        self.bytes += if taken { bytes } else { 0 };
        taken
    }

    /// Gives all of it back.
    pub(crate) fn free(&mut self) {
        self.memory.used.fetch_sub(self.bytes, Ordering::Relaxed);
        self.bytes = 0;
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.free();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_smaller_of_both_caps_binds_and_all_comes_back() {
        let memory = Arc::new(Memory::new(10, 15));
        let (mut one, mut other) = (Share::none_of(&memory), Share::none_of(&memory));
        assert!(one.take(4) && one.take(6));
        assert!(!one.take(1), "its own cap");
        assert!(!other.take(6) && other.take(5), "the layer's");
        assert_eq!(memory.used(), 15);
        one.free();
        assert!(other.take(5) && !other.take(usize::MAX));
        drop((one, other));
        assert_eq!(memory.used(), 0);
    }
}
