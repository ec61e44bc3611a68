//! Names and their addresses. Every address of 127.0.0.0/8 is this machine, which Linux alone takes for
//! granted.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use hyper_util::client::legacy::connect::dns::Name;
use outrigger_connector::{Connector, ErrorKind};
use outrigger_core::{Blame, Failure, Fault, Outcome};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::time::{Instant, timeout};
use tower::{ServiceExt, service_fn};

use crate::support::http1::{Exchange, Server};
use crate::support::{Body, get, send};

const FIRST: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 1));
const SECOND: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2));

const LONG: Duration = Duration::from_secs(10);

/// A resolver that gives these answers one after the other, the last one for ever, and writes down
/// what it was asked.
#[derive(Clone, Default)]
struct Names {
    answers: Arc<Mutex<VecDeque<Vec<IpAddr>>>>,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Names {
    fn new(answers: impl IntoIterator<Item = Vec<IpAddr>>) -> Self {
        let names = Self::default();
        names.answers.lock().unwrap().extend(answers);
        names
    }

    fn answer(&self, name: Name) -> Vec<SocketAddr> {
        self.asked.lock().unwrap().push(name.to_string());
        let mut answers = self.answers.lock().unwrap();
        let answer = answers.front().unwrap().clone();
        if answers.len() > 1 {
            answers.pop_front();
        }
        // The port is the URI's, whatever a resolver says.
        answer.into_iter().map(|ip| (ip, 1).into()).collect()
    }

    fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }

    /// A connector that asks these names and dials the addresses that a policy lets through.
    fn connector(&self, policy: fn(&SocketAddr) -> bool) -> Connector<Body> {
        let names = self.clone();
        let resolver = service_fn(move |name| {
            let answer = names.answer(name);
            async move { Ok::<_, Infallible>(answer.into_iter()) }
        });
        Connector::new().resolver(resolver.map_response(move |answer| answer.filter(policy)))
    }
}

async fn answers(mut exchange: Exchange) {
    while exchange.request().await.is_some() {
        exchange.answer("200 OK", "").await;
    }
}

async fn answers_once(mut exchange: Exchange) {
    exchange.request().await;
    exchange
        .write("HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 0\r\n\r\n")
        .await;
}

/// One free port of the first address and the second.
fn twins() -> (TcpSocket, TcpSocket) {
    for _ in 0..100 {
        let (first, second) = (TcpSocket::new_v4().unwrap(), TcpSocket::new_v4().unwrap());
        second.bind((SECOND, 0).into()).unwrap();
        let port = second.local_addr().unwrap().port();
        if first.bind((FIRST, port).into()).is_ok() {
            return (first, second);
        }
    }
    panic!("no port is free");
}

/// Two servers on one port: of the first address, and of the second.
fn pair<F, Fut>(serve: F) -> (Server, Server)
where
    F: Fn(Exchange) -> Fut + Copy + Send + 'static,
    Fut: Future<Output = ()> + Send + 'static,
{
    let (first, second) = twins();
    let server = |socket: TcpSocket| Server::listen(socket.listen(64).unwrap(), serve);
    (server(first), server(second))
}

fn named(server: &Server) -> String {
    format!("http://shop.test:{}/", server.addr().port())
}

#[tokio::test]
async fn a_host_whose_second_answer_is_private_is_refused() {
    let (public, private) = pair(answers_once);
    let names = Names::new([vec![FIRST], vec![SECOND]]);
    let connector = names.connector(|address| address.ip() == FIRST);
    send(&connector, get(named(&public))).await.unwrap();
    let error = send(&connector, get(named(&public))).await.unwrap_err();
    let fault = Fault::new(Outcome::Unsent).without_retry();
    assert_eq!(
        (error.kind(), error.fault()),
        (ErrorKind::Connect, fault),
        "{error:#?}"
    );
    assert_eq!((public.connections(), private.connections()), (1, 0));
    assert_eq!(names.asked(), ["shop.test", "shop.test"]);
}

#[tokio::test]
async fn of_several_addresses_those_that_are_let_through_are_dialled() {
    let (private, public) = pair(answers);
    let names = Names::new([vec![FIRST, SECOND]]);
    let connector = names.connector(|address| address.ip() == SECOND);
    send(&connector, get(named(&public))).await.unwrap();
    assert_eq!((private.connections(), public.connections()), (0, 1));
}

#[tokio::test]
async fn a_literal_address_does_not_get_past_the_resolver() {
    let server = Server::bind(answers).await;
    let port = server.addr().port();
    for (host, asked) in [("127.0.0.1", "127.0.0.1"), ("[::1]", "::1")] {
        let names = Names::new([vec![FIRST]]);
        let connector = names.connector(|_| false);
        let url = format!("http://{host}:{port}/");
        let error = send(&connector, get(url)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Connect);
        assert_eq!(names.asked(), [asked]);
    }
    assert_eq!(server.connections(), 0);
}

#[tokio::test]
async fn a_resolver_that_speaks_the_layers_words_is_believed() {
    let fault = Fault::new(Outcome::Ambiguous)
        .blame(Blame::Us)
        .without_retry();
    let forbidden = service_fn(move |_| async move {
        Err::<std::vec::IntoIter<SocketAddr>, _>(Failure::new("forbidden", fault))
    });
    let connector = Connector::<Body>::new().resolver(forbidden);
    let error = send(&connector, get("http://shop.test/"))
        .await
        .unwrap_err();
    let unsent = Fault::new(Outcome::Unsent).blame(Blame::Us).without_retry();
    assert_eq!((error.kind(), error.fault()), (ErrorKind::Connect, unsent));
}

#[tokio::test]
async fn a_resolver_that_never_ends_is_cut_short() {
    let server = Server::bind(answers).await;
    let endless =
        service_fn(|_| async { Ok::<_, Infallible>(std::iter::repeat((FIRST, 1).into())) });
    let connector = Connector::<Body>::new().resolver(endless);
    send(&connector, get(named(&server))).await.unwrap();
    assert_eq!(server.connections(), 1);
}

#[tokio::test]
async fn a_host_that_moves_is_followed_within_the_max_age() {
    let (old, new) = pair(answers);
    let names = Names::new([vec![FIRST], vec![SECOND]]);
    let age = Duration::from_millis(500);
    let connector = names.connector(|_| true).max_age(age);
    let began = Instant::now();
    while new.connections() == 0 {
        assert!(began.elapsed() < LONG, "it stays where it was");
        send(&connector, get(named(&old))).await.unwrap();
    }
    // A fifth more or less.
    assert!(began.elapsed() >= age * 4 / 5);
    assert_eq!((old.connections(), new.connections()), (1, 1));
}

#[tokio::test]
async fn an_address_that_is_silent_does_not_take_the_endpoint_down() {
    let (silent, server) = twins();
    let server = Server::listen(server.listen(64).unwrap(), answers);
    let silent = silent.listen(0).unwrap();
    let _full = fill(&silent).await;

    let names = Names::new([vec![FIRST, SECOND]]);
    let began = Instant::now();
    let call = send(&names.connector(|_| true), get(named(&server))).await;
    assert_eq!(call.unwrap().status(), 200);
    // The connect timeout is 3 s.
    assert!(began.elapsed() < Duration::from_secs(2));

    let began = Instant::now();
    let connector = names.connector(|address| address.ip() == FIRST);
    let connector = connector.connect_timeout(Duration::from_millis(300));
    let call = timeout(LONG, send(&connector, get(named(&server)))).await;
    assert_eq!(call.unwrap().unwrap_err().kind(), ErrorKind::ConnectTimeout);
    assert!(began.elapsed() >= Duration::from_millis(300));
}

/// Nobody accepts: once the backlog is full, the system leaves a SYN unanswered.
async fn fill(listener: &TcpListener) -> Vec<TcpStream> {
    let addr = listener.local_addr().unwrap();
    let mut backlog = Vec::new();
    while let Ok(accepted) = timeout(Duration::from_millis(200), TcpStream::connect(addr)).await {
        backlog.push(accepted.unwrap());
    }
    backlog
}
