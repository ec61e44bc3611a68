//! Every layer keeps tower's contract, alone and in a stack, over services that are slow to become
//! ready, that have room for one call only, that never become ready, and that die.
//!
//! A new layer is a new row in `CANDIDATES`.

use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, Response};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Empty};
use outrigger_backoff::{BackoffLayer, Exponential};
use outrigger_core::{Fault, Outcome};
use outrigger_idempotency::{IdempotencyKeyLayer, KeyFormat};
use outrigger_request_id::{InboundLayer, RequestIdLayer};
use outrigger_testkit::BoxError;
use outrigger_testkit::probe::ContractProbe;
use outrigger_tests::recipe::GateLayer;
use outrigger_timeout::{DeadlineLayer, TimeoutLayer};
use tower::buffer::Buffer;
use tower::limit::ConcurrencyLimit;
use tower::util::BoxCloneSyncService;
use tower::{Layer, Service, ServiceExt};
use tower_http::map_request_body::MapRequestBody;

type Body = UnsyncBoxBody<Bytes, BoxError>;
type Http = BoxCloneSyncService<Request<Body>, Response<Body>, BoxError>;

/// A layer, or a stack of them.
struct Candidate {
    name: &'static str,
    /// Whether it is always ready, or passes the inner service's readiness through.
    owns_readiness: bool,
    wrap: fn(Http) -> Http,
}

/// The recipe's layer, each layer of ours, and all of them in a stack.
const CANDIDATES: [Candidate; 8] = [
    Candidate {
        name: "gate",
        owns_readiness: true,
        wrap: gate,
    },
    Candidate {
        name: "deadline",
        owns_readiness: true,
        wrap: deadline,
    },
    Candidate {
        name: "timeout",
        owns_readiness: true,
        wrap: timeout,
    },
    Candidate {
        name: "backoff",
        owns_readiness: true,
        wrap: backoff,
    },
    Candidate {
        name: "idempotency",
        owns_readiness: false,
        wrap: idempotency,
    },
    Candidate {
        name: "request id",
        owns_readiness: false,
        wrap: request_id,
    },
    Candidate {
        name: "inbound",
        owns_readiness: false,
        wrap: inbound,
    },
    Candidate {
        name: "stack",
        owns_readiness: true,
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

/// Outermost first.
fn stack(inner: Http) -> Http {
    request_id(idempotency(deadline(backoff(gate(timeout(inner))))))
}

type Ground = fn(&ContractProbe) -> Http;

/// What a candidate is put over.
const GROUNDS: [(&str, Ground); 3] = [
    ("a ready service", ready),
    ("room for one", room_for_one),
    ("a buffer", buffered),
];

fn ready(probe: &ContractProbe) -> Http {
    BoxCloneSyncService::new(probe.answer(answer))
}

fn room_for_one(probe: &ContractProbe) -> Http {
    BoxCloneSyncService::new(probe.layer(ConcurrencyLimit::new(tower::service_fn(answer), 1)))
}

fn buffered(probe: &ContractProbe) -> Http {
    BoxCloneSyncService::new(probe.layer(Buffer::new(tower::service_fn(answer), 1)))
}

/// Answers after a moment, so that calls overlap.
async fn answer(_: Request<Body>) -> Result<Response<Body>, BoxError> {
    tokio::task::yield_now().await;
    Ok(Response::new(empty()))
}

fn empty() -> Body {
    body(Empty::new())
}

fn request() -> Request<Body> {
    let mut request = Request::new(empty());
    *request.method_mut() = Method::POST;
    request
}

/// Calls, and fails the test where that takes for ever.
async fn call(service: &mut Http) -> Result<Response<Body>, BoxError> {
    let ready = async { service.ready().await?.call(request()).await };
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
            let mut service = wrap(lay(&probe));
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
            let service = wrap(lay(&probe));
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
            let mut service = wrap(lay(&probe));
            for polls in 0..6 {
                service.ready().await.unwrap();
                probe.pend(2);
                {
                    let mut dropped = pin!(service.call(request()));
                    for _ in 0..polls {
                        if dropped
                            .as_mut()
                            .poll(&mut Context::from_waker(Waker::noop()))
                            .is_ready()
                        {
                            break;
                        }
                    }
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
async fn a_service_that_is_never_ready_is_waited_for_in_the_call() {
    for Candidate {
        name,
        owns_readiness,
        wrap,
    } in CANDIDATES
    {
        let probe = ContractProbe::new();
        let mut service = wrap(ready(&probe));
        probe.hold();
        assert_eq!(readiness(&mut service).is_ready(), owns_readiness, "{name}");
        if owns_readiness {
            let mut waiting = pin!(service.call(request()));
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
        let mut service = wrap(ready(&probe));
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
        let mut service = wrap(room_for_one(&probe));
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
    for Candidate { name, wrap, .. } in CANDIDATES.into_iter().filter(|layer| layer.owns_readiness)
    {
        let probe = ContractProbe::new();
        let service = Buffer::new(wrap(ready(&probe)), 4);
        let mut service = BoxCloneSyncService::new(service);
        assert!(call(&mut service).await.is_ok(), "{name}");
        probe.fail_readiness("not now");
        let error = call(&mut service).await.unwrap_err();
        assert_eq!(error.to_string(), "not now", "{name}");
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
    for Candidate { name, wrap, .. } in CANDIDATES {
        let probe = ContractProbe::new();
        let silent =
            probe.answer(|_: Request<Body>| std::future::pending::<Result<Response<Body>, _>>());
        let service = wrap(BoxCloneSyncService::new(silent));

        probe.hold();
        let waiting = outcome_after_a_second(service.clone()).await;
        assert_eq!(waiting, Some(Outcome::Unsent), "{name}: it was never ready");

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
