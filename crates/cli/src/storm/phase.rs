use std::time::Duration;

use outrigger_testkit::Reply;
use outrigger_testkit::raw::Code;
use outrigger_testkit::upstream::Behaviour;

/// One stretch of weather: what goes wrong with how many of the requests.
///
/// A layer that joins the stack brings its phase as one more value in [`PHASES`].
#[derive(Debug)]
pub(super) struct Phase {
    pub(super) name: &'static str,
    pub(super) what: &'static str,
    pub(super) faults: &'static [Fault],
    /// Whether the connections that stand soon after it began die without a word.
    pub(super) silences: bool,
}

/// One way in which the upstream misbehaves. The calls of a phase are spread over its faults.
#[derive(Debug)]
pub(super) struct Fault {
    /// The path of the calls that may meet it.
    pub(super) path: &'static str,
    /// How many of a hundred arrivals it strikes, whether they are first attempts or later ones.
    pub(super) percent: u32,
    /// Whether the upstream acts on what it strikes.
    pub(super) executes: bool,
    pub(super) behaviour: fn() -> Behaviour,
}

/// How long the upstream takes for an answer in fair weather.
pub(super) const WORK: Duration = Duration::from_millis(5);

/// The storm, in its order.
pub(super) const PHASES: [Phase; 7] = [
    Phase::new("healthy", "every request is answered in 5 ms", &[]),
    Phase::new(
        "503",
        "30 % are answered 503 with retry-after: 1, and not executed",
        &[Fault::new("/busy", 30, false, busy)],
    ),
    Phase::new(
        "black hole",
        "10 % are executed and never answered",
        &[Fault::new("/hole", 10, true, Behaviour::silence)],
    ),
    Phase::new(
        "resets",
        "10 % are executed and then reset, 10 % are refused and not executed",
        &[
            Fault::new("/reset", 20, true, reset),
            Fault::new("/refused", 20, false, Behaviour::refuse),
        ],
    ),
    Phase::new(
        "dead peer",
        "soon the standing connections go silent without closing; new ones are good",
        &[],
    )
    .silences(),
    Phase::new(
        "restarts",
        "connections end after some 20 requests: drained, by GOAWAY, or by TCP reset",
        &[
            Fault::new("/drain", 5, true, drain),
            Fault::new("/goaway", 5, false, goaway),
            Fault::new("/abort", 5, true, Behaviour::abort),
        ],
    ),
    Phase::new("calm again", "every request is answered in 5 ms", &[]),
];

impl Phase {
    const fn new(name: &'static str, what: &'static str, faults: &'static [Fault]) -> Self {
        Self {
            name,
            what,
            faults,
            silences: false,
        }
    }

    const fn silences(mut self) -> Self {
        self.silences = true;
        self
    }
}

impl Fault {
    const fn new(
        path: &'static str,
        percent: u32,
        executes: bool,
        behaviour: fn() -> Behaviour,
    ) -> Self {
        Self {
            path,
            percent,
            executes,
            behaviour,
        }
    }
}

/// An answer in fair weather.
pub(super) fn fair() -> Reply {
    Reply::status(200).body("fair").after(WORK)
}

fn busy() -> Behaviour {
    let busy = Reply::status(503).header("retry-after", "1");
    busy.after(WORK).into()
}

fn reset() -> Behaviour {
    Behaviour::reset(Code::INTERNAL_ERROR).after(WORK)
}

fn drain() -> Behaviour {
    Behaviour::drain(fair())
}

fn goaway() -> Behaviour {
    Behaviour::goaway(Code::NO_ERROR)
}
