use std::future::{Ready, ready};
use std::sync::{Arc, Mutex};

use http::{HeaderValue, Request, Response};
use outrigger_core::inbound::{Inbound, within};
use outrigger_request_id::{RequestIdLayer, X_REQUEST_ID};
use tower::retry::{Policy, RetryLayer};
use tower::{BoxError, Service, ServiceBuilder, ServiceExt};

use crate::{id, is_new, seen};

/// Sends again until no attempt is left.
#[derive(Clone)]
struct Attempts(u32);

impl<Res, E> Policy<Request<()>, Res, E> for Attempts {
    type Future = Ready<()>;

    fn retry(&mut self, _: &mut Request<()>, _: &mut Result<Res, E>) -> Option<Ready<()>> {
        self.0 = self.0.checked_sub(1)?;
        (self.0 > 0).then(|| ready(()))
    }

    fn clone_request(&mut self, request: &Request<()>) -> Option<Request<()>> {
        Some(request.clone())
    }
}

#[tokio::test]
async fn every_attempt_of_a_call_carries_the_same_id() {
    let sent = Arc::new(Mutex::new(Vec::<HeaderValue>::new()));
    let upstream = {
        let sent = Arc::clone(&sent);
        move |request: Request<()>| {
            let values = request.headers().get_all(X_REQUEST_ID).iter().cloned();
            sent.lock().unwrap().extend(values);
            ready(Ok::<_, BoxError>(Response::new(())))
        }
    };
    // One above the retries, and one too many below.
    let client = ServiceBuilder::new()
        .layer(RequestIdLayer::new())
        .layer(RetryLayer::new(Attempts(3)))
        .layer(RequestIdLayer::new())
        .service_fn(upstream);
    client.oneshot(Request::new(())).await.unwrap();

    let sent = sent.lock().unwrap();
    assert_eq!(sent.len(), 3);
    assert!(
        sent.iter()
            .all(|value| *value == sent[0] && value.is_sensitive())
    );
}

#[tokio::test]
async fn outside_a_buffer_the_inbound_id_goes_out() {
    let client = ServiceBuilder::new()
        .layer(RequestIdLayer::new())
        .buffer(1)
        .service_fn(seen::<()>);
    let inbound = Inbound {
        request_id: Some(id("order-17")),
        deadline: None,
    };
    let sent = within(inbound, client.oneshot(Request::new(()))).await;
    assert_eq!(sent.unwrap().into_body(), ["order-17"]);
}

#[tokio::test]
async fn inside_a_buffer_only_the_extension_is_seen() {
    let mut client = ServiceBuilder::new()
        .buffer(1)
        .layer(RequestIdLayer::new())
        .service_fn(seen::<()>);
    let inbound = Inbound {
        request_id: Some(id("order-17")),
        deadline: None,
    };
    let both = async {
        let mut request = Request::new(());
        request.extensions_mut().insert(id("nightly-3"));
        let with_extension = client.ready().await?.call(request).await?.into_body();
        let without = client
            .ready()
            .await?
            .call(Request::new(()))
            .await?
            .into_body();
        Ok::<_, BoxError>((with_extension, without))
    };
    let (with_extension, without) = within(inbound, both).await.unwrap();
    assert_eq!(with_extension, ["nightly-3"]);
    // The worker's task knows of no inbound request.
    assert!(is_new(&without));
}
