use std::{fmt, sync::Arc, time::Duration};

use bytes::Bytes;
use http::Request;

use super::dice::Dice;
use crate::{Reply, raw::Code};

/// What an upstream does with a request: answer it, or fail in one of the ways real ones do.
#[derive(Clone)]
pub struct Behaviour {
    pub(super) what: What,
    pub(super) executes: bool,
    pub(super) early: bool,
    pub(super) after: Duration,
}

#[derive(Clone)]
pub(super) enum What {
    Reply(Reply),
    Drain(Reply),
    Echo,
    With(Arc<dyn Fn(Request<Bytes>) -> Behaviour + Send + Sync>),
    Chaos(Dice),
    Reset(Code),
    Goaway(Code),
    Close,
    Abort,
    Silence,
}

impl Behaviour {
    /// Executes, and answers 200 with the request's body and content type.
    #[must_use]
    pub fn echo() -> Self {
        What::Echo.into()
    }

    /// Does what the closure makes of the whole request.
    pub fn with<B: Into<Self>>(
        decide: impl Fn(Request<Bytes>) -> B + Send + Sync + 'static,
    ) -> Self {
        What::With(Arc::new(move |request| decide(request).into())).into()
    }

    /// Draws one of these for each request, with the chance its share has in their sum. The same seed
    /// draws the same row. Its own [`executed`](Self::executed), [`early`](Self::early) and
    /// [`after`](Self::after) say nothing; without any share it answers 200.
    pub fn chaos(seed: u64, faces: impl IntoIterator<Item = (u32, Self)>) -> Self {
        What::Chaos(Dice::new(seed, faces)).into()
    }

    /// Resets the stream with this code. It executes before, except with
    /// [`REFUSED_STREAM`](Code::REFUSED_STREAM), which says that it did not.
    ///
    /// HTTP/1 has no streams: the connection ends with a TCP RST.
    #[must_use]
    pub fn reset(code: Code) -> Self {
        Self {
            executes: code != Code::REFUSED_STREAM,
            ..What::Reset(code).into()
        }
    }

    /// Refuses the stream unexecuted, with [`REFUSED_STREAM`](Code::REFUSED_STREAM).
    #[must_use]
    pub fn refuse() -> Self {
        Self::reset(Code::REFUSED_STREAM)
    }

    /// Ends the connection with a GOAWAY whose last stream is the highest one that was executed, and
    /// does not execute this request. Where its stream is below that one it is refused besides.
    ///
    /// On HTTP/1 the connection is closed without an answer.
    #[must_use]
    pub fn goaway(code: Code) -> Self {
        Self {
            executes: false,
            ..What::Goaway(code).into()
        }
    }

    /// Executes, answers, and lets the connection run out: on HTTP/2 by a graceful GOAWAY, on HTTP/1 by
    /// `connection: close`.
    #[must_use]
    pub fn drain(reply: Reply) -> Self {
        What::Drain(reply).into()
    }

    /// Executes, then closes the connection without an answer: TCP FIN.
    #[must_use]
    pub fn close() -> Self {
        What::Close.into()
    }

    /// Executes, then ends the connection without an answer: TCP RST.
    #[must_use]
    pub fn abort() -> Self {
        What::Abort.into()
    }

    /// Executes and never answers, while the connection lives.
    #[must_use]
    pub fn silence() -> Self {
        What::Silence.into()
    }

    /// Sets whether the request is executed, which stands in the log and decides nothing else.
    #[must_use]
    pub fn executed(mut self, executes: bool) -> Self {
        self.executes = executes;
        self
    }

    /// Acts on the head, without waiting for the request's body.
    #[must_use]
    pub fn early(mut self) -> Self {
        self.early = true;
        self
    }

    /// Sets how long it takes after executing, on tokio's pausable clock; zero by default. A reply's own
    /// delay follows this one.
    #[must_use]
    pub fn after(mut self, after: Duration) -> Self {
        self.after = after;
        self
    }
}

impl From<Reply> for Behaviour {
    fn from(reply: Reply) -> Self {
        What::Reply(reply).into()
    }
}

impl From<What> for Behaviour {
    fn from(what: What) -> Self {
        Self {
            what,
            executes: true,
            early: false,
            after: Duration::ZERO,
        }
    }
}

impl fmt::Debug for Behaviour {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Behaviour")
            .field("what", &self.what)
            .field("executes", &self.executes)
            .field("early", &self.early)
            .field("after", &self.after)
            .finish()
    }
}

impl fmt::Debug for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Reply(reply) => reply.fmt(f),
            Self::Drain(reply) => f.debug_tuple("Drain").field(reply).finish(),
            Self::Echo => f.write_str("Echo"),
            Self::With(_) => f.write_str("With"),
            Self::Chaos(_) => f.write_str("Chaos"),
            Self::Reset(code) => f.debug_tuple("Reset").field(code).finish(),
            Self::Goaway(code) => f.debug_tuple("Goaway").field(code).finish(),
            Self::Close => f.write_str("Close"),
            Self::Abort => f.write_str("Abort"),
            Self::Silence => f.write_str("Silence"),
        }
    }
}
