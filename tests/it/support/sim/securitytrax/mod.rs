//! A SIMULATOR of SecurityTrax: JSON:API, an integrator key on every request, and a bearer token for ten minutes.
//!
//! Transport and headers follow the vendor's documentation. No document shows the users resource: its paths and names
//! are assumed, after the user interface that the help page describes. It is not SecurityTrax.

mod query;
mod users;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use super::host::Application;
use super::ledger::Ledger;
use super::switch::Label::{Assumed, HelpPage, Vendor};
use super::switch::{Setting, Switch};
use super::wire::{Answer, Call};

/// What is not known.
pub const SWITCHES: &[Switch] = &[
    Switch {
        name: "paging",
        options: &[
            ("page-number", Assumed),
            ("page-offset", Assumed),
            ("none", Assumed),
        ],
    },
    Switch {
        name: "update",
        options: &[("PATCH", Assumed), ("PUT", Assumed)],
    },
    Switch {
        name: "password",
        options: &[("attributes", Assumed), ("action", Assumed)],
    },
    Switch {
        name: "put",
        options: &[("replaces", Assumed), ("merges", Assumed)],
    },
    Switch {
        name: "email",
        options: &[("unique", Assumed), ("any", Assumed)],
    },
    Switch {
        name: "mail-unless-refused",
        options: &[("yes", HelpPage), ("no", Assumed)],
    },
    Switch {
        name: "conflict",
        options: &[("422", Assumed), ("409", Assumed), ("400", Assumed)],
    },
    Switch {
        name: "no-key",
        options: &[("401", Assumed), ("403", Assumed)],
    },
    Switch {
        name: "token",
        options: &[("10-minutes", Vendor), ("personal", Vendor)],
    },
    Switch {
        name: "answer",
        options: &[("document", Assumed), ("204", Assumed)],
    },
    Switch {
        name: "lists-inactive",
        options: &[("yes", Assumed), ("on-request", Assumed)],
    },
];

/// The service identity.
pub const SERVICE: (&str, &str) = ("provost", "Test-Passw0rd!");
/// The integrator key, whose case counts.
pub const KEY: &str = "Integrator-Key-1";
/// A personal access token that does not expire.
pub const PERSONAL: &str = "personal-access-token-1";
/// The dealer.
pub const PROFILE: &str = "acme";
/// How long a token lasts, in seconds.
const LIFETIME: i64 = 600;

/// A user.
#[derive(Clone, Debug, Default)]
pub struct User {
    /// Attributes.
    pub attributes: Map<String, Value>,
    /// Permission groups as pairs of office location and group.
    pub groups: BTreeSet<(String, String)>,
    /// Whose report this user is.
    pub reports_to: Option<String>,
    /// The password, if one was ever set.
    pub password: Option<String>,
}

impl User {
    /// An attribute as text.
    pub fn text(&self, name: &str) -> &str {
        self.attributes
            .get(name)
            .and_then(Value::as_str)
            .unwrap_or("")
    }

    /// Whether a flag is on.
    pub fn flag(&self, name: &str) -> bool {
        self.attributes.get(name).and_then(Value::as_bool) == Some(true)
    }
}

/// The simulated application.
#[derive(Debug)]
pub struct Securitytrax {
    /// How the unknown is decided.
    pub setting: Setting,
    /// The ledger.
    pub ledger: Ledger,
    /// The users by id.
    pub users: BTreeMap<i64, User>,
    /// User names that are taken although no list shows their holders.
    pub strangers: BTreeSet<String>,
    /// Permission groups by id.
    pub groups: BTreeMap<&'static str, &'static str>,
    /// Office locations by id.
    pub locations: BTreeMap<&'static str, &'static str>,
    /// Largest page.
    pub page: usize,
    /// How often somebody signed in.
    pub logins: usize,
    tokens: BTreeMap<String, i64>,
    counter: i64,
}

impl Securitytrax {
    /// A dealer with groups and locations, and the service identity.
    pub fn new(setting: Setting) -> Self {
        let mut service = User::default();
        let attributes = json!({"username": "provost", "fname": "Provost", "lname": "Service",
            "email": "provost@example.com", "active": true, "can_login": true});
        service.attributes = attributes.as_object().cloned().unwrap_or_default();
        Self {
            setting,
            ledger: Ledger::default(),
            users: BTreeMap::from([(1, service)]),
            strangers: BTreeSet::new(),
            groups: BTreeMap::from([("1", "Technicians"), ("2", "Sales Reps"), ("3", "Office")]),
            locations: BTreeMap::from([("1", "North"), ("2", "South")]),
            page: 50,
            logins: 0,
            tokens: BTreeMap::new(),
            counter: 1000,
        }
    }

    /// The user with this name.
    pub fn named(&self, username: &str) -> Option<(i64, &User)> {
        let found = self
            .users
            .iter()
            .find(|(_, user)| user.text("username") == username);
        found.map(|(id, user)| (*id, user))
    }

    /// JSON:API errors.
    fn error(status: u16, title: &str, pointer: Option<&str>) -> Answer {
        let mut error = json!({"status": status.to_string(), "title": title});
        if let Some(pointer) = pointer {
            error["source"] = json!({"pointer": format!("/data/attributes/{pointer}")});
        }
        api(status, &json!({"errors": [error]}))
    }

    fn authenticate(&mut self, call: &Call) -> Answer {
        let (name, password) = SERVICE;
        let field = |name: &str| call.field(name).unwrap_or_default();
        if field("username") != name || field("password") != password {
            return Self::error(401, "invalid username or password", None);
        }
        self.logins += 1;
        self.counter += 1;
        let token = format!("token{}", self.counter);
        self.tokens
            .insert(token.clone(), self.ledger.now + LIFETIME);
        Answer::json(200, &json!({"token": token}))
    }

    fn may(&self, call: &Call) -> bool {
        let Some(token) = call.header("authorization").strip_prefix("Bearer ") else {
            return false;
        };
        let personal = self.setting.is("token", "personal") && token == PERSONAL;
        personal
            || self
                .tokens
                .get(token)
                .is_some_and(|end| *end > self.ledger.now)
    }
}

/// An answer in JSON:API's media type.
fn api(status: u16, body: &Value) -> Answer {
    Answer::of(status, "application/vnd.api+json", body.to_string())
}

impl Application for Securitytrax {
    /// Method and resource, such as `POST users`; `login` for signing in.
    fn operation(&self, call: &Call) -> String {
        let (method, path) = call.parts();
        match path.get(3..).unwrap_or(&[]) {
            ["authenticate"] => "login".to_owned(),
            ["users", _, "relationships", name] => format!("{method} {name}"),
            ["users", _, "actions", name] => format!("{method} {name}"),
            [resource, ..] => format!("{method} {resource}"),
            [] => method.to_owned(),
        }
    }

    fn answer(&mut self, call: &Call) -> Answer {
        let (method, path) = call.parts();
        let [PROFILE, "user", "v1", rest @ ..] = path.as_slice() else {
            return Self::error(404, "no such resource", None);
        };
        if call.header("x-securitytrax-integratorkey") != KEY {
            let status = if self.setting.is("no-key", "401") {
                401
            } else {
                403
            };
            return Self::error(status, "the integrator key is missing or wrong", None);
        }
        if let ("POST", ["authenticate"]) = (method, rest) {
            return self.authenticate(call);
        }
        if !self.may(call) {
            return Self::error(401, "the token is missing or has expired", None);
        }
        let writes = !call.body.is_empty();
        if writes
            && !call
                .header("content-type")
                .starts_with("application/vnd.api+json")
        {
            return Self::error(415, "the media type must be application/vnd.api+json", None);
        }
        self.route(call, method, rest)
    }

    fn expire(&mut self) {
        self.tokens.clear();
    }

    fn ledger(&mut self) -> &mut Ledger {
        &mut self.ledger
    }
}
