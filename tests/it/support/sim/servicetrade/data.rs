//! What the simulated ServiceTrade holds.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use serde_json::{Map, Value, json};

use super::SWITCHES;
use crate::support::sim::ledger::Ledger;
use crate::support::sim::switch::Setting;

/// A user.
#[derive(Clone, Debug, Default)]
pub struct User {
    /// Everything plain, by the names that writing uses.
    pub fields: Map<String, Value>,
    /// Role ids.
    pub roles: BTreeSet<i64>,
    /// The password, if one was ever set here.
    pub password: Option<String>,
    /// External ids by system.
    pub external: BTreeMap<String, String>,
}

impl User {
    /// A field as text.
    pub fn text(&self, name: &str) -> &str {
        self.fields.get(name).and_then(Value::as_str).unwrap_or("")
    }

    /// Whether a flag is on.
    pub fn flag(&self, name: &str) -> bool {
        self.fields.get(name).and_then(Value::as_bool) == Some(true)
    }

    /// Whether the user is active.
    pub fn active(&self) -> bool {
        self.text("status") == "active"
    }
}

/// A piece of work that belongs to people.
#[derive(Clone, Debug, Default)]
pub struct Work {
    /// Who owns it: jobs and quotes.
    pub owner: Option<i64>,
    /// Who does it, or should: appointments and service requests.
    pub techs: BTreeSet<i64>,
    /// `scheduled`, `completed` …
    pub status: String,
}

/// The simulated application.
#[derive(Debug)]
pub struct Servicetrade {
    /// How the unknown is decided.
    pub setting: Setting,
    /// The ledger.
    pub ledger: Ledger,
    /// The users of this customer.
    pub users: BTreeMap<i64, User>,
    /// User names that customers of the vendor hold whom nobody here can see.
    pub strangers: BTreeSet<String>,
    /// Role names by id; a higher id is newer.
    pub roles: BTreeMap<i64, String>,
    /// Roles that contain the activity of performing jobs.
    pub tech_roles: BTreeSet<i64>,
    /// Service lines by id.
    pub lines: BTreeMap<i64, String>,
    /// Offices by id.
    pub offices: BTreeMap<i64, String>,
    /// Jobs, appointments, quotes and service requests by kind, then id.
    pub work: BTreeMap<&'static str, BTreeMap<i64, Work>>,
    /// How many licences were bought, for active users or for roles with the mobile app; nothing is without limit.
    pub seats: Option<usize>,
    /// Largest page, in entries.
    pub page: usize,
    /// Session tokens, the oldest first, with their users.
    pub(super) sessions: VecDeque<(String, i64)>,
    /// Access tokens with their end.
    pub(super) bearers: BTreeMap<String, i64>,
    /// The refresh token that is good now.
    pub(super) refresh: Option<String>,
    /// How often somebody signed in, by any way.
    pub logins: usize,
    pub(super) counter: i64,
}

/// The service identity.
pub const SERVICE: (i64, &str, &str) = (1, "provost", "Test-Passw0rd!");
/// The OAuth client.
pub const CLIENT: (&str, &str) = ("provost-client", "client-secret-1");
/// This customer.
pub const COMPANY: i64 = 4242;

impl Servicetrade {
    /// A customer with its service identity, roles, offices and service lines, and nobody else.
    pub fn new(setting: Setting) -> Self {
        let names = [
            "Account Admin",
            "Account Manager",
            "Account Scheduler",
            "Account Sales",
            "Account Tech",
            "Account Tech + History",
            "Account Placeholder Tech",
            "Account Tech Helper",
            "Custom Field Tech",
        ];
        let roles = (101..).zip(names.map(str::to_owned)).collect();
        let lines = [(31, "Fire Alarm"), (32, "Sprinkler"), (33, "HVAC")];
        let offices = [(51, "North"), (52, "South"), (53, "West")];
        let owned = |pairs: [(i64, &str); 3]| pairs.map(|(id, name)| (id, name.to_owned()));
        let mut me = Self {
            setting,
            ledger: Ledger::default(),
            users: BTreeMap::new(),
            strangers: BTreeSet::new(),
            roles,
            tech_roles: BTreeSet::from([105, 106, 109]),
            lines: owned(lines).into(),
            offices: owned(offices).into(),
            work: BTreeMap::new(),
            seats: None,
            page: 2000,
            sessions: VecDeque::new(),
            bearers: BTreeMap::new(),
            refresh: None,
            logins: 0,
            counter: 2_700_000_000_000_000,
        };
        let (id, name, _) = SERVICE;
        let service = json!({"username": name, "firstName": "Provost", "lastName": "Service",
            "email": "provost@example.com", "status": "active", "companyId": COMPANY, "officeId": 51});
        let service = User {
            fields: service.as_object().cloned().unwrap_or_default(),
            roles: BTreeSet::from([101]),
            ..User::default()
        };
        me.users.insert(id, service);
        me
    }

    /// The same with every switch at its first option.
    pub fn plain() -> Self {
        Self::new(Setting::first(SWITCHES))
    }

    /// A number nobody has, as large as real ones are.
    pub fn fresh(&mut self) -> i64 {
        self.counter += 1;
        self.counter
    }

    /// The user with this name.
    pub fn named(&self, username: &str) -> Option<(i64, &User)> {
        let found = self
            .users
            .iter()
            .find(|(_, user)| user.text("username") == username);
        found.map(|(id, user)| (*id, user))
    }

    /// Names of a user's roles.
    pub fn role_names(&self, username: &str) -> BTreeSet<String> {
        let roles = self.named(username).map(|(_, user)| user.roles.clone());
        let names = roles
            .into_iter()
            .flatten()
            .map(|id| self.roles[&id].clone());
        names.collect()
    }

    /// Whether one more active user, or one more role with the mobile app, finds a licence.
    pub(super) fn has_seat(&self, what: &str) -> bool {
        let Some(seats) = self.seats.filter(|_| self.setting.is("licence", what)) else {
            return true;
        };
        let others = self.users.iter().filter(|(id, _)| **id != SERVICE.0);
        let active = others.filter(|(_, user)| user.active());
        let used = match what {
            "role" => active
                .filter(|(_, user)| !user.roles.is_disjoint(&self.tech_roles))
                .count(),
            _user => active.count(),
        };
        used < seats
    }

    /// How many sessions are open.
    pub fn open_sessions(&self) -> usize {
        self.sessions.len()
    }

    /// Puts a piece of work there.
    pub fn add_work(&mut self, kind: &'static str, work: Work) -> i64 {
        let id = self.fresh();
        self.work.entry(kind).or_default().insert(id, work);
        id
    }

    /// How many pieces of work that are not over still carry this user.
    pub fn open_work(&self, user: i64) -> usize {
        let all = self.work.values().flat_map(BTreeMap::values);
        all.filter(|work| work.status != "completed")
            .filter(|work| work.owner == Some(user) || work.techs.contains(&user))
            .count()
    }
}
