use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

/// Stands before an upstream, so that connections can die as they do behind a router that has
/// forgotten them: without a word. Clones stand before the same one.
#[derive(Clone, Debug)]
pub(super) struct Relay {
    pub(super) addr: SocketAddr,
    accepted: Arc<AtomicU64>,
    fates: watch::Sender<Fates>,
}

/// What the connections suffer, by their ordinals.
#[derive(Clone, Copy, Debug, Default)]
struct Fates {
    /// Those below carry nothing any more, and neither end is told.
    silent_below: u64,
    /// Those below are closed.
    closed_below: u64,
}

impl Relay {
    /// Begins to pass connections on to `to`, from a port of its own.
    ///
    /// # Errors
    /// When no port can be had.
    pub(super) async fn start(to: SocketAddr) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let relay = Self {
            addr: listener.local_addr()?,
            accepted: Arc::default(),
            fates: watch::Sender::default(),
        };
        tokio::spawn(relay.clone().accept(listener, to));
        Ok(relay)
    }

    /// Silences every connection that stands; new ones are as good as ever.
    pub(super) fn silence(&self) {
        let accepted = self.accepted.load(Ordering::Relaxed);
        self.fates
            .send_modify(|fates| fates.silent_below = accepted);
    }

    /// Closes the connections that were silenced.
    pub(super) fn bury(&self) {
        self.fates
            .send_modify(|fates| fates.closed_below = fates.silent_below);
    }

    async fn accept(self, listener: TcpListener, to: SocketAddr) {
        let mut passing = JoinSet::new();
        loop {
            tokio::select! {
                Some(_) = passing.join_next() => {}
                Ok((socket, _)) = listener.accept() => {
                    let ordinal = self.accepted.fetch_add(1, Ordering::Relaxed);
                    passing.spawn(pass(socket, to, ordinal, self.fates.subscribe()));
                }
            }
        }
    }
}

async fn pass(
    mut client: TcpStream,
    to: SocketAddr,
    ordinal: u64,
    mut fates: watch::Receiver<Fates>,
) -> io::Result<()> {
    let mut server = TcpStream::connect(to).await?;
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    tokio::select! {
        ended = copy_bidirectional(&mut client, &mut server) => return ended.map(drop),
        _ = fates.wait_for(|fates| ordinal < fates.silent_below) => {}
    }
    // The sockets stay open, and nobody reads them.
    let _ = fates.wait_for(|fates| ordinal < fates.closed_below).await;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::time::timeout;

    use super::*;

    /// Sends a byte and waits for it to come back.
    async fn echo(socket: &mut TcpStream) -> io::Result<u8> {
        socket.write_all(b"x").await?;
        socket.read_u8().await
    }

    #[tokio::test]
    async fn who_stands_goes_silent_and_who_comes_later_does_not() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let relay = Relay::start(listener.local_addr().unwrap()).await.unwrap();
        tokio::spawn(async move {
            loop {
                let (mut socket, _) = listener.accept().await.unwrap();
                tokio::spawn(async move {
                    let (mut from, mut to) = socket.split();
                    tokio::io::copy(&mut from, &mut to).await
                });
            }
        });
        let mut old = TcpStream::connect(relay.addr).await.unwrap();
        assert_eq!(echo(&mut old).await.unwrap(), b'x');

        relay.silence();
        let mut new = TcpStream::connect(relay.addr).await.unwrap();
        assert_eq!(echo(&mut new).await.unwrap(), b'x');
        let silence = timeout(Duration::from_millis(200), echo(&mut old)).await;
        assert!(silence.is_err(), "{silence:?}");

        relay.bury();
        assert!(old.read_u8().await.is_err());
        assert_eq!(echo(&mut new).await.unwrap(), b'x');
    }
}
