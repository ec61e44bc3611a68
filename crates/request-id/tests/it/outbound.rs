use http::{HeaderName, HeaderValue, Request};
use outrigger_core::inbound::{Inbound, enter};
use outrigger_request_id::{Generator, RequestId, RequestIdLayer, X_CORRELATION_ID, X_REQUEST_ID};
use proptest::prelude::*;
use tower::{Layer, ServiceExt, service_fn};

use crate::{Seen, id, is_new, seen, with_header};

/// Sends a request through the layer, within an inbound request with that id.
fn send(layer: &RequestIdLayer, request: Request<()>, inbound: Option<&str>) -> Seen {
    let mut inbound = Inbound {
        request_id: inbound.map(id),
        deadline: None,
    };
    let call = enter(&mut inbound, || {
        tower::Service::call(&mut layer.layer(service_fn(seen)), request)
    });
    tokio_now(call).unwrap().into_body()
}

/// Ends a future that never waits.
fn tokio_now<F: Future>(future: F) -> F::Output {
    let runtime = tokio::runtime::Builder::new_current_thread().build();
    runtime.unwrap().block_on(future)
}

/// Header, extension and inbound id of a request, and the id that goes out.
type Row = (
    &'static [&'static str],
    Option<&'static str>,
    Option<&'static str>,
    &'static str,
);

#[test]
fn header_before_extension_before_inbound_before_a_new_one() {
    const NEW: &str = "(new)";
    let table: [Row; 13] = [
        (&["header"], Some("extension"), Some("inbound"), "header"),
        (&["header"], None, Some("inbound"), "header"),
        (&["header"], None, None, "header"),
        (&[], Some("extension"), Some("inbound"), "extension"),
        (&[], Some("extension"), None, "extension"),
        (&[], None, Some("inbound"), "inbound"),
        (&[], None, None, NEW),
        (
            &["not valid"],
            Some("extension"),
            Some("inbound"),
            "extension",
        ),
        (&["not valid"], None, Some("inbound"), "inbound"),
        (&["not valid"], None, None, NEW),
        (&["first", "second"], None, None, "first"),
        (&["not valid", "a", "b"], Some("extension"), None, "a"),
        (&["not valid", "", "a,b"], None, None, NEW),
    ];
    for (header, extension, inbound, expected) in table {
        let mut request = with_header(header.iter().copied());
        if let Some(extension) = extension {
            request.extensions_mut().insert(id(extension));
        }
        let sent = send(&RequestIdLayer::new(), request, inbound);
        let as_expected = match expected {
            NEW => is_new(&sent),
            expected => sent == [expected],
        };
        assert!(
            as_expected,
            "{header:?} {extension:?} {inbound:?}: {sent:?}"
        );
    }
}

#[test]
fn a_longer_id_than_128_bytes_is_nobodys() {
    let sent = |length| {
        send(
            &RequestIdLayer::new(),
            with_header(["x".repeat(length)]),
            None,
        )
    };
    assert_eq!(sent(128), ["x".repeat(128)]);
    assert!(is_new(&sent(129)));
    assert!(is_new(&sent(64 * 1024)));
}

#[test]
fn no_line_can_be_forged() {
    for forged in ["a\r\nx-admin: 1", "a\nb", "a\rb", "a\0b", "a\u{85}b"] {
        assert!(RequestId::parse(forged).is_err(), "{forged:?}");
    }
    let folded = HeaderValue::from_bytes(b"a\tb\x85c").unwrap();
    assert!(is_new(&send(
        &RequestIdLayer::new(),
        with_header([folded]),
        None
    )));
}

#[test]
fn the_header_is_the_one_that_was_named() {
    let layer = RequestIdLayer::new().header(X_CORRELATION_ID);
    let upstream = service_fn(async |request: Request<()>| {
        assert!(!request.headers().contains_key(X_REQUEST_ID));
        Ok::<_, tower::BoxError>(http::Response::new(
            request.headers()[X_CORRELATION_ID].clone(),
        ))
    });
    let sent = tokio_now(layer.layer(upstream).oneshot(Request::new(())));
    assert!(is_new(&vec![sent.unwrap().into_body()]));
}

#[test]
fn new_ids_are_of_version_7_unless_asked_for_4() {
    let version = |layer: &RequestIdLayer| {
        let [value] = &*send(layer, Request::new(()), None) else {
            panic!("one header")
        };
        uuid::Uuid::try_parse_ascii(value.as_bytes())
            .unwrap()
            .get_version_num()
    };
    let layer = RequestIdLayer::default();
    assert_eq!(version(&layer), 7);
    assert_eq!(version(&layer.generator(Generator::V4)), 4);
}

#[test]
fn each_call_has_a_new_id_of_its_own() {
    let layer = RequestIdLayer::new();
    let first = send(&layer, Request::new(()), None);
    assert_ne!(first, send(&layer, Request::new(()), None));
}

#[test]
fn of_two_layers_the_inner_one_leaves_the_header_alone() {
    let stack = RequestIdLayer::new().layer(RequestIdLayer::new().layer(service_fn(seen)));
    let sent = tokio_now(stack.oneshot(with_header(["order-17"]))).unwrap();
    assert_eq!(sent.into_body(), ["order-17"]);
    let stack = RequestIdLayer::new().response_extension(true).layer(
        RequestIdLayer::new()
            .response_extension(true)
            .layer(service_fn(seen)),
    );
    let sent = tokio_now(stack.oneshot(Request::new(()))).unwrap();
    let told = sent.extensions().get::<RequestId>().unwrap().clone();
    assert_eq!(sent.into_body(), [told.as_str()]);
}

#[test]
fn the_response_tells_the_id_when_it_is_asked_to() {
    for (on, expected) in [(true, Some(id("order-17"))), (false, None)] {
        let service = RequestIdLayer::new()
            .response_extension(on)
            .layer(service_fn(seen));
        let answer = tokio_now(service.oneshot(with_header(["order-17"]))).unwrap();
        assert_eq!(answer.extensions().get::<RequestId>(), expected.as_ref());
    }
}

#[test]
fn switched_off_it_touches_nothing() {
    let layer = RequestIdLayer::new()
        .response_extension(true)
        .enabled(false);
    assert!(send(&layer, Request::new(()), Some("inbound")).is_empty());
    assert_eq!(
        send(&layer, with_header(["not valid"]), None),
        ["not valid"]
    );
    let answer = tokio_now(
        layer
            .layer(service_fn(seen))
            .oneshot(with_header(["order-17"])),
    );
    assert!(answer.unwrap().extensions().is_empty());
}

#[test]
fn a_full_header_map_is_no_panic() {
    let mut request = Request::new(());
    for n in 0_u32.. {
        let name = HeaderName::try_from(format!("x-{n}")).unwrap();
        if request
            .headers_mut()
            .try_insert(name, HeaderValue::from(n))
            .is_err()
        {
            break;
        }
    }
    assert!(send(&RequestIdLayer::new(), request, None).is_empty());
}

const VALID: &str = "[A-Za-z0-9._:/+=-]{1,128}";

fn bytes() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(any::<u8>(), 0..140)
}

proptest! {
    #[test]
    fn whatever_comes_in_one_valid_id_goes_out(
        header in prop::collection::vec(prop_oneof![bytes(), VALID.prop_map(String::into_bytes)], 0..4),
        extension in prop::option::of(VALID),
        inbound in prop::option::of(VALID),
    ) {
        let values = header.iter().filter_map(|value| HeaderValue::from_bytes(value).ok());
        let mut request = with_header(values);
        if let Some(extension) = extension {
            request.extensions_mut().insert(id(&extension));
        }
        let sent = send(&RequestIdLayer::new(), request, inbound.as_deref());
        let [value] = &*sent else { panic!("{sent:?}") };
        let allowed = |byte: &u8| byte.is_ascii_alphanumeric() || b"._:/+=-".contains(byte);
        prop_assert!((1..=128).contains(&value.len()) && value.as_bytes().iter().all(allowed));
        prop_assert!(value.is_sensitive());
    }
}
