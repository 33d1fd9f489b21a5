//! `provost explain`: everything about one person, and why something is or is not done.

use crate::config::TargetSpec;
use crate::daemon::control::ask::Command;
use crate::engine::{Known, Session, TargetReport, ambiguous, is_meant, is_named, is_remembered};
use crate::model::{Anchor, Identity, Outcome, Plan, Shadow};
use crate::report::{Look, safe, text};

use super::args::{Explain, Global};
use super::out::Out;
use super::progress::Progress;
use super::{Stop, engine, service};

pub(super) fn run(args: &Explain, global: &Global, out: &mut Out) -> Result<Outcome, Stop> {
    let command = Command::Explain {
        person: args.person.clone(),
        target: args.target.clone(),
    };
    if let Some(outcome) = service::ask(command, global, out)? {
        return Ok(outcome);
    }
    let session = engine::session(global)?;
    let _progress = Progress::start(global, "planning");
    let text = explained(&session, &args.person, args.target.as_deref(), out.look)?;
    out.report(&text)?;
    Ok(Outcome::NothingToDo)
}

/// Everything about one person, in one target or in all.
pub(super) fn explained(
    session: &Session,
    person: &str,
    target: Option<&str>,
    look: Look,
) -> Result<String, Stop> {
    let names: Vec<String> = target.map(str::to_owned).into_iter().collect();
    let targets = session.select(&names)?;
    let request = engine::request(&names, false);
    let report = engine::block_on(crate::engine::plan(session, &request))?;
    let mut text = String::new();
    for spec in &targets {
        let Some(about) = report.targets.iter().find(|one| one.target == spec.name) else {
            continue;
        };
        if let Some(part) = one_target(session, spec, about, person, look)? {
            text.push_str(&part);
            if !text.ends_with('\n') {
                text.push('\n');
            }
        }
    }
    if text.is_empty() {
        return Err(Stop::failed(format!(
            "nobody is known as \"{}\"; try the anchor, DN, login, mail address or display name",
            safe::text(person)
        )));
    }
    Ok(text)
}

/// Explains the person in one target; `None` if nobody fits.
fn one_target(
    session: &Session,
    spec: &TargetSpec,
    about: &TargetReport,
    person: &str,
    look: Look,
) -> Result<Option<String>, Stop> {
    let candidates = candidates(session, spec, person)?;
    let (anchor, identity) = match candidates.as_slice() {
        [] => return Ok(None),
        [one] => (one.anchor.clone(), one.identity.clone()),
        several => {
            let several: Vec<Known> = several.iter().map(Candidate::known).collect();
            return Err(Stop::failed(ambiguous(person, &several)));
        }
    };
    let shadow = session.state.shadow(&spec.name, &anchor)?;
    let mapped = identity.as_ref().map(|one| spec.mapping.explain(one));
    let plan = about.plan.as_ref().map(|plan| about_one(plan, &anchor));
    let now = about
        .plan
        .as_ref()
        .map_or_else(|| session.clock.now(), |plan| plan.basis.now);
    let orders = session.overrides(0)?.standing;
    let access = identity
        .as_ref()
        .map(|one| spec.access.judge(one, &orders, now));
    let early = session.closed_before(&spec.name, &anchor)?;
    let before = identity.as_ref().zip(access.as_ref()).zip(early);
    let before =
        before.and_then(|((one, now), at)| spec.access.at(at).before_time(now, one, &orders));
    let access = before.or(access);
    let explanation = text::Explanation {
        target: &spec.name,
        identity: identity.as_ref(),
        mapped: mapped.as_ref(),
        access: access.as_ref(),
        shadow: shadow.as_ref(),
        plan: plan.as_ref(),
        error: about.error.as_deref(),
    };
    Ok(Some(text::explain(&explanation, look)))
}

/// Somebody who may be meant.
struct Candidate {
    anchor: Anchor,
    label: String,
    identity: Option<Identity>,
}

impl Candidate {
    fn known(&self) -> Known {
        Known {
            anchor: self.anchor.clone(),
            label: self.label.clone(),
        }
    }
}

/// Everybody who fits, in the directory as it is now or among the accounts.
fn candidates(session: &Session, spec: &TargetSpec, person: &str) -> Result<Vec<Candidate>, Stop> {
    let wanted = person.to_lowercase();
    let mut found: Vec<Candidate> = Vec::new();
    let mut look = |identity: Identity| {
        if is_meant(&identity, &wanted) {
            found.push(Candidate {
                anchor: identity.anchor.clone(),
                label: identity.label().to_owned(),
                identity: Some(identity),
            });
        }
    };
    engine::block_on(session.people(&spec.source, &mut look))?;
    let remember = |fits: &dyn Fn(&Shadow) -> bool, found: &mut Vec<Candidate>| {
        session.state.shadows(&spec.name, &mut |shadow: Shadow| {
            if fits(&shadow) && found.iter().all(|one| one.anchor != shadow.anchor) {
                found.push(Candidate {
                    anchor: shadow.anchor,
                    label: shadow.label,
                    identity: None,
                });
            }
        })
    };
    remember(&|shadow| is_remembered(shadow, &wanted), &mut found)?;
    if found.is_empty() {
        // Who left the directory is still asked for by login.
        remember(
            &|shadow| is_named(shadow, &spec.mapping, &wanted),
            &mut found,
        )?;
    }
    found.sort_by(|a, b| a.anchor.cmp(&b.anchor));
    Ok(found)
}

/// The plan, cut down to one person.
fn about_one(plan: &Plan, anchor: &Anchor) -> Plan {
    let mut plan = plan.clone();
    plan.changes.retain(|change| change.anchor == *anchor);
    plan.held.retain(|held| held.anchor == *anchor);
    plan.notices.retain(|notice| notice.anchor == *anchor);
    plan.orphans.clear();
    plan
}
