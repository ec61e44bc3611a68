//! `outrigger call`: one request, its answer to standard output.

mod args;
mod attempts;
mod output;

use http::{Request, Response};
use outrigger::{Fault, Outcome};
use tower::{Service, ServiceExt, service_fn};

pub(crate) use self::args::CallArgs;
use self::attempts::{Attempts, End};
use self::output::{Broken, Output};
use crate::exit::Exit;
use crate::report;
use crate::usage::Usage;
use crate::{console, wire, words};

/// Makes the call and says how it came out.
pub(crate) async fn run(args: CallArgs) -> Result<Exit, Usage> {
    args.request.options.refuse_gaps()?;
    let request = args.request.build().await?;
    let output = Output::open(&args).await?;
    let connector = wire::connector(&args.request.options)?;
    let attempts = Attempts::begin(args.verbose);
    let watched =
        service_fn(|request: Request<_>| watch(attempts.clone(), connector.clone(), request));
    let (outcome, received) = match outrigger::stack(watched).oneshot(request).await {
        Err(error) => (error.outcome(), Err(Broken::Answer(error))),
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

/// Sends one attempt and notes how it came out.
async fn watch<C, B, R>(
    attempts: Attempts,
    connector: C,
    request: Request<B>,
) -> Result<Response<R>, C::Error>
where
    C: Service<Request<B>, Response = Response<R>, Error: std::error::Error + 'static>,
{
    let running = attempts.start(&request);
    let answer = connector.oneshot(request).await;
    running.end(match &answer {
        Ok(response) => End {
            outcome: Outcome::Answered(response.status()),
            error: None,
        },
        Err(error) => End {
            outcome: Fault::of(error).outcome,
            error: Some(words::chain(error)),
        },
    });
    answer
}

fn exit(outcome: Outcome, received: &Result<(), Broken>) -> Exit {
    match (received, outcome) {
        (Err(Broken::Answer(error)), _) => Exit::failed(error.kind()),
        (Err(Broken::Writing(_)), _) => Exit::Local,
        (Ok(()), Outcome::Answered(status)) => Exit::answered(status),
        (Ok(()), _) => Exit::Transport,
    }
}
