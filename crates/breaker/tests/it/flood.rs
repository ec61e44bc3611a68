//! More endpoints than anybody should meet.

use outrigger_breaker::BreakerHandle;

use super::*;

/// How many hosts the flood has: as many as the variable says, else enough to see.
fn hosts() -> usize {
    let asked = std::env::var("OUTRIGGER_FLOOD_HOSTS").ok();
    asked
        .and_then(|hosts| hosts.parse().ok())
        .unwrap_or(100_000)
}

#[tokio::test(start_paused = true)]
async fn an_open_circuit_stays_open_through_a_flood_of_hosts_and_the_cap_holds() {
    let handle = BreakerHandle::new();
    let peer = Peer::ill();
    let layer = three()
        .circuits(10_000)
        .handle(&handle)
        .open_for(1_000_000 * SECOND);
    let layer = layer.open_at_most(1_000_000 * SECOND);
    let service = layer.layer(peer.serve());
    fail(&service, 3).await;
    peer.turns(|| answer(200));
    let mut took = Vec::new();
    for host in 0..hosts() {
        if host % 50_000 == 0 {
            #[expect(
                clippy::disallowed_methods,
                reason = "real time, which is only printed"
            )]
            took.push(std::time::Instant::now());
        }
        let mut request = get();
        *request.uri_mut() = format!("http://host-{host}.example/").parse().unwrap();
        assert_eq!(call(&service, request).await, Came::To(200));
    }
    let took: Vec<_> = took
        .windows(2)
        .map(|pair| (pair[1] - pair[0]) / 50_000)
        .collect();
    println!("per host: first {:?}, last {:?}", took.first(), took.last());
    assert_eq!(call(&service, get()).await, REFUSED);
    let kept = handle.snapshots().len();
    assert!((9_000..=10_016).contains(&kept), "{kept}");
}
