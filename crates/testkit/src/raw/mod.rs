//! A server that sends exactly the HTTP/2 frames a test writes down.
//!
//! A [`Script`] is an `async` closure; it gets a [`Peer`] per connection, reads requests from it and
//! says what goes out, frame by frame, right or wrong. The [`Log`](crate::Log) keeps every frame that
//! came and every request the script said it had executed, so that a test can assert not only what
//! the client saw but also what the server did.
//!
//! ```
//! use outrigger_testkit::{Server, raw::{Code, Script, Setting}};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let server = Server::bind(Script::new(|mut peer| async move {
//!     peer.settings([(Setting::MAX_CONCURRENT_STREAMS, 10)]).await?;
//!     let request = peer.request().await?;
//!     if peer.connection() == 1 {
//!         // Not executed: above the last stream id, so the client may send it again.
//!         peer.goaway(0, Code::NO_ERROR, "restarting").await?;
//!         return peer.close().await;
//!     }
//!     peer.execute(&request)?;
//!     peer.answer(&request, 200, "hello").await?;
//!     peer.close().await
//! }))
//! .await?;
//!
//! let socket = tokio::net::TcpStream::connect(server.addr()).await?;
//! let (mut client, connection) = h2::client::handshake(socket).await?;
//! tokio::spawn(connection);
//! let request = http::Request::get(server.url("/")).body(())?;
//! let (answer, _) = client.send_request(request, true)?;
//! assert!(answer.await.unwrap_err().is_go_away());
//! assert_eq!(server.log().requests().len(), 1);
//! assert!(server.log().executed().is_empty());
//! # Ok(())
//! # }
//! ```

mod answer;
mod code;
mod codec;
mod event;
mod frame;
mod hpack;
mod peer;
mod request;
mod script;
mod setting;
mod streams;
mod wire;

pub(crate) use self::wire::PREFACE;
pub use self::{
    code::Code,
    event::{Entry, Event},
    frame::Frame,
    peer::Peer,
    request::Request,
    script::Script,
    setting::Setting,
};
