use std::time::Duration;

use outrigger_core::{Deadline, Exponential};
use tokio::time::Instant;

/// The longest `Retry-After` that is obeyed.
const LONGEST_OBEYED: Duration = Duration::from_secs(60);

/// The run of failures of one endpoint. It is told the time and the dice.
#[derive(Debug, Default)]
pub(crate) struct Run {
    /// How often any run was lengthened.
    steps: u64,
    /// What is known of the present run; nothing after a success.
    failing: Option<Failing>,
}

#[derive(Debug)]
struct Failing {
    /// How many steps the run has.
    length: u32,
    /// When the last failure came.
    last: Instant,
    /// Until when the server asked to be left alone, and how far calls spread out after that.
    asked: Option<(Instant, Duration)>,
    /// From when on all this is forgotten.
    forgotten: Instant,
}

/// A call's admission: which step it belongs to, and when it may go. `None` is now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Slot {
    pub(crate) step: u64,
    pub(crate) at: Option<Instant>,
}

impl Run {
    /// Draws a call's slot.
    pub(crate) fn draw(&mut self, schedule: &Exponential, now: Instant, die: u64) -> Slot {
        if self.is_over(now) {
            self.failing = None;
        }
        let at = self.failing.as_ref().map(|run| run.slot(schedule, die));
        Slot {
            step: self.steps,
            at: at.filter(|at| *at > now),
        }
    }

    /// A call of this step has failed, and the server asked for this delay. Of the calls of one step
    /// only the first lengthens the run.
    pub(crate) fn fail(&mut self, step: u64, now: Instant, asked: Duration, memory: Duration) {
        if step == self.steps {
            self.steps += 1;
            let run = self.failing.get_or_insert(Failing::new(now));
            run.length = run.length.saturating_add(1);
        }
        if let Some(run) = &mut self.failing {
            run.fail(now, asked.min(LONGEST_OBEYED), memory);
        }
    }

    /// A call has succeeded.
    pub(crate) fn succeed(&mut self) {
        self.failing = None;
    }

    /// Whether nothing of it is worth remembering at `now`.
    pub(crate) fn is_over(&self, now: Instant) -> bool {
        self.failing.as_ref().is_none_or(|run| run.forgotten <= now)
    }
}

impl Failing {
    fn new(now: Instant) -> Self {
        Self {
            length: 0,
            last: now,
            asked: None,
            forgotten: now,
        }
    }

    fn slot(&self, schedule: &Exponential, die: u64) -> Instant {
        let pause = schedule.pause(self.length - 1, die);
        let paused = after(self.last, pause);
        let asked = self
            .asked
            .map(|(until, spread)| after(until, share(spread, die)));
        asked.map_or(paused, |asked| asked.max(paused))
    }

    fn fail(&mut self, now: Instant, asked: Duration, memory: Duration) {
        self.last = self.last.max(now);
        self.forgotten = self.forgotten.max(after(now, memory));
        let until = after(now, asked);
        if !asked.is_zero() && self.asked.is_none_or(|(earlier, _)| earlier < until) {
            let spread = asked / 10;
            self.asked = Some((until, spread));
            self.forgotten = self.forgotten.max(after(until, spread));
        }
    }
}

/// The instant `delay` after `start`, or 30 years after it if that is earlier.
fn after(start: Instant, delay: Duration) -> Instant {
    Deadline::after(start, delay).instant()
}

/// The share of a duration that a die's 64 bits stand for. Of 60 s at most, it fits.
fn share(most: Duration, die: u64) -> Duration {
    let nanos = most.as_nanos().saturating_mul(u128::from(die)) >> 64;
    Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use outrigger_core::Jitter;
    use proptest::prelude::*;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);
    const NOTHING: Duration = Duration::ZERO;
    const HOUR: Duration = Duration::from_secs(3_600);

    /// 1 s, 2 s, 4 s … 20 s.
    fn seconds() -> Exponential {
        Exponential::new(SECOND, 20 * SECOND).jitter(Jitter::None)
    }

    /// How long a call that comes at `now` has to wait.
    fn wait(run: &mut Run, now: Instant) -> Duration {
        let slot = run.draw(&seconds(), now, 0);
        slot.at.map(|at| at - now).unwrap_or_default()
    }

    #[test]
    fn each_failure_in_turn_is_a_step_and_a_success_clears_them() {
        let (mut run, mut now) = (Run::default(), Instant::now());
        for expected in [0, 1, 2, 4, 8, 16, 20, 20] {
            assert_eq!(wait(&mut run, now), expected * SECOND);
            now += expected * SECOND;
            let slot = run.draw(&seconds(), now, 0);
            assert_eq!(slot.at, None, "the wait is over");
            run.fail(slot.step, now, NOTHING, HOUR);
        }
        run.succeed();
        assert_eq!(wait(&mut run, now), NOTHING);
    }

    #[test]
    fn a_hundred_that_fail_together_are_one_step() {
        let (mut run, now) = (Run::default(), Instant::now());
        let slots: Vec<_> = (0..100).map(|_| run.draw(&seconds(), now, 0)).collect();
        for slot in slots {
            run.fail(slot.step, now, NOTHING, HOUR);
        }
        assert_eq!(wait(&mut run, now), SECOND);
    }

    #[test]
    fn a_late_failure_of_an_earlier_step_moves_the_instant_and_not_the_length() {
        let (mut run, start) = (Run::default(), Instant::now());
        let [early, late] = [(); 2].map(|()| run.draw(&seconds(), start, 0));
        run.fail(early.step, start, NOTHING, HOUR);
        let half = SECOND / 2;
        run.fail(late.step, start + half, NOTHING, HOUR);
        assert_eq!(wait(&mut run, start + half), SECOND);
    }

    #[test]
    fn a_late_failure_after_a_success_begins_no_run() {
        let (mut run, now) = (Run::default(), Instant::now());
        let [early, late] = [(); 2].map(|()| run.draw(&seconds(), now, 0));
        run.fail(early.step, now, NOTHING, HOUR);
        run.succeed();
        run.fail(late.step, now, 30 * SECOND, HOUR);
        assert_eq!(wait(&mut run, now), NOTHING);
    }

    #[test]
    fn what_the_server_asks_for_is_a_floor_up_to_a_minute() {
        for (asked, expected) in [(0, 1), (1, 1), (2, 2), (60, 60), (61, 60), (u64::MAX, 60)] {
            let (mut run, now) = (Run::default(), Instant::now());
            run.fail(0, now, Duration::from_secs(asked), HOUR);
            assert_eq!(wait(&mut run, now), expected * SECOND, "{asked} s");
        }
    }

    #[test]
    fn calls_spread_over_a_tenth_more_than_the_server_asked_for() {
        let (mut run, now) = (Run::default(), Instant::now());
        run.fail(0, now, 30 * SECOND, HOUR);
        let mut at = |die| run.draw(&seconds(), now, die).at.unwrap() - now;
        assert_eq!(at(0), 30 * SECOND);
        assert_eq!(at(1 << 63), 31 * SECOND + SECOND / 2);
        assert!(at(u64::MAX) > 32 * SECOND && at(u64::MAX) <= 33 * SECOND);
    }

    #[test]
    fn a_run_is_forgotten_when_nothing_failed_for_long_enough() {
        let (mut run, start) = (Run::default(), Instant::now());
        let memory = 40 * SECOND;
        run.fail(0, start, NOTHING, memory);
        assert!(!run.is_over(start + memory - SECOND));
        assert!(run.is_over(start + memory));
        let slot = run.draw(&seconds(), start + memory, 0);
        run.fail(slot.step, start + memory, NOTHING, memory);
        assert_eq!(wait(&mut run, start + memory), SECOND, "a first failure");

        let mut asked = Run::default();
        asked.fail(0, start, 60 * SECOND, memory);
        assert!(!asked.is_over(start + 65 * SECOND) && asked.is_over(start + 66 * SECOND));
    }

    /// Everything that ever happened, and what follows from it by the words of the docs.
    #[derive(Default)]
    struct Log(Vec<(Instant, Event)>);

    #[derive(Clone, Copy)]
    enum Event {
        Draw,
        /// The call that drew as this event, and what the server asked for.
        Fail(usize, Duration),
        Succeed,
        Forget,
    }

    impl Log {
        /// Which events lengthened a run: the failures whose calls drew after the last that did.
        fn lengthening(&self) -> Vec<bool> {
            let mut lengthening: Vec<bool> = Vec::new();
            for (_, event) in &self.0 {
                lengthening.push(match *event {
                    Event::Fail(drew, _) => !lengthening[drew..].contains(&true),
                    _ => false,
                });
            }
            lengthening
        }

        /// The failures of the present run, from the one that began it.
        fn run(&self) -> Vec<usize> {
            let ends =
                |(_, event): &(Instant, Event)| matches!(event, Event::Succeed | Event::Forget);
            let start = self.0.iter().rposition(ends).map_or(0, |end| end + 1);
            let fails = |at: &usize| matches!(self.0[*at].1, Event::Fail(..));
            let (failures, lengthening) = ((start..self.0.len()).filter(fails), self.lengthening());
            failures.skip_while(|at| !lengthening[*at]).collect()
        }

        fn asked(&self, at: usize) -> Duration {
            match self.0[at].1 {
                Event::Fail(_, asked) => asked.min(60 * SECOND),
                _ => NOTHING,
            }
        }

        fn slot(&self, schedule: &Exponential, die: u64) -> Option<Instant> {
            let run = self.run();
            let lengthening = self.lengthening();
            let steps = run.iter().filter(|at| lengthening[**at]).count();
            let paused = self.0[*run.last()?].0 + schedule.pause(steps as u32 - 1, die);
            let until = |at: &usize| self.0[*at].0 + self.asked(*at);
            let asking = run.iter().filter(|at| !self.asked(**at).is_zero());
            let asked = asking.rev().max_by_key(|at| until(at));
            let share = |at: &usize| (self.asked(*at).as_nanos() / 10 * u128::from(die)) >> 64;
            let floor = asked.map(|at| until(at) + Duration::from_nanos(share(at) as u64));
            Some(floor.map_or(paused, |floor| floor.max(paused)))
        }

        fn is_over(&self, now: Instant, memory: Duration) -> bool {
            self.run().iter().all(|at| {
                let asked = self.asked(*at);
                let past = now - self.0[*at].0;
                past >= memory && past >= asked + asked / 10
            })
        }
    }

    proptest! {
        #[test]
        fn any_history_gives_the_slots_that_its_log_says(
            jitter in prop_oneof![Just(Jitter::None), Just(Jitter::Full)],
            memory in 0_u32..100,
            steps in prop::collection::vec((0_u64..8_000, 0..4, any::<prop::sample::Index>(), 0_u32..90), 1..60),
            dice: [u64; 3],
        ) {
            let schedule = Exponential::new(SECOND, 9 * SECOND).jitter(jitter);
            let memory = memory * SECOND;
            let (mut run, mut log, mut now) = (Run::default(), Log::default(), Instant::now());
            let mut drawn = Vec::new();
            for (elapsed, event, which, asked) in steps {
                now += Duration::from_millis(elapsed);
                prop_assert_eq!(run.is_over(now), log.is_over(now, memory));
                match event {
                    0 if !drawn.is_empty() => {
                        let (drew, step) = drawn.swap_remove(which.index(drawn.len()));
                        let asked = if asked < 60 { NOTHING } else { (asked - 25) * SECOND };
                        run.fail(step, now, asked, memory);
                        log.0.push((now, Event::Fail(drew, asked)));
                    }
                    1 if !drawn.is_empty() && which.index(3) == 0 => {
                        drawn.swap_remove(which.index(drawn.len()));
                        run.succeed();
                        log.0.push((now, Event::Succeed));
                    }
                    _ => {
                        if log.is_over(now, memory) {
                            log.0.push((now, Event::Forget));
                        }
                        let step = run.draw(&schedule, now, 0).step;
                        drawn.push((log.0.len(), step));
                        log.0.push((now, Event::Draw));
                        for die in dice {
                            let at = log.slot(&schedule, die).filter(|at| *at > now);
                            prop_assert_eq!(run.draw(&schedule, now, die).at, at);
                        }
                    }
                }
            }
        }

        #[test]
        fn no_value_overflows(
            base: Duration, cap: Duration, factor: u32, asked: Duration, memory: Duration, die: u64,
            failures in 1_u64..9,
        ) {
            let schedule = Exponential::new(base, cap).factor(factor);
            let (mut run, now) = (Run::default(), Instant::now());
            for step in 0..failures {
                run.fail(step, now, asked, memory);
            }
            let slot = run.draw(&schedule, now, die);
            prop_assert_eq!(slot.step, failures);
            prop_assert!(slot.at.is_none_or(|at| at > now && at <= now + cap.max(66 * SECOND).min(HOUR * 300_000)));
        }
    }
}
