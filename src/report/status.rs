//! Where everything stands: one value for `provost status` as text, as JSON, and for its exit code.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;

use super::json::VERSION;
use crate::model::Outcome;

/// Where everything stands.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub struct Status {
    /// As of when.
    pub now: Timestamp,
    /// The version of the program that looked.
    pub program: &'static str,
    /// The running service; `None` if none runs, and this is from what is remembered.
    pub service: Option<Service>,
    /// Each directory.
    pub sources: Vec<SourceStatus>,
    /// Each application.
    pub targets: Vec<TargetStatus>,
    /// Each report that is made on schedule; empty if no service runs.
    pub reports: Vec<ReportStatus>,
    /// What the last look into the vault found; `None` without a vault or a service.
    pub vault: Option<VaultStatus>,
    /// Overrides in force, a line for each.
    pub overrides: Vec<String>,
    /// Why nothing is written anywhere, if an operator ordered that.
    pub freeze: Option<String>,
}

/// The running service.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub struct Service {
    /// Since when it runs.
    pub since: Timestamp,
    /// Since when its configuration is in force.
    pub configured: Timestamp,
    /// Why the configuration file is not the one in force.
    pub config_error: Option<String>,
    /// Where its metrics are served.
    pub metrics: Option<String>,
    /// Whether nothing goes on at the moment.
    pub idle: bool,
}

/// Where one directory stands.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub struct SourceStatus {
    /// The source.
    pub source: String,
    /// When it was last read in full.
    pub complete_read: Option<Timestamp>,
    /// How many seconds ago that was.
    pub age_seconds: Option<i64>,
    /// How many entries that read returned.
    pub entries: Option<u64>,
    /// Which server or file answered last.
    pub server: Option<String>,
    /// What was missing from the last read, or why there was none.
    pub trouble: Option<String>,
}

/// Where one application stands.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub struct TargetStatus {
    /// The target.
    pub target: String,
    /// When its last run ended.
    pub last_run: Option<Timestamp>,
    /// How.
    #[schemars(with = "Option<String>")]
    pub last_outcome: Option<Outcome>,
    /// Why no plan could be made, or why applying stopped.
    pub error: Option<String>,
    /// Accounts under management.
    pub managed: u64,
    /// Of these, suspended by us.
    pub suspended: u64,
    /// Accounts whose last call has an unknown outcome.
    pub unconfirmed: u64,
    /// Changes of the last run that were allowed and not made.
    pub pending: u64,
    /// People who need somebody to look.
    pub held: u64,
    /// The digest of the changes that wait for release.
    pub waiting_digest: Option<String>,
    /// How many they are.
    pub waiting_changes: u64,
    /// Since when a suspension is due that is not made.
    pub oldest_suspension: Option<Timestamp>,
    /// Why a run goes on at the moment, and since when.
    pub running: Option<(String, Timestamp)>,
    /// What comes next, and when.
    pub next: Vec<(String, Timestamp)>,
    /// The next closing by access windows, if it is known how long it takes.
    pub closing: Option<ClosingStatus>,
}

/// A moment at which windows close, and the work that it makes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub struct ClosingStatus {
    /// When access ends.
    pub at: Timestamp,
    /// For how many people.
    pub people: u64,
    /// How many seconds taking it away from all of them takes.
    pub seconds: i64,
    /// When it must begin to be done in time.
    pub begin: Timestamp,
    /// Whether it begins then; otherwise it begins when access ends.
    pub early: bool,
    /// How many seconds after its time the last of them is closed.
    pub late_seconds: i64,
}

/// What a look at every sealed secret found.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub struct VaultStatus {
    /// When they were looked at.
    pub verified: Timestamp,
    /// How many could be opened.
    pub secrets: u64,
    /// Whether some are sealed with an old key.
    pub old_key: bool,
    /// What is damaged.
    pub problems: Vec<String>,
}

/// Where one scheduled report stands.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub struct ReportStatus {
    /// The report.
    pub report: String,
    /// When the last one was made and handed over.
    pub last: Option<Timestamp>,
    /// Why the one after it could not be.
    pub error: Option<String>,
    /// When the next one, or the next try, is due.
    pub next: Option<Timestamp>,
}

/// The document that `--json` writes.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Document<'a> {
    version: u32,
    kind: &'static str,
    outcome: &'static str,
    #[serde(flatten)]
    status: &'a Status,
}

impl Status {
    /// The outcome that needs the most attention.
    #[must_use]
    pub fn outcome(&self) -> Outcome {
        let broken = self
            .service
            .as_ref()
            .and_then(|one| one.config_error.as_ref());
        let broken = broken.map(|_| Outcome::ConfigInvalid);
        let unread = self.sources.iter().any(|source| source.trouble.is_some());
        let unread = unread.then_some(Outcome::SourceIncomplete);
        let damaged = self.vault.as_ref().filter(|one| !one.problems.is_empty());
        let damaged = damaged.map(|_| Outcome::Failed);
        let targets = self.targets.iter().filter_map(|one| one.last_outcome);
        let worst = targets.chain(broken).chain(unread).chain(damaged).max();
        worst.unwrap_or(Outcome::NothingToDo)
    }

    /// As versioned JSON.
    #[must_use]
    pub fn json(&self) -> String {
        let document = Document {
            version: VERSION,
            kind: "status",
            outcome: self.outcome().as_str(),
            status: self,
        };
        // Plain owned data with string keys always serialises.
        serde_json::to_string_pretty(&document).unwrap_or_default()
    }
}
