use std::time::Duration;

/// What becomes of the dials to an [`InMemory`](super::InMemory) server.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Dialing {
    /// They succeed at once.
    #[default]
    Accept,
    /// They succeed so much later, on tokio's pausable clock.
    After(Duration),
    /// They fail with [`ConnectionRefused`](std::io::ErrorKind::ConnectionRefused).
    Refuse,
    /// They hang, until something else is ordered.
    Hang,
}
