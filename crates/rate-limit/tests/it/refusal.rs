//! Who is refused, and when that is known.

use outrigger_core::call::{self, Scope};
use outrigger_core::inbound::{self, Inbound};
use outrigger_core::{Blame, Deadline, Fault, Outcome, Rejected};
use outrigger_rate_limit::NeverFits;
use tokio_test::{assert_pending, assert_ready_err, assert_ready_ok, task};

use super::*;

#[tokio::test(start_paused = true)]
async fn a_wait_that_is_known_to_be_too_long_is_refused_in_one_poll() {
    let service = RateLimitLayer::new(quota(1, 1)).layer(Log::new().server());
    let start = Instant::now();
    let mut calls: Vec<_> = (0..3)
        .map(|_| task::spawn(service.clone().oneshot(get())))
        .collect();
    assert_ready_ok!(calls[0].poll());
    assert_pending!(calls[1].poll(), "1 s is what a call waits by default");
    let error = assert_ready_err!(calls[2].poll());
    assert_eq!(limited(&error).retry_at(), start + 2 * SECOND);
    let rejected: &Rejected = find(&*error).unwrap();
    assert_eq!(rejected.retry_at(), Some(start + 2 * SECOND));
    assert_eq!(rejected.by(), "rate limit");
    let fault = Fault::of(&*error);
    assert_eq!(
        (fault.outcome, fault.blame, fault.retry),
        (Outcome::Unsent, Blame::Us, false)
    );
    assert_eq!(
        error.to_string(),
        "the rate limit lets no call through for 2s"
    );
}

#[tokio::test(start_paused = true)]
async fn who_may_not_wait_is_refused_at_once() {
    let layer = RateLimitLayer::new(quota(2, 2)).refuse();
    let service = layer.layer(Log::new().server());
    let start = Instant::now();
    for _ in 0..2 {
        service.clone().oneshot(get()).await.unwrap();
    }
    let error = assert_ready_err!(task::spawn(service.clone().oneshot(get())).poll());
    assert_eq!(limited(&error).retry_at(), start + SECOND / 2);
    pause(SECOND / 2).await;
    service.clone().oneshot(get()).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_line_that_is_full_takes_nobody_and_says_when() {
    let service = patient(1, 1).queue(2).layer(Log::new().server());
    let start = Instant::now();
    let mut calls: Vec<_> = (0..4)
        .map(|_| task::spawn(service.clone().oneshot(get())))
        .collect();
    assert_ready_ok!(calls[0].poll());
    assert_pending!(calls[1].poll());
    assert_pending!(calls[2].poll());
    let error = assert_ready_err!(calls[3].poll());
    assert_eq!(limited(&error).retry_at(), start + 3 * SECOND);
    let standing = service.handle().snapshots()[0];
    assert_eq!((standing.waiting, standing.refused), (2, 1));
    drop(calls.remove(1));
    assert_pending!(task::spawn(service.clone().oneshot(get())).poll());
}

#[tokio::test(start_paused = true)]
async fn the_deadline_of_the_call_bounds_the_wait() {
    let service = patient(1, 1).layer(Log::new().server());
    let mut scope = Scope::join();
    scope.run(|| {
        let now = Instant::now();
        call::update(|call| call.shorten(Deadline::after(now, SECOND / 2), now));
        let mut call = service.clone();
        assert_ready_ok!(task::spawn(call.call(get())).poll());
        assert_ready_err!(task::spawn(call.call(get())).poll());
    });
}

#[tokio::test(start_paused = true)]
async fn the_deadline_of_the_request_that_is_being_answered_bounds_the_wait() {
    let service = patient(1, 1).layer(Log::new().server());
    in_time(service.clone().oneshot(get())).await.unwrap();
    let inbound = Inbound {
        request_id: None,
        deadline: Some(Deadline::within(SECOND / 2)),
    };
    let mut call = task::spawn(inbound::within(inbound, service.oneshot(get())));
    limited(&assert_ready_err!(call.poll()));
}

#[tokio::test(start_paused = true)]
async fn a_deadline_that_passed_before_the_limit_was_made_lets_nobody_wait() {
    let mut request = get();
    request.extensions_mut().insert(Deadline::within(SECOND));
    pause(HOUR).await;
    let service = patient(1, 1).layer(Log::new().server());
    in_time(service.clone().oneshot(get())).await.unwrap();
    assert_ready_err!(task::spawn(service.oneshot(request)).poll());
}

#[tokio::test(start_paused = true)]
async fn a_deadline_in_a_thousand_years_is_none() {
    let service = patient(1, 1).layer(Log::new().server());
    in_time(service.clone().oneshot(get())).await.unwrap();
    let far = Instant::now() + 1_000 * 365 * 24 * HOUR;
    let mut request = get();
    request.extensions_mut().insert(Deadline::at(far));
    in_time(service.oneshot(request)).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_call_that_costs_more_than_the_burst_never_fits() {
    let service = patient(1, 3).cost(|_| 4).layer(Log::new().server());
    let error = assert_ready_err!(task::spawn(service.oneshot(get())).poll());
    assert!(find::<NeverFits>(&*error).is_some());
    assert_eq!(find::<Rejected>(&*error).unwrap().retry_at(), None);
    assert!(!Fault::of(&*error).retry);
    assert_eq!(
        error.to_string(),
        "a call that costs 4 never fits a burst of 3"
    );
}

#[tokio::test(start_paused = true)]
async fn ten_times_the_load_is_refused_at_once_and_nobody_waits_longer_than_allowed() {
    let log = Log::new();
    let service = RateLimitLayer::new(quota(100, 1)).layer(log.server());
    let mut calls = tokio::task::JoinSet::new();
    for number in 0..5_000 {
        let call = service.clone().oneshot(Request::new(number));
        calls.spawn(async move {
            let start = Instant::now();
            let result = call.await;
            (result.is_ok(), start.elapsed())
        });
        pause(MS).await;
    }
    let outcomes = in_time(calls.join_all()).await;
    for (answered, took) in &outcomes {
        let longest = if *answered {
            SECOND + 2 * MS
        } else {
            Duration::ZERO
        };
        assert!(*took <= longest, "{answered} after {took:?}");
    }
    let answered = outcomes.iter().filter(|(answered, _)| *answered).count();
    assert!(
        (590..=601).contains(&answered),
        "{answered} in 5 s and the last second's wait"
    );
}
