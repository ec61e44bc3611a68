use std::{
    cell::{Cell, RefCell},
    panic::{AssertUnwindSafe, catch_unwind},
    time::Duration,
};

use outrigger_testkit::drop_at_every_poll;
use tokio::{
    sync::Semaphore,
    task::yield_now,
    time::{Instant, sleep_until},
};

#[tokio::test]
async fn a_future_is_dropped_after_each_number_of_polls_until_it_completes() {
    let (begun, reached) = (Cell::new(0), RefCell::new(Vec::new()));
    let call = || {
        begun.set(begun.get() + 1);
        async {
            for step in 0..3 {
                reached.borrow_mut().push(step);
                yield_now().await;
            }
            "done"
        }
    };
    let mut checks = 0;

    let output = drop_at_every_poll(call, async || checks += 1).await;

    assert_eq!(output, "done");
    assert_eq!(*reached.borrow(), [0, 0, 1, 0, 1, 2, 0, 1, 2]);
    assert_eq!(
        (begun.get(), checks),
        (5, 5),
        "after 0, 1, 2, 3 polls, and whole with the fourth"
    );
}

#[tokio::test]
async fn the_future_is_gone_when_the_check_runs() {
    struct Guard<'a>(&'a Cell<i32>);
    impl Drop for Guard<'_> {
        fn drop(&mut self) {
            self.0.set(self.0.get() - 1);
        }
    }
    let held = Cell::new(0);
    let call = || async {
        held.set(held.get() + 1);
        let _guard = Guard(&held);
        yield_now().await;
    };

    drop_at_every_poll(call, async || assert_eq!(held.get(), 0)).await;
}

#[tokio::test(start_paused = true)]
async fn a_future_is_dropped_at_once_and_not_when_it_is_woken() {
    let permits = Semaphore::new(0);
    let mut checks = 0;
    let check = async || {
        checks += 1;
        if checks == 2 {
            permits.add_permits(1);
        }
    };

    // Somebody else's timer keeps the clock going where nothing wakes the future.
    let began = Instant::now();
    let alarm = sleep_until(began + Duration::from_secs(1));
    tokio::select! {
        biased;
        _ = drop_at_every_poll(|| permits.acquire(), check) => assert_eq!(began.elapsed(), Duration::ZERO),
        () = alarm => panic!("it was held until it would be woken"),
    }
}

#[tokio::test(start_paused = true)]
async fn timers_run_on_between_the_polls() {
    let call = || async {
        let began = Instant::now();
        sleep_until(began + Duration::from_secs(60)).await;
        began.elapsed()
    };

    assert_eq!(
        drop_at_every_poll(call, async || {}).await,
        Duration::from_secs(60)
    );
}

#[test]
fn a_check_that_fails_fails_the_test() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    let leaked = Cell::new(0);
    let leaky = || async {
        leaked.set(leaked.get() + 1);
        yield_now().await;
        leaked.set(leaked.get() - 1);
    };

    let check = async || assert_eq!(leaked.get(), 0);
    let failed = catch_unwind(AssertUnwindSafe(|| {
        runtime.block_on(drop_at_every_poll(leaky, check))
    }));

    assert!(failed.is_err());
}
