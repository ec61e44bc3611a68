//! How much memory a long call holds.

use std::cell::Cell;
use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use allocation_counter::measure;
use bytes::Bytes;
use http::{Request, Response};
use http_body::{Body, Frame};
use http_body_util::{BodyExt, Empty};
use outrigger_retry::{ReplayBody, RetryLayer};
use tokio::runtime::Builder;
use tower::{BoxError, Layer, ServiceExt, service_fn};

/// A body of a gigabyte that does not tell its size: the same 16 KiB again and again.
struct Gigabyte {
    frame: Bytes,
    left: usize,
}

impl Body for Gigabyte {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let Some(left) = self.left.checked_sub(self.frame.len()) else {
            return Poll::Ready(None);
        };
        self.left = left;
        Poll::Ready(Some(Ok(Frame::data(Bytes::copy_from_slice(&self.frame)))))
    }
}

#[test]
fn a_gigabyte_is_sent_once_in_the_memory_of_a_few_frames() {
    let attempts = Cell::new(0);
    let server = service_fn(|request: Request<ReplayBody<Gigabyte>>| {
        attempts.set(attempts.get() + 1);
        async {
            let mut body = request.into_body();
            let mut bytes = 0;
            while let Some(frame) = body.frame().await {
                bytes += frame?.data_ref().map_or(0, Bytes::len);
            }
            assert_eq!(bytes, 1 << 30);
            let busy = Response::builder().status(503);
            Ok::<_, BoxError>(busy.body(Empty::<Bytes>::new())?)
        }
    });
    let body = Gigabyte {
        frame: vec![7; 16 * 1024].into(),
        left: 1 << 30,
    };
    let request = Request::put("http://a.example/").body(body).unwrap();
    let call = RetryLayer::new().layer(server).oneshot(request);
    let runtime = Builder::new_current_thread().enable_time().build().unwrap();
    let used = measure(|| {
        let response = runtime.block_on(call).unwrap();
        assert_eq!(response.status(), 503);
    });
    assert_eq!(attempts.get(), 1);
    assert!(used.bytes_max < 256 * 1024, "{} bytes", used.bytes_max);
}
