use std::time::{Duration, SystemTime};

use http::header::{HeaderMap, HeaderName};
use http::{Response, StatusCode};
use outrigger_core::RetryAfter;

use crate::structured::{Member, list};

static RATE_LIMIT: HeaderName = HeaderName::from_static("ratelimit");
static RATE_LIMIT_POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");

/// What an answer says of the pace that its server wants (draft-ietf-httpapi-ratelimit-headers,
/// RFC 9110 §10.2.3). Times are in nanoseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Advice {
    /// Nothing is to come for so long.
    pub(crate) hold: Option<u64>,
    /// Calls are to come no faster than one in so long.
    pub(crate) interval: Option<u64>,
    /// This call came too fast.
    pub(crate) throttled: bool,
}

impl Advice {
    /// Whether an answer may have something to say; most do not. To look through the few fields that
    /// answers have takes less than to look two names up.
    #[inline]
    pub(crate) fn may_be_in<R>(response: &Response<R>) -> bool {
        let headers = response.headers();
        throttles(response.status()) || !headers.is_empty() && has_rate_limit(headers)
    }

    /// Reads an answer.
    pub(crate) fn read(status: StatusCode, headers: &HeaderMap) -> Option<Self> {
        let asked = throttles(status)
            .then(|| RetryAfter::parse(headers, wall_clock()))
            .flatten();
        let throttled = status == StatusCode::TOO_MANY_REQUESTS || asked.is_some();
        let mut advice = Self {
            throttled,
            ..Self::default()
        };
        let policies = members(headers, &RATE_LIMIT_POLICY);
        for policy in &policies {
            advice.heed_policy(policy);
        }
        for limit in members(headers, &RATE_LIMIT) {
            advice.heed_limit(&limit, &policies);
        }
        if let Some(asked) = asked {
            // It takes precedence over what the fields say of the same.
            advice.hold = Some(nanos(asked.delay()));
        }
        (advice != Self::default()).then_some(advice)
    }

    /// `q` calls in `w` seconds.
    fn heed_policy(&mut self, policy: &Member<'_>) {
        let counts_calls = policy.text("qu").is_none_or(|unit| unit == "requests");
        if let (Some(quota), Some(window), true) =
            (policy.integer("q"), policy.integer("w"), counts_calls)
        {
            self.pace(quota, window);
        }
    }

    /// `r` calls are left for `t` seconds, or for the whole window of the policy of the same name.
    fn heed_limit(&mut self, limit: &Member<'_>, policies: &[Member<'_>]) {
        let mut named = policies.iter().filter(|policy| policy.name == limit.name);
        let policy = named.next();
        let counts_calls = policy
            .and_then(|policy| policy.text("qu"))
            .is_none_or(|unit| unit == "requests");
        let window = limit.integer("t").or_else(|| policy?.integer("w"));
        let (Some(left), Some(window), true) = (limit.integer("r"), window, counts_calls) else {
            return;
        };
        if left == 0 {
            let window = nanos(Duration::from_secs(window));
            self.hold = Some(self.hold.map_or(window, |hold| hold.max(window)));
        } else {
            self.pace(left, window);
        }
    }

    /// Of several paces the slowest counts. A quota of nothing says nothing of a pace.
    fn pace(&mut self, calls: u64, seconds: u64) {
        let window = nanos(Duration::from_secs(seconds));
        if let Some(interval) = window.checked_div(calls).filter(|interval| *interval > 0) {
            self.interval = Some(self.interval.map_or(interval, |slow| slow.max(interval)));
        }
    }
}

/// The members of all lines of a list field; none when any of them is malformed.
fn members<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Vec<Member<'a>> {
    let lines = headers.get_all(name).into_iter();
    let lists = lines.map(|line| list(line.to_str().ok()?));
    let members: Option<Vec<_>> = lists.collect();
    members.unwrap_or_default().into_iter().flatten().collect()
}

fn has_rate_limit(headers: &HeaderMap) -> bool {
    let mut names = headers.keys();
    names.any(|name| *name == RATE_LIMIT || *name == RATE_LIMIT_POLICY)
}

fn throttles(status: StatusCode) -> bool {
    matches!(
        status,
        StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE
    )
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

/// Read in this one place, when there is a `Retry-After` that may be a date.
#[expect(clippy::disallowed_methods, reason = "dates are of the wall clock")]
fn wall_clock() -> SystemTime {
    SystemTime::now()
}
