//! What `-v` tells.

use crate::command::{outrigger, upstream};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_attempt_comes_and_goes_on_standard_error() {
    let upstream = upstream().await;
    let target = format!("* attempt 1: GET http://{}\n", upstream.addr());
    for (path, options, end) in [
        ("/status/404", &[][..], "* attempt 1: 404 Not Found after "),
        (
            "/silence",
            &["--attempt-timeout", "200ms"],
            "* attempt 1: given up after ",
        ),
        ("/abort", &[], "* attempt 1: request to http://127.0.0.1:"),
    ] {
        let url = upstream.url(path);
        let ended = outrigger(&[&["call", &url, "-v"], options].concat()).await;
        let told = ended.stderr.strip_prefix(&*target).unwrap();
        assert!(told.starts_with(end), "{}", ended.stderr);
        assert!(ended.stdout.is_empty());
    }
}
