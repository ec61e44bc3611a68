//! What `-v` tells.

use crate::command::{outrigger, upstream};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_attempt_comes_and_goes_on_standard_error() {
    let upstream = upstream().await;
    let leaves = |n: u32| format!("* attempt {n}: GET http://{}\n", upstream.addr());
    for (path, options, end) in [
        ("/status/404", &[][..], "404 Not Found after "),
        (
            "/silence",
            &["--attempt-timeout", "200ms"],
            "attempt timed out after 200ms after ",
        ),
        ("/abort", &[], "request to http://127.0.0.1:"),
    ] {
        let url = upstream.url(path);
        let ended = outrigger(&[&["call", &url, "-v", "--no-retry"], options].concat()).await;
        let told = ended.stderr.strip_prefix(&*leaves(1)).unwrap();
        assert!(
            told.starts_with(&format!("* attempt 1: {end}")),
            "{}",
            ended.stderr
        );
        assert!(ended.stdout.is_empty());
    }

    let url = upstream.url("/first/1/status/502/then/echo");
    let ended = outrigger(&["call", &url, "-v", "--backoff", "1ms..1ms"]).await;
    let told: Vec<_> = ended.stderr.split_inclusive('\n').collect();
    assert_eq!((ended.code, told.len()), (0, 4), "{}", ended.stderr);
    assert_eq!((told[0], told[2]), (&*leaves(1), &*leaves(2)));
    assert!(
        told[1].starts_with("* attempt 1: 502 Bad Gateway after "),
        "{}",
        told[1]
    );
    assert!(
        told[3].starts_with("* attempt 2: 200 OK after "),
        "{}",
        told[3]
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_options_say_how_often_a_request_is_sent() {
    let upstream = upstream().await;
    let url = upstream.url("/status/503");
    let honoured = "--server-honours-key";
    for (method, options, sent) in [
        ("GET", &[][..], 3),
        ("GET", &["--attempts", "5"], 5),
        ("GET", &["--attempts", "0"], 1),
        ("GET", &["--no-retry"], 1),
        ("POST", &[], 1),
        ("POST", &[honoured], 3),
        ("POST", &[honoured, "--idempotency-key", "own"], 3),
        ("POST", &[honoured, "--idempotency-key", "none"], 1),
    ] {
        let before = upstream.log().len();
        let pauses = match options {
            ["--no-retry"] => &[][..],
            _ => &["--backoff", "1ms..1ms"],
        };
        let ended = outrigger(&[&["call", method, &url], options, pauses].concat()).await;
        assert_eq!(ended.code, 5, "{}", ended.stderr);
        let all = upstream.log().len() - before;
        assert_eq!(all, sent, "{method} {options:?}");
    }
}
