//! Seeded chaos over the pool alone: whatever server, network and callers do to one another, nothing
//! is left behind and no request goes out twice.

use std::collections::HashSet;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use fastrand::Rng;
use http::{Request, Uri};
use http_body_util::BodyExt;
use outrigger_connector::{Connector, Dial, HttpVersion, Snapshot};
use outrigger_testkit::raw::{Code, Peer, Script, Setting};
use tokio::runtime::{Builder, Handle};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until, timeout};
use tower::ServiceExt;

use crate::support::memory::{Dialer, Pipe};
use crate::support::{Piece, Scripted, calm};

/// How many schedules a plain run tries; `OUTRIGGER_CHAOS` names another number.
const SCHEDULES: u64 = 1_000;

const HOSTS: u64 = 3;
const CALLS: u64 = 16;

async fn pause(rng: &mut Rng, most: u64) {
    sleep_until(Instant::now() + Duration::from_millis(rng.u64(..most))).await;
}

fn code(rng: &mut Rng) -> Code {
    Code(rng.u32(..14))
}

/// A server that does anything at all, in an order that its seed decides.
async fn misbehave(mut peer: Peer, mut rng: Rng, reformed: Arc<AtomicBool>) -> io::Result<()> {
    if reformed.load(Ordering::Relaxed) {
        peer.settings([(Setting::MAX_CONCURRENT_STREAMS, 1)])
            .await?;
        return peer.behave().await;
    }
    // A place that is lost on a connection that is closed soon goes with it unseen.
    let restless = rng.bool();
    peer.wait(Duration::from_millis(rng.u64(..50))).await?;
    match rng.u8(..20) {
        0 => return peer.silence().await,
        1 => return peer.reset(),
        2 => peer.settings([]).await?,
        _ => {
            let limit = (Setting::MAX_CONCURRENT_STREAMS, rng.u32(..6));
            peer.settings([limit]).await?;
        }
    }
    loop {
        let Ok(request) = timeout(Duration::from_millis(300), peer.request()).await else {
            let limit = (Setting::MAX_CONCURRENT_STREAMS, rng.u32(..6));
            match rng.u8(..4) {
                0 if restless => peer.goaway(0x7fff_ffff, code(&mut rng), "").await?,
                1 if restless => return peer.close().await,
                _ => peer.settings([limit]).await?,
            }
            continue;
        };
        let request = request?;
        peer.wait(Duration::from_millis(rng.u64(..20))).await?;
        match rng.u8(..16) {
            0 => {}
            1 => peer.reset_stream(&request, Code::REFUSED_STREAM).await?,
            2 => peer.reset_stream(&request, code(&mut rng)).await?,
            3 => peer.goaway(request.stream - 1, code(&mut rng), "").await?,
            4 => peer.goaway(request.stream, code(&mut rng), "").await?,
            5 if rng.bool() => return peer.close().await,
            6 if rng.bool() => return peer.reset(),
            7 if rng.u8(..4) == 0 => {
                let _ = timeout(Duration::from_secs(30), peer.black_hole()).await;
                return Ok(());
            }
            8 | 9 => {
                peer.head(&request, 200, &[], false).await?;
                peer.data(&request, vec![0; rng.usize(..30_000)], false)
                    .await?;
                match rng.u8(..3) {
                    0 => peer.reset_stream(&request, code(&mut rng)).await?,
                    1 => peer.trailers(&request, &[("x", "1")]).await?,
                    _ => {}
                }
            }
            10 => peer.answer(&request, 421, "").await?,
            _ => peer.answer(&request, 200, "body").await?,
        }
    }
}

/// A caller with little patience, or much.
async fn call(
    connector: Connector<Scripted, impl Dial + Clone + Send + 'static>,
    mut rng: Rng,
    id: u64,
) {
    pause(&mut rng, 200).await;
    let pieces = (0..rng.u8(..4)).map(|_| match rng.u8(..12) {
        0 => Piece::Fail,
        1 => Piece::Pause(Duration::from_millis(rng.u64(..2000))),
        _ => Piece::Data("some of the body"),
    });
    let body = Scripted::new(pieces.collect::<Vec<_>>());
    let uri = format!("http://{}.test/{id}", rng.u64(..HOSTS));
    let request = Request::post(uri).body(body).unwrap();
    let patience = Duration::from_millis(rng.u64(1..1500));
    let read = rng.u8(..4);
    let exchange = async {
        let Ok(response) = connector.oneshot(request).await else {
            return;
        };
        let mut body = response.into_body();
        if read == 0 {
            return;
        }
        while let Some(Ok(_)) = body.frame().await {}
    };
    let _ = timeout(patience, exchange).await;
}

/// Tries until there is an answer: connections from bad times may have to go first.
async fn persist<D>(connector: Connector<Scripted, D>, uri: String)
where
    D: Dial + Clone + Send + 'static,
{
    loop {
        let request = Request::get(&uri).body(Scripted::default()).unwrap();
        let answer = connector.clone().oneshot(request);
        if let Ok(Ok(_)) = timeout(Duration::from_secs(1), answer).await {
            return;
        }
        sleep_until(Instant::now() + Duration::from_millis(100)).await;
    }
}

/// Opens pipes late, not at all or never.
fn dialer(
    pipes: Dialer<Script>,
    seed: u64,
    reformed: Arc<AtomicBool>,
) -> impl Dial<Io = Pipe> + Clone + Send + 'static {
    let dials = Arc::new(AtomicU64::new(0));
    tower::service_fn(move |uri: Uri| {
        let mut rng = Rng::with_seed(seed ^ dials.fetch_add(1, Ordering::Relaxed) << 32);
        let pipes = pipes.clone();
        let reformed = reformed.load(Ordering::Relaxed);
        async move {
            pause(&mut rng, 30).await;
            match rng.u8(..20) {
                _ if reformed => pipes.oneshot(uri).await,
                0 => Err(io::ErrorKind::ConnectionRefused.into()),
                1 => std::future::pending().await,
                _ => pipes.oneshot(uri).await,
            }
        }
    })
}

async fn schedule(seed: u64) {
    let tasks = Handle::current().metrics().num_alive_tasks();
    let mut rng = Rng::with_seed(seed);
    let reformed = Arc::new(AtomicBool::new(false));
    let told = Arc::clone(&reformed);
    let pipes = Dialer::new(Script::new(move |peer: Peer| {
        let rng = Rng::with_seed(seed ^ (peer.connection() as u64) << 16);
        misbehave(peer, rng, Arc::clone(&told))
    }));
    let age = [rng.u64(100..3000), 600_000][rng.usize(..2)];
    let age = Duration::from_millis(age);
    let connector = Connector::new()
        .dialer(dialer(pipes.clone(), seed, Arc::clone(&reformed)))
        .http(HttpVersion::H2c)
        .connect_timeout(Duration::from_millis(rng.u64(50..1000)))
        .acquire_timeout(Duration::from_millis(rng.u64(50..1000)))
        .keep_alive(Duration::from_millis(300), Duration::from_millis(300))
        .max_age(age)
        .idle_expiry(Duration::from_millis(rng.u64(50..3000)))
        .max_connections_per_endpoint(rng.usize(1..4))
        .max_connections(rng.usize(1..6))
        .max_waiting_per_endpoint(rng.usize(1..12));
    let mut calls = JoinSet::new();
    for id in 0..CALLS {
        calls.spawn(call(connector.clone(), rng.fork(), id));
    }
    calls.join_all().await;
    calm().await;
    assert_eq!(connector.snapshot().waiting(), 0, "seed {seed}");
    // An upload may outlast its call.
    sleep_until(Instant::now() + Duration::from_secs(10)).await;
    let snapshot = connector.snapshot();
    assert_eq!(
        (snapshot.streams(), snapshot.waiting()),
        (0, 0),
        "seed {seed}"
    );

    let mut seen = HashSet::new();
    for request in pipes.log().requests() {
        assert!(
            seen.insert(request.path),
            "seed {seed}: a request went out twice"
        );
    }
    // As many as there may be in all, and one more: no place has been lost.
    reformed.store(true, Ordering::Relaxed);
    let mut calls = JoinSet::new();
    for host in (0..HOSTS).chain(0..HOSTS) {
        let uri = format!("http://{host}.test/");
        calls.spawn(timeout(
            Duration::from_secs(40),
            persist(connector.clone(), uri),
        ));
    }
    for answered in calls.join_all().await {
        answered.unwrap_or_else(|_| panic!("seed {seed}: the pool does not recover"));
    }
    // Long enough for connects, expiry, rests and sockets that must be forced.
    sleep_until(Instant::now() + Duration::from_secs(60)).await;
    calm().await;
    assert_eq!(connector.snapshot(), Snapshot::default(), "seed {seed}");
    drop((connector, pipes));
    calm().await;
    let left = Handle::current().metrics().num_alive_tasks();
    assert_eq!(left, tasks, "seed {seed}: tasks are left");
}

#[test]
fn nothing_is_left_behind_and_no_request_goes_out_twice() {
    let schedules = std::env::var("OUTRIGGER_CHAOS").ok();
    let schedules = schedules.and_then(|number| number.parse().ok());
    let schedules = schedules.unwrap_or(SCHEDULES);
    let next = AtomicU64::new(0);
    let run = || {
        let mut runtime = Builder::new_current_thread();
        let runtime = runtime.enable_all().start_paused(true).build().unwrap();
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= schedules {
                return;
            }
            runtime.block_on(schedule(seed));
        }
    };
    let threads = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(run);
        }
    });
}
