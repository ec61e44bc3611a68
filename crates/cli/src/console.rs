//! Lines for the person at the terminal. A terminal that has gone is no reason to fail.

use std::fmt;
use std::io::{self, Write};

/// Writes a line to standard error.
pub(crate) fn note(line: fmt::Arguments<'_>) {
    let _ = writeln!(io::stderr().lock(), "{line}");
}

/// Writes a line to standard output.
pub(crate) fn line(line: fmt::Arguments<'_>) {
    let _ = writeln!(io::stdout().lock(), "{line}");
}
