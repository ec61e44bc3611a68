use std::panic;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, StatusCode};
use outrigger::Error;
use tokio::task::{JoinError, JoinSet};
use tokio::time::{Instant, sleep_until, timeout_at};

use super::contender::Contender;
use super::live::Gauge;
use super::score::Score;
use super::traffic::Planned;
use super::waters::Port;
use crate::tally::Tally;

/// Makes the planned calls, each at its moment however the ones before fare, and counts how they
/// come out. What has not come out `patience` after the last one is cut off.
///
/// # Errors
/// When no request can be made for the port.
pub(super) async fn drive<C: Contender>(
    client: &C,
    port: &Port,
    plan: &[Planned],
    patience: Duration,
    gauge: Gauge,
) -> http::Result<Score> {
    let sent_before = client.sent().total();
    let start = Instant::now();
    let last = plan.last().map_or(Duration::ZERO, |planned| planned.at);
    let mut tally = Tally::default();
    let mut calls = JoinSet::new();
    for planned in plan {
        let moment = start + planned.at;
        while let Ok(Some(call)) = timeout_at(moment, calls.join_next()).await {
            count(&mut tally, call);
            gauge.show(&tally);
        }
        sleep_until(moment).await;
        let request = planned.request(&port.authority)?;
        calls.spawn(make(client.clone(), request, start + last + patience));
    }
    while let Some(call) = calls.join_next().await {
        count(&mut tally, call);
        gauge.show(&tally);
    }
    gauge.finish(&tally);
    Ok(Score {
        client: C::NAME,
        sent: client.sent().total() - sent_before,
        repeated: port.repeated_posts(),
        tally,
    })
}

/// How a call came out, if it did, and how long it took.
type Made = (Option<Result<StatusCode, Error>>, Duration);

async fn make<C: Contender>(client: C, request: Request<Bytes>, end: Instant) -> Made {
    let began = Instant::now();
    let result = timeout_at(end, client.call(request)).await;
    (result.ok(), began.elapsed())
}

fn count(tally: &mut Tally, call: Result<Made, JoinError>) {
    match call {
        Ok((Some(result), took)) => tally.add(result, took),
        Ok((None, took)) => tally.cut_off(took),
        Err(lost) => {
            if let Ok(panic) = lost.try_into_panic() {
                panic::resume_unwind(panic);
            }
        }
    }
}
