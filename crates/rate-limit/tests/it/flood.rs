//! More endpoints than anybody should meet.

use http::request::Parts;
use tokio::runtime::Handle;

use super::*;

const USED: &str = "http://used.example/";

/// How many hosts the flood has: as many as the variable says, else enough to see.
fn hosts() -> u32 {
    let asked = std::env::var("OUTRIGGER_FLOOD_HOSTS").ok();
    asked.and_then(|hosts| hosts.parse().ok()).unwrap_or(20_000)
}

/// What has used up its quota has it again after weeks, and any other host after a millisecond.
fn quick() -> RateLimitLayer {
    let cost = |head: &Parts| match head.uri.host() {
        Some("used.example") => u32::MAX,
        _ => 1,
    };
    RateLimitLayer::new(quota(1_000, u32::MAX)).cost(cost)
}

/// No host has its quota again before the end of the flood.
fn slow() -> RateLimitLayer {
    RateLimitLayer::new(Quota::per_hour(number(1)))
}

async fn goes<S>(service: &S, uri: &str) -> bool
where
    S: Service<Request<u32>, Error = BoxError> + Clone,
{
    let mut request = Request::new(0);
    *request.uri_mut() = uri.parse().unwrap();
    service.clone().oneshot(request).await.is_ok()
}

#[tokio::test(start_paused = true)]
async fn a_flood_of_hosts_keeps_the_cap_and_who_has_used_up_its_quota_stays_limited() {
    let server = service_fn(|_: Request<u32>| ready(Answer::Ok(Response::new(()))));
    let [quick, slow] =
        [quick(), slow()].map(|layer| layer.refuse().endpoints(10_000).layer(server));
    assert!(goes(&quick, USED).await && goes(&slow, USED).await);
    let tenth = hosts() / 10;
    let mut took = Vec::new();
    for part in 0..10 {
        #[expect(
            clippy::disallowed_methods,
            reason = "real time, which is only printed"
        )]
        let began = std::time::Instant::now();
        for host in part * tenth..(part + 1) * tenth {
            let uri = format!("http://host-{host}.example/");
            assert!(goes(&quick, &uri).await, "{uri}");
            let _ = goes(&slow, &uri).await;
            if host % 100 == 0 {
                pause(2 * MS).await;
            }
        }
        took.push(began.elapsed() / tenth.max(1));
    }
    println!(
        "per host, in two limits: first {:?}, last {:?}",
        took.first(),
        took.last()
    );
    let late = "http://late.example/";
    assert!(goes(&quick, late).await);
    let its = quick.handle().snapshot(&Uri::from_static(late)).unwrap();
    assert_eq!(its.available, u32::MAX - 1, "a limit of its own");
    for service in [quick, slow] {
        assert!(!goes(&service, USED).await);
        let kept = service.handle().snapshots().len();
        assert!((9_000..=10_016).contains(&kept), "{kept}");
    }
    assert_eq!(Handle::current().metrics().num_alive_tasks(), 0);
}
