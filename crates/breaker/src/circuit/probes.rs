use std::num::NonZeroU32;

use super::Admission;

/// The probes of a half-open circuit: those under way, and how many have succeeded.
#[derive(Clone, Debug, Default)]
pub(crate) struct Probes {
    out: Vec<Probe>,
    succeeded: u32,
    last: u32,
}

/// A probe under way, and since when its lease runs.
#[derive(Clone, Debug)]
struct Probe {
    id: NonZeroU32,
    since: u64,
}

impl Probes {
    /// Where the numbers of probes begin anew: a probe that is that much older is long lost.
    const NUMBERS: u32 = (1 << Admission::BITS) - 1;

    /// Whether there is room for one more, if this many successes close the circuit. Those whose lease
    /// has ended are lost and hold no place.
    pub(crate) fn have_room(&self, now: u64, wanted: u32, lease: u64) -> bool {
        let out = self.out.iter().filter(|probe| probe.runs(now, lease));
        (out.count() as u64) + u64::from(self.succeeded) < u64::from(wanted)
    }

    /// Whether this one is under way and not lost.
    pub(crate) fn hold(&self, id: NonZeroU32, now: u64, lease: u64) -> bool {
        let mut out = self.out.iter();
        out.any(|probe| probe.id == id && probe.runs(now, lease))
    }

    /// Sends one off, and says which.
    pub(crate) fn send(&mut self, now: u64, lease: u64) -> NonZeroU32 {
        self.out.retain(|probe| probe.runs(now, lease));
        self.last = (self.last + 1) % Self::NUMBERS;
        let id = NonZeroU32::MIN.saturating_add(self.last);
        let since = now;
        self.out.push(Probe { id, since });
        id
    }

    /// The lease of a probe runs from now on: it was dispatched only now.
    pub(crate) fn renew(&mut self, id: NonZeroU32, now: u64) {
        if let Some(probe) = self.out.iter_mut().find(|probe| probe.id == id) {
            probe.since = probe.since.max(now);
        }
    }

    /// A probe is back, or lost for good.
    pub(crate) fn give_back(&mut self, id: NonZeroU32) {
        self.out.retain(|probe| probe.id != id);
    }

    /// A probe has succeeded; says whether they are as many as are wanted.
    pub(crate) fn succeed(&mut self, wanted: u32) -> bool {
        self.succeeded += 1;
        self.succeeded >= wanted
    }

    /// When the first lease ends.
    pub(crate) fn next_lease(&self, lease: u64) -> Option<u64> {
        let ends = self
            .out
            .iter()
            .map(|probe| probe.since.saturating_add(lease));
        ends.min()
    }
}

impl Probe {
    fn runs(&self, now: u64, lease: u64) -> bool {
        now < self.since.saturating_add(lease)
    }
}

#[cfg(all(test, not(outrigger_loom)))]
impl Probes {
    pub(super) fn ids(&self) -> impl Iterator<Item = NonZeroU32> {
        self.out.iter().map(|probe| probe.id)
    }

    /// How many have succeeded, and how long the others have been under way, up to `lease`.
    pub(super) fn shape(&self, now: u64, lease: u64) -> String {
        let ages = self.out.iter().map(|probe| (now - probe.since).min(lease));
        format!("{} {:?}", self.succeeded, ages.collect::<Vec<_>>())
    }
}

#[cfg(all(test, not(outrigger_loom)))]
mod tests {
    use super::*;
    use crate::stage::Stage;

    #[test]
    fn however_many_were_sent_the_next_is_known_when_it_is_back() {
        let mut probes = Probes {
            last: Probes::NUMBERS - 3,
            ..Probes::default()
        };
        for now in 0..9 {
            let (generation, probe) = (0, Some(probes.send(now, 1)));
            let back = Stage::out(Admission { generation, probe }).admission();
            probes.give_back(back.probe.unwrap());
            assert_eq!(probes.ids().count(), 0);
        }
    }
}
