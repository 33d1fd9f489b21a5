//! Overrides: given, replaced, revoked, listed, and ended by time.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::trail::{PROVOST, Trail, about};
use super::{OVERRIDE, Record, Writes, kept};
use crate::config::{Lean, moment};
use crate::engine::people::Known;
use crate::engine::{EngineError, Session};
use crate::model::{Anchor, AuditEntry, AuditWhat, Override, OverrideEffect, SuspendReason};
use crate::report::safe;

/// For so many days at the most access may be granted beside the windows; whoever needs it longer needs other windows.
pub const LONGEST_DAYS: i64 = 31;
/// The longest reason, in characters.
const REASON: usize = 500;

/// What an operator asks for.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct OverrideOrder {
    /// Grant or suspend.
    pub effect: OverrideEffect,
    /// The person: anchor, DN, mail address, login or display name.
    pub person: String,
    /// Only this target; `None` means all.
    pub target: Option<String>,
    /// From when on, as typed; `None` means now.
    pub from: Option<String>,
    /// Until when, as typed. A suspension needs none.
    pub until: Option<String>,
    /// Why.
    pub reason: String,
    /// Who asks.
    pub by: String,
}

/// What came of it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct OverrideGiven {
    /// The override as it stands now.
    pub given: Override,
    /// Its end on the clock on the wall, where it was given one.
    pub local: Option<String>,
    /// Those it took the place of.
    pub replaced: Vec<Override>,
    /// What the operator should know about it.
    pub remarks: Vec<String>,
}

/// The overrides there are.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct OverrideList {
    /// The time.
    pub now: Timestamp,
    /// In force, and to come.
    pub standing: Vec<Override>,
    /// The last entries of the trail, oldest first; empty if not asked for.
    pub past: Vec<AuditEntry>,
}

impl Session {
    /// Gives an override. One of the same effect for the same person and target gives way to it.
    ///
    /// # Errors
    /// When nobody or more than one person is meant, when a moment is not understood or makes no sense, when there is
    /// no reason, or when the state cannot be written.
    pub fn give_override(&self, order: &OverrideOrder) -> Result<OverrideGiven, EngineError> {
        if let Some(target) = &order.target {
            self.target(target)?;
        }
        let _alone = self.ordering();
        let now = self.clock.now();
        let reason = reason(&order.reason)?;
        let person = self.find_one(&order.person)?;
        let mut remarks = Vec::new();
        let (from, until) = self.span(order, now, &mut remarks)?;
        let mut trail = Trail::open(&self.state)?;
        let mut writes = Writes::default();
        let given = Override {
            id: format!("o{}", trail.next()),
            anchor: person.anchor.clone(),
            label: person.label.clone(),
            target: order.target.clone(),
            effect: order.effect,
            from,
            until,
            reason,
            by: order.by.clone(),
            at: now,
        };
        let what = match order.effect {
            OverrideEffect::Grant => AuditWhat::Grant,
            OverrideEffect::Suspend => AuditWhat::Suspend,
        };
        trail.add(
            about(&given, what, now, &order.by, &given.reason),
            &mut writes,
        );
        let replaced = self.replace(&given, &mut trail, &mut writes)?;
        writes.put(OVERRIDE, given.id.clone(), Record::Override(given.clone()));
        writes.commit(&self.state)?;
        remarks.extend(self.caveats(&given, &person)?);
        let local = given.until.map(|until| {
            let local = until.to_zoned(self.zone());
            let zone = local.time_zone().iana_name().unwrap_or_default().to_owned();
            format!("{} {zone}", local.strftime("%Y-%m-%d %H:%M"))
        });
        Ok(OverrideGiven {
            given,
            local,
            replaced,
            remarks,
        })
    }

    /// Takes away what a new override takes the place of, and what is over anyhow.
    fn replace(
        &self,
        given: &Override,
        trail: &mut Trail,
        writes: &mut Writes,
    ) -> Result<Vec<Override>, EngineError> {
        let mut replaced = Vec::new();
        for old in kept(&self.state)? {
            if end(&old, given.at, trail, writes) {
                continue;
            }
            let same = old.anchor == given.anchor
                && old.effect == given.effect
                && old.target == given.target;
            if same {
                let why = format!("replaced by {}", given.id);
                trail.add(
                    about(&old, AuditWhat::Replace, given.at, &given.by, &why),
                    writes,
                );
                writes.remove(OVERRIDE, old.id.clone());
                replaced.push(old);
            }
        }
        Ok(replaced)
    }

    /// From when until when.
    fn span(
        &self,
        order: &OverrideOrder,
        now: Timestamp,
        remarks: &mut Vec<String>,
    ) -> Result<(Timestamp, Option<Timestamp>), EngineError> {
        let zone = self.zone();
        let mut read = |key: &str, text: &String, lean| {
            let found = moment(text, now, &zone, lean)
                .map_err(|why| EngineError::Refused(format!("--{key}: {why}")))?;
            remarks.extend(found.remark);
            Ok::<Timestamp, EngineError>(found.at)
        };
        // What gives access begins late and ends early; what takes it away, the other way round.
        let (begins, ends) = match order.effect {
            OverrideEffect::Grant => (Lean::Later, Lean::Earlier),
            OverrideEffect::Suspend => (Lean::Earlier, Lean::Later),
        };
        let from = match &order.from {
            Some(text) => read("from", text, begins)?,
            None => now,
        };
        let until = match &order.until {
            Some(text) => Some(read("until", text, ends)?),
            None => None,
        };
        judge(order.effect, from, until, now)?;
        Ok((from.max(now), until))
    }

    /// What an operator might expect of an override, and what it will not do.
    fn caveats(&self, given: &Override, person: &Known) -> Result<Vec<String>, EngineError> {
        let mut remarks = Vec::new();
        let targets = self.config.targets.iter().filter(|t| given.is_for(&t.name));
        for target in targets {
            let Some(shadow) = self.state.shadow(&target.name, &person.anchor)? else {
                continue;
            };
            let others: Vec<&str> = shadow
                .suspended
                .iter()
                .filter(|reason| **reason != SuspendReason::AccessWindow)
                .map(|reason| reason.as_str())
                .collect();
            if given.effect == OverrideEffect::Grant && !others.is_empty() {
                remarks.push(format!(
                    "in {} the account is suspended as {} too, and stays so: a grant lifts nothing but the access window",
                    target.name,
                    others.join(", ")
                ));
            }
            if let Some(freeze) = super::frozen(&self.state, &target.name)? {
                remarks.push(format!("{}: {freeze}", target.name));
            }
        }
        Ok(remarks)
    }

    /// Takes overrides back: the one of this id, or all of this person. Returns them.
    ///
    /// # Errors
    /// When there is none, when more than one person is meant, or when the state cannot be written.
    pub fn revoke_override(&self, named: &str, by: &str) -> Result<Vec<Override>, EngineError> {
        let _alone = self.ordering();
        let now = self.clock.now();
        let standing: Vec<Override> = kept(&self.state)?
            .into_iter()
            .filter(|order| !order.is_over(now))
            .collect();
        let by_id: Vec<Override> = standing.iter().filter(|o| o.id == named).cloned().collect();
        let revoked = if by_id.is_empty() {
            let anchor = self.holder(named, &standing)?;
            standing
                .into_iter()
                .filter(|order| order.anchor == anchor)
                .collect()
        } else {
            by_id
        };
        if revoked.is_empty() {
            let text = "there is no override for this person; `provost override list` shows those there are";
            return Err(EngineError::Refused(text.to_owned()));
        }
        let mut trail = Trail::open(&self.state)?;
        let mut writes = Writes::default();
        for order in &revoked {
            trail.add(about(order, AuditWhat::Revoke, now, by, ""), &mut writes);
            writes.remove(OVERRIDE, order.id.clone());
        }
        writes.commit(&self.state)?;
        Ok(revoked)
    }

    /// Whose overrides are meant. Somebody may be gone from the directory and still have some.
    fn holder(&self, named: &str, standing: &[Override]) -> Result<Anchor, EngineError> {
        let wanted = named.to_lowercase();
        let mut anchors: Vec<&Anchor> = standing
            .iter()
            .filter(|o| o.anchor.as_str() == wanted || o.label.to_lowercase() == wanted)
            .map(|order| &order.anchor)
            .collect();
        anchors.sort();
        anchors.dedup();
        match anchors.as_slice() {
            [one] => Ok((*one).clone()),
            _ => match self.find(named)?.as_slice() {
                [] => Err(EngineError::Refused(format!(
                    "no override is called \"{0}\", and nobody is known as that; `provost override list` shows those there are",
                    safe::text(named)
                ))),
                _ => Ok(self.find_one(named)?.anchor),
            },
        }
    }

    /// The overrides in force and to come, and on request the last entries of the trail.
    ///
    /// # Errors
    /// When the state cannot be used.
    pub fn overrides(&self, past: usize) -> Result<OverrideList, EngineError> {
        let now = self.clock.now();
        let mut standing = kept(&self.state)?;
        standing.retain(|order| !order.is_over(now));
        let past = if past == 0 {
            Vec::new()
        } else {
            self.trail(past)?
        };
        Ok(OverrideList {
            now,
            standing,
            past,
        })
    }

    /// The next moment at which an override begins or ends, for whoever waits.
    ///
    /// # Errors
    /// When the state cannot be used.
    pub fn next_order_edge(&self) -> Result<Option<Timestamp>, EngineError> {
        let now = self.clock.now();
        let kept = kept(&self.state)?;
        Ok(kept.iter().filter_map(|order| order.next_edge(now)).min())
    }

    /// Moves overrides that are over into the trail.
    ///
    /// # Errors
    /// When the state cannot be written.
    pub fn prune_overrides(&self) -> Result<(), EngineError> {
        let _alone = self.ordering();
        let now = self.clock.now();
        let kept = kept(&self.state)?;
        if !kept.iter().any(|order| order.is_over(now)) {
            return Ok(());
        }
        let mut trail = Trail::open(&self.state)?;
        let mut writes = Writes::default();
        for order in &kept {
            end(order, now, &mut trail, &mut writes);
        }
        Ok(writes.commit(&self.state)?)
    }
}

/// Ends an override if it is over.
fn end(order: &Override, now: Timestamp, trail: &mut Trail, writes: &mut Writes) -> bool {
    let Some(ended) = order.until.filter(|until| *until <= now) else {
        return false;
    };
    trail.add(about(order, AuditWhat::End, ended, PROVOST, ""), writes);
    writes.remove(OVERRIDE, order.id.clone());
    true
}

/// Whether somebody may order that at all.
fn judge(
    effect: OverrideEffect,
    from: Timestamp,
    until: Option<Timestamp>,
    now: Timestamp,
) -> Result<(), EngineError> {
    let refuse = |text: String| Err(EngineError::Refused(text));
    let Some(until) = until else {
        return match effect {
            OverrideEffect::Suspend => Ok(()),
            OverrideEffect::Grant => refuse(
                "say until when, for example --until 21:00: access beside the windows always ends"
                    .to_owned(),
            ),
        };
    };
    if until <= now {
        return refuse(format!("{until} is past (it is {now})"));
    }
    if until <= from {
        return refuse(format!("{until} is not after the beginning, {from}"));
    }
    let longest = SignedDuration::from_hours(24 * LONGEST_DAYS);
    if until.duration_since(now) > longest {
        return refuse(match effect {
            OverrideEffect::Grant => format!(
                "{until} is more than {LONGEST_DAYS} days away; whoever needs access for that long needs other windows in the configuration"
            ),
            OverrideEffect::Suspend => format!(
                "{until} is more than {LONGEST_DAYS} days away; leave out --until to suspend until it is revoked"
            ),
        });
    }
    Ok(())
}

/// A reason that says something, on one line.
pub(super) fn reason(text: &str) -> Result<String, EngineError> {
    let text = text.trim();
    if text.is_empty() {
        let text = "say why, with --reason: it is kept, and somebody will ask";
        return Err(EngineError::Refused(text.to_owned()));
    }
    if text.chars().count() > REASON || text.chars().any(char::is_control) {
        let text = format!("a reason is one line of at most {REASON} characters");
        return Err(EngineError::Refused(text));
    }
    Ok(text.to_owned())
}
