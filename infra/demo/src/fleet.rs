//! The company's devices and what happens to them.

use jiff::Timestamp;
use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::{Map, Value, json};
use uuid::{Builder, Uuid};

use crate::{DAY_MS, ORDINARY_AGE_DAYS, Scale, catalog};

/// The least time between the latest event and `now`.
const QUIET_MS: i64 = 2 * 60 * 1_000;
const MINUTE_MS: i64 = 60 * 1_000;
const HOUR_MS: i64 = 60 * MINUTE_MS;
/// How late a late event is, at most.
const LATE_DAYS: i64 = 3;

/// How long ago devices were last heard of: days (least, most) with their share.
const LAST_SEEN: &[((i64, i64), u32)] =
    &[((0, 2), 880), ((3, 6), 42), ((7, 14), 32), ((15, 29), 24), ((30, 34), 22)];

/// One event, with the moment at which its product sends it.
#[derive(Debug, Clone)]
pub(crate) struct Event {
    pub(crate) product: &'static str,
    pub(crate) id: Uuid,
    pub(crate) kind: &'static str,
    /// Milliseconds since the epoch.
    pub(crate) time: i64,
    /// Milliseconds since the epoch; not before `time`.
    pub(crate) sent: i64,
    pub(crate) data: Value,
}

/// One product's agent on one device.
#[derive(Debug, Clone)]
struct Agent {
    product: &'static str,
    id: String,
    kind: &'static str,
    name: String,
    os: &'static str,
    /// The system's version before and since `upgraded`.
    os_versions: (&'static str, &'static str),
    upgraded: i64,
    /// Days by which this device follows a roll-out.
    lag: i64,
    fate: Fate,
    /// Milliseconds since the epoch: when it was first and last heard of.
    life: (i64, i64),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Stays,
    /// Removed at the end of its life.
    Retires,
    /// Removed in the middle of its life, and installed anew.
    Returns,
    /// The same, but the new agent has only told of a violation yet, never of its system.
    ReturnsUnknown,
}

impl Agent {
    fn middle(&self) -> i64 {
        i64::midpoint(self.life.0, self.life.1)
    }

    /// The span in which things may happen to it by chance. What reaches the console after a
    /// removal is from the days before it, else it would bring the endpoint back.
    fn busy(&self) -> (i64, i64) {
        let until = match self.fate {
            Fate::Stays | Fate::Returns => self.life.1,
            Fate::Retires => day_start(self.life.1) - 1,
            Fate::ReturnsUnknown => day_start(self.middle()) - 1,
        };
        (self.life.0, until.max(self.life.0))
    }
}

/// The generator: one source of chance, the agents, and the events so far.
pub(crate) struct Fleet {
    rng: ChaCha8Rng,
    scale: Scale,
    /// All times in milliseconds since the epoch.
    now: i64,
    agents: Vec<Agent>,
    events: Vec<Event>,
}

impl Fleet {
    pub(crate) fn new(seed: u64, now: Timestamp, scale: Scale) -> Self {
        let mut fleet = Self {
            rng: ChaCha8Rng::seed_from_u64(seed),
            scale,
            now: now.as_millisecond(),
            agents: Vec::new(),
            events: Vec::new(),
        };
        fleet.install();
        fleet
    }

    /// Lets the days pass and gives everything that happened, exactly `scale.events` events.
    pub(crate) fn live(mut self) -> Vec<Event> {
        for agent in self.agents.clone() {
            self.come_and_go(&agent);
        }
        self.outbreak();
        let wanted = usize::try_from(self.scale.events).unwrap_or(usize::MAX);
        while self.events.len() < wanted {
            self.something_happens(wanted - self.events.len());
        }
        self.events
    }

    fn install(&mut self) {
        let present = self.scale.endpoints;
        for number in 0..present + (present / 50).max(2) {
            let fate = match number {
                _ if number >= present => Fate::Retires,
                _ if number % 90 == 17 => Fate::ReturnsUnknown,
                _ if number % 45 == 8 => Fate::Returns,
                _ => Fate::Stays,
            };
            let device = self.device(number, fate);
            // A part of the computers has the agents of the other two products too: the same
            // device, another endpoint.
            if device.kind == "computer" {
                for (product, percent) in [("DATA_PRIVACY", 35), ("ZTNA", 25)] {
                    if self.chance(percent) {
                        let fate = Fate::Stays;
                        self.agents.push(Agent { product, fate, ..device.clone() });
                    }
                }
            }
            self.agents.push(device);
        }
    }

    fn device(&mut self, number: u32, fate: Fate) -> Agent {
        let (product, kind, prefix, systems) = if self.chance(34) {
            ("EMM", "mobile", 'm', catalog::MOBILES)
        } else {
            ("EPP", "computer", 'c', catalog::COMPUTERS)
        };
        let system = self.pick(systems, |system| system.share);
        let os_version = self.pick(system.versions, |(_, share)| *share).0;
        let older = system.versions.iter().map(|(version, _)| *version);
        let older = older.skip_while(|version| *version != os_version).nth(1);
        let site = self.pick(catalog::SITES, |(_, share)| *share).0;
        let person = self.pick(catalog::PEOPLE, |_| 1);
        let name = match system.os {
            "Windows Server" | "Ubuntu" | "Red Hat Enterprise Linux" => {
                format!("{site}-SRV-{number:04}")
            }
            "macOS" => format!("{person}-macbook-{number:04}"),
            "iPadOS" => format!("{person}のiPad {number}"),
            "iOS" => format!("{person}’s iPhone {number}"),
            "Android" => format!("{person}-android-{number:04}"),
            _ => format!("{site}-LT-{number:04}"),
        };
        let last_day = if fate == Fate::Retires {
            self.between(1, 30)
        } else {
            // The first few fall into one period each, so that a small fleet has them all too.
            let nth = usize::try_from(number).ok().and_then(|number| LAST_SEEN.get(number));
            let ((least, most), _) = *nth.unwrap_or(self.pick(LAST_SEEN, |(_, share)| *share));
            self.between(least, most)
        };
        let midnight = day_start(self.now) - last_day * DAY_MS;
        let last = self.between(midnight, (midnight + DAY_MS - 1).min(self.now - QUIET_MS));
        let oldest = self.now - i64::from(self.scale.days) * DAY_MS;
        let first = self.between(oldest, last - (last - oldest) / 4);
        let id = format!("{prefix}-{:012x}", self.rng.random::<u64>() >> 16);
        let upgraded = if self.chance(25) { self.between(first, last) } else { first };
        let lag = self.between(0, 12);
        Agent {
            product,
            id,
            kind,
            name,
            os: system.os,
            os_versions: (older.unwrap_or(os_version), os_version),
            upgraded,
            lag,
            fate,
            life: (first, last),
        }
    }

    /// The first and the last that is heard of an agent, and its removal.
    fn come_and_go(&mut self, agent: &Agent) {
        let (first, last) = agent.life;
        self.status(agent, first);
        match agent.fate {
            Fate::Stays => self.status(agent, last),
            Fate::Retires => self.tell(agent, "endpoint.removed", last, &[]),
            Fate::Returns => {
                self.tell(agent, "endpoint.removed", agent.middle(), &[]);
                self.status(agent, last);
            }
            Fate::ReturnsUnknown => {
                self.tell(agent, "endpoint.removed", agent.middle(), &[]);
                self.violate(agent, "policy", catalog::POLICIES, last);
            }
        }
    }

    /// One threat on many computers within three hours; most are clean the same day.
    fn outbreak(&mut self) {
        let (threat, severity) = catalog::OUTBREAK;
        let breakout = day_start(self.now) - 5 * DAY_MS + 9 * HOUR_MS;
        for agent in self.agents.clone() {
            let (from, until) = agent.busy();
            let at = self.between(breakout, breakout + 3 * HOUR_MS);
            if agent.product != "EPP" || !(from..until).contains(&at) || !self.chance(7) {
                continue;
            }
            for repeat in 0..self.between(1, 3) {
                let at = (at + repeat * 4 * MINUTE_MS).min(until);
                self.infection(&agent, "infection.detected", threat, severity, "blocked", at);
            }
            if self.chance(80) {
                let at = (at + self.between(HOUR_MS, 10 * HOUR_MS)).min(until);
                self.infection(&agent, "infection.cleaned", threat, severity, "cleaned", at);
            }
        }
    }

    /// One or two events, at most `room`.
    fn something_happens(&mut self, room: usize) {
        const KINDS: &[(&str, u32)] = &[
            ("heartbeat", 46),
            ("infection", 3),
            ("policy", 11),
            ("application", 8),
            ("classifier", 15),
            ("access", 17),
        ];
        let what = self.pick(KINDS, |(_, share)| *share).0;
        if what == "access" {
            return self.access();
        }
        let Some(agent) = self.agents.choose(&mut self.rng).cloned() else { return };
        let (from, until) = agent.busy();
        let at = self.between(from, until);
        match (what, agent.product) {
            ("infection", "EPP" | "EMM") if room >= 2 => self.illness(&agent, at, until),
            ("policy", "EPP" | "EMM") => self.violate(&agent, "policy", catalog::POLICIES, at),
            ("application", "EPP" | "EMM") => {
                self.violate(&agent, "application", catalog::APPLICATIONS, at);
            }
            ("classifier", "DATA_PRIVACY") => {
                let name = self.pick(catalog::CLASSIFIERS, |(_, share)| *share).0;
                let count = self.between(1, 40);
                let data = [("classifier", json!(name)), ("count", json!(count))];
                self.tell(&agent, "classifier.matched", at, &data);
            }
            _ => self.status(&agent, at),
        }
    }

    fn illness(&mut self, agent: &Agent, at: i64, until: i64) {
        let threats =
            if agent.kind == "mobile" { catalog::MOBILE_THREATS } else { catalog::THREATS };
        let (threat, severity) = self.pick(threats, |(_, share)| *share).0;
        let action = self.pick(catalog::DETECTED, |(_, share)| *share).0;
        self.infection(agent, "infection.detected", threat, severity, action, at);
        let cleaned = at + self.between(MINUTE_MS, 2 * DAY_MS);
        if cleaned <= until && self.chance(80) {
            self.infection(agent, "infection.cleaned", threat, severity, "cleaned", cleaned);
        }
    }

    /// The gateway has refused someone; no endpoint is named.
    fn access(&mut self) {
        let at = self.between(self.now - i64::from(self.scale.days) * DAY_MS, self.now - QUIET_MS);
        let application = self.pick(catalog::PRIVATE_APPLICATIONS, |(_, share)| *share).0;
        let person = self.pick(catalog::PEOPLE, |_| 1);
        let data = json!({"application": application, "user": format!("{person}@corp.example")});
        self.happen("ZTNA", "access.blocked", at, data);
    }

    fn status(&mut self, agent: &Agent, at: i64) {
        let (before, since) = agent.os_versions;
        let os_version = if at < agent.upgraded { before } else { since };
        let age_days = (self.now - at).div_euclid(DAY_MS);
        let agent_version = catalog::agents(agent.product)
            .iter()
            .rfind(|(_, rolled_out)| rolled_out - agent.lag > age_days)
            .map_or("", |(version, _)| version);
        let data = json!({"endpoint": {
            "id": agent.id, "kind": agent.kind, "name": agent.name,
            "os": agent.os, "os_version": os_version, "agent_version": agent_version,
        }});
        self.happen(agent.product, "endpoint.status", at, data);
    }

    fn violate(
        &mut self,
        agent: &Agent,
        what: &'static str,
        of: &[((&'static str, &'static str), u32)],
        at: i64,
    ) {
        let (name, severity) = self.pick(of, |(_, share)| *share).0;
        let kind = if what == "policy" { "policy.violated" } else { "application.violated" };
        self.tell(agent, kind, at, &[(what, json!(name)), ("severity", json!(severity))]);
    }

    fn infection(
        &mut self,
        agent: &Agent,
        kind: &'static str,
        threat: &str,
        severity: &str,
        action: &str,
        at: i64,
    ) {
        let path_hash = format!("{:032x}", self.rng.random::<u128>());
        let mut data = vec![
            ("threat", json!(threat)),
            ("action", json!(action)),
            ("severity", json!(severity)),
        ];
        if kind == "infection.detected" {
            data.push(("path_hash", json!(path_hash)));
        }
        self.tell(agent, kind, at, &data);
    }

    /// An event about an endpoint.
    fn tell(&mut self, agent: &Agent, kind: &'static str, at: i64, more: &[(&str, Value)]) {
        let endpoint = json!({"id": agent.id, "kind": agent.kind});
        let data: Map<String, Value> = [("endpoint", endpoint)]
            .into_iter()
            .chain(more.iter().cloned())
            .map(|(name, value)| (name.to_owned(), value))
            .collect();
        self.happen(agent.product, kind, at, Value::Object(data));
    }

    fn happen(&mut self, product: &'static str, kind: &'static str, time: i64, data: Value) {
        let late = kind != "endpoint.removed" && self.chance(2);
        let delay = if late { self.between(HOUR_MS, LATE_DAYS * DAY_MS) } else { 0 };
        let bytes: [u8; 10] = self.rng.random();
        let id = Builder::from_unix_timestamp_millis(u64::try_from(time).unwrap_or(0), &bytes);
        let ordinary_from = self.now - ORDINARY_AGE_DAYS * DAY_MS;
        // What only a history credential may send, it sends before the ordinary ones begin.
        let latest = if time < ordinary_from { ordinary_from } else { self.now };
        let sent = (time + delay).min(latest);
        self.events.push(Event { product, id: id.into_uuid(), kind, time, sent, data });
    }

    fn chance(&mut self, percent: u32) -> bool {
        self.rng.random_range(0..100) < percent
    }

    /// A number from `least` to `most`; the smaller of the two when they are crossed.
    fn between(&mut self, least: i64, most: i64) -> i64 {
        if least < most { self.rng.random_range(least..=most) } else { most }
    }

    /// One of `from`, by its share.
    #[expect(clippy::expect_used, reason = "the lists are constants, none of them empty")]
    fn pick<'a, T>(&mut self, from: &'a [T], share: impl Fn(&T) -> u32) -> &'a T {
        from.choose_weighted(&mut self.rng, share).expect("a list with shares")
    }
}

fn day_start(millis: i64) -> i64 {
    millis - millis.rem_euclid(DAY_MS)
}
