//! `provost demo`: a company of 300 people, a practice application, and the whole life cycle for real.
//!
//! Every step edits the company's LDIF file and then runs the same commands that people run, through the same functions.
//! Nothing here talks to the engine, and nothing here uses a network.

mod company;
mod ldif;
mod story;

use std::fs;
use std::path::{Path, PathBuf};

use crate::config::load_embedded;
use crate::model::Outcome;

use super::Stop;
use super::args::{Demo, Global};
use super::out::Out;

/// The configuration, commented for playing on.
const CONFIG: &str = include_str!("provost.toml");
/// The mapping that ships for the practice application.
const MAPPING: &str = include_str!("../../../mappings/sandbox.toml");

pub(super) fn run(args: &Demo, global: &Global, out: &mut Out) -> Result<Outcome, Stop> {
    refuse_existing(&args.dir)?;
    let stage = Stage::build(&args.dir, global)?;
    story::tell(&stage, out)
}

/// Nothing that exists is ever overwritten: it may be somebody's work.
fn refuse_existing(dir: &Path) -> Result<(), Stop> {
    if !dir.exists() {
        return Ok(());
    }
    let shown = dir.display();
    if dir.join("provost.toml").exists() && dir.join("company.ldif").exists() {
        return Err(Stop::failed(format!(
            "the demo is already in {shown}; play on with `provost --config {shown}/provost.toml plan`, \
             or name another directory: `provost demo DIR`"
        )));
    }
    Err(Stop::failed(format!(
        "{shown} exists and is not a demo; name another directory: `provost demo DIR`"
    )))
}

/// The demo's files.
#[derive(Debug)]
struct Stage {
    dir: PathBuf,
    global: Global,
}

impl Stage {
    fn build(dir: &Path, global: &Global) -> Result<Self, Stop> {
        fs::create_dir_all(dir)
            .map_err(|error| Stop::failed(format!("{}: {error}", dir.display())))?;
        let files = [("provost.toml", CONFIG), ("sandbox.toml", MAPPING)];
        load_embedded(dir, &files)
            .map_err(|problems| Stop::Said(Outcome::ConfigInvalid, problems.render(false)))?;
        let mut global = global.clone();
        global.config = dir.join("provost.toml");
        Ok(Self {
            dir: dir.to_owned(),
            global,
        })
    }

    /// Makes the directory hold exactly these people.
    fn publish(&self, people: &[company::Person]) -> Result<(), Stop> {
        let path = self.dir.join("company.ldif");
        fs::write(&path, ldif::directory(people))
            .map_err(|error| Stop::failed(format!("{}: {error}", path.display())))
    }
}
