use std::{
    future::{pending, poll_fn},
    sync::Arc,
};

use bytes::Bytes;
use h2::{
    Reason, RecvStream, SendStream,
    server::{self, SendResponse},
};
use http::{Request, Response};
use tokio::{sync::mpsc, task::JoinSet};

use super::{
    Upstream,
    action::Action,
    gate::{Control, Gate},
    ledger::Ledger,
    stream::{Received, send},
};
use crate::{Body, Transport, raw::Frame};

/// What a stream asks of its connection.
enum Order {
    Drain,
    Goaway(Frame),
    /// Asked of the connection, so that what the stream has sent before goes out first.
    Reset(SendStream<Bytes>, Reason),
    Close,
}

/// What all streams of a connection share.
struct Shared {
    upstream: Upstream,
    connection: usize,
    control: Arc<Control>,
    ledger: Ledger,
    orders: mpsc::Sender<Order>,
}

/// Serves an HTTP/2 connection until it ends.
pub(super) async fn serve(upstream: Upstream, transport: Transport, connection: usize) {
    let control = Arc::new(Control::default());
    let gate = Gate::new(transport, Arc::clone(&control));
    let mut builder = server::Builder::new();
    builder.max_concurrent_streams(upstream.streams_allowed());
    let Ok(mut h2) = builder.handshake::<_, Bytes>(gate).await else {
        return;
    };
    let (orders, mut ordered) = mpsc::channel(1);
    let shared = Arc::new(Shared {
        upstream,
        connection,
        control,
        ledger: Ledger::default(),
        orders,
    });
    let mut streams = JoinSet::new();
    loop {
        tokio::select! {
            // Polling the connection writes what waits; orders come after it.
            biased;
            accepted = h2.accept() => match accepted {
                Some(Ok((request, respond))) => {
                    streams.spawn(serve_stream(Arc::clone(&shared), request, respond));
                }
                // The client has closed, or broken the protocol.
                Some(Err(_)) | None => return,
            },
            Some(order) = ordered.recv() => match order {
                Order::Drain => h2.graceful_shutdown(),
                Order::Goaway(frame) => shared.control.slip_in(&frame),
                Order::Reset(mut stream, reason) => stream.send_reset(reason),
                Order::Close => return,
            },
            Some(_) = streams.join_next() => {}
        }
    }
}

async fn serve_stream(
    shared: Arc<Shared>,
    request: Request<RecvStream>,
    mut respond: SendResponse<Bytes>,
) {
    let stream = respond.stream_id().as_u32();
    let head_only = request.method() == http::Method::HEAD;
    let acting = shared.upstream.act(
        request.map(Received::new),
        shared.connection,
        stream,
        &shared.ledger,
    );
    let action = tokio::select! {
        biased;
        action = acting => action,
        // The client gave the stream up.
        _ = poll_fn(|cx| respond.poll_reset(cx)) => return,
    };
    match action {
        Ok(action) => conclude(&shared, action, respond, head_only).await,
        Err(_) => respond.send_reset(Reason::INTERNAL_ERROR),
    }
}

/// Does on the wire what was decided. Orders and answers fail when the connection is gone; then nobody
/// waits for them.
async fn conclude(
    shared: &Shared,
    action: Action,
    mut respond: SendResponse<Bytes>,
    head_only: bool,
) {
    let order = |order| shared.orders.send(order);
    match action {
        Action::Answer(response) => answer(respond, response, head_only, shared).await,
        Action::Drain(response) => {
            let _ = order(Order::Drain).await;
            answer(respond, response, head_only, shared).await;
        }
        Action::Reset(code) => respond.send_reset(code.0.into()),
        Action::Goaway(code) => {
            let last_stream = shared.ledger.close();
            let _ = order(Order::Goaway(Frame::GoAway {
                last_stream,
                code,
                debug: Bytes::new(),
            }))
            .await;
            if respond.stream_id().as_u32() <= last_stream {
                respond.send_reset(Reason::REFUSED_STREAM);
            } else {
                // The client has dropped the stream; a reset would be one too many.
                pending().await
            }
        }
        Action::Close | Action::Abort => {
            if matches!(action, Action::Abort) {
                shared.control.reset();
            }
            let _ = order(Order::Close).await;
            // Dropped now, the stream would be reset before the connection closes.
            pending().await
        }
    }
}

async fn answer(
    respond: SendResponse<Bytes>,
    response: Response<Body>,
    head_only: bool,
    shared: &Shared,
) {
    if let Ok(Some((stream, reason))) = send(respond, response, head_only).await {
        let _ = shared.orders.send(Order::Reset(stream, reason)).await;
    }
}
