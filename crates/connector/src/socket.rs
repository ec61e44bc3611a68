use std::sync::Weak;

use crate::ConnectorError;
use crate::frames::Word;
use crate::keeper::Keeper;
use crate::kernel::Key;

/// The pool's account of one socket, from the decision to open it; settled when dropped.
///
/// It travels from the connect into the connection's I/O, so that it ends when the socket does,
/// whatever ends it: the peer, hyper, a panic, the end of a runtime.
pub(crate) struct Socket {
    keeper: Weak<dyn Keeper>,
    key: Key,
    failed: Option<ConnectorError>,
}

impl Socket {
    pub(crate) fn new(keeper: Weak<dyn Keeper>, key: Key) -> Self {
        Self {
            keeper,
            key,
            failed: None,
        }
    }

    /// The socket could not be opened.
    pub(crate) fn fail(mut self, error: ConnectorError) {
        self.failed = Some(error);
    }

    pub(crate) fn key(&self) -> Key {
        self.key
    }

    /// The peer has said something.
    pub(crate) fn heard(&self, word: Word) {
        if let Some(keeper) = self.keeper.upgrade() {
            keeper.heard(self.key, word);
        }
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        if let Some(keeper) = self.keeper.upgrade() {
            keeper.closed(self.key, self.failed.take());
        }
    }
}
