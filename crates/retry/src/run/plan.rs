use http::{Extensions, Method};
use outrigger_core::call;

use crate::{Idempotent, Retries};

/// What may be done for a call, settled before its first attempt and not changed by anything that
/// happens later.
///
/// A call with more than one attempt may always be sent again when it was not processed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Plan {
    /// How many attempts may be made in all; at least one.
    pub(crate) attempts: u32,
    /// Whether the request may be sent again when it was perhaps processed.
    pub(crate) if_ambiguous: bool,
    /// Whether the server is known to honour its idempotency key.
    pub(crate) key: bool,
}

impl Plan {
    const ONCE: Self = Self {
        attempts: 1,
        if_ambiguous: false,
        key: false,
    };

    /// Plans a call of a layer that allows so many attempts. There is only one when the caller or the
    /// layer wants no more, or when a layer further out repeats the call.
    #[inline]
    pub(crate) fn of(method: &Method, wishes: &Extensions, attempts: u32) -> Self {
        let wished = wishes.get::<Retries>();
        let attempts = wished.map_or(attempts, |retries| retries.attempts());
        let call = match attempts {
            0 | 1 => return Self::ONCE,
            _ => call::current().unwrap_or_default(),
        };
        if call.is_repeated() {
            return Self::ONCE;
        }
        let key = call.key_honoured();
        let idempotent = || method.is_idempotent() || wishes.get::<Idempotent>().is_some();
        Self {
            attempts,
            if_ambiguous: key || idempotent(),
            key,
        }
    }

    /// Whether the request is sent once, whatever comes.
    pub(crate) fn is_once(&self) -> bool {
        self.attempts == 1
    }
}

#[cfg(test)]
mod tests {
    use outrigger_core::call::{Call, Scope};

    use super::*;

    fn if_ambiguous(method: Method, wishes: &Extensions) -> bool {
        Plan::of(&method, wishes, 3).if_ambiguous
    }

    #[test]
    fn the_method_gives_the_second_permission() {
        let none = Extensions::new();
        for method in ["GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"] {
            let method = method.parse().unwrap();
            assert!(if_ambiguous(method, &none));
        }
        for method in ["POST", "PATCH", "CONNECT", "PURGE", "get"] {
            let method = method.parse().unwrap();
            assert!(!if_ambiguous(method, &none));
        }
    }

    #[test]
    fn so_do_the_callers_marker_and_an_honoured_key() {
        let mut marked = Extensions::new();
        marked.insert(Idempotent);
        assert!(if_ambiguous(Method::POST, &marked));
        Scope::join().run(|| {
            call::update(Call::honour_key);
            let plan = Plan::of(&Method::POST, &Extensions::new(), 3);
            assert!(plan.if_ambiguous && plan.key);
        });
    }

    #[test]
    fn the_callers_number_of_retries_stands() {
        let mut wishes = Extensions::new();
        wishes.insert(Retries::at_most(4));
        let planned = |wishes: &_, attempts| Plan::of(&Method::GET, wishes, attempts).attempts;
        assert_eq!(planned(&wishes, 1), 5);
        wishes.insert(Retries::NONE);
        assert_eq!(planned(&wishes, 3), 1);
        wishes.insert(Retries::at_most(u32::MAX));
        assert_eq!(planned(&wishes, 3), u32::MAX);
        for attempts in [0, 1] {
            assert!(Plan::of(&Method::GET, &Extensions::new(), attempts).is_once());
        }
    }

    #[test]
    fn within_another_retry_there_is_one_attempt() {
        Scope::join().run(|| {
            call::update(|call| call.set_repeated(true));
            assert!(Plan::of(&Method::GET, &Extensions::new(), 3).is_once());
        });
    }
}
