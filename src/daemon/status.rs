//! Where everything stands, from what is remembered and, while the service runs, from what it knows besides.

use jiff::Timestamp;

use super::turn::Turn;
use crate::config::Config;
use crate::engine::{EngineError, Session};
use crate::model::Life;
use crate::report::status::{ClosingStatus, Service, SourceStatus, Status, TargetStatus};
use crate::store::State;

/// The version of this program.
pub const PROGRAM: &str = env!("CARGO_PKG_VERSION");

/// Where everything stands according to what is remembered; without a state, nothing is. In full, every account is
/// looked at; otherwise those that are suspended or unconfirmed are not counted.
///
/// # Errors
/// When the store fails.
pub fn remembered(
    config: &Config,
    state: Option<&State>,
    now: Timestamp,
    in_full: bool,
) -> Result<Status, EngineError> {
    let mut sources = Vec::new();
    for spec in &config.sources {
        sources.push(source(&spec.settings.name, state, now)?);
    }
    let mut targets = Vec::new();
    for spec in &config.targets {
        targets.push(target(&spec.name, state, now, in_full)?);
    }
    Ok(Status {
        now,
        program: PROGRAM,
        service: None,
        sources,
        targets,
        reports: Vec::new(),
        vault: None,
        overrides: Vec::new(),
        freeze: None,
    })
}

fn source(name: &str, state: Option<&State>, now: Timestamp) -> Result<SourceStatus, EngineError> {
    let meta = match state {
        Some(state) => state.source_meta(name)?,
        None => None,
    };
    let complete_read = meta.as_ref().and_then(|meta| meta.last_full_at);
    let trouble = meta.as_ref().filter(|meta| !meta.full);
    Ok(SourceStatus {
        source: name.to_owned(),
        complete_read,
        age_seconds: complete_read.map(|at| now.duration_since(at).as_secs()),
        entries: meta.as_ref().and_then(|meta| meta.last_full_entries),
        trouble: trouble.map(|meta| meta.shortfalls.join("; ")),
        server: meta.map(|meta| meta.server),
    })
}

fn target(
    name: &str,
    state: Option<&State>,
    now: Timestamp,
    in_full: bool,
) -> Result<TargetStatus, EngineError> {
    let mut status = TargetStatus {
        target: name.to_owned(),
        ..TargetStatus::default()
    };
    let Some(state) = state else {
        return Ok(status);
    };
    let meta = state.target_meta(name)?;
    let count = |key: &str| meta.counters.get(key).copied().unwrap_or(0);
    status.pending = count("pending");
    status.held = count("held");
    status.last_run = meta.last_run_at;
    status.last_outcome = meta.last_outcome;
    status.oldest_suspension = meta.oldest_suspension;
    if let (Some(digest), Some(plan)) = (&meta.staged_digest, &meta.staged) {
        status.waiting_digest = Some(digest.short().to_owned());
        status.waiting_changes = plan.changes.len() as u64;
    }
    if !in_full {
        status.managed = count("managed");
        return Ok(status);
    }
    state.shadows(name, &mut |shadow| {
        match shadow.life {
            Life::Live => status.managed += 1,
            Life::Unconfirmed { .. } => {
                status.managed += 1;
                status.unconfirmed += 1;
            }
            Life::Tombstone { .. } => {}
        }
        if !shadow.suspended.is_empty() {
            status.suspended += 1;
        }
    })?;
    let due = state.earliest_due(name, now.as_second())?;
    let edge = due.and_then(|second| Timestamp::from_second(second).ok());
    status.next.extend(edge.map(|at| ("edge".to_owned(), at)));
    Ok(status)
}

/// The orders of operators that are in force.
///
/// # Errors
/// When the store fails.
pub fn orders(status: &mut Status, session: &Session) -> Result<(), EngineError> {
    let frozen = session.freezes()?;
    let lines = frozen.iter().filter_map(|one| {
        let freeze = one.freeze.as_ref()?;
        Some(format!("{}: {freeze}", one.target))
    });
    let lines: Vec<String> = lines.collect();
    status.freeze = (!lines.is_empty()).then(|| lines.join("; "));
    let now = session.clock.now();
    for order in session.overrides(0)?.standing {
        let target = order.target.as_deref().unwrap_or("all targets");
        let until = order
            .until
            .map_or("revoked".to_owned(), |at| at.to_string());
        let (effect, label) = (order.effect, &order.label);
        let from = if order.is_active(now) {
            String::new()
        } else {
            format!("from {} ", order.from)
        };
        let line = format!(
            "{effect} {label} in {target} {from}until {until}: {}",
            order.reason
        );
        status.overrides.push(line);
    }
    Ok(())
}

/// What the running service adds.
pub(super) fn live(turn: &Turn, service: Service, in_full: bool) -> Result<Status, EngineError> {
    let session = &turn.session;
    let now = session.clock.now();
    let mut status = remembered(&session.config, Some(&session.state), now, in_full)?;
    status.service = Some(service);
    status.vault.clone_from(&turn.upkeep.vault);
    orders(&mut status, session)?;
    for one in &mut status.sources {
        // What is known now says more than what the last read said.
        if let Some(trouble) = turn.trouble.get(&one.source) {
            one.trouble = Some(trouble.clone());
        }
    }
    for one in &mut status.targets {
        let Some(known) = turn.known.get(&one.target) else {
            continue;
        };
        one.error = known.last.as_ref().and_then(|(.., error)| error.clone());
        if in_full && let Some((closing, late)) = session.next_closing(&one.target)? {
            one.closing = Some(ClosingStatus {
                at: closing.at,
                people: closing.people as u64,
                seconds: closing.takes.as_secs(),
                begin: closing.begin,
                early: session.target(&one.target)?.start_early,
                late_seconds: late.as_secs(),
            });
        }
        let running = turn.work.running(&one.target);
        one.running = running.map(|run| (run.cause.as_str().to_owned(), run.began));
        let mut next: Vec<_> = super::schedule::What::ALL
            .iter()
            .filter_map(|what| Some((what.as_str().to_owned(), known.times.due(*what, now)?)))
            .collect();
        next.sort_by_key(|(_, at)| *at);
        one.next = next;
    }
    Ok(status)
}
