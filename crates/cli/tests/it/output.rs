//! Where the answer goes.

use std::fs;
use std::io::Read;
use std::process::Stdio;
use std::time::Duration;

use tokio::task::spawn_blocking;
use tokio::time::Instant;

use crate::command::{command, fresh, outrigger, upstream};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_body_goes_to_standard_output_and_nothing_else_does() {
    let upstream = upstream().await;
    let ended = outrigger(&["call", &upstream.url("/bytes/100000")]).await;
    assert_eq!(
        (ended.code, ended.stdout.len(), &*ended.stderr),
        (0, 100_000, "")
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn include_prints_the_head_before_the_body() {
    let upstream = upstream().await;
    let url = upstream.url("/echo");
    for (http, first) in [("1", "HTTP/1.1 200 OK\r\n"), ("h2c", "HTTP/2 200 OK\r\n")] {
        let ended = outrigger(&["call", &url, "-i", "--json", "[1]", "--http", http]).await;
        let (head, body) = ended.stdout().split_once("\r\n\r\n").unwrap();
        assert!(ended.stdout().starts_with(first), "{head}");
        assert!(
            head.contains("\r\ncontent-type: application/json"),
            "{head}"
        );
        assert_eq!(body, "[1]");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn output_goes_to_a_file_which_is_replaced_by_an_answer_only() {
    let upstream = upstream().await;
    let file = fresh("answer.txt");
    let path = file.to_str().unwrap();
    fs::write(&file, "what was there before, and is longer").unwrap();
    let refused = outrigger(&["call", &upstream.url("/abort"), "-o", path]).await;
    assert_eq!(refused.code, 9);
    assert_eq!(
        fs::read(&file).unwrap(),
        b"what was there before, and is longer"
    );

    let none = fresh("no-answer.txt");
    let args = [
        "call",
        "POST",
        &upstream.url("/abort"),
        "-o",
        none.to_str().unwrap(),
    ];
    assert_eq!(outrigger(&args).await.code, 9);
    assert!(
        !none.exists(),
        "a file was made for an answer that never came"
    );

    let url = upstream.url("/echo");
    let ended = outrigger(&["call", &url, "-d", "new", "-o", path]).await;
    assert_eq!((ended.code, ended.stdout()), (0, ""));
    assert_eq!(fs::read(&file).unwrap(), b"new");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reader_that_goes_early_is_no_failure() {
    let upstream = upstream().await;
    let mut command = command(&["call", &upstream.url("/bytes/10000000")]);
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let ended = spawn_blocking(move || {
        let mut child = command.spawn().unwrap();
        let mut first = [0; 10];
        child.stdout.take().unwrap().read_exact(&mut first).unwrap();
        child.wait_with_output().unwrap()
    });
    let ended = ended.await.unwrap();
    let stderr = String::from_utf8_lossy(&ended.stderr);
    assert_eq!((ended.status.code(), &*stderr), (Some(0), ""));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_body_that_drips_is_shown_as_it_comes() {
    let upstream = upstream().await;
    let mut command = command(&["call", &upstream.url("/hang/1000?after=10")]);
    command.stdout(Stdio::piped()).stderr(Stdio::null());
    let began = Instant::now();
    let seen = spawn_blocking(move || {
        let mut child = command.spawn().unwrap();
        let mut first = [0; 10];
        let seen = child.stdout.take().unwrap().read_exact(&mut first);
        child.kill().unwrap();
        child.wait().unwrap();
        seen
    });
    seen.await.unwrap().unwrap();
    // Long before the body's silence is given up, at 30 s.
    assert!(began.elapsed() < Duration::from_secs(20));
}
