use bytes::Bytes;
use http::Request;
use http_body_util::Empty;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use outrigger_core::inbound::{Inbound, within};
use outrigger_request_id::{RequestIdLayer, X_REQUEST_ID};
use outrigger_testkit::Server;
use outrigger_testkit::raw::{Frame, Script};
use tower::{Layer, ServiceExt};

use crate::id;

#[tokio::test]
async fn over_http_2_the_id_arrives_and_is_never_indexed() {
    let server = Server::bind(Script::new(|mut peer| async move {
        peer.settings([]).await?;
        loop {
            let request = peer.request().await?;
            peer.answer(&request, 200, "").await?;
        }
    }));
    let server = server.await.unwrap();
    let pool = Client::builder(TokioExecutor::new())
        .http2_only(true)
        .build_http::<Empty<Bytes>>();

    for (enabled, never_indexed) in [(true, 1), (false, 0)] {
        let client = RequestIdLayer::new().enabled(enabled).layer(&pool);
        // In the second head of a connection an indexed field would be one byte.
        for _ in 0..2 {
            server.log().clear();
            let request = Request::get(server.url("/")).body(Empty::new()).unwrap();
            let inbound = Inbound {
                request_id: Some(id("order-17")),
                deadline: None,
            };
            within(inbound, client.clone().oneshot(request))
                .await
                .unwrap();

            let [request] = &*server.log().requests() else {
                panic!("one request")
            };
            let arrived = request.headers.get(X_REQUEST_ID);
            let expected = enabled.then_some("order-17");
            assert_eq!(arrived.map(|value| value.to_str().unwrap()), expected);
            assert_eq!(fields_never_indexed(&head(&server)), never_indexed);
        }
    }
    assert_eq!(server.connections(), 1);
}

/// The HPACK block of the one head that came.
fn head(server: &Server<Script>) -> Bytes {
    let heads = server.log().frames().into_iter();
    let heads = heads.filter_map(|(_, frame)| match frame {
        Frame::Headers { block, .. } => Some(block),
        _ => None,
    });
    heads.last().unwrap()
}

/// How many fields of an HPACK block are literals that must never be indexed (RFC 7541 §6).
fn fields_never_indexed(mut block: &[u8]) -> usize {
    let mut found = 0;
    while let Some(&first) = block.first() {
        let (prefix, is_literal) = match first {
            0x80.. => (7, false),
            0x40.. => (6, true),
            0x20.. => (5, false),
            _ => (4, true),
        };
        found += usize::from(first & 0xf0 == 0x10);
        let name = integer(&mut block, prefix);
        if is_literal {
            if name == 0 {
                skip_string(&mut block);
            }
            skip_string(&mut block);
        }
    }
    found
}

/// An integer (RFC 7541 §5.1).
fn integer(block: &mut &[u8], prefix: u32) -> usize {
    let mut octets = block.iter();
    let full = (1 << prefix) - 1;
    let mut value = usize::from(octets.next().unwrap() & full);
    if value == usize::from(full) {
        for shift in (0..).step_by(7) {
            let octet = octets.next().unwrap();
            value += usize::from(octet & 0x7f) << shift;
            if octet & 0x80 == 0 {
                break;
            }
        }
    }
    *block = octets.as_slice();
    value
}

/// A string (RFC 7541 §5.2).
fn skip_string(block: &mut &[u8]) {
    let length = integer(block, 7);
    *block = &block[length..];
}
