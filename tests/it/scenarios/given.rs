//! The input files of a scenario.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use jiff::{SignedDuration, Timestamp};
use provost::model::{
    Account, AccountId, Anchor, Capabilities, CredentialMode, How, Life, Origin, OverrideEffect,
    Password, PasswordState, Shadow, SuspendReason, Suspensions, Value,
};
use provost::reconcile::{
    DriftPolicy, HeirRule, Limits, Presence, Procedures, Reference, SyncPolicy, TargetRules,
};
use provost::source::settings::Flavour;
use serde::Deserialize;

use super::absent;

/// `given.toml`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Given {
    pub now: Timestamp,
    pub read_at: Option<Timestamp>,
    #[serde(default)]
    pub mapping: String,
    #[serde(default)]
    pub active_directory: bool,
    #[serde(skip, default = "ldap")]
    pub flavour: Flavour,
    #[serde(default = "sync")]
    policy: String,
    #[serde(default = "yes")]
    pub reviewed_before: bool,
    #[serde(default)]
    pub recent_destructive: usize,
    /// How many accounts are managed besides those in the files: for limits.
    #[serde(default)]
    pub managed: usize,
    pub released: Option<String>,
    #[serde(default)]
    pub shortfalls: Vec<String>,
    /// Whether `accounts.toml` is the whole list.
    #[serde(default)]
    pub live: bool,
    #[serde(default)]
    pub gone_accounts: Vec<String>,
    /// Unique values that the application refused, without showing who has them: attribute and value.
    #[serde(default)]
    pub refused: Vec<(String, String)>,
    #[serde(default)]
    presence: BTreeMap<String, String>,
    /// The reads, one after the other, that did not return somebody.
    #[serde(default)]
    absent: BTreeMap<String, Vec<absent::Lack>>,
    /// How many complete reads make somebody gone.
    #[serde(default = "two")]
    confirm_absence_reads: u8,
    #[serde(default)]
    imposed: BTreeMap<String, Vec<String>>,
    /// DN → account id, or "" for a person without an account yet.
    #[serde(default)]
    references: BTreeMap<String, String>,
    #[serde(default = "deactivate")]
    suspend_with: Vec<String>,
    #[serde(default = "deactivate")]
    can: Vec<String>,
    /// Steps by reason.
    #[serde(default)]
    suspend: BTreeMap<String, Vec<String>>,
    credentials: Option<String>,
    /// The account that gets work where nobody else does.
    heir: Option<String>,
    #[serde(default)]
    heirs: BTreeMap<String, String>,
    delete_after_days: Option<i64>,
    #[serde(default = "yes")]
    suspend_out_of_scope: bool,
    #[serde(default)]
    drift_is_reported: bool,
    #[serde(default)]
    protected_accounts: BTreeSet<String>,
    #[serde(default)]
    protected_people: BTreeSet<String>,
    /// `[[access]]`, `[access-rules]` and, below `[target]`, keys of the target, as a configuration file has them.
    #[serde(default)]
    pub access: String,
    /// What operators ordered.
    #[serde(default, rename = "override")]
    pub overrides: Vec<GivenOverride>,
    /// Whose windows an earlier run foretold.
    #[serde(default)]
    pub foretold: BTreeSet<String>,
    /// Who is closed before their time, and when that comes.
    #[serde(default)]
    pub early: BTreeMap<String, Timestamp>,
    #[serde(default)]
    shadow: Vec<GivenShadow>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct GivenOverride {
    pub anchor: String,
    pub effect: OverrideEffect,
    pub from: Timestamp,
    pub until: Option<Timestamp>,
    /// When it was given; at its beginning if not said.
    pub at: Option<Timestamp>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct GivenShadow {
    anchor: String,
    label: String,
    account: Option<String>,
    #[serde(default)]
    attributes: BTreeMap<String, toml::Value>,
    #[serde(default)]
    entitlements: BTreeSet<String>,
    #[serde(default)]
    suspended: Vec<String>,
    /// The steps that are done; deactivate if not said.
    done: Option<Vec<String>>,
    #[serde(default)]
    still_to_do: Vec<String>,
    /// Name → whether we had granted it.
    #[serde(default)]
    removed: BTreeMap<String, bool>,
    password: Option<String>,
    suspended_since: Option<Timestamp>,
    active: Option<bool>,
    unconfirmed: Option<String>,
    tombstone: Option<Timestamp>,
    #[serde(default)]
    unkept: BTreeMap<String, toml::Value>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Accounts {
    #[serde(default)]
    account: Vec<GivenAccount>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct GivenAccount {
    id: String,
    #[serde(default)]
    attributes: BTreeMap<String, toml::Value>,
    active: Option<bool>,
    login_allowed: Option<bool>,
    entitlements: Option<BTreeSet<String>>,
}

pub(super) fn yes() -> bool {
    true
}
fn two() -> u8 {
    2
}
fn sync() -> String {
    "sync".to_owned()
}
fn ldap() -> Flavour {
    Flavour::Ldap
}
fn deactivate() -> Vec<String> {
    vec!["deactivate".to_owned(), "entitlements".to_owned()]
}

impl Given {
    /// Reads a scenario folder. Without a `mapping` key the common mapping is used.
    pub(super) fn read(folder: &Path) -> Self {
        let path = folder.join("given.toml");
        let text = fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        let mut given: Self =
            toml::from_str(&text).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        if given.mapping.is_empty() {
            let common = folder.with_file_name("mapping.toml");
            given.mapping = fs::read_to_string(common).expect("tests/scenarios/mapping.toml");
        }
        if given.active_directory {
            given.flavour = Flavour::ActiveDirectory;
        }
        given
    }

    pub(super) fn rules(&self) -> TargetRules {
        TargetRules {
            name: "crm".to_owned(),
            policy: match self.policy.as_str() {
                "sync" => SyncPolicy::Sync,
                "upsert-only" => SyncPolicy::UpsertOnly,
                "create-only" => SyncPolicy::CreateOnly,
                other => panic!("no such policy: {other}"),
            },
            suspend: self.procedures(),
            credentials: self.credentials(),
            heir: HeirRule {
                fallback: self.heir.clone().map(AccountId),
                ..HeirRule::default()
            },
            delete_after: self
                .delete_after_days
                .map(|days| SignedDuration::from_hours(24 * days)),
            suspend_out_of_scope: self.suspend_out_of_scope,
            review_first_run: true,
            max_staleness_open: SignedDuration::from_hours(12),
            drift: if self.drift_is_reported {
                DriftPolicy::Report
            } else {
                DriftPolicy::Repair
            },
            protected_accounts: self.protected_accounts.clone(),
            protected_people: self.protected_people.clone(),
            limits: Limits::default(),
        }
    }

    fn procedures(&self) -> Procedures {
        let own = self.suspend.iter();
        Procedures {
            default: steps(&self.suspend_with),
            by_reason: own
                .map(|(reason, names)| (reason_of(reason), steps(names)))
                .collect(),
        }
    }

    fn credentials(&self) -> CredentialMode {
        let Some(name) = &self.credentials else {
            return CredentialMode::None;
        };
        let mut modes = CredentialMode::ALL.into_iter();
        let found = modes.find(|(known, _)| known == name);
        found.unwrap_or_else(|| panic!("no such mode: {name}")).1
    }

    /// Anchor → account that gets the work.
    pub(super) fn heirs(&self) -> BTreeMap<Anchor, AccountId> {
        let named = self.heirs.iter();
        named
            .map(|(anchor, id)| {
                (
                    Anchor::new(anchor).expect("an anchor"),
                    AccountId(id.clone()),
                )
            })
            .collect()
    }

    pub(super) fn capabilities(&self) -> Capabilities {
        let can = |what: &str| self.can.iter().any(|can| can == what);
        Capabilities {
            deactivate: can("deactivate"),
            block_login: can("block-login"),
            set_password: can("set-password"),
            force_change: can("force-change"),
            revoke_sessions: can("revoke-sessions"),
            reassign: self
                .can
                .iter()
                .filter_map(|can| can.strip_prefix("reassign:").map(str::to_owned))
                .collect(),
            delete: can("delete"),
            list_inactive: true,
            entitlements: can("entitlements"),
            members_per_request: 100,
            inherits: can("inherit"),
            parallelism: 4,
        }
    }

    pub(super) fn shadows(&self) -> Vec<Shadow> {
        self.shadow.iter().map(GivenShadow::shadow).collect()
    }

    pub(super) fn shadow(&self, anchor: &Anchor) -> Option<Shadow> {
        self.shadows()
            .into_iter()
            .find(|shadow| shadow.anchor == *anchor)
    }

    pub(super) fn presence(&self, anchor: &Anchor) -> Option<Presence> {
        Some(match self.presence.get(anchor.as_str())?.as_str() {
            "gone" => Presence::Gone,
            "missing-once" => Presence::Missing { reads: 1, more: 1 },
            "unproven" => Presence::Unproven,
            "unreadable" => Presence::Unreadable("the value of mail is not UTF-8".to_owned()),
            other => panic!("no such presence: {other}"),
        })
    }

    /// What the reads without somebody come to, and what the last one lacks if it was contradicted.
    pub(super) fn absences(&self) -> impl Iterator<Item = (Anchor, absent::Outcome)> {
        self.absent.iter().map(|(text, lacks)| {
            let anchor = Anchor::new(text).expect("an anchor");
            let outcome = absent::judge(&anchor, lacks, self.confirm_absence_reads);
            (anchor, outcome)
        })
    }

    pub(super) fn imposed(&self, anchor: &Anchor) -> Suspensions {
        let names = self.imposed.get(anchor.as_str());
        names
            .into_iter()
            .flatten()
            .map(|name| reason_of(name))
            .collect()
    }

    pub(super) fn references(&self) -> BTreeMap<String, Reference> {
        self.references
            .iter()
            .map(|(dn, id)| {
                let reference = if id.is_empty() {
                    Reference::NoAccountYet
                } else {
                    Reference::Account(AccountId(id.clone()))
                };
                (dn.clone(), reference)
            })
            .collect()
    }
}

impl GivenShadow {
    fn password(&self) -> Password {
        let (state, generation, kept) = match self.password.as_deref() {
            None => return Password::default(),
            Some("pending") => (PasswordState::Pending, 0, None),
            Some("managed") => (PasswordState::Managed, 1, Some(1)),
            Some("issued") => (PasswordState::Issued, 1, None),
            Some("fuzzed") => (PasswordState::Fuzzed, 2, None),
            Some("fuzzed-and-kept") => (PasswordState::Fuzzed, 2, Some(1)),
            Some(other) => panic!("no such password state: {other}"),
        };
        Password {
            state,
            generation,
            kept,
            told: kept.is_some(),
        }
    }

    fn shadow(&self) -> Shadow {
        let anchor = Anchor::new(&self.anchor).expect("an anchor");
        let mut shadow = Shadow::new(anchor, self.label.clone(), Origin::Created);
        shadow.account = self.account.clone().map(AccountId);
        shadow.attributes = values(&self.attributes);
        shadow.unkept = values(&self.unkept)
            .into_iter()
            .map(|(k, v)| (k, Some(v)))
            .collect();
        shadow.entitlements = self.entitlements.clone();
        shadow.suspended = self.suspended.iter().map(|name| reason_of(name)).collect();
        if !shadow.suspended.is_empty() {
            shadow.suspended_by = match &self.done {
                Some(done) => steps(done),
                None => vec![How::Deactivate],
            };
            let shut = shadow.suspended_by.contains(&How::Deactivate);
            shadow.active = Some(!shut);
        }
        shadow.pending = steps(&self.still_to_do);
        shadow.removed.clone_from(&self.removed);
        shadow.password = self.password();
        shadow.suspended_since = self.suspended_since;
        shadow.active = self.active.or(shadow.active);
        if let Some(doing) = &self.unconfirmed {
            shadow.life = Life::Unconfirmed {
                doing: doing.clone(),
            };
        }
        if let Some(since) = self.tombstone {
            shadow.life = Life::Tombstone { since };
        }
        shadow
    }
}

/// `accounts.toml`; a missing file means no accounts.
pub(super) fn accounts(path: &Path) -> Vec<Account> {
    let text = fs::read_to_string(path).unwrap_or_default();
    let accounts: Accounts =
        toml::from_str(&text).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    accounts
        .account
        .into_iter()
        .map(|given| Account {
            id: AccountId(given.id),
            attributes: values(&given.attributes),
            active: given.active,
            login_allowed: given.login_allowed,
            entitlements: given.entitlements,
            version: None,
        })
        .collect()
}

fn values(given: &BTreeMap<String, toml::Value>) -> BTreeMap<String, Value> {
    given
        .iter()
        .map(|(name, value)| {
            let value = match value {
                toml::Value::String(text) => Value::Text(text.clone()),
                toml::Value::Integer(number) => Value::Int(*number),
                toml::Value::Boolean(truth) => Value::Bool(*truth),
                toml::Value::Array(items) => Value::Set(
                    items
                        .iter()
                        .filter_map(|item| item.as_str().map(str::to_owned))
                        .collect(),
                ),
                toml::Value::Float(_) | toml::Value::Datetime(_) | toml::Value::Table(_) => {
                    panic!("no such value: {value}")
                }
            };
            (name.clone(), value)
        })
        .collect()
}

/// Steps by name; the default list also holds capabilities that are no steps.
fn steps(names: &[String]) -> Vec<How> {
    let named = |name: &String| How::named(name);
    names.iter().filter_map(named).collect()
}

fn reason_of(name: &str) -> SuspendReason {
    use SuspendReason::{
        AccessWindow, Expired, Leaver, NotYetStarted, Operator, OutOfScope, SourceDisabled,
    };
    [
        Leaver,
        SourceDisabled,
        Expired,
        NotYetStarted,
        OutOfScope,
        AccessWindow,
        Operator,
    ]
    .into_iter()
    .find(|reason| reason.as_str() == name)
    .unwrap_or_else(|| panic!("no such reason: {name}"))
}
