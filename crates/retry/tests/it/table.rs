//! The table of decisions in the docs, walked over a mock.

use std::time::Duration;

use http::header::CONTENT_TYPE;
use http::{Method, Request};
use outrigger_core::call::Call;
use outrigger_core::{Outcome, Rejected};
use outrigger_testkit::{Body, Reply, mock, mock::Mock};
use tower::{Layer, ServiceExt};

use crate::support::{Seen, URI, failing, failing_for_good, millis, steady, within};

const TABLE: &str = include_str!("../../docs/decisions.md");

struct Row {
    method: Method,
    outcome: String,
    key: String,
    replay: bool,
    sent: usize,
    pause: Duration,
}

fn rows() -> Vec<Row> {
    let lines = TABLE.lines().filter(|line| line.starts_with("| "));
    let rows = lines.skip(1).map(|line| {
        let cells: Vec<_> = line.split('|').map(str::trim).collect();
        let [_, method, outcome, key, replay, sent, pause, _] = cells[..] else {
            panic!("{line}");
        };
        Row {
            method: method.parse().unwrap(),
            outcome: outcome.to_owned(),
            key: key.to_owned(),
            replay: replay == "yes",
            sent: sent.parse().unwrap(),
            pause: match pause.split_once(' ') {
                Some((number, "ms")) => millis(number.parse().unwrap()),
                Some((number, "s")) => Duration::from_secs(number.parse().unwrap()),
                _ => Duration::ZERO,
            },
        }
    });
    rows.collect()
}

/// What the row's outcome is for the layer.
fn scripted(outcome: &str) -> mock::Outcome {
    let (what, qualifier) = outcome.split_once(", ").unwrap_or((outcome, ""));
    let failing = match qualifier {
        "final" => failing_for_good,
        _ => failing,
    };
    match what {
        "unsent" => failing(Outcome::Unsent),
        "unprocessed" => failing(Outcome::Unprocessed),
        "ambiguous" => failing(Outcome::Ambiguous),
        "local rejection" => mock::Outcome::error(|| Rejected::new("limiter")),
        grpc if grpc.starts_with("grpc ") => {
            let reply = Reply::status(200).header("grpc-status", &grpc["grpc ".len()..]);
            match qualifier.strip_prefix("pushback ") {
                Some(pushback) => reply.header("grpc-retry-pushback-ms", pushback).into(),
                None => reply.into(),
            }
        }
        status => Reply::status(status).into(),
    }
}

fn request(row: &Row) -> Request<Body> {
    let body = if row.replay {
        Body::from("payload")
    } else {
        Body::from(vec![0; 64 * 1024 + 1])
    };
    let request = Request::builder().method(row.method.clone()).uri(URI);
    let kind = if row.outcome.starts_with("grpc") {
        "application/grpc"
    } else {
        "text/plain"
    };
    request.header(CONTENT_TYPE, kind).body(body).unwrap()
}

#[tokio::test(start_paused = true)]
async fn each_row_of_the_table_holds() {
    let rows = rows();
    assert!(rows.len() >= 80, "{} rows", rows.len());
    for row in rows {
        let (mock, seen) = (Mock::new(), Seen::default());
        mock.any("/").always(scripted(&row.outcome));
        let service = steady().on_attempt(seen.by()).layer(mock.clone());
        let honour = |call: &mut Call| {
            if row.key == "honoured" {
                call.honour_key();
            }
        };
        let _ = within(honour, || service.oneshot(request(&row))).await;
        let name = format!("{} {} {} {}", row.method, row.outcome, row.key, row.replay);
        let prevented = seen
            .all()
            .iter()
            .filter(|attempt| attempt.prevented)
            .count();
        assert_eq!(seen.all().len() - prevented, row.sent, "{name}");
        assert_eq!(mock.log().entries().len(), row.sent + prevented, "{name}");
        let pause = seen.pauses().get(1).copied().unwrap_or_default();
        let tenth = if row.outcome.contains("pushback") {
            10
        } else {
            u32::MAX
        };
        assert!(
            (row.pause..=row.pause + row.pause / tenth).contains(&pause),
            "{name}: {pause:?}"
        );
    }
}

#[test]
fn no_row_lets_a_server_execute_twice_what_it_must_not() {
    let harmless = ["unsent", "unprocessed", "421"];
    for row in rows() {
        let may_repeat = row.method.is_idempotent() || row.key == "honoured";
        if !may_repeat && !harmless.contains(&row.outcome.as_str()) {
            assert_eq!(row.sent, 1, "{} {}", row.method, row.outcome);
        }
    }
}
