use serde_json::json;

use crate::command::{outrigger, upstream};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_load_is_sent_and_counted() {
    let upstream = upstream().await;
    let url = upstream.url("/first/4/status/503/then/echo");
    let options = [
        "-n", "40", "-c", "4", "-d", "x", "--http", "h2c", "--report", "-",
    ];
    let ended = outrigger(&[&["load", &url], &options[..]].concat()).await;
    let report = ended.json();
    assert_eq!(ended.code, 5, "{}", ended.stderr);
    assert_eq!(
        (
            &report["requests"],
            &report["ok"],
            &report["failed"],
            &report["attempts"]
        ),
        (&json!(40), &json!(36), &json!({"503": 4}), &json!(40))
    );
    assert_eq!(report["connections"], upstream.connections());
    let [rps, p50, p99] = ["rps", "p50_ms", "p99_ms"].map(|key| report[key].as_f64().unwrap());
    assert!(rps > 0.0 && p50 > 0.0 && p50 <= p99, "{report}");
    assert_eq!(upstream.log().len(), 40);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_load_without_failures_ends_with_0_and_a_line() {
    let upstream = upstream().await;
    let ended = outrigger(&["load", &upstream.url("/"), "-n", "10", "-c", "20"]).await;
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    assert!(
        ended
            .stdout()
            .starts_with("10 requests, 10 ok; 10 attempts over "),
        "{ended:?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_load_cannot_read_standard_input_many_times() {
    let ended = outrigger(&["load", "http://localhost", "-n", "2", "-c", "1", "-d", "@-"]).await;
    assert_eq!(ended.code, 2);
    assert!(
        ended.stderr.contains("standard input can be read once"),
        "{}",
        ended.stderr
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_open_circuit_refuses_and_ends_with_8() {
    let upstream = upstream().await;
    let url = upstream.url("/status/503");
    let load = [
        "load",
        &url,
        "-n",
        "50",
        "-c",
        "1",
        "--no-retry",
        "--report",
        "-",
    ];
    for (options, answered) in [
        (&["--breaker-failures", "7"][..], 7),
        (&[], 5),
        (&["--no-breaker"], 50),
    ] {
        upstream.log().clear();
        let ended = outrigger(&[&load[..], options].concat()).await;
        let report = ended.json();
        let refused = 50 - answered;
        assert_eq!(
            ended.code,
            if refused > answered { 8 } else { 5 },
            "{report}"
        );
        assert_eq!(report["failed"]["503"], answered, "{report}");
        assert_eq!(report["failed"]["rejected"].as_u64().unwrap_or(0), refused);
        assert_eq!(upstream.log().len(), answered as usize);
    }
}
