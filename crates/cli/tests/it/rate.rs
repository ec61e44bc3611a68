//! `--rate`: attempts go when it is their turn, or are refused with exit 8.

use serde_json::json;
use tokio::time::{Duration, Instant};

use crate::command::{outrigger, upstream};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_load_keeps_to_its_rate_and_nobody_is_refused() {
    let upstream = upstream().await;
    let began = Instant::now();
    let (url, load) = (upstream.url("/"), ["-n", "50", "-c", "50"]);
    let rate = ["--rate", "40/s", "--burst", "10", "--report", "-"];
    let ended = outrigger(&[&["load", &url], &load[..], &rate].concat()).await;
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    assert_eq!(ended.json()["ok"], json!(50));
    assert!(
        began.elapsed() >= Duration::from_secs(1),
        "40 at 40 a second"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_attempt_waits_for_its_turn() {
    let upstream = upstream().await;
    let url = upstream.url("/first/2/status/502/then/status/200");
    let began = Instant::now();
    let rate = ["--rate", "4/s", "--backoff", "1ms..1ms"];
    let ended = outrigger(&[&["call", &url], &rate[..]].concat()).await;
    assert_eq!((ended.code, upstream.log().len()), (0, 3), "{ended:?}");
    assert!(began.elapsed() >= Duration::from_millis(500));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_wait_so_long_is_refused_and_not_sent() {
    let upstream = upstream().await;
    let (url, load) = (upstream.url("/"), ["-n", "5", "-c", "5"]);
    let rate = ["--rate", "1/h", "--timeout", "1s", "--report", "-"];
    let began = Instant::now();
    let ended = outrigger(&[&["load", &url], &load[..], &rate].concat()).await;
    assert_eq!(ended.code, 8, "{}", ended.stderr);
    let report = ended.json();
    assert_eq!(report["failed"], json!({"rejected": 4}));
    assert_eq!(report["attempts"], json!(1));
    assert_eq!(upstream.log().len(), 1);
    assert!(began.elapsed() < Duration::from_secs(10), "at once");

    let unlimited = ["--no-rate-limit"];
    let ended = outrigger(&[&["load", &url], &load[..], &unlimited].concat()).await;
    assert_eq!(ended.code, 0, "{}", ended.stderr);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn options_that_say_nothing_together_are_refused() {
    for options in [
        &["--burst", "5"][..],
        &["--rate", "1/s", "--no-rate-limit"],
        &["--rate", "0/s"],
    ] {
        let ended = outrigger(&[&["call", "http://localhost/"], options].concat()).await;
        assert_eq!(ended.code, 2, "{options:?}");
    }
}
