//! `outrigger storm`: two clients, the same traffic, the same weather.

mod args;
mod contender;
mod dice;
mod drive;
mod ledger;
mod live;
mod naive;
mod phase;
mod quota;
mod recovery;
mod relay;
mod score;
mod table;
mod traffic;
mod upright;
mod waters;
mod worker;

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
use self::phase::{Event, PHASES, Phase};
use self::score::Score;
use self::traffic::Planned;
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
    let clients = (
        Naive::new(ATTEMPT_LIMIT),
        Upright::new(TOTAL, ATTEMPT_LIMIT),
    );
    introduce(args, &clients.0, &clients.1);

    let seconds = Duration::from_secs(args.seconds);
    let (live, mut dice, mut first) = (Live::new(), Rng::with_seed(args.seed), 0);
    let mut lines = Vec::new();
    for phase in &PHASES {
        let length = phase.length(seconds);
        let plan = traffic::plan(phase, length, first, &mut dice);
        first += plan.len() as u64;
        live.phase(phase);
        let patience = length.clamp(Duration::from_secs(2), LONGEST_PATIENCE);
        let way = (length, patience);
        let scores = weather(phase, way, &plan, &clients, &waters, &live).await?;
        lines.extend(table::lines(phase.name, &scores));
    }
    let table = table::render(lines);
    console::line(format_args!("\n{table}\n{}", table::LEGEND));
    Ok(())
}

/// Sends both clients through one phase that lasts so long, and waits so long for its last answers.
async fn weather(
    phase: &Phase,
    (length, patience): (Duration, Duration),
    plan: &[Planned],
    (naive, upright): &(Naive, Upright),
    waters: &Waters,
    live: &Live,
) -> http::Result<[Score; 2]> {
    let trouble_over = phase.event.map(|event| event.end(length));
    let [port, other] = &waters.ports;
    let gauge = live.client(Naive::NAME, plan.len());
    let naive = drive(naive, port, plan, patience, trouble_over, gauge);
    let gauge = live.client(Upright::NAME, plan.len());
    let upright = drive(upright, other, plan, patience, trouble_over, gauge);
    let event = happen(phase.event, waters, length);
    let (naive, upright, ()) = tokio::join!(naive, upright, event);
    waters.ports.iter().for_each(|port| port.relay.bury());
    Ok([naive?, upright?])
}

/// Lets the event of a phase of this length happen, once connections stand and carry calls.
async fn happen(event: Option<Event>, waters: &Waters, length: Duration) {
    let Some(event) = event else { return };
    sleep_until(Instant::now() + event.at(length)).await;
    for port in &waters.ports {
        match event {
            Event::Silence => port.relay.silence(),
            Event::Stall => port.worker.stall(event.end(length) - event.at(length)),
        }
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

#[cfg(test)]
mod tests {
    use super::recovery::Recovery;
    use super::*;

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn an_overload_that_one_client_makes_permanent_ends_for_the_other() {
        let overload = PHASES
            .iter()
            .find(|phase| phase.event == Some(Event::Stall));
        let waters = Waters::start(1).await.unwrap();
        let clients = (
            Naive::new(ATTEMPT_LIMIT),
            Upright::new(TOTAL, ATTEMPT_LIMIT),
        );
        let through = async |phase: &Phase, seconds| {
            let way = (Duration::from_secs(seconds), Duration::from_secs(1));
            let plan = traffic::plan(phase, way.0, 1_000 * seconds, &mut Rng::with_seed(1));
            let scores = weather(phase, way, &plan, &clients, &waters, &Live::new()).await;
            scores.unwrap()
        };
        // A server that was well before is no case for the breaker yet.
        through(&PHASES[0], 4).await;
        let [naive, upright] = through(overload.unwrap(), 8).await;
        let stuck = matches!(naive.recovery, Some(Recovery::NotWithin(_)));
        assert!(stuck, "{naive:?}");
        let recovered = matches!(upright.recovery, Some(Recovery::After(_)));
        assert!(recovered, "{upright:?}");
        assert_eq!(upright.repeated, 0);
        // The budget pays for a twentieth at most.
        assert!(upright.sent * 20 <= upright.tally.calls() * 21);
    }
}
