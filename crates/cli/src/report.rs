use std::io::Write;
use std::path::Path;
use std::{fs, io};

use serde::Serialize;

/// What became of one call, as `--report` writes it. Times are whole milliseconds since its start.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    pub(crate) status: Option<u16>,
    pub(crate) request_id: Option<String>,
    pub(crate) idempotency_key: Option<String>,
    pub(crate) outcome: &'static str,
    pub(crate) error: Option<String>,
    pub(crate) attempts: Vec<AttemptReport>,
}

/// One attempt of it; `waited_ms` is how long it was held back after the one before.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct AttemptReport {
    pub(crate) n: u32,
    pub(crate) started_ms: u64,
    pub(crate) ended_ms: u64,
    pub(crate) waited_ms: u64,
    pub(crate) outcome: &'static str,
    pub(crate) status: Option<u16>,
    pub(crate) error: Option<String>,
}

/// Writes a report as one line of JSON; `-` is standard output.
pub(crate) fn write(report: &impl Serialize, path: &Path) -> io::Result<()> {
    let mut json = serde_json::to_vec(report)?;
    json.push(b'\n');
    if path == Path::new("-") {
        io::stdout().lock().write_all(&json)
    } else {
        fs::write(path, json)
    }
}
