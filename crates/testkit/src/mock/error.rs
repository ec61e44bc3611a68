use std::fmt;

/// No route of the mock takes this request.
#[derive(Clone, Debug)]
pub struct Unmatched {
    pub(super) request: String,
    pub(super) routes: Vec<String>,
}

impl fmt::Display for Unmatched {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "no route of the mock takes {}; it has {:?}",
            self.request, self.routes
        )
    }
}

impl std::error::Error for Unmatched {}

/// The route has given all the outcomes that were scripted for it.
#[derive(Clone, Debug)]
pub struct Exhausted {
    pub(super) route: String,
    pub(super) calls: usize,
}

impl fmt::Display for Exhausted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} has no outcome scripted for call {}",
            self.route, self.calls
        )
    }
}

impl std::error::Error for Exhausted {}
