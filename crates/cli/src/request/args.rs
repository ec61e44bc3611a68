use clap::Args;

use crate::options::Options;

/// What to send, and with what care.
#[derive(Args, Debug)]
pub(crate) struct RequestArgs {
    /// The method [default: GET, or POST with a body], and the URL, with http:// or https://
    // One argument of several words: of two arguments clap takes the method for the URL where an option
    // follows it.
    #[arg(value_name = "[METHOD] URL", num_args = 1.., required = true)]
    pub(super) target: Vec<String>,

    /// A header of the request
    #[arg(short = 'H', long = "header", value_name = "NAME: VALUE")]
    pub(super) headers: Vec<String>,

    /// A pair for the URL's query, encoded for you
    #[arg(short, long = "query", value_name = "NAME=VALUE")]
    pub(super) query: Vec<String>,

    /// The request's body: a text, @FILE, or @- for standard input
    #[arg(short, long, value_name = "TEXT|@FILE", group = "body")]
    pub(super) data: Option<String>,

    /// The request's body as JSON, with its content-type
    #[arg(long, value_name = "JSON", group = "body")]
    pub(super) json: Option<String>,

    /// A field of a form to send as the request's body
    #[arg(short, long = "form", value_name = "NAME=VALUE", group = "body")]
    pub(super) form: Vec<String>,

    #[command(flatten, next_help_heading = "Shared options")]
    pub(crate) options: Options,
}

impl RequestArgs {
    /// Whether the body comes from standard input, which can be read once only.
    pub(crate) fn reads_stdin(&self) -> bool {
        self.data.as_deref() == Some("@-")
    }
}
