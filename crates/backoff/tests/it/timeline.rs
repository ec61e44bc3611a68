//! What the layer does to one call and its retries.

use proptest::prelude::*;
use tokio::runtime::Builder;
use tower::Layer;

use super::*;

/// When the attempts of a call begin that all fail, each after so many milliseconds, if between them
/// the caller pauses by `own`.
async fn begun(layer: &BackoffLayer, lasting: &[u32], own: &Exponential) -> Vec<Duration> {
    let (start, begun) = (Instant::now(), Arc::new(Mutex::new(Vec::new())));
    let log = Arc::clone(&begun);
    let service = layer.layer(service_fn(move |request: Request<u32>| {
        log.lock().unwrap().push(start.elapsed());
        async move {
            pause(request.into_body() * MS).await;
            Ok::<_, BoxError>(unavailable())
        }
    }));
    for (lasting, own) in lasting.iter().zip(own.clone()) {
        let failed = service.clone().oneshot(get().map(|()| *lasting)).await;
        assert!(failed.is_ok_and(|response| response.status().is_server_error()));
        pause(own).await;
    }
    begun.lock().unwrap().clone()
}

fn on_a_paused_clock<T>(future: impl Future<Output = T>) -> T {
    let runtime = Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build();
    runtime.unwrap().block_on(future)
}

fn schedule() -> impl Strategy<Value = Exponential> {
    (0_u32..3_000, 0_u32..30_000, 1_u32..4).prop_map(|(base, cap, factor)| {
        Exponential::new(base * MS, cap * MS)
            .factor(factor)
            .jitter(Jitter::None)
    })
}

fn none() -> Exponential {
    Exponential::new(Duration::ZERO, Duration::ZERO)
}

proptest! {
    #[test]
    fn a_retry_without_pause_above_it_has_the_timeline_of_a_retry_with_its_schedule(
        schedule in schedule(),
        lasting in prop::collection::vec(0_u32..100_000, 1..12),
    ) {
        let layer = BackoffLayer::new(schedule.clone());
        let paced = on_a_paused_clock(begun(&layer, &lasting, &none()));
        let off = layer.enabled(false);
        let retried = on_a_paused_clock(begun(&off, &lasting, &schedule));
        prop_assert_eq!(paced, retried);
    }

    #[test]
    fn with_a_pause_above_it_the_wait_is_the_longer_and_never_the_sum(
        schedule in schedule(),
        own in schedule(),
        lasting in prop::collection::vec(0_u32..100_000, 1..12),
    ) {
        let layer = BackoffLayer::new(schedule.clone());
        let paced = on_a_paused_clock(begun(&layer, &lasting, &own));
        let mut expected = vec![Duration::ZERO];
        for ((lasting, own), paced) in lasting.iter().zip(own).zip(schedule) {
            let last = expected[expected.len() - 1];
            expected.push(last + *lasting * MS + own.max(paced));
        }
        prop_assert_eq!(&paced[..], &expected[..paced.len()]);
    }
}
