//! How fast it goes.

use tokio::task::JoinSet;

use super::*;

#[tokio::test(start_paused = true)]
async fn twenty_thousand_a_second_are_held_though_timers_tick_once_in_a_millisecond() {
    let log = Log::new();
    let service = patient(20_000, 100).layer(log.server());
    let end = Instant::now() + 5 * SECOND;
    let mut callers = JoinSet::new();
    for _ in 0..500 {
        let service = service.clone();
        callers.spawn(async move {
            while Instant::now() < end {
                service.clone().oneshot(get()).await.unwrap();
                tokio::task::yield_now().await;
            }
        });
    }
    in_time(callers.join_all()).await;
    let came = log.came();
    let came = came.iter().filter(|(at, _)| *at < 5 * SECOND).count() - 100;
    assert!((95_000..=100_040).contains(&came), "{came} in 5 s");
}

/// Has callers come for 10 s, of whom half give up at random while they wait, and says how many did.
async fn with_half_cancelled(log: &Log, per_second: u32, dice: &mut fastrand::Rng) -> usize {
    let service = patient(per_second, 1).wait(SECOND).layer(log.server());
    let mut callers = JoinSet::new();
    let mut gave_up = 0;
    for _ in 0..10_000 {
        let call = service.clone().oneshot(get());
        let patience = match dice.bool() {
            true => Duration::from_micros(dice.u64(0..1_000_000)),
            false => HOUR,
        };
        callers.spawn(async move { timeout(patience, call).await.is_err() });
        pause(MS).await;
        while let Some(cancelled) = callers.try_join_next() {
            gave_up += usize::from(cancelled.unwrap());
        }
    }
    let late = in_time(callers.join_all()).await;
    gave_up + late.iter().filter(|gave_up| **gave_up).count()
}

#[tokio::test(start_paused = true)]
async fn callers_that_give_up_at_random_cost_nothing_of_the_rate() {
    for (seed, per_second) in [(1, 100), (2, 300), (3, 450)] {
        let (log, mut dice) = (Log::new(), fastrand::Rng::with_seed(seed));
        let gave_up = with_half_cancelled(&log, per_second, &mut dice).await;
        assert!(gave_up > 500, "{gave_up}");
        let came = log.came();
        let came = came.iter().filter(|(at, _)| *at < 10 * SECOND).count();
        let whole = per_second as usize * 10;
        assert!(came * 100 >= whole * 95, "{came} of {whole}");
        assert!(came <= whole + 1, "{came} of {whole}");
    }
}

#[tokio::test(start_paused = true)]
async fn when_half_of_a_long_line_leaves_the_others_move_up() {
    let log = Log::new();
    let service = patient(100, 1).layer(log.server());
    let mut dice = fastrand::Rng::with_seed(4);
    let (mut stay, mut leave) = (JoinSet::new(), JoinSet::new());
    for number in 0..1_000 {
        let line = if dice.bool() { &mut stay } else { &mut leave };
        line.spawn(service.clone().oneshot(Request::new(number)));
        tokio::task::yield_now().await;
    }
    leave.shutdown().await;
    let stayed = in_time(stay.join_all()).await.len() as u32;
    let took = log.came().last().unwrap().0;
    let whole = SECOND * stayed / 100;
    assert!(took <= whole + whole / 20, "{stayed} took {took:?}");
    assert!(log.numbers().is_sorted(), "in the order in which they came");
}

#[tokio::test(start_paused = true)]
async fn a_thousand_that_wait_are_woken_a_thousand_times() {
    let service = patient(1_000, 1).layer(Log::new().server());
    let polls = Arc::new(Mutex::new(0));
    let mut calls = JoinSet::new();
    for _ in 0..1_001 {
        let (mut call, polls) = (Box::pin(service.clone().oneshot(get())), Arc::clone(&polls));
        calls.spawn(std::future::poll_fn(move |cx| {
            *polls.lock().unwrap() += 1;
            call.as_mut().poll(cx).map(drop)
        }));
    }
    in_time(calls.join_all()).await;
    let polls = *polls.lock().unwrap();
    assert!(
        polls <= 2_010,
        "{polls}: one to begin to wait, and one to go"
    );
}
