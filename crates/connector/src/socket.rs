use std::convert::Infallible;
use std::io;
use std::pin::Pin;
use std::sync::Weak;
use std::task::{Context, Poll};

use tokio::sync::oneshot;

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
    /// Dropped with the socket.
    _closed: oneshot::Sender<Infallible>,
    killed: Option<oneshot::Receiver<()>>,
}

/// What is left of a socket with those who opened it.
pub(crate) struct Remote {
    /// Ends when the socket is closed.
    pub(crate) closed: oneshot::Receiver<Infallible>,
    /// Closes the socket, whatever it is about.
    pub(crate) kill: oneshot::Sender<()>,
}

impl Socket {
    pub(crate) fn new(keeper: Weak<dyn Keeper>, key: Key) -> (Self, Remote) {
        let (_closed, closed) = oneshot::channel();
        let (kill, killed) = oneshot::channel();
        let socket = Self {
            keeper,
            key,
            failed: None,
            _closed,
            killed: Some(killed),
        };
        (socket, Remote { closed, kill })
    }

    /// Passes on what the transport says, unless it has nothing to say and was told to end.
    pub(crate) fn unless_killed<T>(
        &mut self,
        cx: &mut Context<'_>,
        polled: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        let Some(killed) = self.killed.as_mut().filter(|_| polled.is_pending()) else {
            return polled;
        };
        match Pin::new(killed).poll(cx) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(Ok(())) => Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into())),
            Poll::Ready(Err(_)) => {
                self.killed = None;
                Poll::Pending
            }
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
