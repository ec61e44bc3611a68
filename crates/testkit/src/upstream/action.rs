use std::{future::pending, time::Duration};

use bytes::Bytes;
use http::{Request, Response, header::CONTENT_TYPE, request::Parts};

use super::{Arrival, Behaviour, Upstream, behaviour::What, ledger::Ledger, whole::Whole};
use crate::{Body, BoxError, Reply, raw::Code, time::pause};

/// What is left to be done on the connection once a request was executed, or was not.
pub(super) enum Action {
    Answer(Response<Body>),
    Drain(Response<Body>),
    Reset(Code),
    Goaway(Code),
    Close,
    Abort,
}

impl Upstream {
    /// Reads, logs and executes a request.
    pub(super) async fn act<B>(
        &self,
        request: Request<B>,
        connection: usize,
        stream: u32,
        ledger: &Ledger,
    ) -> Result<Action, BoxError>
    where
        B: http_body::Body<Data = Bytes, Error: Into<BoxError>>,
    {
        let (head, body) = request.into_parts();
        let behaviour = self.behaviour(&head).drawn();
        let mut whole = Whole::default();
        let read = if behaviour.reads() {
            whole.read(body).await
        } else {
            Ok(())
        };
        // What is not whole, or comes after a GOAWAY, is not even shown to the test's closures.
        let shown = read.is_ok() && ledger.admits(stream);
        let decided = shown.then(|| behaviour.decided(&head, &whole));
        let executed = decided
            .as_ref()
            .is_some_and(|(behaviour, _)| behaviour.executes)
            && ledger.execute(stream);
        self.record(Arrival::new(&head, connection, stream, whole.len, executed))?;
        read?;
        let Some((behaviour, after)) =
            decided.filter(|(behaviour, _)| behaviour.executes == executed)
        else {
            // The GOAWAY has told the client already.
            return pending().await;
        };
        Ok(behaviour.given(&head, whole, after).await)
    }
}

impl Behaviour {
    /// Draws, if there is something to be drawn.
    fn drawn(mut self) -> Self {
        while let What::Chaos(dice) = &self.what {
            self = dice.draw().unwrap_or_else(|| Reply::status(200).into());
        }
        self
    }

    /// Whether the request's body is read before anything else happens.
    fn reads(&self) -> bool {
        !self.early && (self.executes || matches!(self.what, What::With(_)))
    }

    /// Asks the closures what to do; returns it with all the delays that were met on the way.
    fn decided(mut self, head: &Parts, whole: &Whole) -> (Self, Duration) {
        let mut after = self.after;
        while let What::With(decide) = &self.what {
            self = match whole.kept.clone() {
                Some(body) => decide(Request::from_parts(head.clone(), body)).drawn(),
                None => Reply::status(413).into(),
            };
            after = after.saturating_add(self.after);
        }
        (self, after)
    }

    /// Waits until it is time, and says what is to be done.
    async fn given(self, head: &Parts, whole: Whole, after: Duration) -> Action {
        if !after.is_zero() {
            pause(after).await;
        }
        match self.what {
            What::Reply(reply) => Action::Answer(reply.given().await),
            What::Drain(reply) => Action::Drain(reply.given().await),
            What::Echo | What::With(_) | What::Chaos(_) => {
                Action::Answer(echo(head, whole).given().await)
            }
            What::Reset(code) => Action::Reset(code),
            What::Goaway(code) => Action::Goaway(code),
            What::Close => Action::Close,
            What::Abort => Action::Abort,
            What::Silence => pending().await,
        }
    }
}

fn echo(head: &Parts, whole: Whole) -> Reply {
    let Some(body) = whole.kept else {
        return Reply::status(413);
    };
    let reply = Reply::status(200).body(body);
    match head.headers.get(CONTENT_TYPE) {
        Some(kind) => reply.header(CONTENT_TYPE, kind.clone()),
        None => reply,
    }
}
