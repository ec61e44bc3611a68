use crate::ConnectorError;
use crate::frames::Word;
use crate::kernel::Key;
use crate::permit::Leave;

/// The pool as its connections and the places on them see it: without its types.
pub(crate) trait Keeper: Send + Sync {
    /// The peer of a connection has said something.
    fn heard(&self, key: Key, word: Word);

    /// A place on a connection is free again.
    fn released(&self, key: Key, leave: Leave);

    /// A connection is to take no new calls.
    fn retire(&self, key: Key);

    /// A connection's socket has closed, or could not be opened for this reason.
    fn closed(&self, key: Key, reason: Option<ConnectorError>);
}
