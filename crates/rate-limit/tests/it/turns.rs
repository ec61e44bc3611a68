//! Who goes when.

use std::task::Poll;

use outrigger_core::Deadline;
use tokio::task::JoinSet;
use tokio_test::{assert_pending, assert_ready_ok, task};

use super::*;

#[tokio::test(start_paused = true)]
async fn a_burst_goes_at_once_and_the_others_one_by_one() {
    let log = Log::new();
    let service = patient(10, 3).layer(log.server());
    let mut calls = JoinSet::new();
    for number in 0..6 {
        calls.spawn(service.clone().oneshot(Request::new(number)));
    }
    assert_eq!(in_time(calls.join_all()).await.len(), 6);
    assert_eq!(log.times(), [0, 0, 0, 100, 200, 300]);
}

#[tokio::test(start_paused = true)]
async fn a_thousand_that_wait_go_in_the_order_in_which_they_came() {
    for per_second in [10, 997, 50_000] {
        let log = Log::new();
        let service = patient(per_second, 1).layer(log.server());
        let mut calls = JoinSet::new();
        for number in 0..=1_000 {
            calls.spawn(service.clone().oneshot(Request::new(number)));
            tokio::task::yield_now().await;
        }
        in_time(calls.join_all()).await;
        assert_eq!(log.numbers(), (0..=1_000).collect::<Vec<_>>());
        let longest = SECOND * 1_000 / per_second;
        let took = log.came().last().unwrap().0;
        assert!(took >= longest && took <= longest + 2 * MS, "{took:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn who_comes_later_does_not_overtake_who_waits() {
    let log = Log::new();
    let service = patient(1, 1).layer(log.server());
    let call = |number| Box::pin(service.clone().oneshot(Request::new(number)));
    call(0).await.unwrap();
    let mut first = task::spawn(call(1));
    assert_pending!(first.poll());
    tokio::time::advance(SECOND).await;
    let mut second = task::spawn(call(2));
    assert_pending!(second.poll(), "there is a token, and not for this one");
    assert!(first.is_woken());
    assert_ready_ok!(first.poll());
    in_time(second).await.unwrap();
    assert_eq!(log.numbers(), [0, 1, 2]);
    assert_eq!(log.times(), [0, 1_000, 2_000]);
}

#[tokio::test(start_paused = true)]
async fn the_turn_of_a_call_that_is_cancelled_goes_to_the_next() {
    let log = Log::new();
    let service = patient(1, 1).layer(log.server());
    let call = |number| Box::pin(service.clone().oneshot(Request::new(number)));
    call(0).await.unwrap();
    let mut waiting: Vec<_> = (1..=5).map(|number| task::spawn(call(number))).collect();
    for call in &mut waiting {
        assert_pending!(call.poll());
    }
    // The last, one in the middle, and the first.
    for gone in [4, 2, 0] {
        drop(waiting.remove(gone));
    }
    let late = task::spawn(call(6));
    for call in waiting.into_iter().chain([late]) {
        in_time(call).await.unwrap();
    }
    assert_eq!(log.numbers(), [0, 2, 4, 6]);
    assert_eq!(log.times(), [0, 1_000, 2_000, 3_000]);
}

#[tokio::test(start_paused = true)]
async fn a_call_that_nobody_polls_does_not_keep_the_others() {
    let log = Log::new();
    let service = patient(10, 1).layer(log.server());
    let call = |number| Box::pin(service.clone().oneshot(Request::new(number)));
    call(0).await.unwrap();
    let mut forgotten = task::spawn(call(1));
    assert_pending!(forgotten.poll());
    let mut calls = JoinSet::new();
    for number in 2..5 {
        calls.spawn(call(number));
        tokio::task::yield_now().await;
    }
    in_time(calls.join_all()).await;
    assert_eq!(log.numbers(), [0, 2, 3, 4]);
    assert_eq!(log.times(), [0, 200, 300, 400]);
    in_time(forgotten).await.unwrap();
    assert_eq!(log.times().last(), Some(&500), "it lines up again");
}

#[tokio::test(start_paused = true)]
async fn what_a_call_costs_is_what_it_waits_for() {
    let log = Log::new();
    let cost = |head: &http::request::Parts| match head.uri.path() {
        "/free" => 0,
        "/dear" => 3,
        _ => 1,
    };
    let service = patient(1, 3).cost(cost).layer(log.server());
    for path in ["/dear", "/dear", "/x", "/x", "/free", "/dear"] {
        let mut request = Request::new(0);
        *request.uri_mut() = path.parse().unwrap();
        in_time(service.clone().oneshot(request)).await.unwrap();
    }
    assert_eq!(log.times(), [0, 3_000, 4_000, 5_000, 5_000, 8_000]);
}

#[tokio::test(start_paused = true)]
async fn a_call_that_costs_nothing_does_not_stand_in_line() {
    let log = Log::new();
    let service = patient(1, 1)
        .cost(|head| u32::from(head.uri.path() != "/free"))
        .layer(log.server());
    let mut waiting: Vec<_> = (0..3)
        .map(|_| task::spawn(service.clone().oneshot(get())))
        .collect();
    assert_ready_ok!(waiting[0].poll());
    assert_pending!(waiting[1].poll());
    let free = to("http://a.example/free");
    assert_ready_ok!(task::spawn(service.clone().oneshot(free)).poll());
}

#[tokio::test(start_paused = true)]
async fn a_wait_ends_before_the_deadline_or_does_not_begin() {
    let log = Log::new();
    let service = patient(1, 1).layer(log.server());
    service.clone().oneshot(get()).await.unwrap();
    for (patience, goes) in [(SECOND, false), (SECOND + MS, true)] {
        let mut request = get();
        request.extensions_mut().insert(Deadline::within(patience));
        let mut call = task::spawn(service.clone().oneshot(request));
        match call.poll() {
            Poll::Ready(result) => {
                assert!(!goes);
                let error = result.unwrap_err();
                assert_eq!(limited(&error).retry_at(), Instant::now() + SECOND);
            }
            Poll::Pending => {
                assert!(goes);
                in_time(call).await.unwrap();
            }
        }
    }
}
