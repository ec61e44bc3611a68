//! What a call's end says of the peer.

use http::{Response, StatusCode};
use outrigger_core::{
    BoxError, Classify, Elapsed, End, Fault, Outcome, Phase, Verdict, call, find,
};
use tokio::time::Instant;

use crate::guard::Guard;

/// Judges a call by its head, unless only its body will tell.
#[inline(always)]
pub(crate) fn head<R>(guard: &mut Guard, classify: &impl Classify, response: &Response<R>) {
    if let Some(verdict) = classify.head(response.status(), response.headers()) {
        let now = Instant::now();
        let verdict = match verdict {
            Verdict::Failure if ran_out_of_time(response) && is_hasty(now) => Verdict::Neutral,
            verdict => guard.weigh(verdict, false, now),
        };
        guard.finish(verdict, now);
    }
}

/// Judges a call by how its body ended.
#[inline(always)]
pub(crate) fn end(guard: &mut Guard, classify: &impl Classify, end: End<'_>) {
    let verdict = classify.end(end);
    if guard.is_out() {
        guard.finish(verdict, Instant::now());
    }
    guard.settle(verdict == Verdict::Failure);
}

/// A service that failed to become ready is judged like a call to it.
#[cold]
pub(crate) fn unready(guard: &mut Guard, classify: &impl Classify, error: &BoxError) {
    if guard.admit().is_ok() {
        guard.finish(classify.error(&**error), Instant::now());
    }
}

/// Judges a call by its error.
#[cold]
pub(crate) fn failed(guard: &mut Guard, classify: &impl Classify, error: &BoxError) {
    let now = Instant::now();
    let elapsed = find::<Elapsed>(&**error);
    let ambiguous = elapsed.is_none() && Fault::of(&**error).outcome == Outcome::Ambiguous;
    let verdict = match classify.error(&**error) {
        Verdict::Failure if ambiguous && is_hasty(now) => Verdict::Neutral,
        verdict => {
            let impatient = elapsed.is_some_and(|elapsed| elapsed.phase() == Phase::Total);
            guard.weigh(verdict, impatient, now)
        }
    };
    guard.finish(verdict, now);
}

/// Whether the server says that the time it was given was not enough.
fn ran_out_of_time<R>(response: &Response<R>) -> bool {
    let grpc = response.headers().get("grpc-status");
    response.status() == StatusCode::GATEWAY_TIMEOUT
        || grpc.is_some_and(|status| status.as_bytes() == b"4")
}

/// Whether nearly all of the caller's patience is over. The server was told of it and gives up a
/// moment before our own clock does: that is the caller's doing, and not the server's.
#[cold]
fn is_hasty(now: Instant) -> bool {
    call::current().is_some_and(|call| {
        let left = call.deadline().map(|deadline| deadline.remaining(now));
        left.is_some_and(|left| left <= call.patience() / 10)
    })
}
