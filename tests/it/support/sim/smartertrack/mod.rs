//! A SIMULATOR of SmarterTrack's SOAP services, as far as they concern users.
//!
//! The envelope, the result and the methods of creating and of reading properties follow the vendor's pages and others'
//! code. Which methods for listing, deleting and roles a server has, nobody knows: its WSDL says so, here as there.
//! It is not SmarterTrack.

mod methods;
mod soap;
mod wsdl;

use std::collections::{BTreeMap, BTreeSet};

use super::host::Application;
use super::ledger::Ledger;
use super::switch::Label::{Assumed, Observed, Vendor};
use super::switch::{Setting, Switch};
use super::wire::{Answer, Call};
use soap::Request;

/// What is not known, or depends on the version.
pub const SWITCHES: &[Switch] = &[
    Switch {
        name: "list",
        options: &[("GetAllUsers", Assumed), ("absent", Observed)],
    },
    Switch {
        name: "roles",
        options: &[("methods", Assumed), ("absent", Observed)],
    },
    Switch {
        name: "delete",
        options: &[("absent", Observed), ("DeleteUser", Assumed)],
    },
    Switch {
        name: "password",
        options: &[("property", Assumed), ("absent", Observed)],
    },
    Switch {
        name: "new-id",
        options: &[("UserID", Assumed), ("nowhere", Observed)],
    },
    Switch {
        name: "parameters",
        options: &[("by-name", Vendor), ("by-name-and-order", Assumed)],
    },
    Switch {
        name: "email",
        options: &[("unique", Assumed), ("any", Assumed)],
    },
    Switch {
        name: "force-change",
        options: &[("no", Vendor), ("yes", Vendor)],
    },
];

/// The namespace of the service.
pub const NAMESPACE: &str =
    "http://www.smartertools.com/SmarterTrack/Services2/svcOrganization.asmx";
/// The account that may use the web service.
pub const SERVICE: (&str, &str) = ("provost", "Test-Passw0rd!");
/// So many failures lock an account …
const FAILURES: usize = 10;
/// … for so many seconds.
const LOCK: i64 = 300;

/// A user.
#[derive(Clone, Debug, Default)]
pub struct User {
    /// Login.
    pub username: String,
    /// Mail address.
    pub email: String,
    /// Name as shown.
    pub display_name: String,
    /// Whether the class is "registered with verified e-mail".
    pub verified: bool,
    /// The password.
    pub password: String,
    /// Whether another password is asked for at the next login.
    pub must_change: bool,
    /// Whether Active Directory checks the password, and not this application.
    pub by_directory: bool,
    /// Roles.
    pub roles: BTreeSet<String>,
    /// Custom fields and other properties.
    pub properties: BTreeMap<String, String>,
    /// Failures in a row, and until when the account is locked.
    pub failures: (usize, i64),
}

/// The simulated application.
#[derive(Debug)]
pub struct Smartertrack {
    /// How the unknown is decided.
    pub setting: Setting,
    /// The ledger.
    pub ledger: Ledger,
    /// The users by id.
    pub users: BTreeMap<i64, User>,
    /// User names that are taken although no list shows their holders.
    pub strangers: BTreeSet<String>,
    /// Roles that exist; those that make somebody an agent.
    pub roles: BTreeMap<&'static str, bool>,
    counter: i64,
}

impl Smartertrack {
    /// An installation with roles and its service identity.
    pub fn new(setting: Setting) -> Self {
        let service = User {
            username: SERVICE.0.to_owned(),
            password: SERVICE.1.to_owned(),
            email: "provost@example.com".to_owned(),
            display_name: "Provost Service".to_owned(),
            roles: BTreeSet::from(["Administrator".to_owned()]),
            ..User::default()
        };
        Self {
            setting,
            ledger: Ledger::default(),
            users: BTreeMap::from([(1, service)]),
            strangers: BTreeSet::new(),
            roles: BTreeMap::from([
                ("Administrator", true),
                ("Agent", true),
                ("Knowledge Base Editor", false),
                ("Manager", true),
            ]),
            counter: 100,
        }
    }

    /// The user with this name.
    pub fn named(&self, username: &str) -> Option<(i64, &User)> {
        let found = self
            .users
            .iter()
            .find(|(_, user)| user.username == username);
        found.map(|(id, user)| (*id, user))
    }

    /// What happens when somebody signs in: whether they get in.
    pub fn sign_in(&mut self, username: &str, password: &str) -> bool {
        let now = self.ledger.now;
        let mut users = self.users.values_mut();
        let Some(user) = users.find(|user| user.username.eq_ignore_ascii_case(username)) else {
            return false;
        };
        if user.failures.1 > now {
            return false;
        }
        // For a user of the directory, what is stored here does not count.
        let known = if user.by_directory {
            "their directory password"
        } else {
            &user.password
        };
        if password == known {
            user.failures = (0, 0);
            return true;
        }
        user.failures.0 += 1;
        if user.failures.0 >= FAILURES {
            user.failures = (0, now + LOCK);
        }
        false
    }

    fn is_agent(&self, user: &User) -> bool {
        user.roles
            .iter()
            .any(|role| self.roles.get(role.as_str()) == Some(&true))
    }

    /// The methods that this installation has, each with its parameters after the credentials.
    pub fn methods(&self) -> BTreeMap<&'static str, &'static [(&'static str, &'static str)]> {
        let mut methods: BTreeMap<&'static str, &'static [(&'static str, &'static str)]> =
            BTreeMap::from([
                ("CreateUser", methods::CREATE),
                ("GetUsersProperties", methods::GET),
                ("SetUsersProperties", methods::SET),
                ("GetAllAgents", methods::NONE),
                ("GetAllGroups", methods::NONE),
                ("GetAllDepartments", methods::NONE),
            ]);
        if self.setting.is("list", "GetAllUsers") {
            methods.insert("GetAllUsers", methods::NONE);
        }
        if self.setting.is("roles", "methods") {
            methods.insert("GetAllRoles", methods::NONE);
            methods.insert("AddUserToRole", methods::ROLE);
            methods.insert("RemoveUserFromRole", methods::ROLE);
        }
        if self.setting.is("delete", "DeleteUser") {
            methods.insert("DeleteUser", methods::ID);
        }
        methods
    }
}

impl Application for Smartertrack {
    /// The SOAP method, or `WSDL`.
    fn operation(&self, call: &Call) -> String {
        if call.method == "GET" {
            return "WSDL".to_owned();
        }
        Request::read(call).map_or_else(|_| "nonsense".to_owned(), |request| request.method)
    }

    fn answer(&mut self, call: &Call) -> Answer {
        let (method, path) = call.parts();
        match (method, path.as_slice()) {
            ("GET", ["Services2", "svcOrganization.asmx"]) if is_wsdl(call) => {
                Answer::of(200, "text/xml; charset=utf-8", wsdl::wsdl(&self.methods()))
            }
            ("POST", ["Services2", "svcOrganization.asmx"]) => match Request::read(call) {
                Ok(request) => self.call(&request),
                Err(why) => soap::fault(false, &why),
            },
            _ => Answer::of(
                404,
                "text/html",
                "<html><body>Not found</body></html>".to_owned(),
            ),
        }
    }

    /// There are no sessions.
    fn expire(&mut self) {}

    fn ledger(&mut self) -> &mut Ledger {
        &mut self.ledger
    }
}

fn is_wsdl(call: &Call) -> bool {
    call.query
        .iter()
        .any(|(key, _)| key.eq_ignore_ascii_case("wsdl"))
}
