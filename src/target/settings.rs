//! Settings of connectors, as `config` hands them over: complete, checked, secrets loaded.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use secrecy::SecretString;
use url::Url;

use super::http::{Meter, Spent};
use super::profile::{Given, Op, Profile, Use};

/// How a target is spoken to.
#[derive(Clone, Debug)]
pub enum ConnectorSettings {
    /// SCIM 2.0 (RFC 7643, RFC 7644).
    Scim(ScimSettings),
    /// The file-backed practice application.
    Sandbox(SandboxSettings),
    /// A list of tasks for an administrator.
    WorkList(WorkListSettings),
    /// An application that a profile describes.
    Http(HttpAppSettings),
}

impl ConnectorSettings {
    /// The HTTP rules of a target that is spoken to by HTTP.
    #[must_use]
    pub fn http(&self) -> Option<&HttpSettings> {
        match self {
            Self::Scim(scim) => Some(&scim.http),
            Self::Http(app) => Some(&app.http),
            Self::Sandbox(_) | Self::WorkList(_) => None,
        }
    }

    /// Goes on counting where settings of the same target before these stopped.
    pub fn count_on(&mut self, before: &Self) {
        let http = match self {
            Self::Scim(scim) => &mut scim.http,
            Self::Http(app) => &mut app.http,
            Self::Sandbox(_) | Self::WorkList(_) => return,
        };
        if let Some(before) = before.http() {
            http.meter = before.meter.clone();
            http.spent = before.spent.clone();
        }
    }

    /// How many thousandths of a second our own limits give to each request on average, if there are any.
    #[must_use]
    pub fn millis_per_request(&self) -> Option<u64> {
        let http = self.http()?;
        let rate = http.requests_per_second.map(u64::from);
        let second = rate.map(|rate| (Duration::from_secs(1), rate));
        let longer = http.budgets.iter().copied();
        let each = second.into_iter().chain(longer).map(|(window, most)| {
            let millis = u64::try_from(window.as_millis()).unwrap_or(u64::MAX);
            millis.div_ceil(most.max(1))
        });
        each.max()
    }
}

/// HTTP rules that hold for every HTTP connector.
#[derive(Clone, Debug)]
pub struct HttpSettings {
    /// The base URL; requests never leave its scheme, host and port.
    pub base: Url,
    /// PEM certificates to trust instead of the system's; `None` means the system's.
    pub ca_pem: Option<Vec<u8>>,
    /// The proxy, if one is configured; the environment's are ignored.
    pub proxy: Option<Url>,
    /// Time to connect, including TLS.
    pub connect_timeout: Duration,
    /// Deadline of one request, from sending to the last byte of the answer.
    pub request_timeout: Duration,
    /// Largest answer accepted, in bytes after decompression.
    pub body_limit: usize,
    /// At most this many requests a second; `None` means no limit of ours.
    pub requests_per_second: Option<u32>,
    /// And at most this many in each longer time.
    pub budgets: Vec<(Duration, u64)>,
    /// What was spent of them, by every connection to this target.
    pub spent: Spent,
    /// Requests side by side.
    pub parallelism: usize,
    /// How we prove who we are.
    pub auth: Auth,
    /// What is counted of the conversation.
    pub meter: Meter,
    /// Allows `http://` to hosts other than loopback ones; spelled `danger-plain-text`.
    pub danger_plain: bool,
}

/// How we prove who we are.
#[derive(Clone, Debug)]
pub enum Auth {
    /// In a way that the connector knows.
    None,
    /// `Authorization: Bearer …` (RFC 6750).
    Bearer(SecretString),
    /// `Authorization: Basic …` (RFC 7617).
    Basic {
        /// User name.
        user: String,
        /// Password.
        password: SecretString,
    },
    /// A header of the application's own.
    Header {
        /// Header name.
        name: String,
        /// Header value.
        value: SecretString,
    },
    /// OAuth 2.0 client credentials (RFC 6749 §4.4).
    ClientCredentials {
        /// The token endpoint.
        token_url: Url,
        /// Client id.
        client_id: String,
        /// Client secret.
        client_secret: SecretString,
        /// Scope, if any.
        scope: Option<String>,
        /// Whether the client authenticates in the form body instead of by Basic.
        in_body: bool,
    },
}

/// A SCIM target. Options that are `None` are discovered.
#[derive(Clone, Debug)]
pub struct ScimSettings {
    /// HTTP.
    pub http: HttpSettings,
    /// Whether PATCH is used.
    pub patch: Option<bool>,
    /// Whether several accounts are created by one request where the service offers it.
    pub bulk: bool,
    /// Accounts per page.
    pub page_size: u32,
    /// Members per membership request.
    pub members_per_request: usize,
    /// Whether entitlements are SCIM groups (by `displayName`); missing ones are created only if this says so.
    pub create_groups: bool,
    /// Account attributes the mapping uses (paths), for reading and for the `attributes` parameter.
    pub attributes: Vec<String>,
    /// Account attributes the mapping has, with whether they are unique: searched before creating.
    pub unique: Vec<String>,
    /// Whether deleting is allowed at all.
    pub allow_delete: bool,
    /// Whether passwords are set (RFC 7643 §4.1.1).
    pub passwords: bool,
    /// Answers with these `detail` or `scimType` texts, by error class, for servers with codes of their own.
    pub quirks: BTreeMap<String, String>,
}

/// An application that a profile describes.
#[derive(Clone, Debug)]
pub struct HttpAppSettings {
    /// HTTP; its `auth` is [`Auth::None`], the profile says how we prove who we are.
    pub http: HttpSettings,
    /// What the profile says.
    pub profile: Arc<Profile>,
    /// The values of its settings.
    pub given: Given,
    /// Account attributes the mapping uses.
    pub attributes: Vec<String>,
    /// Those that are unique.
    pub unique: Vec<String>,
    /// Whether deleting is allowed at all.
    pub allow_delete: bool,
    /// Facts of the profile that the customer has verified.
    pub confirmed: BTreeSet<String>,
    /// Where a rotated refresh token is kept.
    pub token_file: PathBuf,
}

impl ConnectorSettings {
    /// The facts about the application that nobody has confirmed and that everything done there rests on.
    #[must_use]
    pub fn assumed(&self) -> Vec<String> {
        match self {
            Self::Scim(_) | Self::Sandbox(_) | Self::WorkList(_) => Vec::new(),
            Self::Http(settings) => settings.assumed(),
        }
    }
}

impl ConnectorSettings {
    /// Whether deleting an account gives what it has to another one.
    #[must_use]
    pub fn inherits(&self) -> bool {
        match self {
            Self::Scim(_) | Self::Sandbox(_) | Self::WorkList(_) => false,
            Self::Http(settings) => {
                let calls = settings.profile.calls(Op::Delete);
                calls.iter().any(|call| call.uses_heir)
            }
        }
    }
}

impl HttpAppSettings {
    /// The assumed facts of the profile that are in use and that nobody has confirmed.
    #[must_use]
    pub fn assumed(&self) -> Vec<String> {
        self.profile.assumed(&Use {
            given: &self.given,
            attributes: &self.attributes,
            confirmed: &self.confirmed,
            deletes: self.allow_delete,
        })
    }
}

/// The practice application.
#[derive(Clone, Debug)]
pub struct SandboxSettings {
    /// Where its accounts are kept.
    pub path: PathBuf,
    /// It has an active flag.
    pub deactivate: bool,
    /// It has a separate login switch.
    pub block_login: bool,
    /// It can delete.
    pub delete: bool,
    /// Its list includes inactive accounts.
    pub list_inactive: bool,
    /// It has entitlements.
    pub entitlements: bool,
    /// It sets passwords.
    pub set_password: bool,
    /// It can demand another password at the next login.
    pub force_change: bool,
    /// It refuses passwords that an account had before.
    pub refuse_used: bool,
    /// It can end sessions.
    pub revoke_sessions: bool,
    /// The kinds of work that it can give to another account.
    pub reassign: BTreeSet<String>,
    /// It keeps a ledger of what was done, for tests.
    pub ledger: bool,
    /// Attributes that must be unique, compared without case.
    pub unique: Vec<String>,
    /// Attributes it requires.
    pub required: Vec<String>,
    /// Faults it plays, for rehearsal and tests (see `target::sandbox`).
    pub faults: Vec<String>,
}

impl SandboxSettings {
    /// An application that has an active flag and entitlements, can delete, and demands nothing.
    #[must_use]
    pub fn new(path: PathBuf) -> Self {
        Self {
            path,
            deactivate: true,
            block_login: false,
            delete: true,
            list_inactive: true,
            entitlements: true,
            set_password: false,
            force_change: false,
            refuse_used: false,
            revoke_sessions: false,
            reassign: BTreeSet::new(),
            ledger: false,
            unique: Vec::new(),
            required: Vec::new(),
            faults: Vec::new(),
        }
    }
}

/// A work list.
#[derive(Clone, Debug)]
pub struct WorkListSettings {
    /// The folder of the list: `worklist.html`, `worklist.csv` and its book.
    pub path: PathBuf,
    /// What stands above the list.
    pub title: String,
    /// The application's own export of its accounts, as CSV.
    pub export: Option<PathBuf>,
    /// The attribute by which an account is known, in the export as here.
    pub id: String,
    /// The export's column for each attribute.
    pub columns: BTreeMap<String, String>,
    /// The attributes that hold several values, parted by semicolons or commas in the export.
    pub lists: BTreeSet<String>,
    /// The export's column that says whether an account is usable; without it every account is.
    pub active: Option<ActiveColumn>,
    /// Attributes that disabling strips, so that enabling must enter them again.
    pub stripped: BTreeSet<String>,
    /// Counted licences.
    pub licences: Option<Licences>,
    /// Attributes with dates of their own.
    pub dated: Vec<Dated>,
    /// How the export writes dates, in the letters of `strptime`.
    pub date_format: String,
    /// How long before an access ends or begins its task comes up, where the moment is known.
    pub foresee: Option<jiff::SignedDuration>,
    /// Whom the list is sent to when something new is on it.
    pub send_to: Option<String>,
    /// What an administrator does for each kind of task, step by step.
    pub steps: BTreeMap<super::worklist::Kind, Vec<String>>,
}

/// How an export says that an account is usable.
#[derive(Clone, Debug)]
pub struct ActiveColumn {
    /// The column.
    pub column: String,
    /// The words that mean yes, in any case.
    pub values: Vec<String>,
}

/// Counted licences.
#[derive(Clone, Debug)]
pub struct Licences {
    /// The attribute that names an account's licences.
    pub attribute: String,
    /// How many there are of each that is counted.
    pub stock: BTreeMap<String, u32>,
}

/// An attribute whose value counts from one day to another. The dates are attributes of the list alone.
#[derive(Clone, Debug)]
pub struct Dated {
    /// The attribute.
    pub attribute: String,
    /// The attribute with its first day, as `YYYY-MM-DD`.
    pub from: Option<String>,
    /// The attribute with its last day, as `YYYY-MM-DD`, which must be moved before it is reached.
    pub until: Option<String>,
    /// So many days before the last day a task comes up.
    pub ahead: i32,
    /// The new date is so many days after the day on which the task comes up.
    pub by: i32,
}

impl Dated {
    /// The names of its dates.
    pub fn dates(&self) -> impl Iterator<Item = &str> {
        self.from.iter().chain(&self.until).map(String::as_str)
    }
}
