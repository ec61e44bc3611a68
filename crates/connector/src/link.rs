use std::future::poll_fn;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use http::{Request, Response};
use http_body::Body;
use hyper::body::Incoming;
use hyper::client::conn::{TrySendError, http1, http2};
use hyper::rt::{Read, Write};
use hyper_util::rt::TokioTimer;
use outrigger_core::{BoxError, Endpoint};

use crate::halves::Halves;
use crate::head::{CallersHead, Forward};
use crate::kernel::Kind;
use crate::permit::Leave;
use crate::request_body::RequestBody;
use crate::settings::KeepAlive;
use crate::socket::Socket;
use crate::watched::Watched;

/// The sending side of one connection. Dropping the last one ends the connection after the
/// exchanges it carries.
pub(crate) struct Link<B> {
    endpoint: Endpoint,
    sender: Sender<B>,
}

enum Sender<B> {
    Http1(Mutex<http1::SendRequest<RequestBody<B>>>, Option<Forward>),
    Http2(http2::SendRequest<RequestBody<B>>, Answers),
}

/// Counts what an HTTP/2 connection brings.
pub(crate) type Answers = Arc<AtomicU32>;

/// Whether a connection may carry another call after one is over.
pub(crate) enum Reuse<B> {
    Now,
    /// hyper has not noticed the end of the exchange yet.
    Soon(Arc<Link<B>>),
    Never,
}

impl<B> Link<B>
where
    B: Body + Send + Unpin + 'static,
    B::Data: Send,
    B::Error: Into<BoxError>,
{
    /// Begins HTTP/2 on a connection.
    pub(crate) async fn http2<T>(
        io: T,
        socket: Socket,
        endpoint: Endpoint,
        keep_alive: Option<KeepAlive>,
    ) -> hyper::Result<Self>
    where
        T: Read + Write + Unpin + Send + 'static,
    {
        let answers = Answers::default();
        let halves = Halves::default();
        let mut builder = http2::Builder::new(halves.clone());
        if let Some(KeepAlive { interval, timeout }) = keep_alive {
            builder
                .timer(TokioTimer::new())
                .keep_alive_interval(interval)
                .keep_alive_timeout(timeout);
        }
        let (sender, connection) = builder
            .handshake(Watched::http2(io, socket, Arc::clone(&answers)))
            .await?;
        halves.spawn(connection);
        Ok(Self {
            endpoint,
            sender: Sender::Http2(sender, answers),
        })
    }

    /// Begins HTTP/1.1 on a connection.
    pub(crate) async fn http1<T>(
        io: T,
        socket: Socket,
        endpoint: Endpoint,
        forward: Option<Forward>,
    ) -> hyper::Result<Self>
    where
        T: Read + Write + Unpin + Send + 'static,
    {
        let (sender, connection) = http1::handshake(Watched::http1(io, socket)).await?;
        tokio::spawn(connection.with_upgrades());
        Ok(Self {
            endpoint,
            sender: Sender::Http1(Mutex::new(sender), forward),
        })
    }

    pub(crate) fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    pub(crate) fn kind(&self) -> Kind {
        match self.sender {
            Sender::Http1(..) => Kind::Http1,
            Sender::Http2(..) => Kind::Http2,
        }
    }

    /// How many heads and pieces of bodies it has brought, of all its streams, modulo 2³²; HTTP/1
    /// counts none.
    pub(crate) fn answers(&self) -> u32 {
        match &self.sender {
            Sender::Http1(..) => 0,
            Sender::Http2(_, answers) => answers.load(Ordering::Relaxed),
        }
    }

    /// Hands a request to the connection. One that comes back in the error was not sent.
    ///
    /// Where the connection ends meanwhile on another thread, hyper may give the request back only when
    /// nobody can send any more: nobody may hold on to the connection until the answer is there.
    pub(crate) async fn send(
        self: Arc<Self>,
        mut request: Request<RequestBody<B>>,
    ) -> Result<Response<Incoming>, (hyper::Error, Option<Request<RequestBody<B>>>)> {
        match &self.sender {
            Sender::Http2(sender, _) => {
                let sent = sender.clone().try_send_request(request);
                drop(self);
                sent.await.map_err(parts)
            }
            Sender::Http1(sender, forward) => {
                let head = CallersHead::rewrite(&mut request, forward.as_ref());
                let sent = lock(sender).try_send_request(request);
                drop(self);
                sent.await.map_err(parts).map_err(|(error, request)| {
                    let restored = request.map(|mut request| {
                        head.restore(&mut request);
                        request
                    });
                    (error, restored)
                })
            }
        }
    }

    /// Whether the connection may carry another call after one that was left so.
    pub(crate) fn reuse(self: &Arc<Self>, leave: Leave) -> Reuse<B> {
        let Sender::Http1(sender, _) = &self.sender else {
            return Reuse::Now;
        };
        let sender = lock(sender);
        let clean = matches!(leave, Leave::Unused | Leave::Complete);
        if !clean || sender.is_closed() {
            Reuse::Never
        } else if sender.is_ready() {
            Reuse::Now
        } else {
            Reuse::Soon(Arc::clone(self))
        }
    }

    /// Waits until the connection may carry another call; `false` when it has closed instead.
    pub(crate) async fn ready(&self) -> bool {
        match &self.sender {
            Sender::Http1(sender, _) => poll_fn(|cx| lock(sender).poll_ready(cx)).await.is_ok(),
            Sender::Http2(..) => true,
        }
    }
}

fn parts<T>(mut error: TrySendError<T>) -> (hyper::Error, Option<T>) {
    let request = error.take_message();
    (error.into_error(), request)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
