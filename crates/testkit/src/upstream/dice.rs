use std::sync::{Arc, Mutex, PoisonError};

use fastrand::Rng;

use super::Behaviour;

/// Behaviours with their shares, drawn in an order that a seed decides. Clones draw from one hand.
#[derive(Clone)]
pub(super) struct Dice {
    rng: Arc<Mutex<Rng>>,
    faces: Arc<[(u32, Behaviour)]>,
}

impl Dice {
    pub(super) fn new(seed: u64, faces: impl IntoIterator<Item = (u32, Behaviour)>) -> Self {
        Self {
            rng: Arc::new(Mutex::new(Rng::with_seed(seed))),
            faces: faces.into_iter().collect(),
        }
    }

    /// Draws one; `None` when all shares are zero.
    pub(super) fn draw(&self) -> Option<Behaviour> {
        let total: u64 = self.faces.iter().map(|(share, _)| u64::from(*share)).sum();
        if total == 0 {
            return None;
        }
        let mut left = self
            .rng
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .u64(..total);
        let drawn = self.faces.iter().find(|(share, _)| {
            let hit = left < u64::from(*share);
            left = left.saturating_sub(u64::from(*share));
            hit
        });
        drawn.map(|(_, behaviour)| behaviour.clone())
    }
}
