use std::process::ExitCode;

use http::StatusCode;
use outrigger::ErrorKind;

/// How the command ends: the exit codes that scripts rely on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// Done, or answered 2xx or 3xx.
    Done = 0,
    /// Something on this machine failed: a file could not be written.
    Local = 1,
    /// The command line was wrong.
    Usage = 2,
    /// Answered 4xx.
    ClientError = 4,
    /// Answered 5xx.
    ServerError = 5,
    /// Could not connect.
    Connect = 6,
    /// Timed out, connecting included.
    Timeout = 7,
    /// Refused locally.
    Rejected = 8,
    /// Any other failure of the transport.
    Transport = 9,
}

impl Exit {
    /// What they mean, for the end of a page of help.
    pub(crate) const HELP: &str = "\
Exit codes:
  0  Answered 2xx or 3xx
  1  Something on this machine failed: the report or the body could not be written
  2  The command line was wrong, or a file that it names cannot be opened
  4  Answered 4xx
  5  Answered 5xx
  6  Could not connect
  7  Timed out, connecting included
  8  Refused locally, as by an open circuit
  9  Any other failure of the transport";

    /// The exit for an answer.
    pub(crate) fn answered(status: StatusCode) -> Self {
        match status.as_u16() {
            200..400 => Self::Done,
            400..500 => Self::ClientError,
            500..600 => Self::ServerError,
            _ => Self::Transport,
        }
    }

    /// The exit for a call without an answer, or an answer without an end.
    pub(crate) fn failed(kind: ErrorKind) -> Self {
        match kind {
            ErrorKind::Connect => Self::Connect,
            ErrorKind::Timeout => Self::Timeout,
            ErrorKind::Rejected => Self::Rejected,
            ErrorKind::Request => Self::Usage,
            ErrorKind::Status => Self::ServerError,
            _ => Self::Transport,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_of_a_call_is_told() {
        let kinds = [
            ErrorKind::Connect,
            ErrorKind::Timeout,
            ErrorKind::Rejected,
            ErrorKind::Request,
            ErrorKind::Status,
            ErrorKind::Transport,
        ];
        let statuses = [StatusCode::OK, StatusCode::NOT_FOUND];
        let exits = kinds.map(Exit::failed).into_iter();
        for exit in exits
            .chain(statuses.map(Exit::answered))
            .chain([Exit::Local])
        {
            let line = format!("\n  {}  ", exit as u8);
            assert!(Exit::HELP.contains(&line), "{exit:?}");
        }
    }

    #[test]
    fn every_status_has_its_exit() {
        let cases = [
            (200, 0),
            (204, 0),
            (304, 0),
            (400, 4),
            (499, 4),
            (500, 5),
            (599, 5),
            (600, 9),
            (101, 9),
        ];
        for (status, exit) in cases {
            let status = StatusCode::from_u16(status).unwrap();
            assert_eq!(Exit::answered(status) as u8, exit, "{status}");
        }
    }
}
