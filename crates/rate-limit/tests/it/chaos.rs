//! Calls that end in every way, in any order: no token and no permit is lost or made from nothing, and who
//! waits does not wait for ever.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::Pin;
use std::sync::Weak;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use http::request::Parts;
use http_body::{Body, Frame};
use outrigger_rate_limit::ConcurrencyLayer;
use outrigger_testkit::probe::ContractProbe;
use proptest::prelude::*;
use tokio::task::{JoinSet, LocalSet};

use super::*;

const BURST: u32 = 4;
/// What one token takes.
const INTERVAL: Duration = Duration::from_millis(10);

#[derive(Clone, Copy, Debug, PartialEq)]
enum Step {
    Waits,
    Goes,
    Answers(u16),
    Fails,
    Panics,
}

use Step::{Answers, Fails, Goes, Panics, Waits};

/// Lives a step of user code: one that waits is woken at once.
fn live(step: Option<Step>, cx: &mut Context<'_>) -> Option<Step> {
    match step {
        Some(Waits) => cx.waker().wake_by_ref(),
        Some(Panics) => resume_unwind(Box::new("user code")),
        _ => {}
    }
    step
}

/// What becomes of a call below.
#[derive(Clone, Debug)]
struct Script {
    cost: u32,
    panics_in_call: bool,
    polls: VecDeque<Step>,
    /// What the body does, frame by frame.
    frames: VecDeque<Step>,
    /// Whether the inner service's future, and the body, panic as they are dropped.
    clings: bool,
}

/// The cost that a request names; at 6 its function panics.
fn cost(head: &Parts) -> u32 {
    match head.extensions.get() {
        Some(6) => resume_unwind(Box::new("user code")),
        cost => cost.copied().unwrap(),
    }
}

/// A service that becomes ready as it is told, and knows what has come and what is under way.
#[derive(Clone, Default)]
struct Below {
    readiness: Arc<Mutex<VecDeque<Step>>>,
    came: Arc<Mutex<Vec<(Instant, u32)>>>,
    /// Each call under way points to it.
    pass: Arc<()>,
}

impl Below {
    fn under_way(&self) -> u32 {
        Arc::weak_count(&self.pass) as u32
    }
}

impl Service<Request<Script>> for Below {
    type Response = Response<Played>;
    type Error = BoxError;
    type Future = Played;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        let step = self.readiness.lock().unwrap().pop_front();
        match live(step, cx) {
            Some(Waits) => Poll::Pending,
            Some(Fails) => Poll::Ready(Err("dead".into())),
            _ => Poll::Ready(Ok(())),
        }
    }

    fn call(&mut self, request: Request<Script>) -> Played {
        let script = request.into_body();
        self.came
            .lock()
            .unwrap()
            .push((Instant::now(), script.cost));
        if script.panics_in_call {
            resume_unwind(Box::new("user code"));
        }
        let under_way = Some(Arc::downgrade(&self.pass));
        Played { script, under_way }
    }
}

/// The inner service's future, and then the body of its answer.
struct Played {
    script: Script,
    under_way: Option<Weak<()>>,
}

impl Drop for Played {
    fn drop(&mut self) {
        self.under_way = None;
        if self.script.clings && !std::thread::panicking() {
            resume_unwind(Box::new("user code"));
        }
    }
}

impl Future for Played {
    type Output = Result<Response<Played>, BoxError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let step = self.script.polls.pop_front();
        match live(step, cx) {
            Some(Answers(status)) => {
                let script = self.script.clone();
                self.script.clings = false;
                let under_way = self.under_way.take();
                let under_way = under_way.filter(|_| !script.frames.is_empty());
                let body = Played { script, under_way };
                Poll::Ready(Ok(Response::builder().status(status).body(body)?))
            }
            Some(Fails) => {
                self.under_way = None;
                Poll::Ready(Err("reset".into()))
            }
            _ => Poll::Pending,
        }
    }
}

impl Body for Played {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let step = self.script.frames.pop_front();
        let step = live(step, cx);
        if step == Some(Fails) || step != Some(Waits) && self.script.frames.is_empty() {
            self.under_way = None;
        }
        match step {
            Some(Waits) => Poll::Pending,
            Some(Fails) => Poll::Ready(Some(Err("reset".into()))),
            Some(_) => Poll::Ready(Some(Ok(Frame::data(Bytes::from("data"))))),
            None => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.script.frames.is_empty()
    }
}

/// A call under way; its body is read when there is one.
enum Part<F, B> {
    Head(Pin<Box<F>>),
    Body(Pin<Box<B>>),
}

impl<F: Future<Output = Result<Response<B>, BoxError>>, B: Body> Part<F, B> {
    /// Whether it goes on.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<bool> {
        match self {
            Self::Head(future) => future.as_mut().poll(cx).map(|answer| match answer {
                Ok(answer) => {
                    *self = Self::Body(Box::pin(answer.into_body()));
                    true
                }
                Err(_) => false,
            }),
            Self::Body(body) => {
                let frame = body.as_mut().poll_frame(cx);
                frame.map(|frame| matches!(frame, Some(Ok(_))))
            }
        }
    }

    /// Lives to the end.
    async fn end(mut self) {
        let mut poll = |cx: &mut Context<'_>| {
            while std::task::ready!(self.poll(cx)) {}
            Poll::Ready(())
        };
        poll_fn(|cx| poll(cx)).await;
    }
}

#[derive(Clone, Debug)]
enum Event {
    Call(Script),
    /// The service below becomes ready in this way, next time.
    Ready(Step),
    Poll(usize),
    Drop(usize),
    Pause(u64),
}

/// Runs user code, which may panic.
fn caught<R>(code: impl FnOnce() -> R) -> Option<R> {
    catch_unwind(AssertUnwindSafe(code)).ok()
}

/// Plays these events on a service, whose state is checked after each. Then all that panicked are dropped,
/// and the others come to their end.
async fn play<S, B>(mut service: S, below: &Below, events: Vec<Event>, check: impl Fn())
where
    S: Service<Request<Script>, Response = Response<B>, Error = BoxError, Future: 'static>,
    B: Body + 'static,
{
    // Each with whether it has panicked.
    let mut calls = Vec::new();
    for event in events {
        match event {
            Event::Call(script) => {
                let mut request = Request::new(script);
                let cost = request.body().cost;
                request.extensions_mut().insert(cost);
                let call = caught(|| service.call(request));
                calls.extend(call.map(|future| (Part::Head(Box::pin(future)), false)));
            }
            Event::Ready(step) => below.readiness.lock().unwrap().push_back(step),
            Event::Pause(time) => tokio::time::advance(Duration::from_micros(time)).await,
            Event::Poll(which) if !calls.is_empty() => {
                let (mut call, panicked) = calls.swap_remove(which % calls.len());
                let waker = waker();
                match caught(|| call.poll(&mut Context::from_waker(&waker))) {
                    Some(Poll::Ready(false)) => drop(caught(|| drop(call))),
                    polled => calls.push((call, panicked || polled.is_none())),
                }
            }
            Event::Drop(which) if !calls.is_empty() => {
                let call = calls.swap_remove(which % calls.len());
                caught(|| drop(call));
            }
            Event::Poll(_) | Event::Drop(_) => {}
        }
        check();
    }
    let (local, mut ends) = (LocalSet::new(), JoinSet::new());
    for (call, panicked) in calls {
        match panicked {
            true => drop(caught(|| drop(call))),
            false => drop(ends.spawn_local_on(call.end(), &local)),
        }
    }
    let all = async { while ends.join_next().await.is_some() {} };
    local.run_until(in_time(all)).await;
    check();
}

/// A waker that is like no other.
fn waker() -> Waker {
    struct Task;
    impl std::task::Wake for Task {
        fn wake(self: Arc<Self>) {}
    }
    Arc::new(Task).into()
}

fn script() -> impl Strategy<Value = Script> {
    let end = prop_oneof![3 => Just(Answers(200)), 1 => Just(Answers(429)), 1 => Just(Fails), 1 => Just(Panics)];
    let frame = prop_oneof![3 => Just(Goes), 1 => Just(Waits), 1 => Just(Fails), 1 => Just(Panics)];
    let polls = (0_usize..3, end);
    let frames = prop::collection::vec(frame, 0..4);
    let mishaps = (prop::bool::weighted(0.1), prop::bool::weighted(0.2));
    (0..=6_u32, polls, frames, mishaps).prop_map(|(cost, (waits, end), frames, mishaps)| Script {
        cost,
        panics_in_call: mishaps.0,
        polls: std::iter::repeat_n(Waits, waits).chain([end]).collect(),
        frames: frames.into(),
        clings: mishaps.1,
    })
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    let readiness =
        prop_oneof![3 => Just(Waits), 2 => Just(Goes), 1 => Just(Fails), 1 => Just(Panics)];
    let event = prop_oneof![
        4 => script().prop_map(Event::Call),
        2 => readiness.prop_map(Event::Ready),
        8 => any::<usize>().prop_map(Event::Poll),
        1 => any::<usize>().prop_map(Event::Drop),
        2 => (0_u64..30_000).prop_map(Event::Pause),
    ];
    prop::collection::vec(event, 1..80)
}

/// How long who waits may wait.
fn patience() -> impl Strategy<Value = Duration> {
    prop::sample::select(vec![Duration::ZERO, 3 * INTERVAL, Duration::MAX])
}

/// Runs this on a clock of its own, which is paused.
fn paused<F: Future>(future: F) -> F::Output {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = runtime.enable_time().start_paused(true).build().unwrap();
    runtime.block_on(future)
}

/// What a plain bucket has left, after what came.
fn left(came: &[(Instant, u32)], start: Instant) -> u128 {
    let full = INTERVAL * BURST;
    let (mut level, mut known) = (full, start);
    for (at, cost) in came {
        level = full.min(level + (*at - known));
        level = level.checked_sub(INTERVAL * *cost).expect("the tokens");
        known = *at;
    }
    full.min(level + known.elapsed()).as_nanos() / INTERVAL.as_nanos()
}

proptest! {
    #[test]
    fn what_is_left_is_what_the_calls_that_went_have_left(
        events in events(),
        patience in patience(),
        room in prop::sample::select(vec![0_usize, 2, 1_000]),
    ) {
        paused(async {
            let (below, probe, start) = (Below::default(), ContractProbe::new(), Instant::now());
            let layer = RateLimitLayer::new(quota(100, BURST)).wait(patience).queue(room);
            let service = layer.shared().cost(cost).layer(probe.layer(below.clone()));
            let handle = service.handle();
            let check = || {
                let standing = handle.snapshots()[0];
                assert_eq!(u128::from(standing.available), left(&below.came.lock().unwrap(), start));
                assert!(standing.waiting <= if patience.is_zero() { 0 } else { room });
                probe.assert_clean();
            };
            play(service.clone(), &below, events, check).await;
            assert_eq!(handle.snapshots()[0].waiting, 0);
            probe.assert_idle();
        });
    }

    #[test]
    fn each_call_under_way_has_a_permit_and_none_is_lost(
        events in events(),
        patience in patience(),
        room in prop::sample::select(vec![0_usize, 2, 1_000]),
        permits in 1_u32..4,
    ) {
        paused(async {
            let (below, probe) = (Below::default(), ContractProbe::new());
            let layer = ConcurrencyLayer::new(number(permits)).wait(patience).queue(room);
            let layer = layer.key(|head| (cost(head) / 9).to_string());
            let service = layer.layer(probe.layer(below.clone()));
            let handle = service.handle();
            let check = || {
                let standing = handle.snapshots();
                if let [one] = standing[..] {
                    assert!(one.waiting <= if patience.is_zero() { 0 } else { room });
                    assert!(one.waiting == 0 || one.available == 0);
                    assert!(below.under_way() <= permits - one.available);
                }
                probe.assert_clean();
            };
            play(service.clone(), &below, events, check).await;
            if let [one] = handle.snapshots()[..] {
                assert_eq!((one.available, one.waiting), (permits, 0));
            }
            probe.assert_idle();
        });
    }
}
