//! `outrigger storm`: two clients, the same traffic, the same weather.

mod args;
mod contender;
mod dice;
mod drive;
mod ledger;
mod live;
mod naive;
mod phase;
mod relay;
mod score;
mod table;
mod traffic;
mod upright;
mod waters;

use std::iter;
use std::time::Duration;

use fastrand::Rng;
use outrigger::BoxError;
use tokio::time::{Instant, sleep_until};

pub(crate) use self::args::StormArgs;
use self::contender::Contender;
use self::drive::drive;
use self::live::Live;
use self::naive::Naive;
use self::phase::{PHASES, Phase};
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
    match storm(&args).await {
        Ok(()) => Ok(Exit::Done),
        Err(error) => Err(Usage::new(format!("no storm today: {error}"))),
    }
}

async fn storm(args: &StormArgs) -> Result<(), BoxError> {
    let waters = Waters::start(args.seed).await?;
    let naive = Naive::new(ATTEMPT_LIMIT);
    let upright = Upright::new(TOTAL, ATTEMPT_LIMIT);
    introduce(args, &naive, &upright);

    let length = Duration::from_secs(args.seconds) / PHASES.len() as u32;
    let patience = length.clamp(Duration::from_secs(2), LONGEST_PATIENCE);
    let (live, mut dice, mut first) = (Live::new(), Rng::with_seed(args.seed), 0);
    let mut lines = Vec::new();
    for phase in &PHASES {
        let plan = traffic::plan(phase, length, first, &mut dice);
        first += plan.len() as u64;
        live.phase(phase);
        let [port, other] = &waters.ports;
        let gauge = live.client(Naive::NAME, plan.len());
        let naive = drive(&naive, port, &plan, patience, gauge);
        let gauge = live.client(Upright::NAME, plan.len());
        let upright = drive(&upright, other, &plan, patience, gauge);
        let (naive, upright, ()) =
            tokio::join!(naive, upright, silence(phase, &waters, length / 5));
        waters.ports.iter().for_each(|port| port.relay.bury());
        lines.extend(table::lines(phase.name, &[naive?, upright?]));
    }
    let table = table::render(lines);
    console::line(format_args!("\n{table}\n{}", table::LEGEND));
    Ok(())
}

/// Once connections stand and carry calls, they die without a word.
async fn silence(phase: &Phase, waters: &Waters, after: Duration) {
    if phase.silences {
        sleep_until(Instant::now() + after).await;
        waters.ports.iter().for_each(|port| port.relay.silence());
    }
}

fn introduce(args: &StormArgs, naive: &Naive, upright: &Upright) {
    console::line(format_args!(
        "{} s of traffic over HTTP/2 on the loopback, {} calls a second from each client, seed {}\n",
        args.seconds,
        traffic::PER_SECOND,
        args.seed
    ));
    introduce_one("upstream", waters::SETTINGS);
    introduce_one(Naive::NAME, &naive.settings());
    introduce_one(Upright::NAME, &upright.settings());
}

fn introduce_one(name: &str, settings: &str) {
    let names = [name].into_iter().chain(iter::repeat(""));
    for (name, line) in names.zip(settings.lines()) {
        console::line(format_args!("{name:<10} {line}"));
    }
}
