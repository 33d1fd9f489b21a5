//! Judging people at one moment. What people share is computed once: most have the same policies in the same zone.

use std::collections::HashMap;
use std::sync::Arc;

use jiff::Timestamp;

use super::layer::{Key, Layer};
use super::policy::{Applied, Times};
use super::rules::{AccessRules, Combine};
use super::schedule::{self, AHEAD};
use super::spans::Spans;
use super::verdict::{Access, Because, Part, Transition};
use crate::model::{Anchor, Identity, Override, OverrideEffect, SuspendReason, Suspensions};

const DAY: i64 = 86_400;

/// Judges at one moment.
#[derive(Debug)]
pub struct Judge<'r> {
    rules: &'r AccessRules,
    now: Timestamp,
    known: HashMap<Vec<Key>, Shared>,
}

/// What holds for everybody with the same policies in the same zones.
#[derive(Clone, Debug)]
struct Shared {
    open: bool,
    next: Option<i64>,
    parts: Arc<[Part]>,
}

/// What the policies make of one person.
#[derive(Default)]
struct Applying {
    layers: Vec<Layer>,
    unknown: Vec<String>,
    notices: Vec<String>,
    exempt: bool,
    unrestricted: bool,
    strict: bool,
}

/// The overrides of one person that are not over, as times.
struct Orders<'o> {
    all: Vec<&'o Override>,
}

impl<'r> Judge<'r> {
    pub(super) fn new(rules: &'r AccessRules, now: Timestamp) -> Self {
        Self {
            rules,
            now,
            known: HashMap::new(),
        }
    }

    /// The moment that it judges at.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.now
    }

    pub(super) fn rules(&self) -> &'r AccessRules {
        self.rules
    }

    /// Whether a person may have access. Overrides of others and of other targets do not count.
    pub fn judge(&mut self, identity: &Identity, overrides: &[Override]) -> Access {
        let applying = self.apply(identity);
        let orders = self.orders(&identity.anchor, overrides);
        self.decide(applying, &orders)
    }

    /// As at this moment, for somebody whose access `now` says ends at it: so they are judged who are closed before their
    /// time comes. `None` if it is not a window that closes them then.
    pub fn before_time(
        &mut self,
        now: &Access,
        identity: &Identity,
        overrides: &[Override],
    ) -> Option<Access> {
        if !now.open || now.hold.is_some() || now.next != Some(self.now) {
            return None;
        }
        let mut then = self.judge(identity, overrides);
        let window = then.reasons.iter().eq([&SuspendReason::AccessWindow]);
        then.because = Because::Early { at: self.now };
        window.then_some(then)
    }

    /// Whether somebody may have access of whom the directory says nothing: only overrides hold for them.
    pub fn judge_absent(&mut self, anchor: &Anchor, overrides: &[Override]) -> Access {
        let orders = self.orders(anchor, overrides);
        self.decide(Applying::default(), &orders)
    }

    /// Every moment until `to` at which a person's access changes, in order.
    pub fn transitions(
        &self,
        identity: &Identity,
        overrides: &[Override],
        to: Timestamp,
    ) -> Vec<Transition> {
        let applying = self.apply(identity);
        let orders = self.orders(&identity.anchor, overrides);
        let (from, to) = (self.now.as_second(), to.as_second());
        // One second more on both sides, so that the borders themselves are no edges.
        let base = self.base(&applying, from - 1, to + 2);
        let all = orders.over(&base, from - 1, to + 2);
        all.edges(from, to)
            .filter_map(|(at, open)| {
                let at = Timestamp::from_second(at).ok()?;
                Some(Transition { at, open })
            })
            .collect()
    }

    fn apply(&self, identity: &Identity) -> Applying {
        let mut found = Applying::default();
        if self.rules.protected.contains(identity) {
            found.exempt = true;
            return found;
        }
        match self.rules.exempt.means(identity) {
            Ok(true) => {
                found.exempt = true;
                return found;
            }
            Ok(false) => {}
            Err(why) => found
                .notices
                .push(format!("whether they are exempt: {why}")),
        }
        for (index, policy) in self.rules.policies.iter().enumerate() {
            let applied = policy.apply(index, identity, &self.rules.zones, &mut found.notices);
            match applied {
                Applied::No => continue,
                Applied::Unrestricted => found.unrestricted = true,
                Applied::Yes(layer) => found.layers.push(layer),
                Applied::Unknown(why) => found.unknown.push(why),
            }
            found.strict |= policy.strict;
        }
        found
    }

    fn orders<'o>(&self, anchor: &Anchor, overrides: &'o [Override]) -> Orders<'o> {
        let all = overrides.iter().filter(|order| {
            order.anchor == *anchor && order.is_for(&self.rules.target) && !order.is_over(self.now)
        });
        Orders { all: all.collect() }
    }

    fn decide(&mut self, applying: Applying, orders: &Orders<'_>) -> Access {
        let shared = self.shared(&applying);
        let mut access = Access {
            open: shared.open,
            parts: shared.parts,
            next: shared.next.and_then(|at| Timestamp::from_second(at).ok()),
            because: Because::Policies,
            strict: applying.strict,
            ..Access::default()
        };
        if applying.exempt {
            access.because = Because::Exempt;
        } else if self.is_undecided(&applying, access.open) {
            let why = applying.unknown.join("; ");
            access.because = Because::Unknown(why.clone());
            access.hold = Some(why);
            access.open = false;
            access.next = None;
        } else if applying.layers.is_empty() {
            access.because = Because::NoPolicy;
        }
        if !access.open && access.hold.is_none() {
            access.reasons.insert(SuspendReason::AccessWindow);
        }
        if !orders.all.is_empty() {
            self.order(&mut access, &applying, orders);
        }
        access.notices = applying.notices;
        access
    }

    /// Whether something is unknown that could change the answer.
    fn is_undecided(&self, applying: &Applying, open: bool) -> bool {
        let settled = match self.rules.combine {
            Combine::Intersection => !applying.layers.is_empty() && !open,
            Combine::Union => applying.unrestricted || (!applying.layers.is_empty() && open),
        };
        !applying.unknown.is_empty() && !settled
    }

    /// What overrides change: a grant lifts the window and nothing else, a suspension wins over everything.
    fn order(&self, access: &mut Access, applying: &Applying, orders: &Orders<'_>) {
        let undecided = access.hold.is_some();
        let grant = orders.active(OverrideEffect::Grant, self.now);
        access.granted = orders.vouched(self.now);
        if let Some(grant) = grant.filter(|_| !access.open) {
            access.because = Because::Granted {
                id: grant.id.clone(),
                until: grant.until,
                reason: grant.reason.clone(),
            };
            access.open = true;
            access.hold = None;
            access.reasons = Suspensions::new();
        }
        if let Some(order) = orders.active(OverrideEffect::Suspend, self.now) {
            access.because = Because::Suspended {
                id: order.id.clone(),
                until: order.until,
                reason: order.reason.clone(),
            };
            access.open = false;
            access.granted = None;
            access.hold = None;
            access.reasons.insert(SuspendReason::Operator);
        }
        if access.hold.is_some() {
            return;
        }
        access.next = self.flip(access.open, |from, to| {
            let base = if undecided {
                Spans::none()
            } else {
                self.base(applying, from, to)
            };
            orders.over(&base, from, to)
        });
    }

    /// The first moment after now at which it is not as it is.
    fn flip(&self, open: bool, spans: impl Fn(i64, i64) -> Spans) -> Option<Timestamp> {
        let now = self.now.as_second();
        for days in AHEAD {
            let until = now + days * DAY;
            let found = spans(now, until)
                .edges(now, until - 1)
                .find(|(_, then)| *then != open);
            if let Some((at, _)) = found {
                return Timestamp::from_second(at).ok();
            }
        }
        None
    }

    /// When the policies of a person are open within a range.
    fn base(&self, applying: &Applying, from: i64, to: i64) -> Spans {
        let whole = Spans::one(from, to);
        let everywhere = applying.unrestricted && self.rules.combine == Combine::Union;
        if everywhere || applying.exempt || applying.layers.is_empty() {
            let undecided = !applying.unknown.is_empty() && !everywhere;
            return if undecided { Spans::none() } else { whole };
        }
        let all = applying
            .layers
            .iter()
            .map(|layer| self.open(layer, from, to));
        match self.rules.combine {
            Combine::Intersection => all.fold(whole, |all, one| all.and(&one)),
            Combine::Union => all.fold(Spans::none(), |all, one| all.or(&one)),
        }
    }

    fn open(&self, layer: &Layer, from: i64, to: i64) -> Spans {
        let Some(policy) = self.rules.policies.get(layer.key.policy) else {
            return Spans::none();
        };
        let week = policy.week(&layer.zone, layer.hours());
        schedule::open(policy, layer, &week, from, to)
    }

    fn shared(&mut self, applying: &Applying) -> Shared {
        if applying.exempt || applying.layers.is_empty() {
            return Shared {
                open: true,
                next: None,
                parts: Arc::default(),
            };
        }
        if applying.unrestricted && self.rules.combine == Combine::Union {
            return Shared {
                open: true,
                next: None,
                parts: self.parts(applying),
            };
        }
        let mut key: Vec<Key> = Vec::with_capacity(applying.layers.len());
        key.extend(applying.layers.iter().map(|layer| layer.key.clone()));
        if let Some(shared) = self.known.get(&key) {
            return shared.clone();
        }
        let now = self.now.as_second();
        let open = self.base(applying, now, now + 1).contains(now);
        let next = self.flip(open, |from, to| self.base(applying, from, to));
        let shared = Shared {
            open,
            next: next.map(Timestamp::as_second),
            parts: self.parts(applying),
        };
        self.known.insert(key, shared.clone());
        shared
    }

    fn parts(&self, applying: &Applying) -> Arc<[Part]> {
        let now = self.now.as_second();
        let mut parts = Vec::new();
        for layer in &applying.layers {
            let Some(policy) = self.rules.policies.get(layer.key.policy) else {
                continue;
            };
            let open = self.open(layer, now, now + 1).contains(now);
            let week = policy.week(&layer.zone, layer.hours());
            let calendar = &policy.calendar;
            let day = if open {
                let extra = schedule::named(&calendar.opened, &layer.zone, now);
                extra.map(|day| format!("extra opening {day}"))
            } else {
                let closed = schedule::named(&calendar.closed, &layer.zone, now);
                closed.map(|day| format!("closed day {day}"))
            };
            let rule = match &policy.times {
                _ if layer.is_never() => "logonHours cannot be read".to_owned(),
                Times::Week(_) => week.to_string(),
                Times::Hours { .. } => format!("logonHours {week}"),
            };
            parts.push(Part {
                policy: policy.name.clone(),
                zone: layer.zone.clone(),
                rule: day.unwrap_or(rule),
                open,
            });
        }
        parts.into()
    }
}

impl<'o> Orders<'o> {
    fn active(&self, effect: OverrideEffect, now: Timestamp) -> Option<&'o Override> {
        let active = |order: &&&'o Override| order.effect == effect && order.is_active(now);
        // The one that holds longest is the one to name.
        let found = self.all.iter().filter(active);
        found
            .max_by_key(|order| (order.until.is_none(), order.until))
            .copied()
    }

    /// When the last of the grants that are in force was given.
    fn vouched(&self, now: Timestamp) -> Option<Timestamp> {
        let grants = self
            .all
            .iter()
            .filter(|order| order.effect == OverrideEffect::Grant && order.is_active(now));
        grants.map(|order| order.at).max()
    }

    /// Base times with grants added and suspensions taken away.
    fn over(&self, base: &Spans, from: i64, to: i64) -> Spans {
        let times = |effect: OverrideEffect| {
            let orders = self.all.iter().filter(|order| order.effect == effect);
            let spans = orders.map(|order| {
                let end = order.until.map_or(to, |until| ceiling(until).min(to));
                (ceiling(order.from).max(from), end)
            });
            Spans::of(spans.collect())
        };
        base.or(&times(OverrideEffect::Grant))
            .without(&times(OverrideEffect::Suspend))
    }
}

/// The first whole second at or after a moment.
fn ceiling(at: Timestamp) -> i64 {
    at.as_second() + i64::from(at.subsec_nanosecond() > 0)
}
