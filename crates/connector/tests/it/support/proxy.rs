use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;

/// A proxy that takes every host for this machine.
pub(crate) struct Proxy {
    addr: SocketAddr,
    heard: Heard,
    ended: Arc<Semaphore>,
    accepting: JoinHandle<()>,
}

/// What clients have said, request by request.
type Heard = Arc<Mutex<Vec<String>>>;

/// What a proxy does with its clients.
#[derive(Clone)]
pub(crate) enum Manner {
    /// Opens tunnels by CONNECT.
    Tunnels,
    /// Opens tunnels, and sends the endpoint's first bytes along with its answer.
    TunnelsEagerly,
    /// Answers every request so.
    Answers(&'static str),
    /// Speaks SOCKS 5, wants this user and password, and answers so.
    Socks(Option<(&'static str, &'static str)>, u8),
    /// Speaks SOCKS 5, and waits for the client to speak first in the tunnel.
    SocksInTurn,
    /// Says nothing.
    Silent,
}

impl Proxy {
    pub(crate) async fn bind(manner: Manner) -> Self {
        Self::accepting(manner, None).await
    }

    /// The same behind TLS.
    pub(crate) async fn bind_tls(manner: Manner, acceptor: TlsAcceptor) -> Self {
        Self::accepting(manner, Some(acceptor)).await
    }

    async fn accepting(manner: Manner, acceptor: Option<TlsAcceptor>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        let heard = Heard::default();
        let ended = Arc::new(Semaphore::new(0));
        let (said, over) = (Arc::clone(&heard), Arc::clone(&ended));
        let accepting = tokio::spawn(async move {
            loop {
                let (socket, _) = listener.accept().await.unwrap();
                let (said, over) = (Arc::clone(&said), Arc::clone(&over));
                let (manner, acceptor) = (manner.clone(), acceptor.clone());
                tokio::spawn(async move {
                    let _ = match acceptor {
                        None => serve(socket, manner, &said).await,
                        Some(acceptor) => match acceptor.accept(socket).await {
                            Ok(socket) => serve(socket, manner, &said).await,
                            Err(_) => Ok(()),
                        },
                    };
                    over.add_permits(1);
                });
            }
        });
        Self {
            addr,
            heard,
            ended,
            accepting,
        }
    }

    /// Its URL with this before host and port: a scheme, perhaps a user.
    pub(crate) fn url(&self, before: &str) -> String {
        format!("{before}localhost:{}", self.addr.port())
    }

    pub(crate) fn heard(&self) -> Vec<String> {
        self.heard.lock().unwrap().clone()
    }

    /// Waits until a client has left.
    pub(crate) async fn left(&self) {
        self.ended.acquire().await.unwrap().forget();
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn serve<T>(mut io: T, manner: Manner, heard: &Heard) -> std::io::Result<()>
where
    T: AsyncRead + AsyncWrite + Unpin,
{
    match manner {
        Manner::Tunnels | Manner::TunnelsEagerly => {
            let head = head(&mut io).await?;
            let target = head.split(' ').nth(1).unwrap_or_default().to_owned();
            heard.lock().unwrap().push(head);
            let answer = b"HTTP/1.1 201 As you like\r\nx-proxy: yes\r\n\r\n";
            let eager = matches!(manner, Manner::TunnelsEagerly);
            pass(io, &target, answer, eager).await
        }
        Manner::Answers(answer) => loop {
            let head = head(&mut io).await?;
            heard.lock().unwrap().push(head);
            io.write_all(answer.as_bytes()).await?;
        },
        Manner::Socks(credentials, reply) => socks(io, credentials, reply, true, heard).await,
        Manner::SocksInTurn => socks(io, None, 0, false, heard).await,
        Manner::Silent => {
            io.read_to_end(&mut Vec::new()).await?;
            Ok(())
        }
    }
}

async fn head<T: AsyncRead + Unpin>(io: &mut T) -> std::io::Result<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(io.read_u8().await?);
    }
    Ok(String::from_utf8(head).unwrap())
}

/// Connects to the port of `target`, says `answer`, and passes everything on.
async fn pass<T>(mut io: T, target: &str, answer: &[u8], eager: bool) -> std::io::Result<()>
where
    T: AsyncRead + AsyncWrite + Unpin,
{
    let (_, port) = target.rsplit_once(':').unwrap();
    let mut endpoint = TcpStream::connect(("127.0.0.1", port.parse().unwrap())).await?;
    let mut words = answer.to_vec();
    if eager {
        endpoint.read_buf(&mut words).await?;
    }
    io.write_all(&words).await?;
    io.flush().await?;
    copy_bidirectional(&mut io, &mut endpoint).await?;
    Ok(())
}

async fn socks<T>(
    mut io: T,
    credentials: Option<(&str, &str)>,
    reply: u8,
    eager: bool,
    heard: &Heard,
) -> std::io::Result<()>
where
    T: AsyncRead + AsyncWrite + Unpin,
{
    assert_eq!(io.read_u8().await?, 5);
    let methods = counted(&mut io).await?;
    let method = if credentials.is_some() { 2 } else { 0 };
    let chosen = if methods.contains(&method) {
        method
    } else {
        0xff
    };
    io.write_all(&[5, chosen]).await?;
    if let (2, Some((user, password))) = (chosen, credentials) {
        assert_eq!(io.read_u8().await?, 1);
        let shown = (counted(&mut io).await?, counted(&mut io).await?);
        let known = shown == (user.into(), password.into());
        io.write_all(&[1, u8::from(!known)]).await?;
    }
    let mut request = [0; 4];
    io.read_exact(&mut request).await?;
    assert_eq!(request[..3], [5, 1, 0]);
    let host = match request[3] {
        1 => std::net::Ipv4Addr::from(io.read_u32().await?).to_string(),
        4 => std::net::Ipv6Addr::from(io.read_u128().await?).to_string(),
        _ => String::from_utf8(counted(&mut io).await?).unwrap(),
    };
    let target = format!("{} {host}:{}", request[3], io.read_u16().await?);
    heard.lock().unwrap().push(target.clone());
    let answer = [&[5, reply, 0, 3, 5][..], b"bound", &[0, 7]].concat();
    if reply == 0 {
        return pass(io, &target, &answer, eager).await;
    }
    io.write_all(&answer).await
}

async fn counted<T: AsyncRead + Unpin>(io: &mut T) -> std::io::Result<Vec<u8>> {
    let mut bytes = vec![0; usize::from(io.read_u8().await?)];
    io.read_exact(&mut bytes).await?;
    Ok(bytes)
}
