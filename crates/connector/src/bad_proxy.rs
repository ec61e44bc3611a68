use std::error::Error;
use std::fmt;

/// What was to name a proxy is no URL of one: another scheme than `http`, `https`, `socks5` and
/// `socks5h`, no host, or credentials that are too long. It is not repeated: it may hold a password.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadProxy {
    variable: Option<&'static str>,
}

impl BadProxy {
    pub(crate) const fn new() -> Self {
        Self { variable: None }
    }

    /// The same, found in this variable of the environment.
    pub(crate) const fn of(self, variable: &'static str) -> Self {
        let variable = Some(variable);
        Self { variable }
    }
}

impl fmt::Display for BadProxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.variable {
            Some(variable) => f.write_str(variable)?,
            None => f.write_str("this")?,
        }
        f.write_str(" is not the url of a proxy: http, https, socks5 or socks5h, and a host")
    }
}

impl Error for BadProxy {}
