use std::convert::Infallible;
use std::str::FromStr;

/// Where the idempotency key of a call comes from.
#[derive(Clone, Debug)]
pub(crate) enum Key {
    /// None is sent.
    None,
    /// A new one for each call.
    Auto,
    /// The caller's own, not looked at yet: what is wrong with it is said without repeating it.
    Own(String),
}

impl FromStr for Key {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(match text {
            "none" => Self::None,
            "auto" => Self::Auto,
            own => Self::Own(own.to_owned()),
        })
    }
}
