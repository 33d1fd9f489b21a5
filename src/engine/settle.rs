//! After a run: who needs no second look, and what is remembered of the target.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::gather::{Digests, Rests};
use super::orders::{WAITING, released};
use super::result::{ChangeStatus, TargetReport};
use super::{EngineError, Session};
use crate::model::{Action, Anchor, Change};
use crate::reconcile::access::Pace;
use crate::reconcile::guard::{Kind, is_foretold, kind};
use crate::store::{PastEffect, Release, Settled};

/// How long taking one account's access away took last, under this name, in thousandths of a second.
pub(super) const PACE: &str = "suspend-millis";

/// Marks as settled everybody whose account now is as wanted, and unmarks those where something went wrong.
/// `digests` and `settled` are in the order of the anchors.
pub(super) fn settle(
    session: &Session,
    target: &str,
    digests: &Digests,
    settled: &[(Anchor, Option<jiff::Timestamp>)],
    report: &TargetReport,
) -> Result<(), EngineError> {
    if digests.is_empty() {
        // Nobody was decided about: the marks need not even be read.
        return Ok(());
    }
    let open = unmade(report);
    tokio::task::block_in_place(|| session.state.commit_register(target))?;
    let known = known(session, target, digests)?;
    let mut marks = Vec::new();
    let mut settled = settled.iter().peekable();
    for (anchor, rests) in digests {
        while settled.next_if(|(other, _)| other < anchor).is_some() {}
        let due = settled.next_if(|(other, _)| other == anchor);
        let due = due.map(|(_, due)| *due);
        let known = known.get(anchor.as_str());
        let mark = due
            .filter(|_| !open.contains(anchor) && rests.digest != [0; 16])
            .map(|due| Settled {
                digest: rests.digest,
                due: due.map(jiff::Timestamp::as_second),
                orders: rests.orders,
                overdue: false,
                closes: due.is_some() && due == rests.closes,
                early: early(rests),
            })
            .or_else(|| unsettled(rests, known, due));
        if known != mark.as_ref() {
            marks.push((anchor.clone(), mark));
        }
    }
    if marks.is_empty() {
        return Ok(());
    }
    Ok(tokio::task::block_in_place(|| {
        session.state.commit_settled(target, &marks)
    })?)
}

/// Everybody whose changes were not all made.
fn unmade(report: &TargetReport) -> HashSet<&Anchor> {
    let staged = report.verdict.iter().flat_map(|verdict| &verdict.staged);
    let unmade = report.results.iter().filter(|result| !result.is_made());
    staged
        .map(|change| &change.anchor)
        .chain(unmade.map(|result| &result.change.anchor))
        .collect()
}

/// The marks of these people as they are.
fn known<'a>(
    session: &Session,
    target: &str,
    digests: &'a Digests,
) -> Result<HashMap<&'a str, Settled>, EngineError> {
    let mut known = HashMap::new();
    session.state.each_settled(target, &mut |anchor, mark| {
        let place = digests.binary_search_by(|(other, _)| other.as_str().cmp(anchor));
        let found = place.ok().and_then(|place| digests.get(place));
        if let Some((anchor, _)) = found {
            known.insert(anchor.as_str(), mark);
        }
    })?;
    Ok(known)
}

/// Somebody who must be looked at again keeps the moment at which time alone changes what they should have: an edge must
/// not be missed because something else went wrong before it.
///
/// What was foretold and could not be done stays foretold: else it would count as a mass change when it is tried again.
fn unsettled(
    rests: &Rests,
    known: Option<&Settled>,
    due: Option<Option<jiff::Timestamp>>,
) -> Option<Settled> {
    let now = due.flatten().map(jiff::Timestamp::as_second);
    let due = now.or_else(|| known.and_then(|known| known.due));
    if rests.foretold {
        return Some(Settled {
            digest: rests.digest,
            due,
            orders: rests.orders,
            overdue: true,
            closes: false,
            early: early(rests),
        });
    }
    Some(Settled {
        digest: [0; 16],
        due: Some(due?),
        orders: 0,
        overdue: false,
        closes: false,
        early: early(rests),
    })
}

fn early(rests: &Rests) -> Option<i64> {
    rests.early.map(jiff::Timestamp::as_second)
}

/// Remembers how the run of a target ended: outcome, what waits for release, destructive effects of the last day.
pub(super) fn remember(session: &Session, report: &TargetReport) -> Result<(), EngineError> {
    let now = session.clock.now();
    let mut meta = session.state.target_meta(&report.target)?;
    meta.last_outcome = Some(report.outcome);
    meta.last_run_at = Some(now);
    meta.last_config = Some(session.config.digest.clone());
    let day = jiff::SignedDuration::from_hours(24);
    meta.history
        .retain(|effect| now.duration_since(effect.at) < day);
    meta.history.extend(
        destructive(report)
            .into_iter()
            .map(|(kind, count)| PastEffect {
                at: now,
                kind: kind.as_str().to_owned(),
                count,
            }),
    );
    let waiting = report.waiting().len() as u64;
    meta.counters.insert(WAITING.to_owned(), waiting);
    if let Some((millis, people)) = report.pace {
        let known = session.pace(session.target(&report.target)?)?;
        if let Some(pace) = Pace::learnt(known, millis, people) {
            meta.counters.insert(PACE.to_owned(), pace);
        }
    }
    if let Some(plan) = &report.plan {
        // Of what was seen while frozen nothing was recorded.
        if plan.basis.live && report.frozen.is_none() {
            meta.last_list_at = Some(now);
        }
        meta.counters
            .insert("managed".to_owned(), managed(session, report)?);
        meta.counters
            .insert("held".to_owned(), plan.held.len() as u64);
        meta.counters
            .insert("orphans".to_owned(), plan.orphans.len() as u64);
        let pending = report.unmade().count() as u64;
        meta.counters.insert("pending".to_owned(), pending);
        meta.oldest_suspension = unsuspended(report).then(|| {
            let since = meta.oldest_suspension.unwrap_or(now);
            since.min(now)
        });
    }
    if let Some(verdict) = &report.verdict {
        if verdict.approval_used && report.frozen.is_none() {
            meta.release = None;
        }
        if report.frozen.is_none()
            && (verdict.approval_used || !verdict.approved.changes().is_empty())
        {
            meta.released_once = true;
        }
        meta.staged_digest.clone_from(&verdict.release);
        meta.staged = match (&report.plan, &verdict.release) {
            (Some(plan), Some(_)) => {
                let mut staged = plan.clone();
                staged.changes.clone_from(&verdict.staged);
                Some(staged)
            }
            (Some(_) | None, _) => None,
        };
    }
    Ok(session.state.set_target_meta(&report.target, meta)?)
}

/// Whether somebody should have lost access and has not.
fn unsuspended(report: &TargetReport) -> bool {
    let suspends = |change: &Change| matches!(change.action, Action::Suspend(_));
    let staged = report.verdict.iter().flat_map(|verdict| &verdict.staged);
    let mut unmade = report.unmade().map(|one| &one.change).chain(staged);
    unmade.any(|change| suspends(change))
}

/// Accounts under management after the run.
fn managed(session: &Session, report: &TargetReport) -> Result<u64, EngineError> {
    if report.results.is_empty() {
        return Ok(report.plan.as_ref().map_or(0, |plan| plan.managed as u64));
    }
    Ok(session.state.shadow_count(&report.target)?)
}

fn destructive(report: &TargetReport) -> BTreeMap<Kind, u32> {
    let mut counts = BTreeMap::new();
    for result in &report.results {
        let made = matches!(
            result.status,
            ChangeStatus::Done | ChangeStatus::DoneWith(_) | ChangeStatus::Partly(_)
        );
        // What the schedule foretold is not what the day's budget is for, and going on with a procedure that was held up
        // was counted when it began.
        let foretold = report
            .plan
            .as_ref()
            .is_some_and(|plan| is_foretold(&result.change, plan));
        let made = made && !foretold && !result.change.resumes;
        if let Some(kind) = kind(&result.change).filter(|kind| made && kind.is_destructive()) {
            *counts.entry(kind).or_default() += 1;
        }
    }
    counts
}

/// What a release covers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Released {
    /// So many changes that were set aside.
    Waiting(usize),
    /// Nothing waits yet: the next run uses the release if it sets aside exactly what was named.
    Ahead,
}

impl Session {
    /// Approves what was set aside for a target, under its digest or a prefix of at least 12 characters.
    /// What a dry run showed may be approved before any run has set it aside.
    ///
    /// # Errors
    /// When something else waits, or what was typed is no digest.
    pub fn release(&self, target: &str, typed: &str, by: &str) -> Result<Released, EngineError> {
        self.target(target)?;
        let mut meta = self.state.target_meta(target)?;
        let typed = typed.to_ascii_lowercase();
        if typed.len() < 12 || !typed.chars().all(|c| c.is_ascii_hexdigit()) {
            let text = format!(
                "{typed} is not a digest: type at least the 12 characters that the plan shows"
            );
            return Err(EngineError::Digest(text));
        }
        let now = self.clock.now();
        let (digest, extent) = match &meta.staged_digest {
            Some(digest) if digest.is_named_by(&typed) => {
                let changes = meta.staged.as_ref().map_or(0, |plan| plan.changes.len());
                (digest.clone(), Released::Waiting(changes))
            }
            Some(digest) => {
                let text = format!(
                    "what waits in \"{target}\" is {}, not {typed}; look at it with `provost plan {target}`",
                    digest.short()
                );
                return Err(EngineError::Digest(text));
            }
            None => (crate::model::Digest(typed), Released::Ahead),
        };
        meta.release = Some(Release {
            digest: digest.clone(),
            by: by.to_owned(),
            at: now,
        });
        let entry = released(target, digest.short(), by, now);
        self.state.set_target_meta(target, meta)?;
        self.note(entry)?;
        Ok(extent)
    }
}
