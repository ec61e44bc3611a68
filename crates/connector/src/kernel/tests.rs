//! The kernel against a plain model: a list of connections and a list of waiters for each endpoint.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use http::Uri;
use outrigger_core::Endpoint;
use proptest::prelude::*;
use tokio::time::Instant;

use super::{HOLD, KNOWN, Key, Kind, LINGER, LOOK, Limits, Opened, Place, Pool, Step, Watch};

const LIMITS: Limits = Limits {
    per_endpoint: 3,
    total: 5,
    waiters: 6,
    idle: IDLE,
    unanswered: 3,
};

const IDLE: Duration = Duration::from_secs(60);
const AGE: Duration = Duration::from_secs(300);

const HOSTS: [&str; 3] = ["http://a.test/", "https://b.test/", "http://c.test:8080/"];

/// What happens to a pool; numbers pick one of what there is.
#[derive(Clone, Copy, Debug)]
enum Event {
    Call(usize),
    Leave(usize),
    ConnectedHttp1(usize),
    ConnectedHttp2(usize),
    Settings(usize, Option<u32>),
    GoAway(usize, u32),
    Overdue(usize),
    Closed(usize),
    Release(usize),
    Watch(usize),
    Calm(usize),
    Pass(u64),
}

fn event() -> impl Strategy<Value = Event> {
    let any = 0..64_usize;
    prop_oneof![
        8 => (0..HOSTS.len()).prop_map(Event::Call),
        2 => any.clone().prop_map(Event::Leave),
        1 => any.clone().prop_map(Event::ConnectedHttp1),
        4 => any.clone().prop_map(Event::ConnectedHttp2),
        4 => (any.clone(), proptest::option::of(0..4_u32))
            .prop_map(|(at, limit)| Event::Settings(at, limit)),
        2 => (any.clone(), 0..4_u32).prop_map(|(at, taken)| Event::GoAway(at, taken)),
        1 => any.clone().prop_map(Event::Overdue),
        3 => any.clone().prop_map(Event::Closed),
        5 => any.clone().prop_map(Event::Release),
        3 => any.prop_map(Event::Watch),
        1 => (0..64_usize).prop_map(Event::Calm),
        1 => (1..40_u64).prop_map(Event::Pass),
    ]
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Connecting,
    Open,
    Draining,
}

#[derive(Debug)]
struct Line {
    key: Key,
    host: Endpoint,
    phase: Phase,
    limit: u32,
    settled: bool,
    taken: u32,
    held: Option<Instant>,
    streams: u32,
    used: Instant,
    expires: Option<Instant>,
}

impl Line {
    /// HTTP/2 is open when the peer's SETTINGS are there.
    fn is_open(&self) -> bool {
        self.phase == Phase::Open && self.settled
    }

    fn has_room(&self, now: Instant) -> bool {
        self.is_open() && self.streams < self.limit && self.held.is_none_or(|until| until <= now)
    }

    fn is_idle(&self) -> bool {
        self.is_open() && self.streams == 0
    }
}

/// A pool and what a simple mind thinks is in it.
struct World {
    pool: Pool<Key, u32>,
    now: Instant,
    lines: Vec<Line>,
    /// Waiters by endpoint, the oldest first: their name, slot and ticket.
    waiters: BTreeMap<Endpoint, Vec<(u32, usize, u64)>>,
    places: Vec<Key>,
    /// How many streams a connection of an endpoint was last seen to take.
    widths: BTreeMap<Endpoint, usize>,
    /// How many calls a connection of an endpoint is thought to take before its peer leaves.
    stints: BTreeMap<Endpoint, u32>,
    /// Slots to come back to, and when.
    alarms: Vec<(usize, Instant)>,
    names: u32,
}

impl World {
    fn new() -> Self {
        Self {
            pool: Pool::new(LIMITS),
            now: Instant::now(),
            lines: Vec::new(),
            waiters: BTreeMap::new(),
            places: Vec::new(),
            widths: BTreeMap::new(),
            stints: BTreeMap::new(),
            alarms: Vec::new(),
            names: 0,
        }
    }

    fn happens(&mut self, event: Event) {
        self.now += Duration::from_millis(1);
        match event {
            Event::Call(host) => self.call(HOSTS[host]),
            Event::Leave(at) => self.leave(at),
            Event::ConnectedHttp1(at) => self.connected(at, Kind::Http1),
            Event::ConnectedHttp2(at) => self.connected(at, Kind::Http2),
            Event::Settings(at, limit) => self.settings(at, limit),
            Event::GoAway(at, taken) => self.go_away(at, taken),
            Event::Overdue(at) => self.overdue(at),
            Event::Closed(at) => self.closed(at),
            Event::Release(at) => self.release(at),
            Event::Watch(at) => self.watch(at),
            Event::Calm(at) => self.calm(at),
            Event::Pass(seconds) => self.now += Duration::from_secs(seconds),
        }
    }

    /// The shell has caught up with what has happened.
    fn settle(&mut self) {
        self.ring();
        self.work();
        self.check();
        let known: BTreeSet<_> = self.pool.count().map(|count| count.endpoint).collect();
        self.widths.retain(|host, _| known.contains(host));
        self.stints.retain(|host, _| known.contains(host));
    }

    fn call(&mut self, uri: &str) {
        let uri: Uri = uri.parse().unwrap();
        let host = Endpoint::of(&uri).unwrap();
        let waiting = self.waiters.entry(host.clone()).or_default();
        match self.pool.place(&uri, self.now).unwrap() {
            Place::Lease(lease) => {
                assert!(waiting.is_empty(), "overtook a waiter");
                assert_eq!(lease.key, lease.handle);
                self.take(lease.key);
            }
            Place::Wait(slot) => {
                self.names += 1;
                match self.pool.join(slot, self.names) {
                    Ok(ticket) => waiting.push((self.names, slot, ticket)),
                    Err(_) => assert_eq!(waiting.len(), LIMITS.waiters),
                }
            }
        }
    }

    fn leave(&mut self, at: usize) {
        let mut all: Vec<_> = self
            .waiters
            .values_mut()
            .flat_map(|waiters| (0..waiters.len()).map(|at| waiters[at]).collect::<Vec<_>>())
            .collect();
        if all.is_empty() {
            return;
        }
        let (name, slot, ticket) = all.swap_remove(at % all.len());
        assert_eq!(self.pool.leave(slot, ticket), Some(name));
        for waiters in self.waiters.values_mut() {
            waiters.retain(|waiter| waiter.0 != name);
        }
    }

    fn connected(&mut self, at: usize, kind: Kind) {
        if let Some(at) = self.pick(at, |line| line.phase == Phase::Connecting) {
            let line = &mut self.lines[at];
            line.phase = Phase::Open;
            if kind == Kind::Http1 {
                (line.limit, line.settled) = (1, true);
                self.widths.insert(line.host.clone(), 1);
            }
            line.used = self.now;
            let opened = Opened {
                kind,
                handle: line.key,
                expires: Some(self.now + AGE),
            };
            line.expires = opened.expires;
            self.pool.connected(line.key, opened, self.now);
        }
    }

    fn settings(&mut self, at: usize, limit: Option<u32>) {
        if let Some(at) = self.pick(at, |_| true) {
            let line = &mut self.lines[at];
            match limit {
                Some(limit) => {
                    line.limit = limit;
                    self.widths.insert(line.host.clone(), limit as usize);
                    self.pool.settled(line.key, limit);
                }
                None => {
                    if !line.settled {
                        line.limit = u32::MAX;
                        self.widths.insert(line.host.clone(), u32::MAX as usize);
                    }
                    self.pool.settled_silently(line.key);
                }
            }
            line.settled = true;
        }
    }

    /// The peer leaves, and takes only so many of the calls it was given.
    fn go_away(&mut self, at: usize, taken: u32) {
        let Some(at) = self.pick(at, |_| true) else {
            return;
        };
        let line = &mut self.lines[at];
        let useless = line.phase != Phase::Draining && line.taken == 0;
        if line.phase != Phase::Draining {
            (line.phase, line.used) = (Phase::Draining, self.now);
        }
        let (key, host) = (line.key, line.host.clone());
        if taken > 0 && line.taken > taken {
            self.stints.insert(host.clone(), taken);
            for line in self.lines.iter_mut().filter(|line| line.host == host) {
                if line.taken >= taken {
                    line.held = Some(self.now + HOLD);
                }
            }
        }
        let failed = self.pool.leave_taken(key, taken, self.now);
        self.fail(&host, useless, &failed);
    }

    fn calm(&mut self, at: usize) {
        if let Some(at) = self.pick(at, |line| line.phase == Phase::Open) {
            let line = &mut self.lines[at];
            (line.phase, line.used) = (Phase::Draining, self.now);
            self.pool.calm(line.key, self.now);
        }
    }

    /// Alarms go off.
    fn ring(&mut self) {
        let now = self.now;
        for (slot, _) in self.alarms.extract_if(.., |(_, at)| *at <= now) {
            self.pool.wake(slot, now);
        }
    }

    fn overdue(&mut self, at: usize) {
        if let Some(at) = self.pick(at, |_| true) {
            let line = &mut self.lines[at];
            let overdue = line.phase != Phase::Draining && !line.settled;
            if overdue {
                line.phase = Phase::Draining;
                line.used = self.now;
            }
            let (key, host) = (line.key, line.host.clone());
            let failed = self.pool.overdue(key, self.now);
            self.fail(&host, overdue, &failed);
        }
    }

    fn closed(&mut self, at: usize) {
        if let Some(at) = self.pick(at, |_| true) {
            let line = self.lines.swap_remove(at);
            let failed = self.pool.closed(line.key, self.now);
            let useless = line.phase != Phase::Draining && line.taken == 0;
            self.fail(&line.host, useless, &failed);
            assert!(
                self.pool.closed(line.key, self.now).is_empty(),
                "closed once"
            );
        }
    }

    /// All waiters fail together, when a connection was useless and no other gives hope.
    fn fail(&mut self, host: &Endpoint, useless: bool, failed: &BTreeMap<u64, u32>) {
        let hope = self.present(host) > 0;
        let waiters = self.waiters.entry(host.clone()).or_default();
        let names: Vec<_> = failed.values().copied().collect();
        if useless && !hope {
            assert_eq!(names, waiters.iter().map(|w| w.0).collect::<Vec<_>>());
            waiters.clear();
        } else {
            assert!(names.is_empty());
        }
    }

    fn release(&mut self, at: usize) {
        if !self.places.is_empty() {
            let key = self.places.swap_remove(at % self.places.len());
            if let Some(line) = self.lines.iter_mut().find(|line| line.key == key) {
                line.streams -= 1;
                line.used = self.now;
                if line.streams == 0 {
                    line.held = None;
                }
            }
            self.pool.release(key, self.now);
            if self.pool.handle(key).is_none() {
                self.evicted(key);
            }
        }
    }

    /// Idle and old connections retire, idle draining ones are killed, others are left alone.
    fn watch(&mut self, at: usize) {
        let Some(at) = self.pick(at, |line| line.phase != Phase::Connecting) else {
            return;
        };
        let now = self.now;
        let line = &mut self.lines[at];
        let watch = self.pool.watch(line.key, now);
        let since = now - line.used;
        let old = line.expires.is_some_and(|at| at <= now);
        match line.phase {
            Phase::Open if old || (line.streams == 0 && since >= IDLE) => {
                (line.phase, line.used) = (Phase::Draining, now);
                assert_eq!(watch, Watch::Until(now + LOOK));
            }
            Phase::Draining if line.streams == 0 && since >= LINGER => {
                assert_eq!(watch, Watch::Kill);
            }
            _ => match watch {
                Watch::Until(at) => assert!(at > now && at <= now + LOOK),
                _ => panic!("{watch:?}"),
            },
        }
    }

    fn work(&mut self) {
        for _ in 0..1000 {
            match self.pool.next(self.now) {
                None => return,
                Some(Step::Grant(name, lease)) => {
                    let host = self.take(lease.key);
                    let waiters = self.waiters.get_mut(&host).unwrap();
                    assert_eq!(waiters.remove(0).0, name, "the oldest is served first");
                }
                Some(Step::Connect(key, host)) => {
                    let coming = self.coming(&host);
                    let width = self.widths.get(&host).map_or(usize::MAX, |width| *width);
                    let stint = self.stints.get(&host);
                    let width = stint
                        .map_or(width, |stint| width.min(*stint as usize))
                        .max(1);
                    let waiting = self.waiters[&host].len();
                    assert!(
                        waiting > coming.saturating_mul(width),
                        "more than is needed"
                    );
                    assert!(self.present(&host) < LIMITS.per_endpoint);
                    self.lines.push(Line {
                        key,
                        host,
                        phase: Phase::Connecting,
                        limit: 0,
                        settled: false,
                        taken: 0,
                        held: None,
                        streams: 0,
                        used: self.now,
                        expires: None,
                    });
                    assert!(self.lines.len() <= LIMITS.total);
                }
                Some(Step::Alarm(slot, at)) => {
                    assert!(at > self.now && at - self.now <= KNOWN);
                    let mut others = self.alarms.iter().filter(|alarm| alarm.0 == slot);
                    assert!(others.all(|alarm| alarm.1 > at), "one is enough");
                    self.alarms.push((slot, at));
                }
                Some(Step::Discard(key)) => self.evicted(key),
            }
        }
        panic!("the pool spins");
    }

    /// A connection takes no new calls, perhaps for no reason of its own.
    fn evicted(&mut self, key: Key) {
        self.check_eviction(key);
        if let Some(line) = self.lines.iter_mut().find(|line| line.key == key) {
            if line.phase != Phase::Draining {
                line.used = self.now;
            }
            line.phase = Phase::Draining;
        }
    }

    /// A connection that was let go of without a reason of its own makes room for somebody.
    fn check_eviction(&self, key: Key) {
        let evicted = |line: &&Line| line.key == key && line.phase == Phase::Open;
        if let Some(line) = self.lines.iter().find(evicted) {
            let needy = self.waiters.values().filter(|waiters| !waiters.is_empty());
            let mut lines = self.lines.iter();
            let idle = lines.any(Line::is_idle);
            let kept = self.present(&line.host) > 1;
            assert!(
                line.streams == 0 || (kept && !idle),
                "evicted a busy connection"
            );
            assert!(
                self.closing() < needy.count(),
                "evicted more than is needed"
            );
            assert_eq!(self.lines.len(), LIMITS.total);
        }
    }

    fn take(&mut self, key: Key) -> Endpoint {
        let line = self.lines.iter_mut().find(|line| line.key == key);
        let line = line.expect("a place on a connection there is");
        assert!(line.has_room(self.now), "above the peer's limit");
        line.streams += 1;
        line.used = self.now;
        line.taken += 1;
        self.places.push(key);
        let host = line.host.clone();
        match self.stints.get(&host) {
            Some(stint) if line.taken == *stint => line.held = Some(self.now + HOLD),
            Some(stint) if line.taken > *stint => drop(self.stints.remove(&host)),
            _ => {}
        }
        host
    }

    /// Nobody waits without a reason, and both sides count alike.
    fn check(&self) {
        let full = self.lines.len() >= LIMITS.total;
        let mut starving = 0;
        for (host, waiters) in &self.waiters {
            if waiters.is_empty() {
                continue;
            }
            let lines = || self.lines.iter().filter(|line| line.host == *host);
            let room = |line: &Line| line.has_room(self.now);
            assert!(!lines().any(room), "a waiter beside a free place");
            let coming = self.coming(host) > 0;
            let saturated = self.present(host) >= LIMITS.per_endpoint;
            let rests = self.alarms.iter().any(|alarm| alarm.0 == waiters[0].1);
            let cared_for = coming || saturated || rests;
            assert!(cared_for || full, "nobody comes for a waiter");
            starving += usize::from(!cared_for);
        }
        if starving > 0 {
            assert!(
                !self.lines.iter().any(Line::is_idle) || self.closing() > 0,
                "an idle connection starves others"
            );
        }
        self.check_counts();
    }

    fn check_counts(&self) {
        let counts: Vec<_> = self.pool.count().collect();
        let hosts: BTreeSet<_> = counts.iter().map(|count| count.endpoint.clone()).collect();
        assert_eq!(hosts.len(), counts.len());
        for count in counts {
            let lines = || self.lines.iter().filter(|line| line.host == count.endpoint);
            let number = |is: fn(&Line) -> bool| lines().filter(|line| is(line)).count();
            let streams: u32 = lines().map(|line| line.streams).sum();
            assert_eq!(count.open, number(Line::is_open));
            assert_eq!(count.draining, number(|line| line.phase == Phase::Draining));
            assert_eq!(count.connecting, self.coming(&count.endpoint));
            assert_eq!(count.streams, streams as usize);
            let waiters = self.waiters.get(&count.endpoint).map_or(0, Vec::len);
            assert_eq!(count.waiters, waiters);
        }
    }

    fn closing(&self) -> usize {
        let closing = |line: &&Line| line.phase == Phase::Draining && line.streams == 0;
        self.lines.iter().filter(closing).count()
    }

    fn coming(&self, host: &Endpoint) -> usize {
        let lines = self.lines.iter().filter(|line| line.host == *host);
        let coming = lines.filter(|line| line.phase != Phase::Draining && !line.is_open());
        coming.count()
    }

    fn present(&self, host: &Endpoint) -> usize {
        let lines = self.lines.iter();
        lines
            .filter(|line| line.host == *host && line.phase != Phase::Draining)
            .count()
    }

    fn pick(&self, at: usize, which: impl Fn(&Line) -> bool) -> Option<usize> {
        let lines = self.lines.iter().enumerate();
        let found: Vec<_> = lines.filter(|(_, line)| which(line)).collect();
        (!found.is_empty()).then(|| found[at % found.len()].0)
    }

    /// Everybody goes home.
    fn end(&mut self) {
        while self.waiters.values().any(|waiters| !waiters.is_empty()) {
            self.happens(Event::Leave(0));
            self.settle();
        }
        while !self.places.is_empty() {
            self.happens(Event::Release(0));
            self.settle();
        }
        while !self.lines.is_empty() {
            self.happens(Event::Closed(0));
            self.settle();
        }
        self.now += KNOWN;
        self.settle();
        assert_eq!(self.pool.count().count(), 0, "the pool is empty");
        assert!(!self.pool.has_work());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn the_pool_agrees_with_a_simple_mind(
        events in proptest::collection::vec((event(), proptest::bool::weighted(0.8)), 0..120)
    ) {
        let mut world = World::new();
        for (event, settle) in events {
            world.happens(event);
            if settle {
                world.settle();
            }
        }
        world.settle();
        world.end();
    }
}
