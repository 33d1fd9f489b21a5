//! Warnings before a window closes: who is to be warned now, whether a warning still holds, and when to look again.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use jiff::{SignedDuration, Timestamp};

use super::Known;
use super::outbox::{self, Standing};
use crate::config::TargetSpec;
use crate::engine::{EngineError, Session};
use crate::model::{Anchor, Letter, LetterKind, Override, Shadow};
use crate::reconcile::access::Judge;
use crate::reconcile::letters::{Directory as _, LetterRule};

/// Somebody whose window closes soon.
pub(super) struct Closing {
    pub anchor: Anchor,
    pub label: String,
    pub at: Timestamp,
}

/// Looks at people's windows at one moment.
pub(super) struct Look<'a> {
    session: &'a Session,
    spec: &'a TargetSpec,
    known: &'a Known<'a>,
    now: Timestamp,
    orders: Vec<Override>,
    judge: Judge<'a>,
}

impl<'a> Look<'a> {
    pub(super) fn new(
        session: &'a Session,
        spec: &'a TargetSpec,
        known: &'a Known<'a>,
        now: Timestamp,
    ) -> Result<Self, EngineError> {
        Ok(Self {
            session,
            spec,
            known,
            now,
            orders: session.overrides(0)?.standing,
            judge: spec.access.at(now),
        })
    }

    /// Everybody with access whose window closes within `lead`, by anchor.
    pub(super) fn closing(&mut self, lead: SignedDuration) -> Result<Vec<Closing>, EngineError> {
        let until = self.now.checked_add(lead).unwrap_or(self.now);
        let mut found = Vec::new();
        for (anchor, settled) in self.session.state.settled(&self.spec.name)? {
            let soon = |second| Timestamp::from_second(second).is_ok_and(|at| at <= until);
            if !settled.due.is_some_and(soon) {
                continue;
            }
            let Some(shadow) = self.known.shadow(&anchor) else {
                continue;
            };
            let at = self.closes(&anchor, &shadow).map(|(at, _)| at);
            if let Some(at) = at.filter(|at| *at <= until) {
                let label = shadow.label;
                found.push(Closing { anchor, label, at });
            }
        }
        found.sort_by(|a, b| a.anchor.cmp(&b.anchor));
        Ok(found)
    }

    /// When a person's window closes, and the same as they would say it. `None` if they have no access, or it stays.
    pub(super) fn closes(
        &mut self,
        anchor: &Anchor,
        shadow: &Shadow,
    ) -> Option<(Timestamp, String)> {
        if !shadow.suspended.is_empty() || shadow.account.is_none() {
            return None;
        }
        let person = self.known.person(anchor)?;
        let theirs = |order: &&Override| order.anchor == *anchor;
        let orders: Vec<_> = self.orders.iter().filter(theirs).cloned().collect();
        let access = self.judge.judge(&person, &orders);
        if !access.open || access.hold.is_some() {
            return None;
        }
        let at = access.next.filter(|at| *at > self.now)?;
        let said = match access.parts.first() {
            Some(part) => part.zone.say(at),
            None => at.to_string(),
        };
        Some((at, said))
    }
}

/// The rule for warnings in a target, if any are sent and there are windows to warn of.
pub(super) fn rule<'a>(session: &'a Session, spec: &TargetSpec) -> Option<&'a LetterRule> {
    let letters = &session.config.delivery.as_ref()?.letters;
    letters
        .rule(LetterKind::ClosingSoon, &spec.name)
        .filter(|_| !spec.access.is_empty())
}

/// The warnings that a run now would send, for showing them.
pub(super) fn foresee(
    session: &Session,
    spec: &TargetSpec,
    known: &Known<'_>,
) -> Result<Vec<Letter>, EngineError> {
    let (Some(rule), Some(delivery)) = (rule(session, spec), &session.config.delivery) else {
        return Ok(Vec::new());
    };
    let now = session.clock.now();
    let mut letters = Vec::new();
    for one in Look::new(session, spec, known, now)?.closing(rule.lead)? {
        if !outbox::has(&session.state, &one.posted(spec, now))? {
            letters.push(Letter {
                kind: LetterKind::ClosingSoon,
                to: delivery.letters.address(rule, &one.anchor, known),
                anchor: one.anchor,
                label: one.label,
                closes: Some(one.at),
            });
        }
    }
    Ok(letters)
}

impl Closing {
    /// The letter that warns of it.
    pub(super) fn posted(&self, spec: &TargetSpec, now: Timestamp) -> outbox::Posted {
        let about = outbox::About::Closing(spec.name.clone(), self.anchor.clone(), self.at);
        outbox::Posted::new(LetterKind::ClosingSoon, self.label.clone(), about, now)
    }
}

impl Session {
    /// The next moment after `after` at which a letter of a target is to be sent: another try of one that waits, or a
    /// warning before a window that is still open closes.
    ///
    /// # Errors
    /// When the store fails.
    pub fn next_letter(
        &self,
        target: &str,
        after: Timestamp,
    ) -> Result<Option<Timestamp>, EngineError> {
        let Some(spec) = self.config.target(target) else {
            return Ok(None);
        };
        let letters = outbox::read(&self.state, Some(target))?;
        let tries = letters.iter().filter_map(|letter| match letter.standing {
            Standing::Waiting { tries, next, .. } if tries > 0 => Some(next),
            Standing::Waiting { .. } | Standing::Handed { .. } | Standing::GivenUp { .. } => None,
        });
        let again = tries.filter(|at| *at > after).min();
        let warning = match rule(self, spec) {
            Some(rule) => self.next_warning(target, rule.lead, after)?,
            None => None,
        };
        Ok([again, warning].into_iter().flatten().min())
    }

    fn next_warning(
        &self,
        target: &str,
        lead: SignedDuration,
        after: Timestamp,
    ) -> Result<Option<Timestamp>, EngineError> {
        let now = self.clock.now();
        let mut edges = BinaryHeap::new();
        for (anchor, settled) in self.state.settled(target)? {
            let edge = settled.due.and_then(|at| Timestamp::from_second(at).ok());
            let edge = edge.filter(|at| *at > now);
            let at = edge.and_then(|edge| edge.checked_sub(lead).ok());
            if let Some(at) = at.filter(|at| *at > after) {
                edges.push(Reverse((at, anchor)));
            }
        }
        // An edge that opens is nothing to warn of: whoever is shut out is passed over.
        while let Some(Reverse((at, anchor))) = edges.pop() {
            let shadow = self.state.shadow(target, &anchor)?;
            if shadow.is_some_and(|shadow| shadow.suspended.is_empty()) {
                return Ok(Some(at));
            }
        }
        Ok(None)
    }
}
