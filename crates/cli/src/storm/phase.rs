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
}

/// One way in which the upstream misbehaves. The calls of a phase are spread over its faults.
#[derive(Debug)]
pub(super) struct Fault {
    /// The path of the calls that may meet it.
    pub(super) path: &'static str,
    /// How many of a hundred arrivals it strikes, whether they are first attempts or later ones.
    pub(super) percent: u32,
    pub(super) behaviour: fn() -> Behaviour,
}

/// What the upstream takes for an answer in fair weather.
pub(super) const WORK: Duration = Duration::from_millis(5);

/// The storm, in its order.
pub(super) const PHASES: [Phase; 6] = [
    Phase {
        name: "healthy",
        what: "every request is answered in 5 ms",
        faults: &[],
    },
    Phase {
        name: "503",
        what: "30 % are answered 503 with retry-after: 1, and not executed",
        faults: &[Fault {
            path: "/busy",
            percent: 30,
            behaviour: busy,
        }],
    },
    Phase {
        name: "black hole",
        what: "10 % are executed and never answered",
        faults: &[Fault {
            path: "/hole",
            percent: 10,
            behaviour: Behaviour::silence,
        }],
    },
    Phase {
        name: "resets",
        what: "10 % are executed and then reset, 10 % are refused unexecuted",
        faults: &[
            Fault {
                path: "/reset",
                percent: 20,
                behaviour: reset,
            },
            Fault {
                path: "/refused",
                percent: 20,
                behaviour: Behaviour::refuse,
            },
        ],
    },
    Phase {
        name: "restarts",
        what: "each connection soon ends: by a graceful GOAWAY, a hard one, or a TCP reset",
        faults: &[
            Fault {
                path: "/drain",
                percent: 5,
                behaviour: drain,
            },
            Fault {
                path: "/goaway",
                percent: 5,
                behaviour: goaway,
            },
            Fault {
                path: "/abort",
                percent: 5,
                behaviour: Behaviour::abort,
            },
        ],
    },
    Phase {
        name: "calm again",
        what: "every request is answered in 5 ms",
        faults: &[],
    },
];

/// An answer in fair weather.
pub(super) fn fair() -> Reply {
    Reply::status(200).body("fair").after(WORK)
}

fn busy() -> Behaviour {
    let busy = Reply::status(503).header("retry-after", "1").after(WORK);
    Behaviour::from(busy).executed(false)
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
