//! `outrigger upstream`: a server that misbehaves on demand.

use std::net::SocketAddr;

use clap::Args;
use outrigger_testkit::Server;
use outrigger_testkit::upstream::Upstream;
use tokio::net::TcpListener;
use tokio::signal;

use crate::console;
use crate::exit::Exit;
use crate::usage::Usage;

/// Where the upstream listens.
#[derive(Args, Debug)]
pub(crate) struct UpstreamArgs {
    /// The address to listen on; port 0 takes a free one
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8080")]
    listen: SocketAddr,
}

/// Serves HTTP/1.1 and h2c on one port until Ctrl-C.
pub(crate) async fn run(args: UpstreamArgs) -> Result<Exit, Usage> {
    let cannot = |error| Usage::new(format!("cannot listen on {}: {error}", args.listen));
    let listener = TcpListener::bind(args.listen).await.map_err(cannot)?;
    let server = Server::listen(Upstream::new().without_log(), listener).map_err(cannot)?;
    console::line(format_args!(
        "http://{} misbehaves over HTTP/1.1 and h2c until Ctrl-C.\n\n{}",
        server.addr(),
        Upstream::PATHS
    ));
    signal::ctrl_c().await.map_err(cannot)?;
    Ok(Exit::Done)
}
