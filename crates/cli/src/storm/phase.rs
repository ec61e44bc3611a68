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
    /// The path of the calls that meet no fault.
    pub(super) path: &'static str,
    /// The name that the server goes by, where it is another endpoint than in the other phases.
    pub(super) host: Option<&'static str>,
    /// What happens once, soon after it began.
    pub(super) event: Option<Event>,
    /// Whether the calls of each half second begin together.
    pub(super) rushes: bool,
    /// How much longer it lasts than the others.
    weight: u32,
}

/// What happens once in a phase, when a tenth of it has passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Event {
    /// The connections that stand die without a word.
    Silence,
    /// The worker does nothing for a quarter of the phase.
    Stall,
}

/// One way in which the upstream misbehaves. The calls of a phase are spread over its faults.
#[derive(Debug)]
pub(super) struct Fault {
    /// The path of the calls that may meet it.
    pub(super) path: &'static str,
    /// Which arrivals it strikes, whether they are first attempts or later ones.
    pub(super) strikes: Strikes,
    /// Whether the upstream acts on what it strikes.
    pub(super) executes: bool,
    pub(super) behaviour: fn() -> Behaviour,
}

/// Where the one worker answers.
pub(super) const WORKER: &str = "/worker";

/// Which arrivals something strikes.
#[derive(Clone, Copy, Debug)]
pub(super) enum Strikes {
    /// So many of a hundred.
    Percent(u32),
    /// Those that come faster than the upstream's quota allows.
    BeyondQuota,
}

/// The path whose requests the upstream counts.
pub(super) const COUNTED: &str = "/counted";

/// How long the upstream takes for an answer in fair weather.
pub(super) const WORK: Duration = Duration::from_millis(5);

/// The storm, in its order.
pub(super) const PHASES: [Phase; 10] = [
    Phase::new("healthy", "every request is answered in 5 ms", &[]),
    Phase::new(
        "503",
        "30 % are answered 503 with retry-after: 1, and not executed",
        &[Fault::new("/busy", 30, false, busy)],
    ),
    Phase::new(
        "quota",
        "50 calls at once each half second; beyond 30 at once and 120 a second 429",
        &[Fault::beyond_quota(COUNTED)],
    )
    .rushes(),
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
    .with(Event::Silence),
    Phase::new(
        "restarts",
        "connections end after some 20 requests: drained, by GOAWAY, or by TCP reset",
        &[
            Fault::new("/drain", 5, true, drain),
            Fault::new("/goaway", 5, false, goaway),
            Fault::new("/abort", 5, true, Behaviour::abort),
        ],
    ),
    Phase::new(
        "overload",
        "one worker for twice the load, 5 ms for each request, also for those that nobody waits for \
         any more; soon it stalls for a quarter of the phase",
        &[],
    )
    .at(WORKER)
    .with(Event::Stall)
    .lasting(3),
    Phase::new(
        "outage",
        "another endpoint of the same server answers 503 to every request, and executes none",
        &[Fault::new("/down", 100, false, down)],
    )
    .elsewhere("localhost"),
    Phase::new("calm again", "every request is answered in 5 ms", &[]),
];

impl Phase {
    const fn new(name: &'static str, what: &'static str, faults: &'static [Fault]) -> Self {
        Self {
            name,
            what,
            faults,
            path: "/",
            host: None,
            event: None,
            rushes: false,
            weight: 1,
        }
    }

    const fn at(mut self, path: &'static str) -> Self {
        self.path = path;
        self
    }

    const fn elsewhere(mut self, host: &'static str) -> Self {
        self.host = Some(host);
        self
    }

    const fn with(mut self, event: Event) -> Self {
        self.event = Some(event);
        self
    }

    const fn rushes(mut self) -> Self {
        self.rushes = true;
        self
    }

    const fn lasting(mut self, weight: u32) -> Self {
        self.weight = weight;
        self
    }

    /// How long it lasts, when all phases together last so long.
    pub(super) fn length(&self, all: Duration) -> Duration {
        let weights: u32 = PHASES.iter().map(|phase| phase.weight).sum();
        all * self.weight / weights
    }
}

impl Event {
    /// When it happens in a phase that lasts so long.
    pub(super) fn at(self, length: Duration) -> Duration {
        length / 10
    }

    /// When what causes the trouble is over.
    pub(super) fn end(self, length: Duration) -> Duration {
        self.at(length)
            + match self {
                Self::Silence => Duration::ZERO,
                Self::Stall => length / 4,
            }
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
            strikes: Strikes::Percent(percent),
            executes,
            behaviour,
        }
    }

    const fn beyond_quota(path: &'static str) -> Self {
        Self {
            path,
            strikes: Strikes::BeyondQuota,
            executes: false,
            behaviour: too_many,
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

fn too_many() -> Behaviour {
    let too_many = Reply::status(429).header("retry-after", "1");
    too_many.after(WORK).into()
}

fn down() -> Behaviour {
    Reply::status(503).after(WORK).into()
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
