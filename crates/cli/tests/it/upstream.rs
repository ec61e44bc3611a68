use std::io::{BufRead, BufReader, Read};
use std::process::{Command, Stdio};

use tokio::task::spawn_blocking;

use crate::command::{command, outrigger};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_upstream_says_where_it_is_and_misbehaves_on_demand() {
    let mut upstream = command(&["upstream", "--listen", "127.0.0.1:0"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(upstream.stdout.take().unwrap());
    let mut first = String::new();
    lines.read_line(&mut first).unwrap();
    let url = first.split_whitespace().next().unwrap();

    let ended = outrigger(&["call", &format!("{url}/status/418")]).await;
    assert_eq!((ended.code, &*ended.stderr), (4, ""));
    let ended = outrigger(&["call", &format!("{url}/echo"), "-d", "x", "--http", "h2c"]).await;
    assert_eq!((ended.code, ended.stdout()), (0, "x"));

    // As Ctrl-C does.
    let interrupt = Command::new("kill")
        .args(["-INT", &upstream.id().to_string()])
        .status();
    assert!(interrupt.unwrap().success());
    let mut rest = String::new();
    lines.read_to_string(&mut rest).unwrap();
    assert!(rest.contains("`/status/503`"), "{rest}");
    let ended = spawn_blocking(move || upstream.wait()).await.unwrap();
    assert_eq!(ended.unwrap().code(), Some(0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_address_that_is_taken_is_said() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = taken.local_addr().unwrap().to_string();
    let ended = outrigger(&["upstream", "--listen", &addr]).await;
    assert_eq!(ended.code, 2);
    assert!(
        ended.stderr.contains(&format!("cannot listen on {addr}")),
        "{}",
        ended.stderr
    );
}
