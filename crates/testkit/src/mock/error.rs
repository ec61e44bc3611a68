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
