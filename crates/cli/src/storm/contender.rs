use bytes::Bytes;
use http::{Request, StatusCode};
use outrigger::Error;

use crate::wire::Sent;

/// One of the two clients in the storm.
pub(super) trait Contender: Clone + Send + Sync + 'static {
    /// Its name in the table.
    const NAME: &'static str;

    /// Its settings, in a few words.
    fn settings(&self) -> String;

    /// Makes a call, reads its answer to the end and gives its status.
    fn call(
        &self,
        request: Request<Bytes>,
    ) -> impl Future<Output = Result<StatusCode, Error>> + Send;

    /// How many requests it has sent so far.
    fn sent(&self) -> &Sent;
}
