//! The configuration as used: complete, checked, with defaults filled in.
//!
//! Pure. Everything that lies outside the file (secrets, certificates, mappings) is asked for through [`Outside`],
//! which `load` answers. All problems are recorded with their places; a value that could not be read is replaced by
//! its default so that reading goes on and finds the next problem.

mod access;
mod auth;
mod common;
mod connector;
mod delivery;
mod http_app;
mod limits;
mod password;
mod per_server;
mod report;
mod secrets;
mod servers;
mod service;
mod source;
mod suspend;
mod target;
mod worklist;

use core::net::SocketAddr;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use secrecy::SecretString;
use toml::Spanned;
use toml::de::DeTable;
use zeroize::Zeroizing;

use super::keys;
use super::raw::{Findings, Located, Section};
use super::secret::{Prints, Reference};
use crate::deliver::settings::DeliverySettings;
use crate::model::Problem;
use crate::reconcile::access::{AccessRules, Policy, Zones};
use crate::reconcile::letters::LetterRules;
use crate::reconcile::mapping::Mapping;
use crate::reconcile::password::PasswordPolicy;
use crate::reconcile::{Limit, TargetRules};
use crate::source::settings::SourceSettings;
use crate::store::VaultKeys;
use crate::target::profile::Profile;
use crate::target::settings::ConnectorSettings;

pub use report::{Form, ReportSpec};
pub use service::{Control, Schedule};

/// The only version of the format there is.
const VERSION: u32 = 1;

/// Whether secrets are there.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Secrets {
    /// They are read, and must be there.
    Load,
    /// Only the form of their references is checked. The settings hold empty secrets and must not be used to connect.
    CheckFormOnly,
}

/// A checked configuration.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where shadows, journals and snapshots are kept.
    pub state_dir: PathBuf,
    /// How passwords of our own making are sealed; nothing that needs one can be configured without it.
    pub vault: Option<VaultSpec>,
    /// How people are told their passwords; `None` if they are not told by us.
    pub delivery: Option<DeliverySpec>,
    /// The directories, in the order of the file.
    pub sources: Vec<SourceSpec>,
    /// The applications, in the order of the file.
    pub targets: Vec<TargetSpec>,
    /// Who may speak to the daemon, and where.
    pub control: Control,
    /// Where the daemon's metrics are served, if anywhere.
    pub metrics: Option<SocketAddr>,
    /// Plans that the daemon makes on schedule for people to read.
    pub reports: Vec<ReportSpec>,
    /// The policies of access by the clock, in the order of the file.
    pub access: Vec<Arc<Policy>>,
    /// The time zones that policies are judged in.
    pub zones: Zones,
    /// SHA-256 over the configuration file and the files that it names, in lower-case hexadecimal.
    pub digest: String,
    /// Whether the settings hold the secrets.
    pub secrets: Secrets,
    /// What tells these secrets from those of another time; empty where they are not held.
    pub prints: Prints,
}

/// How the vault is sealed.
#[derive(Clone, Debug)]
pub struct VaultSpec {
    /// Where the current key comes from.
    pub reference: String,
    /// The keys; `None` when secrets are not loaded.
    pub keys: Option<VaultKeys>,
}

/// How people are told, and what.
#[derive(Clone, Debug)]
pub struct DeliverySpec {
    /// How letters are handed over.
    pub settings: DeliverySettings,
    /// Which letters there are.
    pub letters: Arc<LetterRules>,
}

/// A directory.
#[derive(Clone, Debug)]
pub struct SourceSpec {
    /// How it is read.
    pub settings: SourceSettings,
    /// How many entries fewer than in the last complete read are believed without asking.
    pub shrink: Limit,
}

/// An application.
#[derive(Clone, Debug)]
pub struct TargetSpec {
    /// Its name.
    pub name: String,
    /// The name of its source.
    pub source: String,
    /// What its accounts hold.
    pub mapping: Arc<Mapping>,
    /// Where the mapping was read from.
    pub mapping_file: PathBuf,
    /// What was decided for it.
    pub rules: TargetRules,
    /// When people have access by the clock.
    pub access: Arc<AccessRules>,
    /// Whether closing begins before its time where the target is too slow to be done by then.
    pub start_early: bool,
    /// Complete reads without a person that make the person a leaver; at least 2.
    pub confirm_absence_reads: u32,
    /// What the passwords that are made for it look like.
    pub password: PasswordPolicy,
    /// How it is spoken to.
    pub connector: ConnectorSettings,
    /// When it is worked on.
    pub schedule: Schedule,
}

impl Config {
    /// The source of that name.
    #[must_use]
    pub fn source(&self, name: &str) -> Option<&SourceSpec> {
        self.sources
            .iter()
            .find(|source| source.settings.name == name)
    }

    /// The target of that name.
    #[must_use]
    pub fn target(&self, name: &str) -> Option<&TargetSpec> {
        self.targets.iter().find(|target| target.name == name)
    }
}

/// What lies outside the configuration file. Paths are as written, relative ones to the file's folder.
///
/// Errors are messages without secrets, shown at the place of the reference.
pub trait Outside {
    /// The path a written path means.
    fn resolve(&self, path: &str) -> PathBuf;

    /// Whether secrets are loaded.
    fn secrets(&self) -> Secrets;

    /// The secret behind a reference; asked only when secrets are loaded.
    ///
    /// # Errors
    /// Why there is none.
    fn secret(&self, reference: &Reference) -> Result<SecretString, String>;

    /// The bytes behind a reference, which need not be text; asked only when secrets are loaded.
    ///
    /// # Errors
    /// Why there are none.
    fn key(&self, reference: &Reference) -> Result<Zeroizing<Vec<u8>>, String>;

    /// PEM certificates.
    ///
    /// # Errors
    /// Why there are none.
    fn certificates(&self, path: &Path) -> Result<Vec<u8>, String>;

    /// A text file that belongs to the configuration, such as a list of holidays.
    ///
    /// # Errors
    /// Why it cannot be read, with its name.
    fn text(&self, path: &Path) -> Result<String, String>;

    /// The time zones of this machine.
    ///
    /// # Errors
    /// Why there are none.
    fn system_zones(&self) -> Result<Zones, String>;

    /// A compiled mapping whose own tests pass; `None` if it has problems of its own, which are kept with that file.
    ///
    /// # Errors
    /// Why the file cannot be read.
    fn mapping(&self, path: &Path) -> Result<Option<Arc<Mapping>>, String>;

    /// A compiled application profile; `None` if it has problems of its own, which are kept with that file.
    ///
    /// # Errors
    /// Why the file cannot be read.
    fn profile(&self, path: &Path) -> Result<Option<Arc<Profile>>, String>;
}

/// There is one version of the format.
fn version(root: &Section<'_>) {
    if !root.has("version") {
        root.missing("version", "write `version = 1` at the top");
    } else if root
        .number("version", 0..=u32::MAX)
        .is_some_and(|version| version != VERSION)
    {
        root.error(
            "version",
            "this version of the format is not known",
            "write `version = 1`",
        );
    }
}

/// Reads a parsed file. `None` only if errors were recorded; the digest is left for the caller to fill in.
#[must_use]
pub fn read(
    table: &Spanned<DeTable<'_>>,
    findings: &Findings,
    outside: &dyn Outside,
) -> Option<Config> {
    // The whole file is no useful place for "missing": its first byte is.
    let root = Section::new(table.get_ref(), 0..0, String::new(), findings);
    root.expect(&keys::ROOT);
    version(&root);
    let state_dir = root.required(
        "state-dir",
        "the folder for what Provost remembers, such as \"/var/lib/provost\"",
    );
    let vault = secrets::read(&root, outside);
    let source_sections = root.tables("source");
    let sources: Vec<_> = source_sections
        .iter()
        .map(|section| source::read(section, outside))
        .collect();
    let access = access::read(&root, outside);
    let target_sections = root.tables("target");
    let mut targets: Vec<_> = target_sections
        .iter()
        .map(|section| target::read(section, &access, outside))
        .collect();
    let names: Vec<String> = target_sections
        .iter()
        .filter_map(|section| Some(name_of(section)?.value))
        .collect();
    let lists = delivery::lists(&root, &target_sections, &targets);
    let report_sections = root.tables("report");
    let papers = lists || report_sections.iter().any(|one| one.has("mail-to"));
    let delivery = delivery::read(&root, &names, papers, outside);
    let reports = report::read(&root, &report_sections, &names, delivery.as_ref(), outside);
    some_of_each(&root, &source_sections, &target_sections);
    service::schedules(&root, &source_sections, &target_sections, &mut targets);
    suspend::needs(
        &target_sections,
        &targets,
        vault.as_ref(),
        delivery.as_ref(),
    );
    unique_names(&source_sections);
    unique_names(&target_sections);
    known_sources(&source_sections, &target_sections);
    shared_applications(&target_sections);
    per_server::warn(&target_sections, &targets, &sources);
    let metrics = service::metrics(&root);
    // Its problems are recorded even where there is no state directory to put the socket in.
    let state_dir = state_dir.map(|dir| outside.resolve(&dir.value));
    let fallback = PathBuf::new();
    let control = service::control(&root, state_dir.as_deref().unwrap_or(&fallback), outside);
    let state_dir = state_dir?;
    Some(Config {
        targets: keep_tokens(targets, &state_dir)?,
        state_dir,
        vault: vault?,
        delivery: delivery?,
        sources: sources.into_iter().collect::<Option<_>>()?,
        control,
        metrics,
        reports: reports?,
        access: access.policies,
        zones: access.zones,
        digest: String::new(),
        secrets: outside.secrets(),
        prints: Prints::default(),
    })
}

/// Without a directory or an application there is nothing to do.
fn some_of_each(
    root: &Section<'_>,
    source_sections: &[Section<'_>],
    target_sections: &[Section<'_>],
) {
    if source_sections.is_empty() && !root.has("source") {
        root.missing(
            "source",
            "add a [[source]]: the directory that people are read from",
        );
    }
    if target_sections.is_empty() && !root.has("target") {
        root.missing(
            "target",
            "add a [[target]]: an application whose accounts follow the directory",
        );
    }
}

/// Refresh tokens that applications rotate are kept in the state directory. `None` only if errors were recorded.
fn keep_tokens(targets: Vec<Option<TargetSpec>>, state_dir: &Path) -> Option<Vec<TargetSpec>> {
    let mut targets = targets.into_iter().collect::<Option<Vec<_>>>()?;
    for target in &mut targets {
        if let ConnectorSettings::Http(settings) = &mut target.connector {
            settings.token_file = state_dir.join("tokens").join(&target.name);
        }
    }
    Some(targets)
}

/// The name of a table, if it is a text; problems with it are recorded where the table is read.
fn name_of(section: &Section<'_>) -> Option<Located<String>> {
    quiet(section, "name")
}

/// A text that is read a second time, for checks across tables: its problems are already recorded.
fn quiet(section: &Section<'_>, key: &str) -> Option<Located<String>> {
    section.peek(key)
}

fn unique_names(sections: &[Section<'_>]) {
    let mut seen: BTreeMap<String, ()> = BTreeMap::new();
    for section in sections {
        let Some(name) = name_of(section) else {
            continue;
        };
        if seen.insert(name.value.clone(), ()).is_some() {
            section.error(
                "name",
                "this name is taken",
                "names are unique: state is kept under them",
            );
        }
    }
}

fn known_sources(sources: &[Section<'_>], targets: &[Section<'_>]) {
    let names: Vec<String> = sources
        .iter()
        .filter_map(name_of)
        .map(|name| name.value)
        .collect();
    let mut used = Vec::new();
    for target in targets {
        let Some(source) = quiet(target, "source") else {
            continue;
        };
        if !names.contains(&source.value) {
            let nearest = super::suggest::nearest(&source.value, names.iter().map(String::as_str));
            let help = match nearest {
                Some(name) => format!("did you mean \"{name}\"?"),
                None => format!(
                    "the sources are {}",
                    super::raw::printable(&names.join(", "))
                ),
            };
            target.error("source", "there is no such source", help);
        }
        used.push(source.value);
    }
    for source in sources {
        if name_of(source).is_some_and(|name| !used.contains(&name.value)) {
            source.warning("name", "no target uses this source", "it is not read");
        }
    }
}

/// Two targets that write to one application undo each other's work, unless their people are disjoint.
fn shared_applications(targets: &[Section<'_>]) {
    let mut seen: BTreeMap<String, String> = BTreeMap::new();
    for target in targets {
        for key in ["url", "path"] {
            let Some(place) = quiet(target, key) else {
                continue;
            };
            let name = name_of(target).map_or_else(String::new, |name| name.value);
            let place_key = place.value.trim_end_matches('/').to_ascii_lowercase();
            if let Some(other) = seen.insert(place_key, name) {
                let other = super::raw::printable(&other);
                let message = format!("target \"{other}\" writes to the same application");
                let help = "two targets of one application undo each other's changes unless their scopes never overlap";
                target
                    .findings()
                    .warning(Problem::new(Some(place.span), &place.field, message).help(help));
            }
        }
    }
}

#[cfg(test)]
mod tests;
