//! Who shares a limit with whom.

use outrigger_rate_limit::RateLimitHandle;

use super::*;

async fn goes<S>(service: &S, uri: &'static str) -> bool
where
    S: Service<Request<u32>, Error = BoxError> + Clone,
{
    in_time(service.clone().oneshot(to(uri))).await.is_ok()
}

fn hasty() -> RateLimitLayer {
    RateLimitLayer::new(quota(1, 1)).refuse()
}

#[tokio::test(start_paused = true)]
async fn each_endpoint_has_its_own_limit_however_it_is_spelled() {
    let service = hasty().layer(Log::new().server());
    assert!(goes(&service, "http://a.example/x").await);
    assert!(!goes(&service, "HTTP://A.example:80/y").await);
    assert!(goes(&service, "http://b.example/").await);
    assert!(goes(&service, "https://a.example/").await);
    let handle = service.handle();
    assert_eq!(handle.snapshots().len(), 3);
    let snapshot = |uri| handle.snapshot(&Uri::from_static(uri));
    let at = snapshot("http://a.example").unwrap();
    assert_eq!((at.available, at.refused, at.share), (0, 1, 100));
    assert_eq!(snapshot("http://c.example"), None);
}

#[tokio::test(start_paused = true)]
async fn one_limit_is_for_all_when_it_is_shared() {
    let service = hasty().shared().layer(Log::new().server());
    assert!(goes(&service, "http://a.example/").await);
    assert!(!goes(&service, "http://b.example/").await);
    assert_eq!(service.handle().snapshots().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_key_of_ones_own_decides() {
    let by_path = hasty().key(|head| head.uri.path().to_owned());
    let service = by_path.layer(Log::new().server());
    assert!(goes(&service, "http://a.example/x").await);
    assert!(!goes(&service, "http://b.example/x").await);
    assert!(goes(&service, "http://a.example/y").await);
}

#[tokio::test(start_paused = true)]
async fn clones_share_and_another_service_of_the_layer_begins_afresh() {
    let (layer, log) = (hasty(), Log::new());
    let service = layer.layer(log.server());
    assert!(goes(&service.clone(), "http://a.example/").await);
    assert!(!goes(&service.clone(), "http://a.example/").await);
    assert!(goes(&layer.layer(log.server()), "http://a.example/").await);
}

#[tokio::test(start_paused = true)]
async fn without_a_quota_or_switched_off_everything_passes() {
    for layer in [RateLimitLayer::unlimited(), hasty().enabled(false)] {
        let service = layer.layer(Log::new().server());
        for _ in 0..1_000 {
            assert!(goes(&service, "http://a.example/").await);
        }
        assert_eq!(service.handle().snapshots(), []);
    }
}

#[tokio::test(start_paused = true)]
async fn a_panic_of_the_users_functions_leaves_the_limit_as_it_was() {
    let service = hasty()
        .key(|head| match head.uri.path() {
            "/panic" => panic!("a key"),
            path => path.to_owned(),
        })
        .layer(Log::new().server());
    let mut panicking = service.clone();
    let call = std::panic::AssertUnwindSafe(|| panicking.call(to("http://a.example/panic")));
    assert!(std::panic::catch_unwind(call).is_err());
    assert!(goes(&service, "http://a.example/x").await);
    assert!(!goes(&service, "http://a.example/x").await);
}

#[tokio::test(start_paused = true)]
async fn a_handle_sees_every_service_of_its_layers_as_long_as_it_lives() {
    let handle = RateLimitHandle::new();
    let layer = hasty().handle(&handle);
    assert_eq!(handle.snapshots(), []);
    let [one, other] = [(); 2].map(|()| layer.layer(Log::new().server()));
    assert!(goes(&one, "http://a.example/").await);
    assert!(goes(&other, "http://b.example/").await);
    assert_eq!(handle.clone().snapshots().len(), 2);
    drop(one);
    assert_eq!(handle.snapshots().len(), 1);
    let snapshot = handle.snapshot(&Uri::from_static("http://b.example"));
    assert_eq!(snapshot.map(|limit| limit.available), Some(0));
}
