//! What a call's end says of the peer.

use http::{Response, StatusCode};
use http_body::Body;
use outrigger_core::{
    BoxError, Classify, Deadline, Elapsed, End, Fault, Outcome, Phase, Verdict, call, find,
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
    guard.note_if_late();
    match head {
        Some(Verdict::Failure) if ran_out_of_time(response) && is_hasty() => {
            judge(&mut guard.ticket, Verdict::Neutral, false);
        }
        Some(verdict) => judge(&mut guard.ticket, verdict, false),
        None => {}
    }
    if let Some(verdict) = end {
        judge_end(&mut guard.ticket, verdict, false);
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

/// An answer that has begun is a success until its end says otherwise: a stream that lasts for hours
/// must not keep the circuit waiting.
#[inline]
pub(crate) fn begun(ticket: &mut Ticket) {
    if ticket.stage().is_out() {
        judge(ticket, Verdict::Success, false);
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
    let elapsed = find::<Elapsed>(&**error);
    let ambiguous = elapsed.is_none() && Fault::of(&**error).outcome == Outcome::Ambiguous;
    let verdict = match classify.error(&**error) {
        Verdict::Failure if ambiguous && is_hasty() => Verdict::Neutral,
        verdict => verdict,
    };
    let impatient = elapsed.is_some_and(|elapsed| elapsed.phase() == Phase::Total);
    guard.note_if_late();
    judge_end(&mut guard.ticket, verdict, impatient);
}

/// Judges a call by its last word.
fn judge_end(ticket: &mut Ticket, verdict: Verdict, impatient: bool) {
    let cut_short = ticket.stage().is_out() && verdict == Verdict::Neutral;
    judge(ticket, verdict, impatient);
    // What came to nothing ends no run of failures, slow as it may have been.
    if !cut_short {
        ticket.settle(verdict == Verdict::Failure);
    }
}

/// Judges a call, unless that is done. If it came late it was slow: a success, and, where slow calls are held
/// against the peer, a call whose end was not the peer's doing, which had had time enough.
fn judge(ticket: &mut Ticket, verdict: Verdict, impatient: bool) {
    let may_be_slow = match verdict {
        Verdict::Success => true,
        Verdict::Neutral => impatient && ticket.entry().minds_slow(),
        Verdict::Slow | Verdict::Failure => false,
    };
    let verdict = match may_be_slow && ticket.stage().is_late() {
        true => Verdict::Slow,
        false => verdict,
    };
    ticket.finish(verdict, Instant::now());
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
fn is_hasty() -> bool {
    call::current().is_some_and(|call| {
        let left = |deadline: Deadline| deadline.remaining(Instant::now());
        let left = call.deadline().map(left);
        left.is_some_and(|left| left <= call.patience() / 10)
    })
}
