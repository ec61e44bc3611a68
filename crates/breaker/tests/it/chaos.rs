//! Calls that end in every way, in any order: what is counted is what came of them, and no probe is lost.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use http::HeaderMap;
use http_body::{Body as _, Frame};
use outrigger_breaker::{BreakerHandle, Ratio, ResponseBody, Verdict};
use outrigger_core::call::{self, Call, Dispatch};
use proptest::prelude::*;

use super::*;

/// What becomes of a call below.
#[derive(Clone, Debug)]
struct Script {
    called: Step,
    polls: VecDeque<Step>,
    /// What the body does, frame by frame.
    frames: VecDeque<Step>,
    /// Whether the inner service's future, and the body, panic as they are dropped.
    clings: bool,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Step {
    Waits,
    IsHeld,
    IsSent,
    Answers(u16),
    Fails,
    Panics,
    Goes,
}

use Step::{Answers, Fails, Goes, IsHeld, IsSent, Panics, Waits};

/// What a step does to the call, before it is pending or goes on.
fn live(step: Step) {
    match step {
        IsHeld => call::update(Call::hold),
        IsSent => call::update(|call| call.report(Dispatch::Sent(Instant::now()))),
        Panics => resume_unwind(Box::new("user code")),
        _ => {}
    }
}

/// The inner service's future, and then the body of its answer.
struct Played(Script);

impl Drop for Played {
    fn drop(&mut self) {
        if self.0.clings && !std::thread::panicking() {
            live(Panics);
        }
    }
}

impl Future for Played {
    type Output = Result<Response<Played>, BoxError>;

    fn poll(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Self::Output> {
        let Some(step) = self.0.polls.pop_front() else {
            return Poll::Pending;
        };
        live(step);
        match step {
            Answers(status) => {
                let clings = std::mem::take(&mut self.0.clings);
                let body = Played(Script {
                    clings,
                    ..self.0.clone()
                });
                Poll::Ready(Ok(Response::builder().status(status).body(body)?))
            }
            Fails => Poll::Ready(Err(std::io::Error::other("reset").into())),
            _ => Poll::Pending,
        }
    }
}

impl http_body::Body for Played {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let Some(step) = self.0.frames.pop_front() else {
            return Poll::Ready(None);
        };
        live(step);
        match step {
            Goes => Poll::Ready(Some(Ok(Frame::data(Bytes::from("data"))))),
            Fails => Poll::Ready(Some(Err("reset".into()))),
            _ => Poll::Pending,
        }
    }

    fn is_end_stream(&self) -> bool {
        self.0.frames.is_empty()
    }
}

/// Panics at 418, and leaves 206 to the end of the body.
#[derive(Clone, Debug)]
struct Moody;

impl Classify for Moody {
    fn head(&self, status: StatusCode, headers: &HeaderMap) -> Option<Verdict> {
        match status.as_u16() {
            206 => None,
            _ => Touchy.head(status, headers),
        }
    }
}

/// What should be counted: calls, and the failures among them.
#[derive(Debug, Default, PartialEq)]
struct Counts {
    calls: u64,
    failures: u64,
}

/// What the circuit knows of a call.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Known {
    Nothing,
    /// That it went well so far.
    Good,
    All,
}

use Known::{All, Good, Nothing};

impl Counts {
    fn success(&mut self, ended: bool) -> Known {
        self.calls += 1;
        if ended { All } else { Good }
    }

    fn failure(&mut self, known: Known) -> Known {
        self.calls += u64::from(known == Nothing);
        self.failures += u64::from(known != All);
        All
    }

    /// The inner service was polled.
    fn polled(&mut self, step: Option<Step>, ended: bool) -> Known {
        match step {
            Some(Panics | Fails | Answers(503)) => self.failure(Nothing),
            Some(Answers(200)) => self.success(ended),
            Some(Answers(206)) if ended => self.success(ended),
            Some(Answers(418 | 429)) => All,
            _ => Nothing,
        }
    }

    /// The body was polled.
    fn read(&mut self, known: Known, step: Option<Step>, ended: bool) -> Known {
        match (step, known) {
            (Some(Fails), known) => self.failure(known),
            (Some(Goes) | None, Nothing) => self.success(ended),
            (Some(Goes), Good) if ended => All,
            (None, Good) => All,
            (_, known) => known,
        }
    }
}

type Answered = Response<ResponseBody<Played, Moody>>;

/// A call under way, and what is left of its script.
struct UnderWay {
    script: Script,
    known: Known,
    part: Part,
}

enum Part {
    Head(Pin<Box<dyn Future<Output = Result<Answered, BoxError>>>>),
    Body(Pin<Box<ResponseBody<Played, Moody>>>),
}

/// Runs user code, which may panic.
fn caught<R>(code: impl FnOnce() -> R) -> Option<R> {
    catch_unwind(AssertUnwindSafe(code)).ok()
}

impl UnderWay {
    /// Polls it, counts what comes of that, and gives it back unless it is over.
    fn poll(mut self, counts: &mut Counts) -> Option<Self> {
        let cx = &mut Context::from_waker(Waker::noop());
        match &mut self.part {
            Part::Head(future) => {
                let step = self.script.polls.pop_front();
                let polled = caught(|| future.as_mut().poll(cx));
                self.known = counts.polled(step, self.script.frames.is_empty());
                match polled? {
                    Poll::Pending => {}
                    Poll::Ready(answer) => {
                        let body = Part::Body(Box::pin(answer.ok()?.into_body()));
                        let head = std::mem::replace(&mut self.part, body);
                        caught(|| drop(head));
                    }
                }
            }
            Part::Body(body) => {
                let step = self.script.frames.pop_front();
                let polled = caught(|| body.as_mut().poll_frame(cx));
                self.known = counts.read(self.known, step, self.script.frames.is_empty());
                if let Poll::Ready(None | Some(Err(_))) = polled? {
                    return None;
                }
            }
        }
        Some(self)
    }
}

#[derive(Clone, Debug)]
enum Event {
    Call(Script),
    Poll(usize),
    Drop(usize),
    Pause(u64),
}

/// Plays these events on a service. All that is under way at the end is dropped.
async fn play<S>(service: &S, events: &[Event]) -> Counts
where
    S: Service<Request<Script>, Response = Answered, Error = BoxError> + Clone,
    S::Future: 'static,
{
    let (mut under_way, mut counts) = (Vec::new(), Counts::default());
    for event in events {
        match event {
            Event::Call(script) => {
                match caught(|| service.clone().call(Request::new(script.clone()))) {
                    Some(future) => under_way.push(UnderWay {
                        script: script.clone(),
                        known: Nothing,
                        part: Part::Head(Box::pin(future)),
                    }),
                    None => drop(counts.failure(Nothing)),
                }
            }
            Event::Pause(time) => pause(*time as u32 * MS).await,
            Event::Poll(_) | Event::Drop(_) if under_way.is_empty() => {}
            Event::Poll(which) => {
                let call = under_way.swap_remove(which % under_way.len());
                let left = caught(|| call.poll(&mut counts));
                under_way.extend(left.flatten());
            }
            Event::Drop(which) => {
                let call = under_way.swap_remove(which % under_way.len());
                caught(|| drop(call));
            }
        }
    }
    for call in under_way {
        caught(|| drop(call));
    }
    counts
}

fn script() -> impl Strategy<Value = Script> {
    let waits = || prop_oneof![Just(Waits), Just(IsHeld), Just(IsSent)];
    let statuses = prop::sample::select(vec![200, 200, 200, 206, 206, 418, 429, 503]);
    let end = prop_oneof![4 => statuses.prop_map(Answers), 1 => Just(Fails), 1 => Just(Panics)];
    let frame = prop_oneof![3 => Just(Goes), 1 => Just(Waits), 1 => Just(Fails), 1 => Just(Panics)];
    let called = prop_oneof![8 => waits(), 1 => Just(Panics)];
    let polls = (prop::collection::vec(waits(), 0..3), end);
    let frames = prop::collection::vec(frame, 0..4);
    (called, polls, frames, any::<bool>()).prop_map(|(called, (mut polls, end), frames, clings)| {
        polls.push(end);
        Script {
            called,
            polls: polls.into(),
            frames: frames.into(),
            clings,
        }
    })
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    let event = prop_oneof![
        3 => script().prop_map(Event::Call),
        8 => any::<usize>().prop_map(Event::Poll),
        1 => any::<usize>().prop_map(Event::Drop),
        1 => (0_u64..2_000).prop_map(Event::Pause),
    ];
    prop::collection::vec(event, 1..60)
}

/// Runs this on a clock of its own, which is paused.
fn paused<F: Future>(future: F) -> F::Output {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = runtime.enable_time().start_paused(true).build().unwrap();
    runtime.block_on(future)
}

fn played(
    layer: BreakerLayer,
) -> impl Service<Request<Script>, Response = Answered, Error = BoxError, Future: 'static> + Clone {
    let server = service_fn(|request: Request<Script>| {
        let script = request.into_body();
        live(script.called);
        Played(script)
    });
    layer.shared().classify(Moody).layer(server)
}

proptest! {
    #[test]
    fn what_came_of_each_call_is_counted_once(events in events(), timed: bool) {
        paused(async {
            let handle = BreakerHandle::new();
            let never = Trip::ratio(Ratio::percent(100)).min_calls(u32::MAX).window(3_600 * SECOND);
            let mut layer = BreakerLayer::new(never).handle(&handle);
            if timed {
                layer = layer.slow_call(SECOND);
            }
            let service = played(layer);
            let counts = play(&service, &events).await;
            let seen = &handle.snapshots()[0];
            let (calls, failures) = (seen.calls(), seen.failures());
            prop_assert_eq!(Counts { calls, failures }, counts);
            Ok(())
        })?;
    }

    #[test]
    fn no_probe_is_lost_whatever_becomes_of_it(events in events(), timed: bool, minded: bool) {
        paused(async {
            let mut trip = Trip::consecutive(1);
            if minded {
                trip = trip.or(Trip::slow(Ratio::percent(1)).min_calls(1));
            }
            let mut layer = BreakerLayer::new(trip).probes(1).open_for(SECOND);
            layer = layer.open_at_most(SECOND).lease(1_000_000 * SECOND);
            if timed {
                layer = layer.slow_call(SECOND);
            }
            let service = played(layer);
            play(&service, &events).await;
            pause(2 * SECOND).await;
            let well = Script {
                called: Goes,
                polls: [Answers(200)].into(),
                frames: VecDeque::new(),
                clings: false,
            };
            let answer = service.clone().oneshot(Request::new(well)).await;
            prop_assert_eq!(came(&answer), Came::To(200));
            Ok(())
        })?;
    }
}
