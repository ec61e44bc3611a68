use std::{future::pending, time::Duration};

use bytes::Bytes;
use http::{Request, Response, header::CONTENT_TYPE, request::Parts};

use super::{Arrival, Behaviour, Upstream, behaviour::What, whole::Whole};
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
    /// Reads, logs and executes a request; `admits` says whether its connection still executes any.
    pub(super) async fn act<B>(
        &self,
        request: Request<B>,
        connection: usize,
        stream: u32,
        admits: impl FnOnce() -> bool,
    ) -> Result<Action, BoxError>
    where
        B: http_body::Body<Data = Bytes, Error: Into<BoxError>>,
    {
        let (head, body) = request.into_parts();
        let behaviour = self.behaviour(&head);
        let mut whole = Whole::default();
        let read = if behaviour.reads() {
            whole.read(body).await
        } else {
            Ok(())
        };
        let (behaviour, after) = behaviour.decided(&head, &whole);
        let executed = behaviour.executes && read.is_ok() && admits();
        self.record(Arrival {
            connection,
            stream,
            version: head.version,
            method: head.method.clone(),
            uri: head.uri.clone(),
            headers: head.headers.clone(),
            body_len: whole.len,
            executed,
        })?;
        read?;
        if behaviour.executes && !executed {
            // A GOAWAY has told the client already.
            return pending().await;
        }
        if !after.is_zero() {
            pause(after).await;
        }
        Ok(match behaviour.what {
            What::Reply(reply) => Action::Answer(reply.given().await),
            What::Drain(reply) => Action::Drain(reply.given().await),
            What::Echo | What::With(_) => Action::Answer(echo(&head, whole).given().await),
            What::Reset(code) => Action::Reset(code),
            What::Goaway(code) => Action::Goaway(code),
            What::Close => Action::Close,
            What::Abort => Action::Abort,
            What::Silence => pending().await,
        })
    }
}

impl Behaviour {
    /// Whether the request's body is read before anything else happens.
    fn reads(&self) -> bool {
        !self.early && (self.executes || matches!(self.what, What::With(_)))
    }

    /// Asks the closures what to do; returns it with all the delays that were met on the way.
    fn decided(mut self, head: &Parts, whole: &Whole) -> (Self, Duration) {
        let mut after = self.after;
        while let What::With(decide) = &self.what {
            self = match whole.kept.clone() {
                Some(body) => decide(Request::from_parts(head.clone(), body)),
                None => Reply::status(413).into(),
            };
            after = after.saturating_add(self.after);
        }
        (self, after)
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
