//! Running the command, and an upstream for it to talk to.

use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use outrigger_testkit::Server;
use outrigger_testkit::upstream::Upstream;
use tokio::task::spawn_blocking;

/// An upstream that knows the path language.
pub(crate) async fn upstream() -> Server<Upstream> {
    Server::bind(Upstream::new()).await.unwrap()
}

/// How the command ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: i32,
    pub(crate) stdout: Vec<u8>,
    pub(crate) stderr: String,
}

impl Ended {
    pub(crate) fn stdout(&self) -> &str {
        std::str::from_utf8(&self.stdout).unwrap()
    }

    /// What was written to standard output, as JSON.
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.stdout).unwrap()
    }
}

impl From<Output> for Ended {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code().unwrap(),
            stdout: output.stdout,
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

/// The command, ready to be started.
pub(crate) fn command(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_outrigger"));
    command.args(args).stdin(Stdio::null());
    // What this machine's environment says is no part of a test.
    for proxy in ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"] {
        command.env_remove(proxy);
        command.env_remove(proxy.to_ascii_lowercase());
    }
    command
}

/// Runs the command to its end.
pub(crate) async fn outrigger(args: &[&str]) -> Ended {
    outrigger_reading(args, b"").await
}

/// Runs the command to its end with something on its standard input.
pub(crate) async fn outrigger_reading(args: &[&str], input: &'static [u8]) -> Ended {
    run(command(args), input).await
}

/// Runs a command to its end with something on its standard input.
pub(crate) async fn run(mut command: Command, input: &'static [u8]) -> Ended {
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let run = move || {
        let mut child = command.spawn().unwrap();
        // Who does not read its input closes it, which is no failure.
        let _ = child.stdin.take().unwrap().write_all(input);
        child.wait_with_output().unwrap()
    };
    spawn_blocking(run).await.unwrap().into()
}

/// A path for a file of this test's own, which is not there yet.
pub(crate) fn fresh(name: &str) -> PathBuf {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = std::fs::remove_file(&path);
    path
}
