//! `outrigger load`: one request many times, so many at a time.

mod args;
mod report;

use std::io::IsTerminal;
use std::panic;
use std::path::Path;
use std::time::Duration;

use http::{Request, StatusCode};
use indicatif::{ProgressBar, ProgressStyle};
use outrigger::Error;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tower::ServiceExt;

pub(crate) use self::args::LoadArgs;
use self::report::LoadReport;
use crate::exit::Exit;
use crate::request::RequestBody;
use crate::tally::Tally;
use crate::usage::Usage;
use crate::wire::{self, Calls, Sent};
use crate::{console, report as reports};

/// Sends the requests and says how they came out.
pub(crate) async fn run(args: LoadArgs) -> Result<Exit, Usage> {
    let options = &args.request.options;
    if args.request.reads_stdin() {
        return Err(Usage::new(
            "a load sends its body many times, and standard input can be read once",
        ));
    }
    let connector = wire::connector(options)?;
    let sent = Sent::default();
    let began = Instant::now();
    let calls = wire::calls(options.layers(), connector.clone(), &sent);
    let tally = send(&args, &calls).await?;
    let connections = connector.snapshot().connections();
    let report = LoadReport::new(&tally, sent.total(), connections, began.elapsed());
    if options.report.as_deref() != Some(Path::new("-")) {
        console::line(format_args!("{report}"));
    }
    if let Some(path) = &options.report
        && let Err(error) = reports::write(&report, path)
    {
        console::note(format_args!("outrigger: cannot write the report: {error}"));
        return Ok(Exit::Local);
    }
    let most = tally.failed().first().map(|(why, _)| why.exit());
    Ok(most.unwrap_or(Exit::Done))
}

async fn send(args: &LoadArgs, calls: &Calls) -> Result<Tally, Usage> {
    let bar = bar(args.requests.get());
    let mut tally = Tally::default();
    let mut under_way = JoinSet::new();
    let mut left = args.requests.get();
    loop {
        while left > 0 && under_way.len() < args.concurrency.get() {
            let request = args.request.build().await?;
            under_way.spawn(timed(calls.clone(), request));
            left -= 1;
        }
        match under_way.join_next().await {
            None => break,
            Some(Ok((result, took))) => tally.add(result, took),
            // None is ever aborted: it panicked.
            Some(Err(lost)) => panic::resume_unwind(lost.into_panic()),
        }
        bar.set_position(tally.calls());
    }
    bar.finish_and_clear();
    Ok(tally)
}

async fn timed(
    calls: Calls,
    request: Request<RequestBody>,
) -> (Result<StatusCode, Error>, Duration) {
    let began = Instant::now();
    (calls.oneshot(request).await, began.elapsed())
}

/// A bar on standard error, where somebody watches.
fn bar(requests: usize) -> ProgressBar {
    if !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("[{bar:40}] {pos}/{len} {per_sec} {eta}");
    ProgressBar::new(requests as u64).with_style(style.unwrap_or(ProgressStyle::default_bar()))
}
