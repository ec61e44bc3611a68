use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::timeout;

/// How long an attempt is alone before the next address is tried beside it (RFC 8305 §5).
const HEAD_START: Duration = Duration::from_millis(250);

/// Dials addresses one after the other, each as soon as the one before has failed or had its head
/// start. The first connection wins, and the other attempts are dropped (RFC 8305 §5).
///
/// A head start is shorter where `patience` would not suffice for all addresses. Where all fail, the
/// first error is told.
pub(crate) async fn race<T, F>(
    addresses: Vec<SocketAddr>,
    patience: Duration,
    dial: impl Fn(SocketAddr) -> F,
) -> io::Result<T>
where
    T: Send + 'static,
    F: Future<Output = io::Result<T>> + Send + 'static,
{
    let shares = u32::try_from(addresses.len()).unwrap_or(u32::MAX);
    let head_start = HEAD_START.min(patience / shares.saturating_add(1));
    let mut next = alternating(addresses).into_iter();
    let mut attempts = JoinSet::new();
    let mut first_error = None;
    loop {
        attempts.extend(next.next().map(&dial));
        let alone = if next.len() == 0 {
            Duration::MAX
        } else {
            head_start
        };
        let error = match timeout(alone, attempts.join_next()).await {
            Ok(Some(Ok(Ok(connection)))) => return Ok(connection),
            Ok(Some(Ok(Err(error)))) => error,
            Ok(Some(Err(panicked))) => io::Error::other(panicked),
            Ok(None) => return Err(first_error.unwrap_or(io::ErrorKind::NotConnected.into())),
            Err(_) => continue,
        };
        first_error.get_or_insert(error);
    }
}

/// The addresses of both families in turn, that of the first one first (RFC 8305 §4).
fn alternating(addresses: Vec<SocketAddr>) -> Vec<SocketAddr> {
    let first = addresses.first().is_some_and(SocketAddr::is_ipv6);
    let family = |address: &SocketAddr| address.is_ipv6() == first;
    let (preferred, others): (Vec<_>, Vec<_>) = addresses.into_iter().partition(family);
    let (mut preferred, mut others) = (preferred.into_iter(), others.into_iter());
    let mut all = Vec::with_capacity(preferred.len() + others.len());
    while preferred.len() + others.len() > 0 {
        all.extend(preferred.next());
        all.extend(others.next());
    }
    all
}

#[cfg(test)]
mod tests {
    use std::future::pending;
    use std::sync::{Arc, Mutex};

    use tokio::time::{Instant, sleep_until};

    use super::*;

    const MS: Duration = Duration::from_millis(1);
    const PATIENCE: Duration = Duration::from_secs(3);

    /// What an address does: nothing, or an end after so long.
    #[derive(Clone, Copy)]
    enum Fate {
        Silent,
        Accepts(Duration),
        Refuses(Duration),
    }

    use Fate::{Accepts, Refuses, Silent};

    /// Races against addresses that are numbered by their ports; tells which won, and when which was
    /// dialled.
    async fn run(fates: &[Fate], patience: Duration) -> (io::Result<u16>, Vec<u128>) {
        let began = Instant::now();
        let dialled = Arc::<Mutex<Vec<u128>>>::default();
        let addresses = (0..fates.len()).map(|port| ([192, 0, 2, 1], port as u16).into());
        let fates = fates.to_vec();
        let won = race(addresses.collect(), patience, |address: SocketAddr| {
            let fate = fates[usize::from(address.port())];
            let dialled = Arc::clone(&dialled);
            async move {
                dialled.lock().unwrap().push(began.elapsed().as_millis());
                match fate {
                    Silent => pending().await,
                    Accepts(after) => sleep_until(Instant::now() + after).await,
                    Refuses(after) => {
                        sleep_until(Instant::now() + after).await;
                        let port = address.port();
                        return Err(io::Error::other(format!("{port} refused")));
                    }
                }
                Ok(address.port())
            }
        });
        let won = tokio::time::timeout(PATIENCE, won).await;
        let dialled = dialled.lock().unwrap().clone();
        (won.unwrap_or(Err(io::ErrorKind::TimedOut.into())), dialled)
    }

    #[tokio::test(start_paused = true)]
    async fn a_black_hole_has_a_head_start_and_no_more() {
        let (won, dialled) = run(&[Silent, Accepts(MS)], PATIENCE).await;
        assert_eq!((won.unwrap(), &*dialled), (1, &[0, 250][..]));
        let (won, dialled) = run(&[Silent, Silent, Silent, Accepts(MS)], PATIENCE).await;
        assert_eq!((won.unwrap(), &*dialled), (3, &[0, 250, 500, 750][..]));
    }

    #[tokio::test(start_paused = true)]
    async fn all_addresses_have_their_turn_within_the_patience() {
        let mut fates = [Silent; 32];
        fates[31] = Accepts(MS);
        let (won, dialled) = run(&fates, PATIENCE).await;
        assert_eq!((won.unwrap(), dialled.len()), (31, 32));
        let (won, dialled) = run(&[Silent, Accepts(MS)], MS * 300).await;
        assert_eq!((won.unwrap(), &*dialled), (1, &[0, 100][..]));
    }

    #[tokio::test(start_paused = true)]
    async fn a_refusal_hands_on_at_once_and_the_slow_one_may_still_win() {
        let fates = [Refuses(10 * MS), Accepts(300 * MS), Accepts(300 * MS)];
        let (won, dialled) = run(&fates, PATIENCE).await;
        assert_eq!((won.unwrap(), &*dialled), (1, &[0, 10, 260][..]));
    }

    #[tokio::test(start_paused = true)]
    async fn where_all_refuse_the_first_error_is_told() {
        let (won, dialled) = run(&[Refuses(MS), Refuses(MS)], PATIENCE).await;
        assert_eq!(won.unwrap_err().to_string(), "0 refused");
        assert_eq!(dialled, [0, 1]);
        let (won, dialled) = run(&[], PATIENCE).await;
        assert_eq!(won.unwrap_err().kind(), io::ErrorKind::NotConnected);
        assert_eq!(dialled, []);
    }

    #[tokio::test(start_paused = true)]
    async fn a_family_that_is_silent_hands_on_to_the_other() {
        let addresses = ["[::1]:1", "[::1]:2", "1.1.1.1:3"].map(|a| a.parse().unwrap());
        let began = Instant::now();
        let won = race(
            addresses.to_vec(),
            PATIENCE,
            |address: SocketAddr| async move {
                match address.is_ipv6() {
                    true => pending().await,
                    false => Ok(address.port()),
                }
            },
        );
        assert_eq!(won.await.unwrap(), 3);
        assert_eq!(began.elapsed(), HEAD_START);
    }

    #[test]
    fn families_take_turns() {
        let addresses = ["[::1]:1", "[::1]:2", "[::1]:3", "1.1.1.1:4", "1.1.1.1:5"];
        let alternated = alternating(addresses.map(|a| a.parse().unwrap()).to_vec());
        let ports: Vec<_> = alternated.iter().map(SocketAddr::port).collect();
        assert_eq!(ports, [1, 4, 2, 5, 3]);
    }
}
