//! What `--report` writes.

use std::fs;
use std::net::TcpListener;

use serde_json::{Value, json};

use crate::command::{fresh, outrigger, upstream};

/// The report with its times and ids, which are never the same, taken out.
fn timeless(mut report: Value) -> Value {
    for attempt in report["attempts"].as_array_mut().unwrap() {
        let [started, ended, waited] =
            ["started_ms", "ended_ms", "waited_ms"].map(|name| attempt[name].as_u64().unwrap());
        assert!(waited <= started && started <= ended, "{attempt}");
        for time in ["started_ms", "ended_ms", "waited_ms"] {
            attempt[time] = json!("time");
        }
    }
    report
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answered_call_is_reported_whole() {
    let upstream = upstream().await;
    let file = fresh("report.json");
    let url = upstream.url("/status/503");
    let args = [
        "call",
        &url,
        "--request-id",
        "order-17",
        "--report",
        file.to_str().unwrap(),
        "--no-retry",
    ];
    assert_eq!(outrigger(&args).await.code, 5);
    let report = serde_json::from_slice(&fs::read(&file).unwrap()).unwrap();
    assert_eq!(
        timeless(report),
        json!({
            "status": 503,
            "request_id": "order-17",
            "idempotency_key": null,
            "outcome": "answered",
            "error": null,
            "attempts": [{
                "n": 1,
                "started_ms": "time",
                "ended_ms": "time",
                "waited_ms": "time",
                "outcome": "answered",
                "status": 503,
                "error": null,
            }],
        })
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failed_call_is_reported_with_what_became_of_it() {
    let upstream = upstream().await;
    for (path, outcome) in [
        ("/refuse", "unprocessed"),
        ("/goaway/NO_ERROR", "unprocessed"),
        ("/reset/CANCEL", "ambiguous"),
        ("/silence", "ambiguous"),
    ] {
        let url = upstream.url(path);
        let options = [
            "--http",
            "h2c",
            "--attempt-timeout",
            "300ms",
            "--no-retry",
            "--report",
            "-",
        ];
        let report = outrigger(&[&["call", &url], &options[..]].concat())
            .await
            .json();
        let [attempt] = &report["attempts"].as_array().unwrap()[..] else {
            panic!("one attempt was made: {report}");
        };
        for told in [&report, attempt] {
            assert_eq!(told["outcome"], outcome, "{path}: {report}");
            assert_eq!(told["status"], Value::Null);
            assert!(
                told["error"]
                    .as_str()
                    .is_some_and(|error| !error.is_empty()),
                "{report}"
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_attempt_is_reported_with_its_pause() {
    let upstream = upstream().await;
    let url = upstream.url("/first/2/status/502/then/echo");
    let ended = outrigger(&["call", &url, "--backoff", "40ms..40ms", "--report", "-"]).await;
    let report = timeless(ended.json());
    let attempts = report["attempts"].as_array().unwrap();
    let told: Vec<_> = attempts
        .iter()
        .map(|a| (&a["n"], &a["outcome"], &a["status"]))
        .collect();
    let answered = json!("answered");
    assert_eq!(
        told,
        [
            (&json!(1), &answered, &json!(502)),
            (&json!(2), &answered, &json!(502)),
            (&json!(3), &answered, &json!(200)),
        ]
    );
    assert_eq!((ended.code, &report["status"]), (0, &json!(200)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn attempts_that_the_deadline_cuts_are_reported_too() {
    let upstream = upstream().await;
    // Nobody answers here: the connection waits for the handshake.
    let mute = TcpListener::bind("127.0.0.1:0").unwrap();
    let mute_url = format!("https://{}/", mute.local_addr().unwrap());
    for (url, made, outcome) in [
        (
            upstream.url("/first/1/status/502/then/silence"),
            2,
            "ambiguous",
        ),
        (mute_url, 1, "unsent"),
    ] {
        let options = ["--timeout", "400ms", "--backoff", "1ms..1ms"];
        let ended = outrigger(&[&["call", &url, "--report", "-"], &options[..]].concat()).await;
        let report = timeless(ended.json());
        assert_eq!(
            (ended.code, &report["outcome"]),
            (7, &json!(outcome)),
            "{report}"
        );
        let attempts = report["attempts"].as_array().unwrap();
        assert_eq!(attempts.len(), made, "{report}");
        assert_eq!(attempts[made - 1]["n"], made);
        assert_eq!(attempts[made - 1]["outcome"], outcome);
        let error = attempts[made - 1]["error"].as_str().unwrap();
        assert!(error.ends_with("call timed out after 400ms"), "{report}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_key_of_the_report_is_the_one_that_arrived() {
    let upstream = upstream().await;
    let url = upstream.url("/echo");
    for (option, key) in [
        (&[][..], None),
        (&["--idempotency-key", "auto"], None),
        (
            &["--idempotency-key", "transfer-17"],
            Some(json!("\"transfer-17\"")),
        ),
        (&["--idempotency-key", "none"], Some(Value::Null)),
    ] {
        let args = ["call", &url, "-d", "17 euros", "--report", "-"];
        let report = outrigger(&[&args[..], option].concat()).await.json();
        let arrived = upstream.log().entries().pop().unwrap();
        let arrived = arrived
            .idempotency_key()
            .map_or(Value::Null, |key| json!(key));
        assert_eq!(report["idempotency_key"], arrived);
        match key {
            Some(key) => assert_eq!(arrived, key),
            None => assert_eq!(arrived.as_str().map(str::len), Some(38)),
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_post_is_sent_again_only_where_the_server_honours_its_key() {
    let upstream = upstream().await;
    let args = ["-d", "17 euros", "--backoff", "1ms..1ms", "--report", "-"];
    let url = upstream.url("/first/1/status/503/then/status/201");
    let ended = outrigger(&[&["call", &url], &args[..]].concat()).await;
    assert_eq!((ended.code, upstream.log().len()), (5, 1));
    upstream.log().clear();
    let url = upstream.url("/first/1/status/503/then/status/202");
    let promise = ["--server-honours-key"];
    let ended = outrigger(&[&["call", &url], &args[..], &promise].concat()).await;
    let log = upstream.log().entries();
    assert_eq!((ended.code, log.len()), (0, 2));
    assert_eq!(log[0].idempotency_key(), log[1].idempotency_key());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_body_that_breaks_off_leaves_the_status_and_an_error() {
    let upstream = upstream().await;
    let ended = outrigger(&["call", &upstream.url("/truncate/1000"), "--report", "-"]).await;
    let report = ended.json();
    assert_eq!(
        (ended.code, &report["status"], &report["outcome"]),
        (9, &json!(200), &json!("answered"))
    );
    assert!(
        report["error"]
            .as_str()
            .is_some_and(|error| error.starts_with("transport failed"))
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_request_id_of_the_report_is_the_one_that_arrived() {
    let upstream = upstream().await;
    let ended = outrigger(&["call", &upstream.url("/"), "--report", "-"]).await;
    let arrived = upstream.log().entries().pop().unwrap();
    let id = arrived.request_id().unwrap();
    assert_eq!(
        (id.len(), ended.json()["request_id"].as_str()),
        (36, Some(id))
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_report_that_cannot_be_written_is_said() {
    let upstream = upstream().await;
    let ended = outrigger(&[
        "call",
        &upstream.url("/"),
        "--report",
        "/nowhere/at-all.json",
    ])
    .await;
    assert_eq!(ended.code, 1);
    assert!(
        ended.stderr.contains("cannot write the report"),
        "{}",
        ended.stderr
    );
}
