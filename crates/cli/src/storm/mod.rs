//! `outrigger storm`: two clients, the same traffic, the same weather.

mod args;
mod contender;
mod dice;
mod drive;
mod live;
mod naive;
mod phase;
mod score;
mod table;
mod traffic;
mod upright;
mod waters;

use std::time::Duration;

use fastrand::Rng;

pub(crate) use self::args::StormArgs;
use self::contender::Contender;
use self::drive::drive;
use self::live::Live;
use self::naive::Naive;
use self::phase::PHASES;
use self::upright::Upright;
use self::waters::Waters;
use crate::console;
use crate::exit::Exit;
use crate::usage::Usage;

/// The limit of an attempt, the same for both clients.
const ATTEMPT_LIMIT: Duration = Duration::from_secs(1);

/// The patience of a call, which only one of them knows.
const TOTAL: Duration = Duration::from_secs(3);

/// The longest wait for the last answers of a phase: what the naive loop may take, attempts and pauses.
const LONGEST_PATIENCE: Duration = Duration::from_secs(12);

/// Sends both clients through all phases and shows how they fared.
pub(crate) async fn run(args: StormArgs) -> Result<Exit, Usage> {
    if args.report.is_some() {
        return Err(Usage::new(
            "storm writes no --report yet: its table goes to standard output",
        ));
    }
    let unfit = |error: &dyn std::error::Error| Usage::new(format!("no storm today: {error}"));
    let waters = Waters::start(args.seed)
        .await
        .map_err(|error| unfit(&error))?;
    let [naive_port, upright_port] = &waters.ports;
    let naive = Naive::new(ATTEMPT_LIMIT);
    let upright = Upright::new(TOTAL, ATTEMPT_LIMIT);
    introduce(&args, &naive, &upright);

    let length = Duration::from_secs(args.seconds) / PHASES.len() as u32;
    let patience = length.clamp(Duration::from_secs(2), LONGEST_PATIENCE);
    let (live, mut dice, mut first) = (Live::new(), Rng::with_seed(args.seed), 0);
    let mut lines = Vec::new();
    for phase in &PHASES {
        let plan = traffic::plan(phase, length, first, &mut dice);
        first += plan.len() as u64;
        live.phase(phase);
        let gauges = [Naive::NAME, Upright::NAME].map(|name| live.client(name, plan.len()));
        let [naive_gauge, upright_gauge] = gauges;
        let scores = tokio::try_join!(
            drive(&naive, naive_port, &plan, patience, naive_gauge),
            drive(&upright, upright_port, &plan, patience, upright_gauge),
        );
        let (one, other) = scores.map_err(|error| unfit(&error))?;
        lines.extend(table::lines(phase.name, &[one, other]));
    }
    console::line(format_args!(
        "\n{}\n{}",
        table::render(lines),
        table::LEGEND
    ));
    Ok(Exit::Done)
}

fn introduce(args: &StormArgs, naive: &Naive, upright: &Upright) {
    console::line(format_args!(
        "{} s of traffic over HTTP/2 on the loopback, {} calls a second from each client, seed {}\n",
        args.seconds,
        traffic::PER_SECOND,
        args.seed
    ));
    introduce_one(naive);
    introduce_one(upright);
}

fn introduce_one<C: Contender>(client: &C) {
    for (n, line) in client.settings().lines().enumerate() {
        let name = if n == 0 { C::NAME } else { "" };
        console::line(format_args!("{name:<10} {line}"));
    }
}
