//! The circuit of one endpoint: told the time, lock-free while it is closed.

mod locked;
mod machine;
mod probes;
mod ramp;
mod ratio;
mod settings;
mod state;
mod sync;
#[cfg(test)]
mod tests;
mod trip;
mod window;

use std::num::NonZeroU32;

use outrigger_core::Verdict;

pub use self::ratio::Ratio;
pub(crate) use self::settings::{Settings, nanos};
pub use self::state::State;
pub(crate) use self::trip::Counts;
pub use self::trip::Trip;
pub(crate) use self::window::{BUCKETS, Receipt};

use self::machine::Machine;
use self::sync::{AtomicU64, Mutex, Ordering};
use self::window::Window;

/// The circuit of one endpoint.
///
/// A word says which generation it is in and whether calls pass freely. While they do, an admission
/// is a look at that word, and a report a count in the window. All else is the machine's, under a lock
/// that is held for a few instructions and under which no foreign code runs.
#[derive(Debug)]
pub(crate) struct Circuit<const N: usize = BUCKETS> {
    word: AtomicU64,
    window: Window<N>,
    machine: Mutex<Machine>,
}

/// A call that was let through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Admission {
    pub(crate) generation: u32,
    pub(crate) probe: Option<NonZeroU32>,
}

impl Admission {
    /// So many bits hold the number of a probe: as many as a receipt.
    pub(crate) const BITS: u32 = Receipt::BITS;
}

/// A call that was not; when to ask again, unless nobody knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) retry_at: Option<u64>,
}

/// What an operator can do to a circuit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    Open,
    Close,
    Reset,
}

/// The last two bits of the word.
const FREE: u64 = 1;
const COUNTED: u64 = 2;

impl<const N: usize> Circuit<N> {
    pub(crate) fn new() -> Self {
        Self {
            word: AtomicU64::new(FREE | COUNTED),
            window: Window::new(),
            machine: Mutex::new(Machine::new()),
        }
    }

    /// Refuses a call, or says that it would be admitted now; then nothing is taken.
    #[inline]
    pub(crate) fn check(&self, now: u64, settings: &Settings) -> Result<(), Refusal> {
        if self.word.load(Ordering::SeqCst) & FREE != 0 {
            return Ok(());
        }
        self.check_troubled(now, settings)
    }

    /// Lets a call through where that needs no thought.
    #[inline]
    pub(crate) fn pass(&self) -> Option<Admission> {
        let word = self.word.load(Ordering::SeqCst);
        let (generation, probe) = ((word >> 2) as u32, None);
        (word & FREE != 0).then_some(Admission { generation, probe })
    }

    /// Lets a call through or refuses it.
    #[inline]
    pub(crate) fn admit(&self, now: u64, settings: &Settings) -> Result<Admission, Refusal> {
        match self.pass() {
            Some(admission) => Ok(admission),
            None => self.admit_troubled(now, settings),
        }
    }

    /// A call that was let through has ended. What was counted as a success can be taken back.
    #[inline]
    pub(crate) fn report(
        &self,
        admission: Admission,
        verdict: Verdict,
        now: u64,
        settings: &Settings,
        die: fn() -> u64,
    ) -> Option<Receipt> {
        if verdict == Verdict::Success
            && let Some(receipt) = self.succeed(admission.generation, now / settings.step)
        {
            return Some(receipt);
        }
        self.report_thoughtfully(admission, verdict, now, settings, die)
    }

    /// Counts a call that has ended well in this step of time where that needs no thought.
    #[inline]
    pub(crate) fn succeed(&self, generation: u32, step: u64) -> Option<Receipt> {
        let closed = || self.is_closed(generation);
        self.window.count_success(generation, step, closed)
    }

    /// A call that was counted as a success was one to its end.
    #[inline]
    pub(crate) fn complete(&self, generation: u32) {
        let holds = || self.generation() == generation;
        self.window.complete(generation, holds);
    }

    /// A number that grows with every change of state but the end of a ramp.
    #[inline]
    pub(crate) fn generation(&self) -> u32 {
        (self.word.load(Ordering::SeqCst) >> 2) as u32
    }

    /// Whether it is closed, and its state of this generation.
    #[inline]
    fn is_closed(&self, generation: u32) -> bool {
        self.word.load(Ordering::SeqCst) == word(generation, FREE | COUNTED)
    }
}

#[inline]
fn word(generation: u32, mode: u64) -> u64 {
    u64::from(generation) << 2 | mode
}
