//! What a server's answers change.

use http::HeaderValue;
use outrigger_rate_limit::Snapshot;
use outrigger_testkit::probe::ContractProbe;
use tokio::task::JoinSet;

use super::*;

/// A server that gives its next answers these statuses and header fields, then answers 200.
#[derive(Clone, Default)]
struct Script(Arc<Mutex<Vec<(u16, Fields)>>>);

type Fields = &'static [(&'static str, &'static str)];

impl Script {
    fn server(
        &self,
        log: &Log,
    ) -> impl Service<Request<u32>, Response = Response<()>, Error = BoxError, Future: Send>
    + Clone
    + Send
    + use<> {
        let (script, log) = (self.clone(), log.server());
        log.map_response(move |mut response| {
            if let Some((status, fields)) = script.0.lock().unwrap().pop() {
                *response.status_mut() = status.try_into().unwrap();
                for (name, value) in fields {
                    let value = HeaderValue::from_static(value);
                    response.headers_mut().append(*name, value);
                }
            }
            response
        })
    }

    fn next(&self, status: u16, fields: Fields) {
        self.0.lock().unwrap().push((status, fields));
    }
}

/// How the limit stands after one answer, at 100 calls a second.
async fn after(status: u16, fields: Fields) -> Snapshot {
    let script = Script::default();
    script.next(status, fields);
    let service = patient(100, 10).layer(script.server(&Log::new()));
    in_time(service.clone().oneshot(get())).await.unwrap();
    service.handle().snapshots()[0]
}

#[tokio::test(start_paused = true)]
async fn an_answer_says_how_long_to_stop_and_how_fast_to_go_on() {
    let seconds = |snapshot: Snapshot| snapshot.held.as_secs();
    for (status, fields, held, share) in [
        (200, &[][..], 0, 100),
        (200, &[("retry-after", "7")], 0, 100),
        (503, &[], 0, 100),
        (429, &[], 0, 50),
        (429, &[("retry-after", "20")], 20, 50),
        (503, &[("retry-after", "20")], 20, 50),
        (429, &[("retry-after", "soon")], 0, 50),
        (200, &[("ratelimit", "\"default\";r=50;t=1")], 0, 50),
        (200, &[("ratelimit", "\"default\";r=500;t=1")], 0, 100),
        (200, &[("ratelimit", "\"default\";r=0;t=20")], 20, 100),
        (
            200,
            &[("ratelimit", "\"a\";r=50;t=1, \"b\";r=0;t=9")],
            9,
            50,
        ),
        (200, &[("ratelimit", "default;r=25;t=1;pk=:YQ==:")], 0, 25),
        (
            200,
            &[(
                "ratelimit-policy",
                "\"burst\";q=30;w=1,\"day\";q=100000;w=1",
            )],
            0,
            30,
        ),
        (
            200,
            &[(
                "ratelimit-policy",
                "\"bytes\";q=30;w=1;qu=\"content-bytes\"",
            )],
            0,
            100,
        ),
        (
            200,
            &[
                ("ratelimit-policy", "\"a\";q=200;w=4"),
                ("ratelimit", "\"a\";r=0"),
            ],
            4,
            50,
        ),
        (
            429,
            &[("ratelimit", "\"default\";r=0;t=50"), ("retry-after", "5")],
            5,
            50,
        ),
    ] {
        let snapshot = after(status, fields).await;
        // A tenth more at random.
        let said = (seconds(snapshot), snapshot.share);
        assert!(
            (held..=held + held / 10).contains(&said.0),
            "{fields:?}: {said:?}"
        );
        assert_eq!(said.1, share, "{status} {fields:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn malformed_fields_are_ignored() {
    for field in [
        "",
        "default;r",
        "\"default\";r=-1;t=5",
        "\"default\";r=0",
        "\"default\";r=1.5;t=2",
        "limit=10, remaining=0, reset=5",
        "\"default;r=0;t=9",
        "\"default\";r=0;t=9,",
        "\"default\";r=0;t=9 x",
        "\"a\";r=0;t=9, \u{7f}",
        "0;r=0;t=9",
        "\"default\";R=0;t=9",
        "\"default\";r=0;t=9999999999999999",
        "(\"a\");r=0;t=9",
    ] {
        let Ok(value) = HeaderValue::from_str(field) else {
            continue;
        };
        let field: &'static str = Box::leak(
            value
                .to_str()
                .unwrap_or("\"x\" y")
                .to_owned()
                .into_boxed_str(),
        );
        let fields: &'static [_] = Box::leak(Box::new([("ratelimit", field)]));
        let snapshot = after(200, fields).await;
        assert_eq!(
            (snapshot.held, snapshot.share),
            (Duration::ZERO, 100),
            "{field:?}"
        );
    }
    let two_lines: &[_] = &[("ratelimit", "\"a\";r=0;t=9"), ("ratelimit", "b c")];
    assert_eq!(
        after(200, two_lines).await.held,
        Duration::ZERO,
        "one field in two lines"
    );
}

#[tokio::test(start_paused = true)]
async fn nothing_goes_before_the_server_said_and_then_it_goes_slowly_until_it_has_recovered() {
    let (log, script) = (Log::new(), Script::default());
    let service = patient(10, 5).layer(script.server(&log));
    script.next(429, &[("retry-after", "10")]);
    in_time(service.clone().oneshot(get())).await.unwrap();
    for _ in 0..400 {
        in_time(service.clone().oneshot(get())).await.unwrap();
    }
    let times: Vec<_> = log.came().iter().map(|(at, _)| at.as_secs_f64()).collect();
    let back = times[1];
    assert!((10.0..=11.0).contains(&back), "{back}");
    let within = |from: f64, to: f64| {
        let in_it = times
            .iter()
            .filter(|at| (back + from..back + to).contains(*at));
        in_it.count()
    };
    // Half at the moment of the answer, and a thirtieth more with each second.
    assert!(
        (8..=9).contains(&within(0.0, 1.0)),
        "{}: 10 s later, five sixths",
        within(0.0, 1.0)
    );
    assert!(
        (99..=101).contains(&within(10.0, 20.0)),
        "{}",
        within(10.0, 20.0)
    );
    assert_eq!(service.handle().snapshots()[0].share, 100);
}

#[tokio::test(start_paused = true)]
async fn a_hostile_server_stops_calls_for_a_minute_and_slows_them_to_a_tenth() {
    for hostile in [
        (429, &[("retry-after", "18446744073709551616")][..]),
        (200, &[("ratelimit", "\"x\";r=0;t=999999999999999")]),
        (503, &[("retry-after", "Fri, 31 Dec 9999 23:59:59 GMT")]),
    ] {
        let (log, script) = (Log::new(), Script::default());
        for _ in 0..5 {
            script.next(hostile.0, hostile.1);
        }
        let service = patient(10, 1).layer(script.server(&log));
        for _ in 0..400 {
            in_time(service.clone().oneshot(get())).await.unwrap();
        }
        let times: Vec<_> = log.came().iter().map(|(at, _)| *at).collect();
        for pair in times[..6].windows(2) {
            let pause = pair[1] - pair[0];
            assert!(
                pause >= 60 * SECOND && pause <= 66 * SECOND + MS,
                "{pause:?}"
            );
        }
        assert_eq!(service.handle().snapshots()[0].share, 100, "recovered");
        let last = times[399] - times[299];
        assert_eq!(last.as_millis(), 10_000, "the whole rate again");
    }
    let slowed = after(200, &[("ratelimit", "\"x\";r=1;t=999999999")]).await;
    assert_eq!((slowed.share, slowed.held), (10, Duration::ZERO));
}

#[tokio::test(start_paused = true)]
async fn many_throttled_at_once_halve_the_rate_once_and_one_that_went_later_again() {
    let (log, script) = (Log::new(), Script::default());
    let service = patient(100, 10).layer(script.server(&log));
    for _ in 0..10 {
        script.next(429, &[]);
    }
    let calls = (0..10)
        .map(|_| service.clone().call(get()))
        .collect::<Vec<_>>();
    pause(MS).await;
    for call in calls {
        in_time(call).await.unwrap();
    }
    assert_eq!(service.handle().snapshots()[0].share, 50);
    script.next(429, &[]);
    pause(SECOND).await;
    in_time(service.clone().oneshot(get())).await.unwrap();
    assert_eq!(
        service.handle().snapshots()[0].share,
        26,
        "half of what it had recovered to"
    );
}

#[tokio::test(start_paused = true)]
async fn what_feedback_may_do_can_be_set() {
    let run = async |layer: RateLimitLayer| {
        let (log, script) = (Log::new(), Script::default());
        script.next(
            429,
            &[("retry-after", "30"), ("ratelimit", "\"x\";r=1;t=100000")],
        );
        let service = layer.layer(script.server(&log));
        in_time(service.clone().oneshot(get())).await.unwrap();
        let snapshot = service.handle().snapshots()[0];
        (snapshot.held.as_secs(), snapshot.share)
    };
    let layer = || patient(10, 10);
    assert_eq!(run(layer().feedback(false)).await, (0, 100));
    assert_eq!(run(layer().longest_hold(Duration::ZERO)).await, (0, 10));
    let (held, share) = run(layer().longest_hold(2 * SECOND).floor(40)).await;
    assert!(held == 2 && share == 40, "{held} {share}");
    assert_eq!(
        run(layer().floor(100).longest_hold(Duration::ZERO)).await,
        (0, 100)
    );
    assert_eq!(
        run(layer().floor(0).longest_hold(Duration::ZERO)).await,
        (0, 1)
    );
}

#[tokio::test(start_paused = true)]
async fn each_endpoint_hears_its_own_server_only() {
    let (log, script) = (Log::new(), Script::default());
    let service = patient(100, 10).layer(script.server(&log));
    script.next(429, &[("retry-after", "30")]);
    in_time(service.clone().oneshot(get())).await.unwrap();
    let start = Instant::now();
    in_time(service.clone().oneshot(to("http://b.example/")))
        .await
        .unwrap();
    assert_eq!(start.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn who_waits_when_the_server_says_stop_waits_longer_or_is_refused() {
    let (log, script) = (Log::new(), Script::default());
    let service = patient(1, 1).wait(2 * SECOND).layer(script.server(&log));
    let call = || tokio::spawn(service.clone().oneshot(get()));
    script.next(429, &[("retry-after", "30")]);
    let calls = [call(), call(), call()];
    let mut answers = Vec::new();
    let start = Instant::now();
    for call in calls {
        answers.push(in_time(call).await.unwrap().err());
    }
    assert!(answers[0].is_none());
    assert!(
        start.elapsed() <= 2 * SECOND + 60 * MS,
        "{:?}",
        start.elapsed()
    );
    for refused in &answers[1..] {
        let retry_at = limited(refused.as_ref().unwrap()).retry_at();
        assert!(retry_at >= start + 30 * SECOND);
    }
}

#[tokio::test(start_paused = true)]
async fn not_all_come_back_at_the_moment_that_the_server_names() {
    let mut held = Vec::new();
    for _ in 0..100 {
        held.push(after(429, &[("retry-after", "30")]).await.held);
    }
    held.sort_unstable();
    held.dedup();
    assert!(held.len() > 50, "{held:?}");
    assert!(held[0] < 31 * SECOND && held[held.len() - 1] > 32 * SECOND);
}

#[tokio::test(start_paused = true)]
async fn those_who_wait_when_the_server_says_stop_are_left_asleep() {
    let (log, script) = (Log::new(), Script::default());
    let mut service = patient(1_000, 1).layer(script.server(&log));
    script.next(429, &[("retry-after", "30")]);
    let first = service.call(get());
    let polls = Arc::new(Mutex::new(0));
    let mut calls = JoinSet::new();
    for _ in 0..1_000 {
        let (mut call, polls) = (Box::pin(service.call(get())), Arc::clone(&polls));
        calls.spawn(std::future::poll_fn(move |cx| {
            *polls.lock().unwrap() += 1;
            call.as_mut().poll(cx).map(drop)
        }));
    }
    tokio::task::yield_now().await;
    in_time(first).await.unwrap();
    in_time(calls.join_all()).await;
    let polls = *polls.lock().unwrap();
    assert!(
        polls <= 4_010,
        "{polls}: to begin, at the turn it knew of, when it is next, and to go"
    );
}

#[tokio::test(start_paused = true)]
async fn the_answer_to_a_call_that_is_not_limited_changes_nothing() {
    let (log, script) = (Log::new(), Script::default());
    let probe = ContractProbe::new();
    let service = patient(1, 1)
        .cost(|head| u32::from(head.uri.path() != "/free"))
        .layer(probe.layer(script.server(&log)));
    for pending in [0, 2] {
        probe.pend(pending);
        script.next(429, &[("retry-after", "30")]);
        in_time(service.clone().oneshot(to("http://a.example/free")))
            .await
            .unwrap();
    }
    let snapshot = service.handle().snapshots()[0];
    assert_eq!((snapshot.share, snapshot.held), (100, Duration::ZERO));
}
