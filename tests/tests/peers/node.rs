use std::fs;
use std::net::SocketAddr;
use std::process::Command;
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use crate::process::{Folder, Process, installed, vacant};
use crate::traffic;

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/peers/server.js");

struct Node {
    addr: SocketAddr,
    // The process goes before its folder.
    process: Process,
    folder: Folder,
}

impl Node {
    /// A node of our own, which ends each connection after so many requests.
    async fn start(requests: usize) -> Self {
        let (folder, addr) = (Folder::new(), vacant());
        let mut command = Command::new("node");
        command.args([SCRIPT, &addr.port().to_string(), &requests.to_string()]);
        command.arg(folder.path().join("executed"));
        let mut process = Process::spawn(&mut command);
        process.wait_until_it_listens(addr).await;
        Self {
            addr,
            process,
            folder,
        }
    }

    fn executed(&self) -> String {
        fs::read_to_string(self.folder.path().join("executed")).unwrap()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn node_that_takes_leave_after_every_few_requests_costs_no_call() {
    if !installed("node") {
        return;
    }
    for requests in [100, 5] {
        let node = Node::start(requests).await;
        let report = traffic::send(node.addr).await;
        let name = format!("node, {requests} requests a connection");
        traffic::check(&name, &report, || node.executed()).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn node_that_is_restarted_under_traffic_costs_no_call() {
    if !installed("node") {
        return;
    }
    let mut node = Node::start(1_000_000).await;
    let addr = node.addr;
    let restarts = async {
        loop {
            sleep_until(Instant::now() + Duration::from_millis(200)).await;
            node.process.tell("restart");
        }
    };
    let report = tokio::select! {
        report = traffic::send(addr) => report,
        () = restarts => unreachable!(),
    };
    traffic::check("node, restarted", &report, || node.executed()).await;
}
