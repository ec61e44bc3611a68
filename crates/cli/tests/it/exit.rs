//! The exit codes that scripts rely on.

use std::process::Stdio;
use std::time::Duration;

use tokio::task::spawn_blocking;
use tokio::time::timeout;

use crate::command::{command, outrigger, upstream};

async fn exit_of(path: &str, options: &[&str]) -> (i32, String) {
    let upstream = upstream().await;
    let url = upstream.url(path);
    let ended = outrigger(&[&["call", &url], options].concat()).await;
    (ended.code, ended.stderr)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_ends_by_its_class() {
    for (path, code) in [
        ("/", 0),
        ("/status/204", 0),
        ("/status/302", 0),
        ("/status/404", 4),
        ("/status/503", 5),
    ] {
        let ended = exit_of(path, &["--no-retry"]).await;
        assert_eq!(ended, (code, String::new()), "{path}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_there_ends_with_6() {
    let upstream = upstream().await;
    let url = upstream.url("/");
    drop(upstream);
    let ended = outrigger(&["call", &url]).await;
    assert_eq!(ended.code, 6);
    assert!(
        ended.stderr.starts_with("outrigger: could not connect: "),
        "{ended:?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_open_standard_input_that_nobody_reads_any_more_holds_nothing_up() {
    let upstream = upstream().await;
    let url = upstream.url("/refuse");
    let mut child = command(&["call", &url, "--http", "h2c", "-d", "@-"])
        .stdin(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let open = child.stdin.take();
    let ended = spawn_blocking(move || child.wait());
    let ended = timeout(Duration::from_secs(20), ended).await;
    drop(open);
    assert_eq!(ended.unwrap().unwrap().unwrap().code(), Some(9));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_limit_passes_ends_with_7() {
    for (path, limit, what) in [
        (
            "/silence",
            "--attempt-timeout",
            "attempt timed out after 200ms",
        ),
        ("/silence", "--timeout", "call timed out after 200ms"),
        (
            "/hang/1000",
            "--body-idle",
            "response body timed out after 200ms",
        ),
    ] {
        let (code, stderr) = exit_of(path, &[limit, "200ms"]).await;
        assert_eq!(code, 7, "{limit}: {stderr}");
        assert!(stderr.starts_with("outrigger: timed out: "), "{stderr}");
        assert!(stderr.contains(what), "{limit}: {stderr}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_transport_that_breaks_ends_with_9() {
    for (path, http) in [
        ("/close", "1"),
        ("/abort", "1"),
        ("/truncate/1000", "1"),
        ("/reset/CANCEL", "h2c"),
        ("/refuse", "h2c"),
        ("/truncate/1000", "h2c"),
    ] {
        let (code, stderr) = exit_of(path, &["--http", http]).await;
        assert_eq!(code, 9, "{path} over {http}: {stderr}");
        assert!(
            stderr.starts_with("outrigger: transport failed: "),
            "{stderr}"
        );
    }
}
