use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use http::{Method, Request, Response, Version};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use outrigger_testkit::{
    Body, BoxError, Reply, Server,
    raw::Code,
    upstream::{Arrival, Behaviour, Upstream},
};
use tokio::time::{Instant, timeout};

use crate::client::find;

/// Long enough to see that something does not happen.
const BRIEF: Duration = Duration::from_millis(200);

const VERSIONS: [Version; 2] = [Version::HTTP_11, Version::HTTP_2];

struct Setup {
    server: Server<Upstream>,
    client: Client<HttpConnector, Body>,
}

impl Setup {
    async fn new(version: Version, upstream: Upstream) -> Self {
        let client = Client::builder(TokioExecutor::new())
            .http2_only(version == Version::HTTP_2)
            .retry_canceled_requests(false)
            .build_http();
        Self {
            server: Server::bind(upstream).await.unwrap(),
            client,
        }
    }

    async fn send(
        &self,
        method: Method,
        path: &str,
        body: impl Into<Body>,
    ) -> Result<Response<Incoming>, BoxError> {
        let request = Request::builder()
            .method(method)
            .uri(self.server.url(path))
            .body(body.into())
            .unwrap();
        Ok(self.client.request(request).await?)
    }

    async fn get(&self, path: &str) -> Result<Response<Incoming>, BoxError> {
        self.send(Method::GET, path, "").await
    }

    fn arrivals(&self) -> Vec<Arrival> {
        self.server.log().entries()
    }

    /// Whether the upstream executed the only request it got.
    fn executed(&self) -> bool {
        let arrivals = self.arrivals();
        assert_eq!(arrivals.len(), 1, "{arrivals:?}");
        arrivals[0].executed
    }
}

async fn text(response: Response<Incoming>) -> Bytes {
    response.into_body().collect().await.unwrap().to_bytes()
}

fn reason(error: &BoxError) -> Option<(h2::Reason, bool)> {
    let error = find::<h2::Error>(&**error)?;
    Some((error.reason()?, error.is_go_away()))
}

#[tokio::test]
async fn both_versions_are_served_on_one_port_and_logged() {
    for version in VERSIONS {
        let setup = Setup::new(version, Upstream::new()).await;
        let request = Request::post(setup.server.url("/status/201?x=1"))
            .header("idempotency-key", "k1")
            .header("x-request-id", "r1")
            .body(Body::from("12345"))
            .unwrap();

        let response = setup.client.request(request).await.unwrap();

        assert_eq!(
            (response.status().as_u16(), response.version()),
            (201, version)
        );
        let [arrival] = &setup.arrivals()[..] else {
            panic!()
        };
        assert_eq!((&arrival.method, arrival.version), (&Method::POST, version));
        assert_eq!(arrival.uri.path_and_query().unwrap(), "/status/201?x=1");
        assert_eq!(
            (arrival.idempotency_key(), arrival.request_id()),
            (Some("k1"), Some("r1"))
        );
        assert_eq!((arrival.body_len, arrival.executed), (5, true));
        assert_eq!((arrival.connection, arrival.stream), (1, 1));
        text(response).await;
        setup.get("/").await.unwrap();
        let next = if version == Version::HTTP_2 { 3 } else { 2 };
        assert_eq!(setup.arrivals()[1].stream, next);
        assert_eq!(setup.server.connections(), 1);
    }
}

#[tokio::test]
async fn plain_answers_come_as_their_path_says() {
    for version in VERSIONS {
        let setup = Setup::new(version, Upstream::new()).await;
        assert_eq!(setup.get("/").await.unwrap().status(), 200);
        let busy = setup.get("/status/503?retry-after=7").await.unwrap();
        assert_eq!(
            (busy.status().as_u16(), &busy.headers()["retry-after"]),
            (503, &"7".parse().unwrap())
        );
        let bytes = setup.get("/bytes/100000").await.unwrap();
        assert_eq!(bytes.headers()["content-length"], "100000");
        assert_eq!(text(bytes).await.len(), 100_000);
        let malformed = setup.get("/malformed").await.unwrap();
        assert_eq!(malformed.headers()["content-type"], "application/json");
        assert_eq!(text(malformed).await, r#"{"id": 7, "na"#);
        assert_eq!(
            setup.get("/wrong-type").await.unwrap().headers()["content-type"],
            "text/html"
        );
        assert!(setup.arrivals().iter().all(|arrival| arrival.executed));
    }
}

#[tokio::test]
async fn nonsense_is_answered_404_with_the_table_and_not_executed() {
    for path in [
        "/x",
        "/status/99",
        "/status/",
        "/delay/5",
        "/delay/5y",
        "/reset/NONE",
        "/first/1/echo",
        "/bytes/99999999",
        "/?delay=x",
    ] {
        let setup = Setup::new(Version::HTTP_2, Upstream::new()).await;

        let response = setup.get(path).await.unwrap();

        assert_eq!(response.status(), 404, "{path}");
        assert!(text(response).await.ends_with(Upstream::PATHS.as_bytes()));
        assert!(!setup.executed());
    }
}

#[tokio::test]
async fn an_echo_gives_back_body_and_content_type() {
    for version in VERSIONS {
        let setup = Setup::new(version, Upstream::new()).await;
        let request = Request::put(setup.server.url("/echo")).header("content-type", "text/x-tea");
        let long = vec![7; 300_000];

        let response = setup
            .client
            .request(request.body(long.clone().into()).unwrap())
            .await
            .unwrap();

        assert_eq!(response.headers()["content-type"], "text/x-tea");
        assert_eq!(text(response).await, long);
        assert_eq!(setup.arrivals()[0].body_len, 300_000);
    }
}

#[tokio::test]
async fn delays_and_drips_take_their_time() {
    let upstream = Upstream::new();
    let later = || Behaviour::from(Reply::status(200)).after(Duration::from_millis(30));
    upstream
        .get("/with")
        .always(Behaviour::with(move |_| later()).after(Duration::from_millis(30)));
    for version in VERSIONS {
        let setup = Setup::new(version, upstream.clone()).await;
        for path in [
            "/delay/60ms",
            "/?delay=60ms",
            "/drip/4?size=1&every=20ms",
            "/echo?delay=60ms",
            "/with",
        ] {
            let began = Instant::now();
            text(setup.get(path).await.unwrap()).await;
            assert!(began.elapsed() >= Duration::from_millis(60), "{path}");
        }
    }
}

#[tokio::test]
async fn a_truncated_body_breaks_and_a_hanging_one_does_not_end() {
    for version in VERSIONS {
        let setup = Setup::new(version, Upstream::new()).await;
        for (path, breaks) in [
            ("/truncate/1000?after=10", true),
            ("/hang/1000?after=10", false),
        ] {
            let response = setup.get(path).await.unwrap();
            assert_eq!(response.headers()["content-length"], "1000");
            let mut body = response.into_body();

            let first = body.frame().await.unwrap().unwrap().into_data().unwrap();

            assert_eq!(first.len(), 10);
            match timeout(BRIEF, body.frame()).await {
                Ok(frame) => assert!(breaks && frame.unwrap().is_err(), "{version:?} {path}"),
                Err(_) => assert!(!breaks, "{version:?} {path}"),
            }
        }
    }
}

#[tokio::test]
async fn a_stream_is_reset_with_any_code_at_its_head_and_in_its_body() {
    let upstream = Upstream::new();
    upstream
        .get("/body")
        .always(Reply::status(200).body(Body::from("half").fail(|| Code::ENHANCE_YOUR_CALM)));
    let setup = Setup::new(Version::HTTP_2, upstream).await;

    for (path, code) in [
        ("/reset", h2::Reason::CANCEL),
        ("/reset/INTERNAL_ERROR", h2::Reason::INTERNAL_ERROR),
        ("/reset/11", h2::Reason::ENHANCE_YOUR_CALM),
    ] {
        let error = setup.get(path).await.unwrap_err();
        assert_eq!(reason(&error), Some((code, false)), "{path}");
    }
    assert_eq!(setup.server.log().executed().len(), 3);

    let broken = setup
        .get("/body")
        .await
        .unwrap()
        .into_body()
        .collect()
        .await
        .unwrap_err();
    assert_eq!(
        reason(&broken.into()),
        Some((h2::Reason::ENHANCE_YOUR_CALM, false))
    );
    assert_eq!(
        setup.server.connections(),
        1,
        "the connection outlives its streams"
    );
}

#[tokio::test]
async fn a_refused_request_is_not_executed() {
    let setup = Setup::new(Version::HTTP_2, Upstream::new()).await;
    let error = setup.get("/refuse").await.unwrap_err();
    assert_eq!(reason(&error), Some((h2::Reason::REFUSED_STREAM, false)));
    assert!(!setup.executed());

    let setup = Setup::new(Version::HTTP_11, Upstream::new()).await;
    setup.get("/refuse").await.unwrap_err();
    assert!(!setup.executed());
}

#[tokio::test]
async fn goaway_leaves_its_request_out_and_lets_the_earlier_ones_finish() {
    let setup = Setup::new(Version::HTTP_2, Upstream::new()).await;

    let (early, late) = tokio::join!(setup.get("/delay/100ms"), async {
        setup.server.log().wait_until(|log| log.len() == 1).await;
        setup.get("/goaway/ENHANCE_YOUR_CALM").await
    });

    assert_eq!(early.unwrap().status(), 200);
    assert_eq!(
        reason(&late.unwrap_err()),
        Some((h2::Reason::ENHANCE_YOUR_CALM, true))
    );
    assert_eq!(setup.server.log().executed().len(), 1);
    assert_eq!(setup.get("/").await.unwrap().status(), 200);
    assert_eq!(setup.server.connections(), 2);
}

#[tokio::test]
async fn goaway_in_the_midst_of_a_long_body_keeps_the_frames_whole() {
    let setup = Setup::new(Version::HTTP_2, Upstream::new()).await;
    let mut long = setup.get("/bytes/16000000").await.unwrap().into_body();
    long.frame().await.unwrap().unwrap();

    let error = setup.get("/goaway").await.unwrap_err();

    assert_eq!(reason(&error), Some((h2::Reason::NO_ERROR, true)));
    assert!(long.collect().await.unwrap().to_bytes().len() > 15_000_000);
}

#[tokio::test]
async fn nothing_is_executed_above_the_last_stream_of_a_goaway() {
    let setup = Setup::new(Version::HTTP_2, Upstream::new()).await;
    setup.get("/").await.unwrap();

    let (first, second) = tokio::join!(setup.get("/goaway"), setup.get("/status/201"));

    for outcome in [first, second] {
        assert_eq!(
            reason(&outcome.unwrap_err()),
            Some((h2::Reason::NO_ERROR, true))
        );
    }
    let executed: Vec<_> = setup
        .arrivals()
        .iter()
        .map(|arrival| arrival.executed)
        .collect();
    assert_eq!(executed, [true, false, false]);
}

#[tokio::test]
async fn a_request_below_an_executed_one_is_refused_besides_its_goaway() {
    let upstream = Upstream::new();
    upstream
        .post("/")
        .always(Behaviour::with(|_| Behaviour::goaway(Code::NO_ERROR)));
    let setup = Setup::new(Version::HTTP_2, upstream).await;
    let (body, slow) = (Body::from("1").pause(BRIEF).data("2"), "/delay/1s");

    let (low, high) = tokio::join!(setup.send(Method::POST, "/", body), setup.get(slow));

    assert_eq!(
        reason(&low.unwrap_err()),
        Some((h2::Reason::REFUSED_STREAM, false))
    );
    assert_eq!(high.unwrap().status(), 200);
    let executed = setup.server.log().executed();
    assert_eq!(executed.len(), 1);
    assert_eq!(executed[0].uri.path(), "/delay/1s");
}

#[tokio::test]
async fn a_drained_connection_answers_and_is_not_used_again() {
    for version in VERSIONS {
        let setup = Setup::new(version, Upstream::new()).await;

        let response = setup.get("/drain").await.unwrap();

        assert_eq!(response.status(), 200);
        text(response).await;
        // The client learns of a GOAWAY by itself; it may take it a moment.
        let again = async {
            while setup.server.connections() == 1 {
                text(setup.get("/").await.unwrap()).await;
            }
        };
        timeout(Duration::from_secs(10), again).await.unwrap();
        assert!(setup.arrivals().iter().all(|arrival| arrival.executed));
    }
}

#[tokio::test]
async fn connections_end_without_an_answer() {
    for (version, path) in VERSIONS
        .into_iter()
        .flat_map(|version| [(version, "/close"), (version, "/abort")])
    {
        let setup = Setup::new(version, Upstream::new()).await;

        let error = setup.get(path).await.unwrap_err();

        assert!(
            find::<hyper::Error>(&*error).is_some(),
            "{version:?} {path}: {error:?}"
        );
        assert_eq!(reason(&error), None);
        assert!(setup.executed(), "{version:?} {path}");
    }
}

#[tokio::test]
async fn abort_is_a_reset_and_close_is_not() {
    for (path, expected) in [
        ("/abort", Err(io::ErrorKind::ConnectionReset)),
        ("/close", Ok(0)),
    ] {
        let server = Server::bind(Upstream::new()).await.unwrap();
        let mut socket = tokio::net::TcpStream::connect(server.addr()).await.unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nhost: testkit\r\n\r\n");
        tokio::io::AsyncWriteExt::write_all(&mut socket, request.as_bytes())
            .await
            .unwrap();

        let read = tokio::io::AsyncReadExt::read(&mut socket, &mut [0]).await;

        assert_eq!(read.map_err(|error| error.kind()), expected);
    }
}

#[tokio::test]
async fn silence_executes_and_holds_the_connection() {
    for version in VERSIONS {
        let setup = Setup::new(version, Upstream::new()).await;

        assert!(timeout(BRIEF, setup.get("/silence")).await.is_err());

        assert!(setup.executed());
    }
}

#[tokio::test]
async fn behaviours_follow_each_other_by_path_and_by_route() {
    let upstream = Upstream::new();
    let route = upstream
        .get("/route")
        .times(1, Behaviour::refuse())
        .times(1, Reply::status(202))
        .expect(3);
    let setup = Setup::new(Version::HTTP_2, upstream.clone()).await;

    let path = "/first/2/status/503/then/status/201?id=7";
    for expected in [503, 503, 201, 201] {
        assert_eq!(setup.get(path).await.unwrap().status(), expected);
    }
    assert_eq!(
        setup
            .get("/first/2/status/503/then/status/201?id=8")
            .await
            .unwrap()
            .status(),
        503
    );

    setup.get("/route").await.unwrap_err();
    assert_eq!(setup.get("/route").await.unwrap().status(), 202);
    let exhausted = setup.get("/route").await.unwrap();
    assert_eq!(exhausted.status(), 500);
    assert_eq!(
        text(exhausted).await,
        "GET /route has no outcome scripted for call 3"
    );
    assert_eq!(route.calls(), 3);
    upstream.assert_satisfied();
}

#[tokio::test]
async fn chaos_keeps_its_shares_and_a_seed_repeats_it() {
    async fn row(seed: u64) -> Vec<u16> {
        let reply = |status: u16| Behaviour::from(Reply::status(status));
        let upstream = Upstream::new();
        upstream.get("/").always(Behaviour::chaos(
            seed,
            [(70, reply(200)), (0, reply(500)), (30, reply(503))],
        ));
        let setup = Setup::new(Version::HTTP_2, upstream).await;
        let mut row = Vec::new();
        for _ in 0..400 {
            row.push(setup.get("/").await.unwrap().status().as_u16());
        }
        row
    }

    let (first, again, other) = (row(7).await, row(7).await, row(8).await);

    assert_eq!(first, again);
    assert_ne!(first, other);
    let busy = first.iter().filter(|status| **status == 503).count();
    assert!((80..160).contains(&busy), "{busy} of 400");
    assert!(!first.contains(&500));
}

#[tokio::test]
async fn chaos_without_shares_answers() {
    let upstream = Upstream::new();
    upstream.get("/").always(Behaviour::chaos(1, []));
    assert_eq!(
        Setup::new(Version::HTTP_2, upstream)
            .await
            .get("/")
            .await
            .unwrap()
            .status(),
        200
    );
}

#[tokio::test]
async fn a_closure_is_not_shown_a_request_that_is_not_whole() {
    let shown = Arc::new(AtomicUsize::new(0));
    let (upstream, counter) = (Upstream::new(), Arc::clone(&shown));
    upstream.post("/").always(Behaviour::with(move |_| {
        counter.fetch_add(1, Ordering::Relaxed);
        Reply::status(200)
    }));
    let setup = Setup::new(Version::HTTP_2, upstream).await;

    let broken = Body::from("1").pause(BRIEF / 4).fail(|| "source gone");
    setup.send(Method::POST, "/", broken).await.unwrap_err();
    setup.server.log().wait_until(|log| !log.is_empty()).await;
    assert_eq!(shown.load(Ordering::Relaxed), 0);

    setup.send(Method::POST, "/", "whole").await.unwrap();
    assert_eq!(shown.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn a_closure_decides_on_the_whole_request_and_says_whether_it_is_executed() {
    let upstream = Upstream::new();
    upstream
        .post("/")
        .always(Behaviour::with(|request| match &request.body()[..] {
            b"yes" => Behaviour::from(Reply::status(201)),
            _ => Behaviour::from(Reply::status(409)).executed(false),
        }));
    for version in VERSIONS {
        let setup = Setup::new(version, upstream.clone()).await;
        setup.server.log().clear();

        assert_eq!(
            setup.send(Method::POST, "/", "yes").await.unwrap().status(),
            201
        );
        assert_eq!(
            setup.send(Method::POST, "/", "no").await.unwrap().status(),
            409
        );

        let executed: Vec<_> = setup
            .arrivals()
            .iter()
            .map(|arrival| arrival.executed)
            .collect();
        assert_eq!(executed, [true, false]);
    }
}

#[tokio::test]
async fn an_early_answer_does_not_wait_for_the_body() {
    let upstream = Upstream::new();
    upstream
        .post("/")
        .always(Behaviour::from(Reply::status(413)).early());
    for version in VERSIONS {
        let setup = Setup::new(version, upstream.clone()).await;

        let response = setup
            .send(Method::POST, "/", Body::from("1").hang())
            .await
            .unwrap();

        assert_eq!(response.status(), 413);
        assert_eq!(setup.arrivals().last().unwrap().body_len, 0);
    }
}

#[tokio::test]
async fn a_body_that_never_comes_whole_is_not_executed() {
    for version in VERSIONS {
        let setup = Setup::new(version, Upstream::new()).await;

        setup
            .send(
                Method::POST,
                "/echo",
                Body::from("1").pause(BRIEF / 4).fail(|| "source gone"),
            )
            .await
            .unwrap_err();

        setup.server.log().wait_until(|log| !log.is_empty()).await;
        assert!(!setup.executed());
    }
}

#[tokio::test]
async fn streams_beyond_the_limit_wait() {
    let setup = Setup::new(Version::HTTP_2, Upstream::new().max_concurrent_streams(1)).await;
    setup.get("/").await.unwrap();
    let began = Instant::now();

    let (first, waited) = tokio::join!(setup.get("/delay/100ms"), async {
        setup.get("/").await.unwrap();
        began.elapsed()
    });

    assert!(first.is_ok());
    assert!(waited >= Duration::from_millis(100), "{waited:?}");
    assert_eq!(setup.arrivals().last().unwrap().uri.path(), "/");
}

#[tokio::test]
async fn trailers_come_and_a_head_request_gets_no_body() {
    let trailers =
        http::HeaderMap::from_iter([(http::header::ETAG, http::HeaderValue::from_static("1"))]);
    let upstream = Upstream::new();
    upstream
        .any("/")
        .always(Reply::status(200).body(Body::from("abc").trailers(trailers.clone())));
    let setup = Setup::new(Version::HTTP_2, upstream).await;

    let body = setup
        .get("/")
        .await
        .unwrap()
        .into_body()
        .collect()
        .await
        .unwrap();
    assert_eq!(body.trailers(), Some(&trailers));
    assert_eq!(body.to_bytes(), "abc");

    let head = setup.send(Method::HEAD, "/bytes/7", "").await.unwrap();
    assert_eq!(head.headers()["content-length"], "7");
    assert!(text(head).await.is_empty());
}

#[tokio::test]
async fn an_upstream_without_a_log_serves_all_the_same() {
    let setup = Setup::new(Version::HTTP_2, Upstream::new().without_log()).await;
    assert_eq!(setup.get("/").await.unwrap().status(), 200);
    assert!(setup.server.log().is_empty());
}
