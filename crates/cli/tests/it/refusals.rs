//! What the command line refuses: exit 2, a sentence, and nothing is sent.

use crate::command::{outrigger, upstream};

async fn refused(args: &[&str], sentence: &str) {
    let ended = outrigger(args).await;
    assert_eq!(ended.code, 2, "{args:?}: {ended:?}");
    assert!(
        ended.stderr.contains(sentence),
        "{args:?}: {}",
        ended.stderr
    );
    assert!(ended.stdout.is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_command_that_is_not_built_yet_says_so() {
    let args = ["download", "http://localhost/big", "-o", "big"];
    refused(&args, "download is not built yet").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_already_holds_is_accepted() {
    let upstream = upstream().await;
    let url = upstream.url("/status/502");
    let without = ["--no-retry", "--no-breaker", "--no-rate-limit"];
    let ended = outrigger(&[&["call", &url], &without[..]].concat()).await;
    assert_eq!((ended.code, upstream.log().len()), (5, 1), "{ended:?}");
    let url = upstream.url("/");
    let ended = outrigger(&["call", &url, "--attempts", "1", "--idempotency-key", "none"]).await;
    assert_eq!(ended.code, 0, "{ended:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_that_cannot_be_made_is_refused() {
    let cases: [(&[&str], &str); 14] = [
        (&["localhost:80/"], "the url needs http:// or https://"),
        (
            &["ftp://localhost/"],
            "the url needs http:// or https:// and a host",
        ),
        (&["http://localhost/a b"], "the url cannot be read"),
        (
            &["http://me:secret@localhost/"],
            "the url carries a user or password",
        ),
        (
            &["http://localhost", "-H", "no colon"],
            "header 1 has no colon",
        ),
        (
            &["http://localhost", "-H", "a: b", "-H", "b\u{e4}: c"],
            "header 2 has no valid name",
        ),
        (
            &["http://localhost", "-H", "a: b\nc: d"],
            "header 1 has no valid value",
        ),
        (
            &["http://localhost", "-q", "novalue"],
            "-q takes name=value",
        ),
        (
            &["http://localhost", "-f", "novalue"],
            "-f takes name=value",
        ),
        (&["http://localhost", "--json", "{"], "--json is no JSON"),
        (
            &["http://localhost", "--idempotency-key", "Überweisung"],
            "an idempotency key",
        ),
        (&["G T", "http://localhost"], "the method is no HTTP method"),
        (
            &["http://localhost", "-d", "@/nowhere/at-all"],
            "cannot read /nowhere/at-all",
        ),
        (
            &["http://localhost", "--request-id", "two words"],
            "a request id has 1 to 128",
        ),
    ];
    for (args, sentence) in cases {
        refused(&[&["call"], args].concat(), sentence).await;
    }
    for more in [
        &["GET", "http://localhost", "-i", "x"][..],
        &["GET", "POST", "http://localhost"],
    ] {
        refused(&[&["call"], more].concat(), "a method and one url are all").await;
    }
    let none = ["call", "http://localhost", "--breaker-failures", "0"];
    refused(&none, "a number from 1 is needed").await;
    refused(
        &["call", "http://localhost", "--proxy", "ftp://localhost"],
        "--proxy: this is not the url of a proxy: http, https, socks5 or socks5h",
    )
    .await;
    refused(
        &["call", "http://localhost", "--proxy", "x", "--no-proxy"],
        "cannot be used with",
    )
    .await;
    refused(
        &["call", "http://localhost", "--timeout", "3"],
        "a number and a unit",
    )
    .await;
    refused(
        &["call", "http://localhost", "-d", "x", "--json", "1"],
        "cannot be used with",
    )
    .await;
    refused(
        &["call", "http://localhost", "--report", "-", "-o", "-"],
        "standard output",
    )
    .await;
    refused(
        &["call", "http://localhost", "-o", "/nowhere/at-all"],
        "cannot write",
    )
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_refusal_and_no_failure_repeats_a_secret() {
    let canary = "canary-4711";
    let upstream = upstream().await;
    let user = format!("http://me:{canary}@{}/", upstream.addr());
    let query = upstream.url(&format!("/reset/CANCEL?token={canary}"));
    let bad = format!("authorization: {canary}\u{1}");
    let good = format!("authorization: {canary}");
    let bad_proxy = format!("ftp://me:{canary}@localhost");
    let no_proxy = format!("http://me:{canary}@localhost:1");
    let cases: [&[&str]; 6] = [
        &["call", &query, "--proxy", &bad_proxy],
        &["call", &query, "--proxy", &no_proxy, "-v", "--no-retry"],
        &["call", &user],
        &["call", &format!("http://[{canary}/")],
        &["call", &query, "-H", &bad],
        &["call", &query, "-H", &good, "-v", "--report", "-"],
    ];
    for args in cases {
        let ended = outrigger(args).await;
        assert_ne!(ended.code, 0);
        assert!(!ended.stderr.contains(canary), "{}", ended.stderr);
        assert!(!ended.stdout().contains(canary), "{}", ended.stdout());
    }
}
