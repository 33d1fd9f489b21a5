//! `provost status`: where every target stands, from what is remembered. Connects to nothing.

use crate::config::{Config, Secrets};
use crate::model::{Life, Outcome};
use crate::report::{json, text};
use crate::store::State;

use super::args::Global;
use super::out::Out;
use super::{Stop, load};

pub(super) fn run(global: &Global, out: &mut Out) -> Result<Outcome, Stop> {
    let config = load::config_quietly(global, Secrets::CheckFormOnly)?.config;
    let all = statuses(&config)?;
    let attention = all.iter().filter_map(|one| one.last).map(|(_, o)| o).max();
    let outcome = attention.unwrap_or(Outcome::NothingToDo);
    if out.json {
        let targets = all.iter().map(json::StatusV1::new).collect();
        out.report(&json::document("status", outcome, targets))?;
    } else {
        out.report(&text::status(&all, out.look))?;
    }
    // The exit code is about this command: it looked and told.
    Ok(Outcome::NothingToDo)
}

fn statuses(config: &Config) -> Result<Vec<text::TargetStatus>, Stop> {
    // Looking must not begin a state directory.
    let state = if config.state_dir.exists() {
        Some(State::open(&config.state_dir)?)
    } else {
        None
    };
    let mut all = Vec::new();
    for target in &config.targets {
        let mut status = text::TargetStatus {
            target: target.name.clone(),
            last: None,
            managed: 0,
            suspended: 0,
            unconfirmed: 0,
            waiting: None,
        };
        if let Some(state) = &state {
            fill(&mut status, state)?;
        }
        all.push(status);
    }
    Ok(all)
}

fn fill(status: &mut text::TargetStatus, state: &State) -> Result<(), Stop> {
    let meta = state.target_meta(&status.target)?;
    status.last = meta.last_run_at.zip(meta.last_outcome);
    if let (Some(digest), Some(plan)) = (&meta.staged_digest, &meta.staged) {
        status.waiting = Some((digest.short().to_owned(), plan.changes.len()));
    }
    let target = status.target.clone();
    state.shadows(&target, &mut |shadow| {
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
    Ok(())
}
