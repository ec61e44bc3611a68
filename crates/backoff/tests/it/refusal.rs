//! Calls that cannot wait.

use std::error::Error;

use outrigger_backoff::Paused;
use outrigger_core::call::{self, Scope};
use outrigger_core::inbound::{self, Inbound};
use outrigger_core::{Blame, Deadline, Fault, Outcome, Rejected, find};
use tower::Layer;

use super::*;

/// The refusal of a call that must be refused at once.
async fn refused<S>(service: &S, request: Request<()>) -> Paused
where
    S: Service<Request<()>, Response = Response<()>, Error = BoxError> + Clone,
{
    let start = Instant::now();
    let error = service.clone().oneshot(request).await.unwrap_err();
    assert_eq!(start.elapsed(), Duration::ZERO);
    find::<Paused>(&*error).expect("a Paused").clone()
}

#[tokio::test(start_paused = true)]
async fn a_pause_beyond_the_longest_wait_is_refused_and_says_until_when() {
    let service = layer().max_wait(SECOND).layer(Script::failures(9).server());
    for expected in [0, 1] {
        assert_eq!(took(&service, get()).await, expected * SECOND);
    }
    let retry_at = Instant::now() + 2 * SECOND;
    let paused = refused(&service, get()).await;
    assert_eq!(paused.retry_at(), retry_at);
    assert_eq!(
        paused.to_string(),
        "calls to the failing endpoint pause for 2s more"
    );
    let rejected = paused
        .source()
        .and_then(|source| source.downcast_ref::<Rejected>());
    let rejected = rejected.expect("a Rejected");
    assert_eq!(
        (rejected.by(), rejected.retry_at()),
        ("backoff", Some(retry_at))
    );

    pause(SECOND).await;
    assert_eq!(
        took(&service, get()).await,
        SECOND,
        "refusals change nothing"
    );
}

#[tokio::test(start_paused = true)]
async fn a_refusal_is_ours_and_nothing_was_sent() {
    let service = layer()
        .max_wait(Duration::ZERO)
        .layer(Script::failures(1).server());
    took(&service, get()).await;
    let error = service.oneshot(get()).await.unwrap_err();
    let fault = Fault::of(&*error);
    assert_eq!(
        (fault.outcome, fault.blame, fault.retry),
        (Outcome::Unsent, Blame::Us, false)
    );
}

#[tokio::test(start_paused = true)]
async fn no_more_calls_wait_for_an_endpoint_than_may() {
    let paced = layer().max_waiting(2);
    let service = paced.layer(Script::failures(1).server());
    took(&service, get()).await;
    let mut waiting: Vec<_> = (0..2)
        .map(|_| tokio::spawn(service.clone().oneshot(get())))
        .collect();
    tokio::task::yield_now().await;
    let crowded = refused(&service, get()).await;
    assert_eq!(crowded.retry_at(), Instant::now() + SECOND);
    assert_eq!(
        crowded.to_string(),
        "calls to the failing endpoint pause for 1s more, and no more of them may wait"
    );
    assert_eq!(
        took(&service, to("http://b.example/")).await,
        Duration::ZERO,
        "another endpoint"
    );

    // One that is dropped leaves its place, and so does one that is let through.
    waiting.pop().unwrap().abort();
    tokio::task::yield_now().await;
    assert_eq!(took(&service, get()).await, SECOND);
    assert!(waiting.pop().unwrap().await.unwrap().is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_pause_beyond_the_deadline_is_refused_wherever_the_deadline_stands() {
    let service = layer().layer(Script::failures(1).server());
    took(&service, get()).await;
    let deadline = Deadline::within(SECOND);

    let mut request = get();
    request.extensions_mut().insert(deadline);
    refused(&service, request).await;

    let inbound = Inbound {
        request_id: None,
        deadline: Some(deadline),
    };
    inbound::within(inbound, refused(&service, get())).await;

    let mut scope = Scope::join();
    let call = scope.run(|| {
        call::update(|call| call.shorten(deadline, Instant::now()));
        service.clone().call(get())
    });
    let error = call.await.unwrap_err();
    assert!(error.is::<Paused>());
}

#[tokio::test(start_paused = true)]
async fn a_pause_that_ends_before_the_deadline_is_waited_for() {
    let service = layer().layer(Script::failures(1).server());
    took(&service, get()).await;
    let mut request = get();
    request
        .extensions_mut()
        .insert(Deadline::within(SECOND + MS));
    assert_eq!(took(&service, request).await, SECOND);
}

#[tokio::test(start_paused = true)]
async fn a_deadline_refuses_no_call_that_need_not_wait() {
    let service = layer().layer(Script::default().server());
    let mut request = get();
    request
        .extensions_mut()
        .insert(Deadline::at(Instant::now()));
    assert!(service.oneshot(request).await.is_ok());
}
