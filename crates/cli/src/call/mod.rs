//! `outrigger call`: one request, its answer to standard output.

mod args;
mod attempts;
mod output;

use outrigger::Outcome;
use tower::{ServiceBuilder, ServiceExt};

pub(crate) use self::args::CallArgs;
use self::attempts::{Attempts, End};
use self::output::{Broken, Output};
use crate::exit::Exit;
use crate::report;
use crate::usage::Usage;
use crate::{console, wire};

/// Makes the call and says how it came out.
pub(crate) async fn run(args: CallArgs) -> Result<Exit, Usage> {
    let request = args.request.build().await?;
    let connector = wire::connector(&args.request.options)?;
    let output = Output::open(&args).await?;
    let attempts = Attempts::begin(args.verbose);
    let mut layers = args.request.options.layers();
    layers.retry = layers.retry.on_attempt({
        let attempts = attempts.clone();
        move |attempt| attempts.end(attempt)
    });
    let connector = ServiceBuilder::new()
        .map_request(|request| {
            attempts.leave(&request);
            request
        })
        .service(connector);
    let (outcome, received) = match layers.over(connector).oneshot(request).await {
        Err(error) => {
            output.abandon().await;
            (error.outcome(), Err(Broken::Answer(error)))
        }
        Ok(response) => (
            Outcome::Answered(response.status()),
            output.receive(response, args.include).await,
        ),
    };
    let end = End {
        outcome,
        error: received.as_ref().err().map(ToString::to_string),
    };
    if let Some(error) = &end.error {
        console::note(format_args!("outrigger: {error}"));
    }
    if let Some(path) = &args.request.options.report
        && let Err(error) = report::write(&attempts.report(end), path)
    {
        console::note(format_args!("outrigger: cannot write the report: {error}"));
        return Ok(Exit::Local);
    }
    Ok(exit(outcome, &received))
}

fn exit(outcome: Outcome, received: &Result<(), Broken>) -> Exit {
    match (received, outcome) {
        (Err(Broken::Answer(error)), _) => match error.outcome() {
            Outcome::Answered(status) => Exit::answered(status),
            _ => Exit::failed(error.kind()),
        },
        (Err(Broken::Writing(_)), _) => Exit::Local,
        (Ok(()), Outcome::Answered(status)) => Exit::answered(status),
        (Ok(()), _) => Exit::Transport,
    }
}
