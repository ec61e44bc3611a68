//! The promise, whatever callers do: no window holds more than the burst and the rate.

use tokio::task::JoinSet;
use tokio_test::task;

use super::*;

/// The most that any window holds beyond the rate, in calls.
fn burst_of(came: &[(Duration, u32)], per_second: u32) -> f64 {
    let mut most = 0_f64;
    for (n, (from, _)) in came.iter().enumerate() {
        let mut sum = 0;
        for (to, cost) in &came[n..] {
            sum += cost;
            let earned = (*to - *from).as_secs_f64() * f64::from(per_second);
            most = most.max(f64::from(sum) - earned);
        }
    }
    most
}

/// Sends calls of random cost at random moments; some give up, and some are polled late. Says how many
/// were answered.
async fn rush(log: &Log, per_second: u32, burst: u32, seed: u64) -> usize {
    let mut dice = fastrand::Rng::with_seed(seed);
    let service = patient(per_second, burst)
        .wait(SECOND)
        .queue(64)
        .cost(|head| head.headers["cost"].to_str().unwrap().parse().unwrap())
        .layer(log.server());
    let mut calls = JoinSet::new();
    for _ in 0..400 {
        let cost = dice.u32(1..=burst.min(4));
        let request = Request::builder().header("cost", cost).body(cost).unwrap();
        let mut call = Box::pin(service.clone().oneshot(request));
        let patience = match dice.u32(0..4) {
            0 => Duration::from_micros(dice.u64(0..500_000)),
            _ => HOUR,
        };
        let late = match dice.u32(0..8) {
            0 => Duration::from_micros(dice.u64(0..300_000)),
            _ => Duration::ZERO,
        };
        calls.spawn(async move {
            // Begins to wait, is left alone for a while, and may give up.
            if let std::task::Poll::Ready(result) = task::spawn(&mut call).poll() {
                return result.is_ok();
            }
            pause(late).await;
            timeout(patience, call)
                .await
                .is_ok_and(|result| result.is_ok())
        });
        if dice.u32(0..3) > 0 {
            let between = 2_000_000 / u64::from(per_second);
            pause(Duration::from_micros(dice.u64(0..between))).await;
        }
        if dice.u32(0..100) == 0 {
            // Nobody runs for a while, and then all at once.
            tokio::time::advance(Duration::from_millis(dice.u64(0..400))).await;
        }
    }
    let answered = in_time(calls.join_all()).await;
    answered.iter().filter(|answered| **answered).count()
}

#[tokio::test(start_paused = true)]
async fn no_window_holds_more_than_the_burst_and_the_rate() {
    for seed in 0..40 {
        let (per_second, burst) = [(10, 1), (50, 5), (200, 2), (400, 10)][seed as usize % 4];
        let log = Log::new();
        let answered = rush(&log, per_second, burst, seed).await;
        assert!(answered > 30, "{answered}");
        let most = burst_of(&log.came(), per_second);
        // Where two milliseconds of the rate are more than the burst, they are what goes at once.
        let promised = f64::from(burst).max(1.0 + f64::from(per_second) * 0.002);
        assert!(
            most <= promised + 1e-6,
            "{most} at {per_second}/s, {burst}, seed {seed}"
        );
    }
}
