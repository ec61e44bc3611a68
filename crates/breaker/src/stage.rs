use std::num::NonZeroU32;

use crate::circuit::{Admission, Receipt};

/// What a circuit knows of a call, in one word: it goes wherever the call goes.
///
/// The lower half is the generation. Then come 30 bits for the number of a probe, or the step of the
/// window that a call was counted in, and two for the kind; without any, it is aside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stage(u64);

const NUMBER: u32 = 32;
const KIND: u32 = NUMBER + Receipt::BITS;
const OUT: u64 = 1 << KIND;
const COUNTED: u64 = 2 << KIND;
/// Out as well, and so with that bit.
const LATE: u64 = 3 << KIND;
const KINDS: u64 = 3 << KIND;

impl Stage {
    /// Nothing, or all that it will.
    pub(crate) const ASIDE: Self = Self(0);

    /// It let the call through.
    #[inline]
    pub(crate) fn out(admission: Admission) -> Self {
        Self::new(
            OUT,
            admission.probe.map_or(0, NonZeroU32::get),
            admission.generation,
        )
    }

    /// It counted the call as a success, which may turn out to be none.
    #[inline]
    pub(crate) fn counted(generation: u32, receipt: Receipt) -> Self {
        Self::new(COUNTED, receipt.step, generation)
    }

    /// Of a call that is out: it has taken too long.
    pub(crate) fn late(self) -> Self {
        Self(self.0 | LATE)
    }

    #[inline]
    fn new(kind: u64, number: u32, generation: u32) -> Self {
        // Of a step no more is needed, and a probe's number has no more.
        let number = (u64::from(number) << NUMBER) & (OUT - 1);
        Self(kind | number | u64::from(generation))
    }

    #[inline]
    pub(crate) fn is_out(self) -> bool {
        self.0 & OUT != 0
    }

    #[inline]
    pub(crate) fn is_late(self) -> bool {
        self.0 & KINDS == LATE
    }

    #[inline]
    pub(crate) fn is_counted(self) -> bool {
        self.0 & KINDS == COUNTED
    }

    #[inline]
    pub(crate) fn generation(self) -> u32 {
        self.0 as u32
    }

    /// What it let the call through with.
    #[inline]
    pub(crate) fn admission(self) -> Admission {
        Admission {
            generation: self.generation(),
            probe: NonZeroU32::new(self.number()),
        }
    }

    /// Where it counted the call.
    pub(crate) fn receipt(self) -> Receipt {
        let step = self.number();
        Receipt { step }
    }

    #[inline]
    fn number(self) -> u32 {
        ((self.0 & (OUT - 1)) >> NUMBER) as u32
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_word_gives_back_what_went_in(generation: u32, number in 0..1_u32 << Receipt::BITS) {
            let (probe, receipt) = (NonZeroU32::new(number), Receipt { step: number });
            let admission = Admission { generation, probe };
            let out = Stage::out(admission);
            let kinds = |stage: Stage| (stage.is_out(), stage.is_late(), stage.is_counted());
            prop_assert_eq!((kinds(out), out.admission()), ((true, false, false), admission));
            let late = out.late();
            prop_assert_eq!((kinds(late), late.admission()), ((true, true, false), admission));
            let counted = Stage::counted(generation, receipt);
            prop_assert_eq!(kinds(counted), (false, false, true));
            prop_assert_eq!((counted.generation(), counted.receipt()), (generation, receipt));
            prop_assert_eq!(kinds(Stage::ASIDE), (false, false, false));
        }
    }

    #[test]
    fn a_step_that_is_too_large_stays_in_its_place() {
        let counted = Stage::counted(1, Receipt { step: u32::MAX });
        assert!(counted.is_counted() && counted.generation() == 1);
    }
}
