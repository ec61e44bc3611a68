//! What a call's end says of the peer.

use http::{Response, StatusCode};
use http_body::Body;
use outrigger_core::{
    BoxError, Classify, Elapsed, End, Fault, Outcome, Phase, Verdict, call, find,
};
use tokio::time::Instant;

use crate::guard::Guard;
use crate::ticket::Ticket;

/// Judges a call by its answer: by the head, unless only the body will tell, and by the end where it has
/// come. Says whether it has: a body that another thread writes may be at its end when it is asked again.
#[inline(always)]
pub(crate) fn answered<R: Body>(
    guard: &mut Guard,
    classify: &impl Classify,
    response: &Response<R>,
) -> bool {
    let verdict = classify.head(response.status(), response.headers());
    let end = response
        .body()
        .is_end_stream()
        .then(|| classify.end(End::Complete(None)));
    let good = verdict == Some(Verdict::Success) && end != Some(Verdict::Failure);
    if !good || !guard.succeed(end.is_some()) {
        answered_thoughtfully(guard, verdict, end, response);
    }
    end.is_some()
}

/// The same by two verdicts: the head's, and the end's where it has come.
#[cold]
fn answered_thoughtfully<R>(
    guard: &mut Guard,
    head: Option<Verdict>,
    end: Option<Verdict>,
    response: &Response<R>,
) {
    match head {
        Some(verdict) => judge_head(guard, verdict, response),
        None => guard.note_if_late(),
    }
    if let Some(verdict) = end {
        judge_end(&mut guard.ticket, verdict, false);
    }
}

fn judge_head<R>(guard: &mut Guard, verdict: Verdict, response: &Response<R>) {
    let now = Instant::now();
    match verdict {
        Verdict::Failure if ran_out_of_time(response) && is_hasty(now) => {
            guard.ticket.finish(Verdict::Neutral, now);
        }
        verdict => finish(guard, verdict, false, now),
    }
}

/// Judges a call by how its body ended.
pub(crate) fn ended(ticket: &mut Ticket, classify: &impl Classify, end: End<'_>) {
    judge_end(ticket, classify.end(end), matches!(end, End::Dropped));
}

/// Judges a call that nobody waits for any longer.
#[cold]
pub(crate) fn dropped(ticket: &mut Ticket) {
    judge_end(ticket, Verdict::Neutral, true);
}

fn judge_end(ticket: &mut Ticket, verdict: Verdict, impatient: bool) {
    if ticket.stage().is_out() {
        let verdict = weigh(verdict, impatient, || ticket.stage().is_late());
        ticket.finish(verdict, Instant::now());
    }
    ticket.settle(verdict == Verdict::Failure);
}

/// An answer that has begun is a success until its end says otherwise: a stream that lasts for hours
/// must not keep the circuit waiting.
#[inline]
pub(crate) fn begun(ticket: &mut Ticket) {
    if ticket.stage().is_out() {
        let verdict = weigh(Verdict::Success, false, || ticket.stage().is_late());
        ticket.finish(verdict, Instant::now());
    }
}

/// A service that failed to become ready is judged like a call to it.
#[cold]
pub(crate) fn unready(guard: &mut Guard, classify: &impl Classify, error: &BoxError) {
    if guard.admit().is_ok() {
        failed(guard, classify, error);
    }
}

/// Judges a call by its error.
#[cold]
pub(crate) fn failed(guard: &mut Guard, classify: &impl Classify, error: &BoxError) {
    let now = Instant::now();
    let elapsed = find::<Elapsed>(&**error);
    let ambiguous = elapsed.is_none() && Fault::of(&**error).outcome == Outcome::Ambiguous;
    match classify.error(&**error) {
        Verdict::Failure if ambiguous && is_hasty(now) => {
            guard.ticket.finish(Verdict::Neutral, now);
        }
        verdict => {
            let impatient = elapsed.is_some_and(|elapsed| elapsed.phase() == Phase::Total);
            finish(guard, verdict, impatient, now);
        }
    }
    // There is no body that could still tell otherwise.
    guard.ticket.settle(false);
}

fn finish(guard: &mut Guard, verdict: Verdict, impatient: bool, now: Instant) {
    let verdict = weigh(verdict, impatient, || guard.is_slow(now));
    guard.ticket.finish(verdict, now);
}

/// A verdict, or that the call was slow: a success that was, or an end that was not the peer's doing
/// but came after it had had time enough.
fn weigh(verdict: Verdict, impatient: bool, is_slow: impl FnOnce() -> bool) -> Verdict {
    let may_be_slow = match verdict {
        Verdict::Success => true,
        Verdict::Neutral => impatient,
        Verdict::Slow | Verdict::Failure => false,
    };
    match may_be_slow && is_slow() {
        true => Verdict::Slow,
        false => verdict,
    }
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
