//! What `--report` writes.

use std::fs;

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
