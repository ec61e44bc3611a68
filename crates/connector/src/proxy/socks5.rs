use std::io;
use std::net::IpAddr;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use super::ProxyError;

const VERSION: u8 = 5;
const NO_CREDENTIALS: u8 = 0;
const USER_AND_PASSWORD: u8 = 2;
/// The version of the talk about user and password (RFC 1929 §2).
const CREDENTIALS_VERSION: u8 = 1;
const CONNECT: u8 = 1;
const IPV4: u8 = 1;
const NAME: u8 = 3;
const IPV6: u8 = 4;

/// Asks the SOCKS 5 proxy at the other end of `io` to connect to a host (RFC 1928), by name where it is
/// no address; shows user and password where the proxy wants them (RFC 1929).
///
/// It reads no further than the proxy's last word: what follows is the endpoint's.
pub(crate) async fn negotiate<T>(
    io: &mut T,
    host: &str,
    port: u16,
    credentials: Option<(&str, &str)>,
) -> Result<(), ProxyError>
where
    T: AsyncRead + AsyncWrite + Unpin,
{
    let request = request(host, port)?;
    let greeting = match credentials {
        None => &[VERSION, 1, NO_CREDENTIALS][..],
        Some(_) => &[VERSION, 2, NO_CREDENTIALS, USER_AND_PASSWORD],
    };
    match (ask(io, greeting).await?, credentials) {
        ([VERSION, NO_CREDENTIALS], _) => {}
        ([VERSION, USER_AND_PASSWORD], Some((user, password))) => {
            let mut words = vec![CREDENTIALS_VERSION];
            words.extend(counted(user)?);
            words.extend(counted(password)?);
            if ask(io, &words).await? != [CREDENTIALS_VERSION, 0] {
                return Err(ProxyError::lasting("does not accept the credentials"));
            }
        }
        ([VERSION, _], Some(_)) => {
            return Err(ProxyError::lasting(
                "wants other credentials than a password",
            ));
        }
        ([VERSION, _], None) => return Err(ProxyError::lasting("wants credentials")),
        _ => return Err(ProxyError::lasting("does not speak socks 5")),
    }
    let [version, reply, _, kind] = ask(io, &request).await?;
    if version != VERSION {
        return Err(ProxyError::lasting("does not speak socks 5"));
    }
    refused(reply)?;
    let bound = match kind {
        IPV4 => 4,
        IPV6 => 16,
        NAME => usize::from(read::<1, _>(io).await?[0]),
        _ => return Err(ProxyError::lasting("does not speak socks 5")),
    };
    let mut bound = vec![0; bound + 2];
    io.read_exact(&mut bound).await.map_err(broken)?;
    Ok(())
}

/// The request for a connection.
fn request(host: &str, port: u16) -> Result<Vec<u8>, ProxyError> {
    let mut request = vec![VERSION, CONNECT, 0];
    match host.parse() {
        Ok(IpAddr::V4(address)) => {
            request.push(IPV4);
            request.extend(address.octets());
        }
        Ok(IpAddr::V6(address)) => {
            request.push(IPV6);
            request.extend(address.octets());
        }
        Err(_) => {
            request.push(NAME);
            request.extend(counted(host)?);
        }
    }
    request.extend(port.to_be_bytes());
    Ok(request)
}

/// A text after its length.
fn counted(text: &str) -> Result<impl Iterator<Item = u8>, ProxyError> {
    let length = u8::try_from(text.len());
    let length = length.map_err(|_| ProxyError::lasting("takes no name longer than 255 bytes"))?;
    Ok([length].into_iter().chain(text.bytes()))
}

async fn ask<const N: usize, T>(io: &mut T, words: &[u8]) -> Result<[u8; N], ProxyError>
where
    T: AsyncRead + AsyncWrite + Unpin,
{
    io.write_all(words).await.map_err(broken)?;
    io.flush().await.map_err(broken)?;
    read(io).await
}

async fn read<const N: usize, T>(io: &mut T) -> Result<[u8; N], ProxyError>
where
    T: AsyncRead + Unpin,
{
    let mut words = [0; N];
    io.read_exact(&mut words).await.map_err(broken)?;
    Ok(words)
}

fn broken(error: io::Error) -> ProxyError {
    ProxyError::passing("broke off").with_source(error)
}

/// What the proxy means by its reply (RFC 1928 §6).
fn refused(reply: u8) -> Result<(), ProxyError> {
    Err(match reply {
        0 => return Ok(()),
        2 => ProxyError::lasting("does not allow the connection"),
        3 => ProxyError::passing("cannot reach the network"),
        4 => ProxyError::passing("cannot reach the host"),
        5 => ProxyError::passing("was refused by the host"),
        6 => ProxyError::passing("found the way too long"),
        7 | 8 => ProxyError::lasting("does not connect to such hosts"),
        _ => ProxyError::passing("has failed"),
    })
}
