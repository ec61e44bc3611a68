//! What is sent.

use std::fs;

use http::{Method, Version};
use outrigger_testkit::Server;
use outrigger_testkit::upstream::{Arrival, Upstream};

use crate::command::{fresh, outrigger, outrigger_reading, upstream};

fn last(upstream: &Server<Upstream>) -> Arrival {
    upstream.log().entries().pop().unwrap()
}

fn header(arrival: &Arrival, name: &str) -> String {
    let value = arrival
        .headers
        .get(name)
        .map(|value| value.to_str().unwrap());
    value.unwrap_or("-").to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_method_and_its_url_may_stand_apart() {
    let upstream = upstream().await;
    let url = upstream.url("/echo");
    for args in [
        ["PUT", "-d", "text", &url],
        ["-d", "text", "PUT", &url],
        ["PUT", &url, "-d", "text"],
    ] {
        let ended = outrigger(&[&["call"][..], &args].concat()).await;
        assert_eq!(
            (ended.code, last(&upstream).method),
            (0, Method::PUT),
            "{ended:?}"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_body_it_gets_and_with_one_it_posts() {
    let upstream = upstream().await;
    let url = upstream.url("/echo");
    for (options, method, content_type, body) in [
        (&[][..], Method::GET, "-", ""),
        (&["-d", "text"], Method::POST, "-", "text"),
        (
            &["--json", "{\"a\":1}"],
            Method::POST,
            "application/json",
            "{\"a\":1}",
        ),
        (
            &["-f", "a b=c&d", "-f", "e="],
            Method::POST,
            "application/x-www-form-urlencoded",
            "a%20b=c%26d&e=",
        ),
        (
            &[
                "--json",
                "1",
                "-H",
                "content-type: application/vnd.api+json",
            ],
            Method::POST,
            "application/vnd.api+json",
            "1",
        ),
    ] {
        let ended = outrigger(&[&["call", &url], options].concat()).await;
        assert_eq!((ended.code, ended.stdout()), (0, body), "{options:?}");
        let arrival = last(&upstream);
        assert_eq!(
            (arrival.method.clone(), arrival.body_len),
            (method, body.len() as u64)
        );
        assert_eq!(header(&arrival, "content-type"), content_type);
    }
    let ended = outrigger(&["call", "PUT", &url, "-d", "x"]).await;
    assert_eq!((ended.code, last(&upstream).method), (0, Method::PUT));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_is_sent_byte_for_byte_with_its_length() {
    let upstream = upstream().await;
    let bytes: Vec<u8> = (0..=255).cycle().take(300_000).collect();
    let file = fresh("upload.bin");
    fs::write(&file, &bytes).unwrap();
    let data = format!("@{}", file.display());
    let ended = outrigger(&["call", &upstream.url("/echo"), "-d", &data]).await;
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    assert!(ended.stdout == bytes);
    assert_eq!(header(&last(&upstream), "content-length"), "300000");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_too_long_to_be_kept_is_read_again_for_another_attempt() {
    let upstream = upstream().await;
    let file = fresh("again.bin");
    fs::write(&file, vec![7; 300_000]).unwrap();
    let data = format!("@{}", file.display());
    let url = upstream.url("/first/1/status/500/then/status/200");
    let ended = outrigger(&["call", "PUT", &url, "-d", &data, "--backoff", "1ms..1ms"]).await;
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    let arrivals = upstream.log().entries();
    let sent: Vec<_> = arrivals.iter().map(|arrival| arrival.body_len).collect();
    assert_eq!(sent, [300_000; 2]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn standard_input_is_sent_as_it_comes() {
    let upstream = upstream().await;
    let url = upstream.url("/echo");
    let ended = outrigger_reading(&["call", &url, "-d", "@-"], b"piped\0in").await;
    assert_eq!((ended.code, &*ended.stdout), (0, &b"piped\0in"[..]));
    assert_eq!(header(&last(&upstream), "transfer-encoding"), "chunked");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn query_and_headers_arrive_encoded() {
    let upstream = upstream().await;
    let url = upstream.url("/?a=1#fragment");
    let ended = outrigger(&[
        "call", &url, "-q", "b c=ü&d", "-H", "X-One: 1", "-H", "x-two:2",
    ])
    .await;
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    let arrival = last(&upstream);
    assert_eq!(arrival.uri.query(), Some("a=1&b%20c=%C3%BC%26d"));
    assert_eq!(
        (header(&arrival, "x-one"), header(&arrival, "x-two")),
        ("1".into(), "2".into())
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_version_is_the_one_asked_for() {
    let upstream = upstream().await;
    for (http, version) in [
        ("auto", Version::HTTP_11),
        ("1", Version::HTTP_11),
        ("2", Version::HTTP_2),
        ("h2c", Version::HTTP_2),
    ] {
        let ended = outrigger(&["call", &upstream.url("/"), "--http", http]).await;
        assert_eq!(
            (ended.code, last(&upstream).version),
            (0, version),
            "{http}"
        );
    }
}
