use std::io::Write;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use std::{env, fs, io, process};

use tokio::net::TcpStream;
use tokio::time::{Instant, sleep_until};

/// Whether a program is installed. Where it must be and is not, the test fails.
pub(crate) fn installed(program: &str) -> bool {
    let path = env::var_os("PATH").unwrap_or_default();
    let usual = ["/usr/sbin", "/usr/bin"].map(PathBuf::from);
    let found = env::split_paths(&path)
        .chain(usual)
        .any(|folder| folder.join(program).is_file());
    if !found {
        let required = env::var_os("CI").is_some_and(|ci| ci == "true");
        assert!(!required, "{program} is not installed");
        // Past the harness, which shows what is printed of failed tests alone.
        let _ = writeln!(io::stderr(), "LEFT OUT: {program} is not installed");
    }
    found
}

/// A folder of its own, which goes when it is dropped.
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn new() -> Self {
        static LAST: AtomicUsize = AtomicUsize::new(0);
        let number = LAST.fetch_add(1, Ordering::Relaxed);
        let name = format!("outrigger-peers-{}-{number}", process::id());
        let path = env::temp_dir().join(name);
        fs::create_dir(&path).unwrap();
        Self(path)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A process that ends by itself when its standard input does: when this is dropped, and also when
/// the test is killed.
pub(crate) struct Process {
    child: Child,
    lifeline: Option<ChildStdin>,
}

impl Process {
    pub(crate) fn spawn(command: &mut Command) -> Self {
        let mut child = command.stdin(Stdio::piped()).spawn().unwrap();
        let lifeline = child.stdin.take();
        Self { child, lifeline }
    }

    /// Writes a line to its standard input.
    pub(crate) fn tell(&mut self, line: &str) {
        writeln!(self.lifeline.as_mut().unwrap(), "{line}").unwrap();
    }

    /// Waits until it accepts connections.
    pub(crate) async fn wait_until_it_listens(&mut self, addr: SocketAddr) {
        let began = Instant::now();
        while TcpStream::connect(addr).await.is_err() {
            assert!(
                began.elapsed() < Duration::from_secs(20),
                "it never listens"
            );
            let ended = self.child.try_wait().unwrap();
            assert!(ended.is_none(), "it has ended: {ended:?}");
            sleep_until(Instant::now() + Duration::from_millis(20)).await;
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        drop(self.lifeline.take());
        let _ = self.child.wait();
    }
}

/// An address of this machine at which nobody listens.
pub(crate) fn vacant() -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    listener.local_addr().unwrap()
}
