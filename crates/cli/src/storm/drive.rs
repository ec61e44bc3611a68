use std::panic;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, StatusCode};
use outrigger::Error;
use tokio::task::{JoinError, JoinSet};
use tokio::time::{Instant, sleep_until, timeout_at};

use super::contender::Contender;
use super::live::Gauge;
use super::recovery::Recovery;
use super::score::Score;
use super::traffic::Planned;
use super::waters::Port;
use crate::tally::Tally;

/// Makes the planned calls, each at its moment however the ones before fare, and counts how they
/// come out. What has not come out `patience` after the last one is cut off. Where there is trouble
/// that is over at some moment, tells how long it took to recover.
///
/// # Errors
/// When no request can be made for the port.
pub(super) async fn drive<C: Contender>(
    client: &C,
    port: &Port,
    plan: &[Planned],
    patience: Duration,
    trouble_over: Option<Duration>,
    gauge: Gauge,
) -> http::Result<Score> {
    let sent_before = client.sent().total();
    let start = Instant::now();
    let last = plan.last().map_or(Duration::ZERO, |planned| planned.at);
    let (mut tally, mut last_failed) = (Tally::default(), None);
    let mut calls = JoinSet::new();
    for planned in plan {
        let moment = start + planned.at;
        while let Ok(Some(call)) = timeout_at(moment, calls.join_next()).await {
            last_failed = last_failed.max(count(&mut tally, call));
            gauge.show(&tally);
        }
        sleep_until(moment).await;
        let request = planned.request(&port.authority)?;
        let end = start + last + patience;
        calls.spawn(make(client.clone(), request, planned.at, end));
    }
    while let Some(call) = calls.join_next().await {
        last_failed = last_failed.max(count(&mut tally, call));
        gauge.show(&tally);
    }
    gauge.finish(&tally);
    Ok(Score {
        client: C::NAME,
        sent: client.sent().total() - sent_before,
        repeated: port.repeated_posts(),
        recovery: trouble_over.map(|over| Recovery::of(over, last_failed, last)),
        tally,
    })
}

/// A call that was planned for this moment; how it came out, if it did, and how long it took.
struct Made {
    at: Duration,
    result: Option<Result<StatusCode, Error>>,
    took: Duration,
}

async fn make<C: Contender>(
    client: C,
    request: Request<Bytes>,
    at: Duration,
    end: Instant,
) -> Made {
    let began = Instant::now();
    let result = timeout_at(end, client.call(request)).await.ok();
    let took = began.elapsed();
    Made { at, result, took }
}

/// Counts a call; when it was planned, if it failed.
fn count(tally: &mut Tally, call: Result<Made, JoinError>) -> Option<Duration> {
    let made = match call {
        Ok(made) => made,
        Err(lost) => match lost.try_into_panic() {
            Ok(panic) => panic::resume_unwind(panic),
            Err(_cancelled) => return None,
        },
    };
    let failures = tally.not_ok();
    match made.result {
        Some(result) => tally.add(result, made.took),
        None => tally.cut_off(made.took),
    }
    (tally.not_ok() > failures).then_some(made.at)
}
