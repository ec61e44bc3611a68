use std::time::{SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use http::HeaderValue;
use outrigger_core::RequestId;
use rand::Rng;

use crate::uuid;

/// How new ids are made.
///
/// Both kinds are UUIDs of [RFC 9562] with bits from the thread's cryptographic generator: no system
/// call for each, and no lock.
///
/// [RFC 9562]: https://www.rfc-editor.org/rfc/rfc9562
///
/// ```
/// use outrigger_request_id::Generator;
///
/// let id = Generator::V7.generate();
/// assert_eq!((id.as_str().len(), &id.as_str()[14..15]), (36, "7"));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Generator {
    /// UUIDv7 (the default): milliseconds since 1970, then 74 random bits. Ids sort by the time of
    /// their making, which a database's index likes, and they tell that time to whoever reads them.
    #[default]
    V7,
    /// UUIDv4: 122 random bits. For ids that leave the trust boundary.
    V4,
}

impl Generator {
    /// Makes a new id. It costs one allocation; its clones cost none.
    pub fn generate(self) -> RequestId {
        let mut dice = rand::rng();
        let low = dice.next_u64();
        let text = match self {
            Self::V7 => uuid::v7(unix_millis(), dice.next_u32(), low),
            Self::V4 => uuid::v4(dice.next_u64(), low),
        };
        let value = HeaderValue::from_maybe_shared(Bytes::from_owner(text))
            // Never taken, and the compiler sees it: digits and hyphens are valid.
            .unwrap_or_else(|_| HeaderValue::from_static("00000000-0000-0000-0000-000000000000"));
        RequestId::trusted(value)
    }
}

/// The wall clock; before 1970 it is 1970. An id holds its lowest 48 bits.
#[expect(clippy::disallowed_methods, reason = "ids tell the time of day")]
fn unix_millis() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
        .as_millis() as u64
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::thread;

    use super::*;

    #[test]
    fn a_version_7_id_tells_when_it_was_made() {
        let before = unix_millis();
        let text = Generator::V7.generate().to_string();
        let told = u64::from_str_radix(&text.replace('-', "")[..12], 16).unwrap();
        assert!((before..=unix_millis()).contains(&told));
    }

    #[test]
    fn ten_thousand_ids_of_eight_threads_are_distinct() {
        for generator in [Generator::V7, Generator::V4] {
            let make = move || (0..1_250).map(|_| generator.generate()).collect::<Vec<_>>();
            let threads: Vec<_> = (0..8).map(|_| thread::spawn(make)).collect();
            let ids: HashSet<_> = threads
                .into_iter()
                .flat_map(|thread| thread.join().unwrap())
                .collect();
            assert_eq!(ids.len(), 10_000);
        }
    }

    #[test]
    fn a_new_id_is_valid_and_its_clone_shares_the_text() {
        let id = Generator::default().generate();
        assert!(RequestId::accepts(id.as_header()));
        assert_eq!(id.clone().as_str().as_ptr(), id.as_str().as_ptr());
    }
}
