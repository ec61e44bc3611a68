//! What is known of the caller's patience, and how the next hop is told of it.

use std::time::Duration;

use http::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use http::{Method, Request};
use outrigger_core::grpc_timeout::{self, GRPC_TIMEOUT};
use outrigger_core::{Deadline, call, inbound};
use tokio::time::Instant;

use crate::limit::Limit;

/// The deadline of a call that is here now: the earliest of `total` and all that the caller said, in
/// the Call, the request's extensions, its headers or the inbound request.
#[inline(always)] // mostly nothing is said: a few instructions, and 60 more out of line
pub(crate) fn deadline<B>(
    request: &Request<B>,
    header: Option<&HeaderName>,
    total: Limit,
    now: Instant,
) -> Option<Deadline> {
    let known = Deadline::earliest(known(), total.after(now).map(Deadline::at));
    if asks(request, header) {
        Deadline::earliest(known, asked(request, header, now))
    } else {
        known
    }
}

/// What is known without a look at the request.
#[inline(always)]
pub(crate) fn known() -> Option<Deadline> {
    Deadline::earliest(call::deadline(), inbound::deadline())
}

/// Whether the request itself may ask for anything, or carry on what is left.
#[inline(always)]
pub(crate) fn asks<B>(request: &Request<B>, header: Option<&HeaderName>) -> bool {
    !request.extensions().is_empty() || header.is_some() || is_grpc(request)
}

/// What the request itself asks for.
#[inline(never)]
fn asked<B>(request: &Request<B>, header: Option<&HeaderName>, now: Instant) -> Option<Deadline> {
    let headers = request.headers();
    let grpc = is_grpc(request)
        .then(|| headers.get(GRPC_TIMEOUT))
        .flatten();
    let named = header.and_then(|name| headers.get(name));
    let within = |left| Deadline::after(now, left);
    let asked = [
        request.extensions().get().copied(),
        grpc.and_then(grpc_timeout::parse).map(within),
        named.and_then(millis).map(within),
    ];
    asked.into_iter().flatten().min()
}

/// Writes what is left into the request's headers, gRPC's own and the one that is named; nothing where
/// nothing bounds it.
pub(crate) fn tell<B>(
    request: &mut Request<B>,
    header: Option<&HeaderName>,
    left: Option<Duration>,
) {
    let Some(left) = left else {
        return;
    };
    // A map too full for one more header goes without: the server then has no limit of ours.
    if is_grpc(request)
        && let Some(value) = grpc_timeout::format(left)
    {
        let _ = request.headers_mut().try_insert(GRPC_TIMEOUT, value);
    }
    if let Some(name) = header {
        let millis = u64::try_from(left.as_millis()).unwrap_or(u64::MAX).max(1);
        let _ = request
            .headers_mut()
            .try_insert(name, HeaderValue::from(millis));
    }
}

/// gRPC is POST with a content type of its own (gRPC over HTTP/2, "Requests").
#[inline]
fn is_grpc<B>(request: &Request<B>) -> bool {
    *request.method() == Method::POST
        && request
            .headers()
            .get(CONTENT_TYPE)
            .is_some_and(|kind| kind.as_bytes().starts_with(b"application/grpc"))
}

/// Relative milliseconds; anything but digits is ignored, more than fits is the most that does.
fn millis(value: &HeaderValue) -> Option<Duration> {
    let digits = value.as_bytes();
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let millis = digits.iter().fold(0_u64, |sum, digit| {
        sum.saturating_mul(10)
            .saturating_add(u64::from(digit - b'0'))
    });
    Some(Duration::from_millis(millis))
}

#[cfg(test)]
mod tests {
    use outrigger_core::call::Scope;
    use outrigger_core::inbound::{Inbound, enter};
    use proptest::prelude::*;

    use super::*;

    const MS: HeaderName = HeaderName::from_static("x-timeout-ms");

    fn get(value: impl AsRef<[u8]>) -> Option<Request<()>> {
        let value = HeaderValue::from_bytes(value.as_ref()).ok()?;
        Request::get("/").header(MS, value).body(()).ok()
    }

    fn left(
        request: &Request<()>,
        header: Option<&HeaderName>,
        total: Duration,
    ) -> Option<Duration> {
        let now = Instant::now();
        let deadline = deadline(request, header, Limit::new(total), now);
        deadline.map(|deadline| deadline.remaining(now))
    }

    #[test]
    fn malformed_milliseconds_are_ignored() {
        for value in ["", "-1", "+1", "1.5", " 1", "1ms", "0x10", "١"] {
            let request = get(value).unwrap();
            assert_eq!(left(&request, Some(&MS), Duration::MAX), None, "{value:?}");
        }
    }

    #[test]
    fn the_header_counts_only_when_it_was_named() {
        let request = get("250").unwrap();
        let quarter = Some(Duration::from_millis(250));
        assert_eq!(left(&request, Some(&MS), Duration::MAX), quarter);
        assert_eq!(left(&request, None, Duration::MAX), None);
    }

    #[test]
    fn grpc_timeout_counts_for_grpc_only() {
        let of = |method: Method, kind| {
            Request::builder()
                .method(method)
                .header(CONTENT_TYPE, kind)
                .header(GRPC_TIMEOUT, "300m")
                .body(())
                .unwrap()
        };
        let grpc = of(Method::POST, "application/grpc+proto");
        let expected = Some(Duration::from_millis(300));
        assert_eq!(left(&grpc, None, Duration::MAX), expected);
        assert_eq!(
            left(&of(Method::POST, "text/plain"), None, Duration::MAX),
            None
        );
        assert_eq!(
            left(&of(Method::GET, "application/grpc"), None, Duration::MAX),
            None
        );
    }

    #[test]
    fn what_is_told_is_rounded_down_and_never_zero() {
        let cases = [
            (Duration::from_nanos(1), "1"),
            (Duration::from_micros(2_999), "2"),
            (Duration::MAX, "18446744073709551615"),
        ];
        for (duration, expected) in cases {
            let mut request = Request::get("/").body(()).unwrap();
            tell(&mut request, Some(&MS), Some(duration));
            assert_eq!(request.headers()[MS], expected);
        }
    }

    proptest! {
        #[test]
        fn no_header_causes_a_panic_and_all_digits_count(bytes: Vec<u8>, number: u128) {
            if let Some(request) = get(&bytes) {
                left(&request, Some(&MS), Duration::MAX);
            }
            let request = get(number.to_string()).unwrap();
            let millis = u64::try_from(number).unwrap_or(u64::MAX);
            let far = Deadline::within(Duration::MAX).remaining(Instant::now());
            let got = left(&request, Some(&MS), Duration::MAX).unwrap();
            prop_assert!(got == Duration::from_millis(millis) || got >= far);
        }

        #[test]
        fn the_earliest_of_all_sources_stands(
            total in proptest::option::of(0..10_000_u64),
            extension in proptest::option::of(0..10_000_u64),
            inbound in proptest::option::of(0..10_000_u64),
            header in proptest::option::of(0..10_000_u64),
            call in proptest::option::of(0..10_000_u64),
        ) {
            let now = Instant::now();
            let at = |millis: u64| Deadline::after(now, Duration::from_millis(millis));
            let mut request = Request::get("/").body(()).unwrap();
            if let Some(millis) = extension {
                request.extensions_mut().insert(at(millis));
            }
            if let Some(millis) = header {
                request.headers_mut().insert(MS, HeaderValue::from(millis));
            }
            let own = total.map_or(Duration::MAX, Duration::from_millis);
            let mut inbound_request = Inbound { request_id: None, deadline: inbound.map(at) };

            let found = enter(&mut inbound_request, || {
                Scope::join().run(|| {
                    if let Some(millis) = call {
                        call::update(|call| call.shorten(at(millis), now));
                    }
                    deadline(&request, Some(&MS), Limit::new(own), now)
                })
            });
            let earliest = [total, extension, inbound, header, call].into_iter().flatten().min();
            prop_assert_eq!(found, earliest.map(at));
        }
    }
}
