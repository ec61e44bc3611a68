//! How long a call pauses, and when it does not.

use std::collections::HashSet;
use std::time::Duration;

use http::{HeaderValue, Method};
use outrigger_core::{Deadline, Outcome};
use outrigger_retry::{Attempts, Budgets, Exponential, RetryLayer};
use outrigger_testkit::{Reply, mock::Mock};
use proptest::prelude::*;
use tokio::time::Instant;
use tower::{Layer, ServiceExt};

use crate::support::{Answer, Seen, failing, millis, request, steady};

/// Gives 503 with this `Retry-After` twice, and then 200.
fn busy(retry_after: impl AsRef<[u8]>) -> Option<Mock> {
    let value = HeaderValue::from_bytes(retry_after.as_ref()).ok()?;
    let mock = Mock::new();
    mock.any("/")
        .times(
            2,
            Reply::status(503).header("retry-after", value).body("busy"),
        )
        .always(Reply::status(200));
    Some(mock)
}

/// What came of a call, the pauses between its attempts, and how long it took.
async fn call(
    mock: &Mock,
    layer: RetryLayer,
    deadline: Option<Duration>,
) -> (Answer, Vec<Duration>, Duration) {
    let seen = Seen::default();
    let service = layer.on_attempt(seen.by()).layer(mock.clone());
    let mut request = request(Method::GET);
    if let Some(deadline) = deadline {
        request.extensions_mut().insert(Deadline::within(deadline));
    }
    let start = Instant::now();
    let answer = service.oneshot(request).await;
    (answer, seen.pauses(), start.elapsed())
}

#[tokio::test(start_paused = true)]
async fn pauses_follow_the_schedule() {
    let mock = Mock::new();
    mock.any("/").always(failing(Outcome::Ambiguous));
    let (_, pauses, took) = call(&mock, steady().attempts(5), None).await;
    assert_eq!(pauses, [0, 50, 100, 200, 400].map(millis));
    assert_eq!(took, millis(750));
}

#[tokio::test(start_paused = true)]
async fn pauses_after_throttling_have_a_schedule_of_their_own() {
    let mock = Mock::new();
    mock.any("/")
        .times(1, Reply::status(500))
        .times(1, Reply::status(429))
        .times(1, Reply::status(502))
        .times(1, Reply::status(503))
        .always(Reply::status(200));
    let (_, pauses, _) = call(&mock, steady().attempts(5), None).await;
    assert_eq!(pauses, [0, 50, 1_000, 100, 2_000].map(millis));
}

#[tokio::test(start_paused = true)]
async fn a_schedule_that_ends_ends_the_retries() {
    let mock = Mock::new();
    mock.any("/").always(Reply::status(500));
    let layer = steady()
        .attempts(9)
        .pauses([millis(3), millis(5)].into_iter());
    let service = layer.layer(mock.clone());
    let response = service.oneshot(request(Method::GET)).await.unwrap();
    let attempts = response.extensions().get::<Attempts>().unwrap();
    let waited: Vec<_> = attempts.iter().map(|attempt| attempt.waited).collect();
    assert_eq!(waited, [0, 3, 5].map(millis));
}

#[tokio::test(start_paused = true)]
async fn retry_after_is_obeyed_or_the_answer_is_returned_at_once() {
    let cases = [
        ("0", Some(0)),
        ("1", Some(1)),
        ("60", Some(60)),
        ("61", None),
        ("120", None),
        ("9223372036854775808", None),
        ("18446744073709551616", None),
        ("Sun, 06 Nov 1994 08:49:37 GMT", Some(0)),
        ("Sunday, 06-Nov-94 08:49:37 GMT", Some(0)),
        ("Sun Nov  6 08:49:37 1994", Some(0)),
        ("Fri, 31 Dec 9999 23:59:59 GMT", None),
        ("Monday, 31-Dec-68 23:59:59 GMT", None),
        ("Fri Dec 31 23:59:59 9999", None),
        ("-1", Some(0)),
        ("1x", Some(0)),
        ("soon", Some(0)),
    ];
    for (value, asked) in cases {
        let mock = busy(value).unwrap();
        let (answer, pauses, took) = call(&mock, steady(), None).await;
        let status = answer.unwrap().status();
        match asked {
            None => assert_eq!((status.as_u16(), took), (503, Duration::ZERO), "{value}"),
            Some(seconds) => {
                assert_eq!(status, 200, "{value}");
                for (pause, drawn) in pauses[1..].iter().zip([1, 2]) {
                    let least = Duration::from_secs(drawn.max(seconds));
                    assert!(
                        (least..=least * 11 / 10).contains(pause),
                        "{value}: {pause:?}"
                    );
                }
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_date_is_a_pause_on_the_servers_own_clock() {
    let mock = Mock::new();
    let reply = Reply::status(503)
        .header("date", "Sun, 06 Nov 1994 08:49:37 GMT")
        .header("retry-after", "Sun, 06 Nov 1994 08:49:42 GMT");
    mock.any("/").times(1, reply).always(Reply::status(200));
    let (_, pauses, _) = call(&mock, steady(), None).await;
    assert!(
        (millis(5_000)..=millis(5_500)).contains(&pauses[1]),
        "{pauses:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_pause_that_would_pass_the_deadline_is_not_begun() {
    use http_body_util::BodyExt;
    let cases = [
        (busy("30").unwrap(), millis(29_999)),
        (busy("0").unwrap(), millis(1_009)),
    ];
    for (mock, deadline) in cases {
        let (answer, _, took) = call(&mock, steady(), Some(deadline)).await;
        let answer = answer.unwrap();
        assert_eq!((answer.status().as_u16(), took), (503, Duration::ZERO));
        assert!(answer.extensions().get::<Attempts>().is_none());
        assert_eq!(answer.collect().await.unwrap().to_bytes(), "busy", "whole");
        assert_eq!(mock.log().entries().len(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn an_attempt_that_just_fits_before_the_deadline_is_made() {
    let mock = Mock::new();
    mock.any("/").always(Reply::status(500));
    let (_, pauses, _) = call(&mock, steady(), Some(millis(60))).await;
    assert_eq!(pauses, [0, 50].map(millis));
    let layer = steady().shortest(millis(11));
    let (_, pauses, _) = call(&mock, layer, Some(millis(60))).await;
    assert_eq!(pauses, [Duration::ZERO]);
}

#[tokio::test(start_paused = true)]
async fn jitter_of_retry_after_does_not_cost_the_retry_before_the_deadline() {
    for _ in 0..20 {
        let mock = Mock::new();
        let reply = Reply::status(500).header("retry-after", "10");
        mock.any("/").times(1, reply).always(Reply::status(200));
        let (answer, ..) = call(&mock, steady(), Some(millis(10_010))).await;
        assert_eq!(answer.unwrap().status(), 200);
    }
}

#[tokio::test(start_paused = true)]
async fn calls_of_one_layer_pause_differently() {
    let mock = Mock::new();
    mock.any("/").always(Reply::status(500));
    let seen = Seen::default();
    // Tokio's timers have steps of 1 ms: so long a base tells all pauses apart.
    let days = Duration::from_secs(1_000_000);
    let layer = RetryLayer::new()
        .pauses(Exponential::new(days, days))
        .budget(Budgets::unlimited())
        .attempts(2)
        .on_attempt(seen.by());
    let service = layer.layer(mock);
    for _ in 0..1_000 {
        let _ = service.clone().oneshot(request(Method::GET)).await;
    }
    let retries = seen.all().into_iter().filter(|attempt| attempt.number == 2);
    let distinct: HashSet<_> = retries.map(|attempt| attempt.waited).collect();
    assert!(
        (990..=1_000).contains(&distinct.len()),
        "{}",
        distinct.len()
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn no_retry_after_causes_a_panic_or_an_early_retry(
        value in prop_oneof![
            prop::collection::vec(any::<u8>(), 0..40),
            any::<i128>().prop_map(|number| number.to_string().into_bytes()),
            (0_u64..200).prop_map(|number| number.to_string().into_bytes()),
        ],
    ) {
        let Some(mock) = busy(&value) else { return Ok(()) };
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()?;
        let (answer, pauses, took) = runtime.block_on(call(&mock, steady(), None));
        let asked = std::str::from_utf8(&value).ok().filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()));
        let asked = asked.and_then(|text| text.parse::<u64>().ok());
        match asked {
            Some(seconds) if seconds > 60 => {
                prop_assert_eq!((answer.unwrap().status().as_u16(), took), (503, Duration::ZERO));
            }
            Some(seconds) => prop_assert!(pauses[1] >= Duration::from_secs(seconds)),
            None => prop_assert!(took.is_zero() || pauses[1] >= millis(1_000)),
        }
    }
}
