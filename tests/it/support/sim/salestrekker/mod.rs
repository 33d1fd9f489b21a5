//! A SIMULATOR of Salestrekker: GraphQL, signing in by a mutation, a token for fourteen days and one organisation.
//!
//! Signing in and workflows follow public code that was written against the real interface. No document shows the
//! operations on accounts: their names are assumed, after the words of the help page. It is not Salestrekker.

mod accounts;
mod graphql;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use super::host::Application;
use super::ledger::Ledger;
use super::switch::Label::{Assumed, HelpPage, Observed, Vendor};
use super::switch::{Setting, Switch};
use super::wire::{Answer, Call};
use graphql::{Document, Field};

/// What is not known.
pub const SWITCHES: &[Switch] = &[
    Switch {
        name: "introspection",
        options: &[("on", Assumed), ("off", Assumed)],
    },
    Switch {
        name: "errors",
        options: &[("200", Assumed), ("400", Assumed)],
    },
    Switch {
        name: "paging",
        options: &[("none", Assumed), ("offset", Assumed)],
    },
    Switch {
        name: "lists-disabled",
        options: &[("yes", Assumed), ("no", Assumed)],
    },
    Switch {
        name: "rights",
        options: &[("owner", HelpPage), ("too-low", HelpPage)],
    },
    Switch {
        name: "disabled-are-billed",
        options: &[("yes", HelpPage), ("no", Vendor)],
    },
    Switch {
        name: "sign-in",
        options: &[("api-key", Observed), ("password", Observed)],
    },
];

/// The API key.
pub const KEY: &str = "api-key-of-provost";
/// The service identity.
pub const SERVICE: (&str, &str) = ("provost@example.com", "Test-Passw0rd!");
/// How long a token lasts, in seconds.
const LIFETIME: i64 = 1_209_600;
/// The organisation that a token is bound to at first.
pub const ORGANISATION: &str = "6f1c0e3a-0000-4000-8000-000000000001";

/// A user, whom the interface calls an account.
#[derive(Clone, Debug, Default)]
pub struct User {
    /// Plain fields.
    pub fields: Map<String, Value>,
    /// Whether the account may be used.
    pub enabled: bool,
}

impl User {
    /// A field as text.
    pub fn text(&self, name: &str) -> &str {
        self.fields.get(name).and_then(Value::as_str).unwrap_or("")
    }
}

/// The simulated application.
#[derive(Debug)]
pub struct Salestrekker {
    /// How the unknown is decided.
    pub setting: Setting,
    /// The ledger.
    pub ledger: Ledger,
    /// The users by id.
    pub users: BTreeMap<String, User>,
    /// Addresses of users of other organisations, whom no list shows here.
    pub strangers: BTreeSet<String>,
    /// Workflows by id: name and members.
    pub workflows: BTreeMap<String, (&'static str, BTreeSet<String>)>,
    /// Deals, contacts, tasks and notes: kind and owner by id.
    pub belongings: BTreeMap<String, (&'static str, String)>,
    /// Largest page.
    pub page: usize,
    /// How often somebody signed in.
    pub logins: usize,
    tokens: BTreeMap<String, (i64, String)>,
    counter: u64,
}

impl Salestrekker {
    /// An organisation with workflows and its owner, who is the service identity.
    pub fn new(setting: Setting) -> Self {
        let mut me = Self {
            setting,
            ledger: Ledger::default(),
            users: BTreeMap::new(),
            strangers: BTreeSet::new(),
            workflows: BTreeMap::new(),
            belongings: BTreeMap::new(),
            page: 40,
            logins: 0,
            tokens: BTreeMap::new(),
            counter: 0,
        };
        for name in ["Home Loans", "Asset Finance", "Settlements"] {
            let id = me.fresh();
            me.workflows.insert(id, (name, BTreeSet::new()));
        }
        let owner = json!({"email": SERVICE.0, "firstName": "Provost", "familyName": "Service",
            "isAdministrator": true, "isBroker": false, "isMentor": false});
        let fields = owner.as_object().cloned().unwrap_or_default();
        let id = me.fresh();
        me.users.insert(
            id,
            User {
                fields,
                enabled: true,
            },
        );
        me
    }

    /// A new UUID, the same in every run.
    pub fn fresh(&mut self) -> String {
        self.counter += 1;
        format!("6f1c0e3a-1111-4000-8000-{:012x}", self.counter)
    }

    /// The user with this mail address.
    pub fn named(&self, email: &str) -> Option<(&String, &User)> {
        self.users
            .iter()
            .find(|(_, user)| user.text("email") == email)
    }

    /// Names of the workflows of a user.
    pub fn workflows_of(&self, id: &str) -> BTreeSet<&'static str> {
        let all = self.workflows.values();
        all.filter(|(_, members)| members.contains(id))
            .map(|(name, _)| *name)
            .collect()
    }

    /// How many users are paid for.
    pub fn billed(&self) -> usize {
        let disabled_too = self.setting.is("disabled-are-billed", "yes");
        self.users
            .values()
            .filter(|user| user.enabled || disabled_too)
            .count()
    }

    fn may(&self, call: &Call) -> bool {
        let token = call.header("authorization").strip_prefix("Bearer ");
        let known = token.and_then(|token| self.tokens.get(token));
        known.is_some_and(|(end, organisation)| {
            *end > self.ledger.now && organisation == ORGANISATION
        })
    }

    fn sign_in(&mut self, field: &Field) -> Result<Value, String> {
        let argument = |name: &str| field.argument(name).as_str().unwrap_or("").to_owned();
        let good = if self.setting.is("sign-in", "api-key") {
            argument("apiKey") == KEY
        } else {
            (argument("email").as_str(), argument("password").as_str()) == SERVICE
        };
        if !good {
            return Err("Authentication failed".to_owned());
        }
        self.logins += 1;
        let now = self.ledger.now;
        let claims = json!({"iat": now, "exp": now + LIFETIME, "id": self.logins,
            "idCurrentOrganization": ORGANISATION, "isAdministrator": true});
        let token = super::servicetrade::jwt(&claims);
        self.tokens
            .insert(token.clone(), (now + LIFETIME, ORGANISATION.to_owned()));
        Ok(json!({"token": token}))
    }

    fn failed(&self, message: &str, status: u16) -> Answer {
        let body = json!({"data": null, "errors": [{"message": message}]});
        let status = if self.setting.is("errors", "200") {
            200
        } else {
            status
        };
        Answer::json(status, &body)
    }
}

impl Application for Salestrekker {
    /// The first field of the document; `login` for signing in.
    fn operation(&self, call: &Call) -> String {
        match Document::read(call) {
            Ok(document) => match document.fields.first().map(|field| field.name.as_str()) {
                Some("authenticate") => "login".to_owned(),
                first => first.unwrap_or("nothing").to_owned(),
            },
            Err(_) => "nonsense".to_owned(),
        }
    }

    fn answer(&mut self, call: &Call) -> Answer {
        let (method, path) = call.parts();
        if (method, path.as_slice()) != ("POST", ["graphql"].as_slice()) {
            return Answer::of(
                404,
                "text/html",
                "<html><body>Not found</body></html>".to_owned(),
            );
        }
        let document = match Document::read(call) {
            Ok(document) => document,
            Err(why) => return self.failed(&format!("Syntax error: {why}"), 400),
        };
        let mut data = Map::new();
        for field in &document.fields {
            let open = field.name == "authenticate";
            if !open && !self.may(call) {
                return self.failed("Not authenticated", 401);
            }
            let result = if open {
                self.sign_in(field)
            } else {
                self.resolve(&document.kind, field)
            };
            match result {
                Ok(value) => data.insert(field.alias.clone(), field.select(&value)),
                Err(message) => return self.failed(&message, 400),
            };
        }
        Answer::json(200, &json!({"data": data}))
    }

    fn expire(&mut self) {
        self.tokens.clear();
    }

    fn ledger(&mut self) -> &mut Ledger {
        &mut self.ledger
    }
}
