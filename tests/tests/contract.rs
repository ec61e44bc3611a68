//! Every layer keeps tower's contract, alone and in a stack, over services that are slow to become
//! ready, that have room for one call only, that never become ready, and that die.
//!
//! A new layer is a new row in `CANDIDATES`.

use std::future::Ready;
use std::num::NonZeroU32;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Empty};
use outrigger_backoff::{BackoffLayer, Exponential};
use outrigger_breaker::{BreakerLayer, Trip};
use outrigger_core::{Fault, Outcome};
use outrigger_idempotency::{IdempotencyKeyLayer, KeyFormat};
use outrigger_rate_limit::{ConcurrencyLayer, Quota, RateLimitLayer};
use outrigger_request_id::{InboundLayer, RequestIdLayer};
use outrigger_retry::RetryLayer;
use outrigger_testkit::BoxError;
use outrigger_testkit::probe::ContractProbe;
use outrigger_tests::recipe::GateLayer;
use outrigger_timeout::{DeadlineLayer, TimeoutLayer};
use tower::buffer::Buffer;
use tower::limit::ConcurrencyLimit;
use tower::retry::{Policy, Retry};
use tower::util::BoxCloneSyncService;
use tower::{Layer, Service, ServiceExt, service_fn};
use tower_http::map_request_body::MapRequestBody;

type Body = UnsyncBoxBody<Bytes, BoxError>;
type Http = BoxCloneSyncService<Request<Body>, Response<Body>, BoxError>;

/// A layer, or a stack of them.
struct Candidate {
    name: &'static str,
    /// Whether it is always ready, or passes the inner service's readiness through.
    owns_readiness: bool,
    /// Whether it may call more than once.
    retries: bool,
    wrap: fn(Http) -> Http,
}

/// The recipe's layer, each layer of ours, and all of them in a stack.
const CANDIDATES: [Candidate; 12] = [
    Candidate {
        name: "gate",
        owns_readiness: true,
        retries: false,
        wrap: gate,
    },
    Candidate {
        name: "deadline",
        owns_readiness: true,
        retries: false,
        wrap: deadline,
    },
    Candidate {
        name: "timeout",
        owns_readiness: true,
        retries: false,
        wrap: timeout,
    },
    Candidate {
        name: "backoff",
        owns_readiness: true,
        retries: false,
        wrap: backoff,
    },
    Candidate {
        name: "breaker",
        owns_readiness: true,
        retries: false,
        wrap: breaker,
    },
    Candidate {
        name: "rate limit",
        owns_readiness: true,
        retries: false,
        wrap: rate_limit,
    },
    Candidate {
        name: "concurrency",
        owns_readiness: true,
        retries: false,
        wrap: concurrency,
    },
    Candidate {
        name: "idempotency",
        owns_readiness: false,
        retries: false,
        wrap: idempotency,
    },
    Candidate {
        name: "request id",
        owns_readiness: false,
        retries: false,
        wrap: request_id,
    },
    Candidate {
        name: "inbound",
        owns_readiness: false,
        retries: false,
        wrap: inbound,
    },
    Candidate {
        name: "retry",
        owns_readiness: true,
        retries: true,
        wrap: retry,
    },
    Candidate {
        name: "stack",
        owns_readiness: true,
        retries: true,
        wrap: stack,
    },
];

/// Hides which layers a service is made of.
fn boxed<S, R>(service: S) -> Http
where
    S: Service<Request<Body>, Response = Response<R>, Error = BoxError>
        + Clone
        + Send
        + Sync
        + 'static,
    S::Future: Send + 'static,
    R: http_body::Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
{
    BoxCloneSyncService::new(service.map_response(|response| response.map(body)))
}

fn body<B>(body: B) -> Body
where
    B: http_body::Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
{
    body.map_err(Into::into).boxed_unsync()
}

fn gate(inner: Http) -> Http {
    boxed(GateLayer::default().layer(inner))
}

fn deadline(inner: Http) -> Http {
    boxed(DeadlineLayer::default().body(true).layer(inner))
}

fn timeout(inner: Http) -> Http {
    let inner = MapRequestBody::new(inner, body);
    boxed(TimeoutLayer::default().layer(inner))
}

fn backoff(inner: Http) -> Http {
    let schedule = Exponential::new(Duration::from_millis(50), Duration::from_secs(1));
    boxed(BackoffLayer::new(schedule).layer(inner))
}

fn breaker(inner: Http) -> Http {
    // Some of these services fail for as long as they are asked.
    let layer = BreakerLayer::new(Trip::consecutive(100));
    boxed(layer.layer(inner))
}

/// Each call but the first two waits for its turn.
fn rate_limit(inner: Http) -> Http {
    let two = NonZeroU32::MIN.saturating_add(1);
    let layer = RateLimitLayer::new(Quota::per_second(two).burst(two));
    boxed(layer.wait(Duration::from_secs(60)).layer(inner))
}

/// Each call but those two under way waits for its turn.
fn concurrency(inner: Http) -> Http {
    let two = NonZeroU32::MIN.saturating_add(1);
    boxed(ConcurrencyLayer::new(two).layer(inner))
}

fn idempotency(inner: Http) -> Http {
    let layer = IdempotencyKeyLayer::new(KeyFormat::StructuredString);
    boxed(layer.server_honours(true).layer(inner))
}

fn request_id(inner: Http) -> Http {
    boxed(RequestIdLayer::new().response_extension(true).layer(inner))
}

fn inbound(inner: Http) -> Http {
    boxed(InboundLayer::new().echo(true).layer(inner))
}

fn retry(inner: Http) -> Http {
    let inner = MapRequestBody::new(inner, body);
    boxed(RetryLayer::new().layer(inner))
}

/// Outermost first.
fn stack(inner: Http) -> Http {
    let attempt = breaker(gate(rate_limit(concurrency(timeout(inner)))));
    request_id(idempotency(deadline(retry(backoff(attempt)))))
}

type Ground = fn(&ContractProbe, Http) -> Http;

/// What a candidate is put over.
const GROUNDS: [(&str, Ground); 3] = [
    ("a ready service", ready),
    ("room for one", room_for_one),
    ("a buffer", buffered),
];

fn ready(probe: &ContractProbe, server: Http) -> Http {
    BoxCloneSyncService::new(probe.layer(server))
}

fn room_for_one(probe: &ContractProbe, server: Http) -> Http {
    BoxCloneSyncService::new(probe.layer(ConcurrencyLimit::new(server, 1)))
}

fn buffered(probe: &ContractProbe, server: Http) -> Http {
    BoxCloneSyncService::new(probe.layer(Buffer::new(server, 1)))
}

/// Answers 200, after a moment, so that calls overlap.
fn server() -> Http {
    failing_server(0)
}

/// Answers 503 so many times, then 200.
fn failing_server(times: usize) -> Http {
    let failures = Arc::new(AtomicUsize::new(times));
    boxed(service_fn(move |_: Request<Body>| {
        let fail = |left: usize| left.checked_sub(1);
        let fails = failures.fetch_update(Ordering::Relaxed, Ordering::Relaxed, fail);
        let status = fails.map_or(StatusCode::OK, |_| StatusCode::SERVICE_UNAVAILABLE);
        async move {
            tokio::task::yield_now().await;
            let mut response = Response::new(empty());
            *response.status_mut() = status;
            Ok::<_, BoxError>(response)
        }
    }))
}

fn empty() -> Body {
    body(Empty::new())
}

fn request(method: Method) -> Request<Body> {
    let mut request = Request::new(empty());
    *request.method_mut() = method;
    request
}

/// Calls, and fails the test where that takes for ever.
async fn call(service: &mut Http) -> Result<Response<Body>, BoxError> {
    let ready = async { service.ready().await?.call(request(Method::POST)).await };
    tokio::time::timeout(Duration::from_secs(3600), ready).await?
}

fn readiness(service: &mut Http) -> Poll<Result<(), BoxError>> {
    service.poll_ready(&mut Context::from_waker(Waker::noop()))
}

#[tokio::test(start_paused = true)]
async fn one_call_after_another_is_answered() {
    for Candidate { name, wrap, .. } in CANDIDATES {
        for (ground, lay) in GROUNDS {
            let probe = ContractProbe::new();
            let mut service = wrap(lay(&probe, server()));
            for polls_before_ready in 0..4 {
                probe.pend(polls_before_ready);
                let answer = call(&mut service).await;
                assert!(answer.is_ok(), "{name} over {ground}: {answer:?}");
            }
            probe.assert_clean();
            probe.assert_idle();
            assert_eq!(probe.counts().completed, 4, "{name} over {ground}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn calls_at_the_same_time_are_all_answered() {
    for Candidate { name, wrap, .. } in CANDIDATES {
        for (ground, lay) in GROUNDS {
            let probe = ContractProbe::new();
            let service = wrap(lay(&probe, server()));
            let calls = (0..8).map(|_| {
                let mut service = service.clone();
                tokio::spawn(async move { call(&mut service).await })
            });
            for answer in calls.collect::<Vec<_>>() {
                let answer = answer.await.unwrap();
                assert!(answer.is_ok(), "{name} over {ground}: {answer:?}");
            }
            probe.assert_clean();
            probe.assert_idle();
            assert_eq!(probe.counts().completed, 8, "{name} over {ground}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_dropped_at_any_poll_leaves_room_for_the_next() {
    for Candidate { name, wrap, .. } in CANDIDATES {
        for (ground, lay) in GROUNDS {
            let probe = ContractProbe::new();
            let mut service = wrap(lay(&probe, failing_server(usize::MAX)));
            for polls in 0..12 {
                service.ready().await.unwrap();
                probe.pend(2);
                {
                    let mut dropped = pin!(service.call(request(Method::PUT)));
                    let mut cx = Context::from_waker(Waker::noop());
                    let _ = (0..polls).any(|_| dropped.as_mut().poll(&mut cx).is_ready());
                }
                probe.assert_idle();
                let answer = call(&mut service).await;
                assert!(
                    answer.is_ok(),
                    "{name} over {ground}, dropped after {polls}: {answer:?}"
                );
            }
            probe.assert_clean();
            probe.assert_idle();
        }
    }
}

#[tokio::test(start_paused = true)]
async fn each_attempt_of_a_call_waits_for_its_own_readiness() {
    for Candidate { name, wrap, .. } in CANDIDATES.into_iter().filter(|layer| layer.retries) {
        for (ground, lay) in GROUNDS {
            let probe = ContractProbe::new();
            let service = wrap(lay(&probe, failing_server(2)));
            probe.pend(2);
            let response = service.oneshot(request(Method::PUT)).await.unwrap();
            assert_eq!(response.status(), StatusCode::OK, "{name} over {ground}");
            probe.assert_clean();
            probe.assert_idle();
            assert_eq!(probe.counts().completed, 3, "{name} over {ground}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_service_that_is_never_ready_is_waited_for_in_the_call() {
    for Candidate {
        name,
        owns_readiness,
        wrap,
        ..
    } in CANDIDATES
    {
        let probe = ContractProbe::new();
        let mut service = wrap(ready(&probe, server()));
        probe.hold();
        assert_eq!(readiness(&mut service).is_ready(), owns_readiness, "{name}");
        if owns_readiness {
            let mut waiting = pin!(service.call(request(Method::POST)));
            for _ in 0..3 {
                let poll = waiting
                    .as_mut()
                    .poll(&mut Context::from_waker(Waker::noop()));
                assert!(poll.is_pending(), "{name}");
            }
        }
        assert_eq!(
            (probe.counts().calls, probe.counts().reserved),
            (0, 0),
            "{name}"
        );

        probe.release();
        assert!(call(&mut service).await.is_ok(), "{name}");
        probe.assert_clean();
    }
}

#[tokio::test(start_paused = true)]
async fn a_waiting_call_wakes_when_the_service_becomes_ready() {
    for Candidate { name, wrap, .. } in CANDIDATES {
        let probe = ContractProbe::new();
        let mut service = wrap(ready(&probe, server()));
        probe.hold();
        let waiting = tokio::spawn(async move { call(&mut service).await });
        tokio::task::yield_now().await;
        probe.release();
        assert!(waiting.await.unwrap().is_ok(), "{name}");
        probe.assert_clean();
    }
}

#[tokio::test(start_paused = true)]
async fn idle_clones_hold_nothing() {
    for Candidate { name, wrap, .. } in CANDIDATES.into_iter().filter(|layer| layer.owns_readiness)
    {
        let probe = ContractProbe::new();
        let mut service = wrap(room_for_one(&probe, server()));
        let mut idle = vec![service.clone(); 1_000];
        assert!(
            idle.iter_mut().all(|clone| readiness(clone).is_ready()),
            "{name}"
        );
        assert!(call(&mut service).await.is_ok(), "{name}");
        probe.assert_clean();
    }
}

#[tokio::test(start_paused = true)]
async fn a_failure_to_become_ready_is_the_calls_and_does_not_kill_the_service() {
    for Candidate {
        name,
        retries,
        wrap,
        ..
    } in CANDIDATES.into_iter().filter(|layer| layer.owns_readiness)
    {
        let probe = ContractProbe::new();
        let service = Buffer::new(wrap(ready(&probe, server())), 4);
        let mut service = BoxCloneSyncService::new(service);
        assert!(call(&mut service).await.is_ok(), "{name}");
        probe.fail_readiness("not now");
        match call(&mut service).await {
            Ok(_) => assert!(retries, "{name}"),
            Err(error) => assert_eq!(error.to_string(), "not now", "{name}"),
        }
        assert!(call(&mut service).await.is_ok(), "{name}");
        probe.assert_clean();
    }
}

/// What became of a call that a deadline above has ended.
async fn outcome_after_a_second(inner: Http) -> Option<Outcome> {
    let mut service = boxed(DeadlineLayer::new(Duration::from_secs(1)).layer(inner));
    let error = call(&mut service).await.err()?;
    Some(Fault::of(&*error).outcome)
}

#[tokio::test(start_paused = true)]
async fn a_deadline_above_knows_whether_anything_may_have_been_sent() {
    for Candidate {
        name,
        retries,
        wrap,
        ..
    } in CANDIDATES
    {
        let probe = ContractProbe::new();
        let silent =
            probe.answer(|_: Request<Body>| std::future::pending::<Result<Response<Body>, _>>());
        let service = wrap(BoxCloneSyncService::new(silent));

        probe.hold();
        let waiting = outcome_after_a_second(service.clone()).await;
        // Once our retry has launched an attempt, the Call cannot tell a layer further in that holds it
        // back from one that holds back the next: it errs on the safe side.
        let unsure = retries && waiting == Some(Outcome::Ambiguous);
        assert!(
            unsure || waiting == Some(Outcome::Unsent),
            "{name}: it was never ready"
        );

        probe.release();
        let sent = outcome_after_a_second(service.clone()).await;
        assert_eq!(sent, Some(Outcome::Ambiguous), "{name}: it was called");

        probe.pend(2);
        let sent = outcome_after_a_second(service).await;
        assert_eq!(
            sent,
            Some(Outcome::Ambiguous),
            "{name}: it was called after a wait"
        );

        probe.assert_clean();
        probe.assert_idle();
    }
}

/// Tries again, once, whatever failed, and knows nothing of a Call.
#[derive(Clone)]
struct ForeignRetry {
    left: usize,
}

impl Policy<Request<Body>, Response<Body>, BoxError> for ForeignRetry {
    type Future = Ready<()>;

    fn retry(
        &mut self,
        _: &mut Request<Body>,
        result: &mut Result<Response<Body>, BoxError>,
    ) -> Option<Ready<()>> {
        result.as_ref().err()?;
        self.left = self.left.checked_sub(1)?;
        Some(std::future::ready(()))
    }

    fn clone_request(&mut self, first: &Request<Body>) -> Option<Request<Body>> {
        Some(request(first.method().clone()))
    }
}

#[tokio::test(start_paused = true)]
async fn a_second_attempt_that_waits_does_not_undo_what_the_first_may_have_sent() {
    // A deadline below ends the wait itself, and speaks of its own attempt.
    let below = CANDIDATES
        .into_iter()
        .filter(|layer| layer.name != "deadline");
    for Candidate { name, wrap, .. } in below {
        let probe = ContractProbe::new();
        let holding = probe.clone();
        let breaks_once = probe.answer(move |_: Request<Body>| {
            holding.hold();
            std::future::ready(Err::<Response<Body>, _>(BoxError::from("reset")))
        });
        let service = wrap(BoxCloneSyncService::new(breaks_once));
        let service = BoxCloneSyncService::new(Retry::new(ForeignRetry { left: 1 }, service));
        let outcome = outcome_after_a_second(service).await;
        assert_eq!(outcome, Some(Outcome::Ambiguous), "{name}");
        assert_eq!(probe.counts().calls, 1, "{name}");
        probe.assert_clean();
    }
}
