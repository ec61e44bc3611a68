use std::fs;
use std::net::SocketAddr;
use std::process::{Command, Stdio};
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use crate::process::{Folder, Process, installed, vacant};
use crate::traffic;

/// Starts nginx, waits until it may end, and stops it.
const LIFE: &str =
    r#"nginx -p "$0" -c nginx.conf && cat >/dev/null; nginx -p "$0" -c nginx.conf -s stop"#;

pub(crate) struct Nginx {
    pub(crate) addr: SocketAddr,
    // The process goes before its folder.
    _process: Process,
    folder: Folder,
}

impl Nginx {
    /// An nginx of our own, which ends each connection after so many requests.
    async fn start(requests: usize) -> Self {
        let all = format!("keepalive_requests {requests};");
        Self::with(&all, r#"return 200 "hello";"#).await
    }

    /// An nginx of our own with these directives for all, and these for its one location. In its folder
    /// there is a file `hello`.
    pub(crate) async fn with(all: &str, location: &str) -> Self {
        let (folder, addr) = (Folder::new(), vacant());
        let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
            .map(|name| format!("{name}_temp_path {name};\n"))
            .concat();
        let config = format!(
            r#"
            pid nginx.pid;
            error_log error.log;
            worker_processes 2;
            events {{ worker_connections 512; }}
            http {{
                {temporary}
                log_format executed "$request_method $http_x_call";
                access_log executed.log executed;
                {all}
                server {{
                    listen {addr} http2;
                    client_max_body_size 1k;
                    location / {{ {location} }}
                    location /upload {{ proxy_pass http://127.0.0.1:9; }}
                }}
            }}
            "#
        );
        fs::write(folder.path().join("nginx.conf"), config).unwrap();
        fs::write(folder.path().join("hello"), "hello").unwrap();
        let path = std::env::var("PATH").unwrap_or_default();
        let mut command = Command::new("sh");
        command.args(["-c", LIFE]).arg(folder.path());
        command
            .env("PATH", format!("{path}:/usr/sbin"))
            .stderr(Stdio::null());
        let mut process = Process::spawn(&mut command);
        process.wait_until_it_listens(addr).await;
        Self {
            addr,
            _process: process,
            folder,
        }
    }

    /// Starts new workers and has the old ones finish what they have.
    fn reload(&self) {
        let pid = fs::read_to_string(self.folder.path().join("nginx.pid")).unwrap();
        let status = Command::new("kill").args(["-HUP", pid.trim()]).status();
        assert!(status.unwrap().success());
    }

    fn executed(&self) -> String {
        self.written("executed.log")
    }

    /// What it has written to a file of its folder.
    pub(crate) fn written(&self, name: &str) -> String {
        fs::read_to_string(self.folder.path().join(name)).unwrap()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nginx_that_takes_leave_after_every_few_requests_costs_no_call() {
    if !installed("nginx") {
        return;
    }
    for requests in [100, 5] {
        let nginx = Nginx::start(requests).await;
        let report = traffic::send(nginx.addr).await;
        let name = format!("nginx, {requests} requests a connection");
        traffic::check(&name, &report, || nginx.executed()).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nginx_that_is_reloaded_under_traffic_costs_no_call() {
    if !installed("nginx") {
        return;
    }
    let nginx = Nginx::start(1_000_000).await;
    let traffic = traffic::send(nginx.addr);
    let reloads = async {
        loop {
            sleep_until(Instant::now() + Duration::from_millis(200)).await;
            nginx.reload();
        }
    };
    let report = tokio::select! {
        report = traffic => report,
        () = reloads => unreachable!(),
    };
    traffic::check("nginx, reloaded", &report, || nginx.executed()).await;
}

/// It answers before the body is there, and resets the stream.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_nginx_answers_to_a_body_that_is_too_long_is_delivered() {
    if !installed("nginx") {
        return;
    }
    let nginx = Nginx::start(1_000_000).await;
    let attempts = traffic::refused_uploads(nginx.addr, 200).await;
    assert_eq!(attempts, 200, "one attempt each");
}
