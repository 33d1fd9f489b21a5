//! `provost state`: what is remembered, whether it is sound, and how it is mended. Touches no application.

use comfy_table::{Table, presets};

use crate::config::{Config, Secrets};
use crate::model::{Anchor, Life, Outcome, Shadow};
use crate::report::safe;
use crate::store::{self, Opened, State};

use super::args::{self, Global, StateCommand};
use super::out::Out;
use super::{Stop, load};

pub(super) fn run(args: &args::State, global: &Global, out: &mut Out) -> Result<Outcome, Stop> {
    let config = load::config_quietly(global, Secrets::CheckFormOnly)?.config;
    let dir = &config.state_dir;
    if !dir.exists() {
        let shown = dir.display();
        return Err(Stop::failed(format!(
            "{shown} does not exist: nothing was run yet"
        )));
    }
    match &args.command {
        StateCommand::Show { target } => {
            load::known_target(&config, target)?;
            show(&State::open(dir)?, target, out)
        }
        StateCommand::Verify => verify(&State::open(dir)?, out),
        StateCommand::Rebuild => rebuild(&config, out),
        StateCommand::Forget { target, anchor } => {
            load::known_target(&config, target)?;
            forget(&State::open(dir)?, target, anchor, out)
        }
    }
}

fn show(state: &State, target: &str, out: &mut Out) -> Result<Outcome, Stop> {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_header(["account", "state", "anchor", "name"]);
    let mut count = 0_usize;
    state.shadows(target, &mut |shadow| {
        let account = shadow.account.as_ref().map_or("-", |id| id.0.as_str());
        table.add_row([
            safe::text(account),
            standing(&shadow),
            safe::text(shadow.anchor.as_str()),
            safe::text(&shadow.label),
        ]);
        count += 1;
    })?;
    out.report(&format!("{}\n{count} remembered", table.trim_fmt()))?;
    Ok(Outcome::NothingToDo)
}

fn standing(shadow: &Shadow) -> String {
    match &shadow.life {
        Life::Tombstone { since } => format!("gone since {since}"),
        Life::Unconfirmed { doing } => format!("unconfirmed: {}", safe::text(doing)),
        Life::Live if shadow.suspended.is_empty() => "live".to_owned(),
        Life::Live => {
            let reasons: Vec<&str> = shadow.suspended.iter().map(|r| r.as_str()).collect();
            format!("suspended: {}", reasons.join(", "))
        }
    }
}

fn verify(state: &State, out: &mut Out) -> Result<Outcome, Stop> {
    let found = state.verify()?;
    let mut text = format!(
        "{} journal entries ({} bytes), {} shadows, {} people, {} other records, {} calls without an outcome\n",
        found.entries,
        found.journal_bytes,
        found.shadows,
        found.identities,
        found.others,
        found.open
    );
    for problem in &found.problems {
        text.push_str(&format!("! {}\n", safe::text(problem)));
    }
    if found.is_sound() {
        text.push_str("Journal and index agree.\n");
        out.report(&text)?;
        return Ok(Outcome::NothingToDo);
    }
    text.push_str("Run `provost state rebuild` to make the index anew from the journal.\n");
    out.report(&text)?;
    Ok(Outcome::Failed)
}

fn rebuild(config: &Config, out: &mut Out) -> Result<Outcome, Stop> {
    let text = match store::rebuild(&config.state_dir)? {
        Opened::Fresh => "There was nothing to rebuild; a new state was begun.".to_owned(),
        Opened::Clean => "Journal and index agreed.".to_owned(),
        Opened::Replayed { n } => format!("{n} journal entries were applied to the index."),
        Opened::Rebuilt { moved_to, .. } => match moved_to {
            Some(path) => format!(
                "The index was made anew from the journal. The old one is in {}.",
                path.display()
            ),
            None => "The index was made anew from the journal.".to_owned(),
        },
    };
    out.report(&text)?;
    Ok(Outcome::Applied)
}

fn forget(state: &State, target: &str, anchor: &str, out: &mut Out) -> Result<Outcome, Stop> {
    let known = Anchor::new(anchor).ok();
    let shadow = match &known {
        Some(anchor) => state.shadow(target, anchor)?,
        None => None,
    };
    let (Some(anchor), Some(shadow)) = (known, shadow) else {
        return Err(Stop::failed(format!(
            "nothing is remembered of {} in {target}; `provost state show {target}` lists everybody",
            safe::text(anchor)
        )));
    };
    state.forget(target, &anchor)?;
    let label = safe::text(&shadow.label);
    out.report(&format!(
        "{label} is forgotten in {target}; the account itself was not touched, and the next run looks for it again."
    ))?;
    Ok(Outcome::Applied)
}
