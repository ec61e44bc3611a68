use std::{io, time::Duration};

use http::{Request, Response};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use outrigger_testkit::{
    Body, Serve,
    memory::{Dialer, Dialing, InMemory},
    raw::{Code, Script},
    upstream::Upstream,
};
use tokio::time::{Instant, timeout};
use tower::ServiceExt;

use crate::client::find;

const MINUTE: Duration = Duration::from_secs(60);

fn client<S: Serve>(dialer: Dialer<S>, http2: bool) -> Client<Dialer<S>, Body> {
    Client::builder(TokioExecutor::new())
        .http2_only(http2)
        .retry_canceled_requests(false)
        .build(dialer)
}

async fn get<S: Serve>(
    client: &Client<Dialer<S>, Body>,
    path: &str,
) -> Result<Response<Incoming>, hyper_util::client::legacy::Error> {
    let request = Request::get(format!("http://memory.test{path}"))
        .body(Body::empty())
        .unwrap();
    client.request(request).await
}

#[tokio::test(start_paused = true)]
async fn an_upstream_answers_both_versions_on_a_paused_clock() {
    for http2 in [false, true] {
        let memory = InMemory::new(Upstream::new());
        let client = client(memory.dialer(), http2);
        let began = Instant::now();

        let response = get(&client, "/drip/3?every=20m&delay=1m").await.unwrap();

        assert_eq!(began.elapsed(), MINUTE);
        assert_eq!(
            response
                .into_body()
                .collect()
                .await
                .unwrap()
                .to_bytes()
                .len(),
            3
        );
        assert_eq!(began.elapsed(), MINUTE * 41);
        assert_eq!(memory.log().executed().len(), 1);
        assert_eq!((memory.dials(), memory.connections()), (1, 1));
    }
}

#[tokio::test]
async fn a_raw_script_runs_over_a_pipe() {
    let memory = InMemory::new(Script::new(|mut peer| async move {
        peer.settings([]).await?;
        let request = peer.request().await?;
        peer.reset_stream(&request, Code::REFUSED_STREAM).await?;
        peer.close().await
    }));

    let error = get(&client(memory.dialer(), true), "/").await.unwrap_err();

    assert_eq!(
        find::<h2::Error>(&error).unwrap().reason(),
        Some(h2::Reason::REFUSED_STREAM)
    );
    assert_eq!(memory.log().requests().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn dials_are_delayed_refused_and_held_back() {
    let memory = InMemory::new(Upstream::new());
    let dial = || {
        memory
            .dialer()
            .oneshot("http://memory.test".parse().unwrap())
    };

    memory.dialing(Dialing::After(MINUTE));
    let began = Instant::now();
    dial().await.unwrap();
    assert_eq!(began.elapsed(), MINUTE);

    memory.dialing(Dialing::Refuse);
    assert_eq!(
        dial().await.unwrap_err().kind(),
        io::ErrorKind::ConnectionRefused
    );

    memory.dialing(Dialing::Hang);
    assert!(timeout(MINUTE, dial()).await.is_err());
    let held = tokio::spawn(dial());
    tokio::task::yield_now().await;
    memory.dialing(Dialing::Accept);
    held.await.unwrap().unwrap();
    assert_eq!((memory.dials(), memory.connections()), (4, 2));
}

#[tokio::test]
async fn open_counts_the_connections_the_client_holds() {
    let memory = InMemory::new(Upstream::new());
    let dial = || {
        memory
            .dialer()
            .oneshot("http://memory.test".parse().unwrap())
    };
    assert_eq!(memory.open(), 0);

    let links = (dial().await.unwrap(), dial().await.unwrap());
    assert_eq!(memory.open(), 2);
    drop(links);

    assert_eq!((memory.open(), memory.connections()), (0, 2));
}

#[tokio::test]
async fn a_dropped_server_ends_its_connections_and_refuses_dials() {
    let memory = InMemory::new(Upstream::new());
    let (dialer, log) = (memory.dialer(), memory.log());
    let client = client(memory.dialer(), true);
    let pending = tokio::spawn(async move { get(&client, "/silence").await });
    log.wait_until(|log| !log.is_empty()).await;

    drop(memory);

    timeout(MINUTE, pending)
        .await
        .unwrap()
        .unwrap()
        .unwrap_err();
    let refused = dialer
        .oneshot("http://memory.test".parse().unwrap())
        .await
        .unwrap_err();
    assert_eq!(refused.kind(), io::ErrorKind::ConnectionRefused);
}

#[tokio::test]
async fn a_goaway_waits_for_the_end_of_the_frame_that_a_narrow_pipe_holds_up() {
    let memory = InMemory::with_buffer(Upstream::new(), 1000);
    let client = client(memory.dialer(), true);
    let mut long = get(&client, "/bytes/2000000").await.unwrap().into_body();
    long.frame().await.unwrap().unwrap();

    let (whole, refused) = tokio::join!(long.collect(), get(&client, "/goaway"));

    assert!(whole.unwrap().to_bytes().len() > 1_900_000);
    assert!(
        find::<h2::Error>(&refused.unwrap_err())
            .unwrap()
            .is_go_away()
    );
}
