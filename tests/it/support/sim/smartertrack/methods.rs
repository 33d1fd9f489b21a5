//! The methods. Property bags are lists of `key=value`; the value is everything after the first `=`.

use std::fmt::Write as _;

use super::soap::{self, Request, element};
use super::{Smartertrack, User};
use crate::support::sim::wire::Answer;

type Parameters = &'static [(&'static str, &'static str)];
type Outcome = Result<String, (i32, String)>;

pub(super) const NONE: Parameters = &[];
pub(super) const ID: Parameters = &[("userId", "s:int")];
pub(super) const CREATE: Parameters = &[
    ("username", "s:string"),
    ("password", "s:string"),
    ("email", "s:string"),
    ("isEmailVerified", "s:boolean"),
    ("displayName", "s:string"),
];
pub(super) const GET: Parameters = &[
    ("userId", "s:int"),
    ("requestedValues", "tns:ArrayOfString"),
];
pub(super) const SET: Parameters = &[("userId", "s:int"), ("properties", "tns:ArrayOfString")];
pub(super) const ROLE: Parameters = &[("userId", "s:int"), ("roleName", "s:string")];

impl Smartertrack {
    pub(super) fn call(&mut self, request: &Request) -> Answer {
        let methods = self.methods();
        let Some(expected) = methods.get(request.method.as_str()) else {
            let why = format!(
                "Server did not recognize the value of HTTP Header SOAPAction: {}",
                request.method
            );
            return soap::fault(request.twelve, &why);
        };
        if self.setting.is("parameters", "by-name-and-order") {
            let order = ["authUserName", "authPassword"].into_iter();
            let order: Vec<&str> = order
                .chain(expected.iter().map(|(name, _)| *name))
                .collect();
            let sent: Vec<&str> = request.parameters.iter().map(|p| p.name.as_str()).collect();
            let mut rest = order.iter();
            if !sent.iter().all(|name| rest.any(|known| known == name)) {
                return soap::fault(
                    request.twelve,
                    "the parameters are not in the order of the schema",
                );
            }
        }
        let (name, password) = (request.text("authUserName"), request.text("authPassword"));
        let allowed = self.sign_in(&name, &password)
            && self
                .named(&name)
                .is_some_and(|(_, user)| user.roles.contains("Administrator"));
        if !allowed {
            return soap::result(request, Err((-1, "Authentication failed".to_owned())));
        }
        let outcome = self.perform(request);
        soap::result(request, outcome)
    }

    fn perform(&mut self, request: &Request) -> Outcome {
        match request.method.as_str() {
            "CreateUser" => self.create(request),
            "GetUsersProperties" => self.properties(request),
            "SetUsersProperties" => self.set_properties(request),
            "GetAllAgents" => Ok(self.all("Agents", "AgentInfo", |me, user| me.is_agent(user))),
            "GetAllUsers" => Ok(self.all("Users", "UserInfo", |_, _| true)),
            "GetAllRoles" => Ok(self.roles_xml()),
            "AddUserToRole" => self.role(request, true),
            "RemoveUserFromRole" => self.role(request, false),
            "DeleteUser" => self.delete(request),
            // Groups and departments are there and empty.
            _ => Ok("<Groups/>".to_owned()),
        }
    }

    fn all(&self, list: &str, item: &str, which: impl Fn(&Self, &User) -> bool) -> String {
        let mut text = format!("<{list}>");
        for (id, user) in self.users.iter().filter(|(_, user)| which(self, user)) {
            _ = write!(
                text,
                "<{item}>{}{}{}</{item}>",
                element("ID", &id.to_string()),
                element("UserName", &user.username),
                element("DisplayName", &user.display_name),
            );
        }
        text + &format!("</{list}>")
    }

    fn roles_xml(&self) -> String {
        let names = self.roles.keys().map(|name| {
            format!(
                "<RoleInfo>{}{}</RoleInfo>",
                element("ID", name),
                element("Name", name)
            )
        });
        format!("<Roles>{}</Roles>", names.collect::<String>())
    }

    fn create(&mut self, request: &Request) -> Outcome {
        let user = User {
            username: request.text("username"),
            password: request.text("password"),
            email: request.text("email"),
            display_name: request.text("displayName"),
            verified: request.text("isEmailVerified") == "true",
            must_change: self.setting.is("force-change", "yes"),
            ..User::default()
        };
        for (name, value) in [
            ("username", &user.username),
            ("password", &user.password),
            ("email", &user.email),
            ("display name", &user.display_name),
        ] {
            if value.is_empty() {
                return Err((1, format!("The {name} is required")));
            }
        }
        self.free(0, &user)?;
        self.counter += 1;
        let id = self.counter;
        let detail = format!(
            "email={} displayName={} verified={}",
            user.email, user.display_name, user.verified
        );
        self.ledger.note("create", &user.username, detail);
        self.users.insert(id, user);
        if self.setting.is("new-id", "UserID") {
            Ok(element("UserID", &id.to_string()))
        } else {
            Ok(String::new())
        }
    }

    /// Whether nobody else has the name, or the address where addresses are unique.
    fn free(&self, id: i64, user: &User) -> Result<(), (i32, String)> {
        let others = || self.users.iter().filter(|(other, _)| **other != id);
        let same = |held: &str, wanted: &str| held.eq_ignore_ascii_case(wanted);
        let stranger = id == 0 && self.strangers.contains(&user.username);
        if stranger || others().any(|(_, other)| same(&other.username, &user.username)) {
            return Err((2, "The username already exists".to_owned()));
        }
        let mail = others().any(|(_, other)| same(&other.email, &user.email));
        if self.setting.is("email", "unique") && mail {
            return Err((7, "The e-mail address already exists".to_owned()));
        }
        Ok(())
    }

    fn id(&self, request: &Request) -> Result<i64, (i32, String)> {
        let id = request.text("userId").trim().parse::<i64>().ok();
        id.filter(|id| self.users.contains_key(id))
            .ok_or_else(|| (3, "The user does not exist".to_owned()))
    }

    fn properties(&self, request: &Request) -> Outcome {
        let user = &self.users[&self.id(request)?];
        let mut text = "<RequestResults>".to_owned();
        for name in request.texts("requestedValues") {
            let value = match name.as_str() {
                "Username" => user.username.clone(),
                "Email" => user.email.clone(),
                "DisplayName" => user.display_name.clone(),
                "IsEmailVerified" => user.verified.to_string(),
                "AuthenticationMethod" => if user.by_directory {
                    "ActiveDirectory"
                } else {
                    "Password"
                }
                .to_owned(),
                "ForcePasswordChange" => user.must_change.to_string(),
                "Roles" => user.roles.iter().cloned().collect::<Vec<_>>().join(";"),
                other => user.properties.get(other).cloned().unwrap_or_default(),
            };
            text += &element("string", &format!("{name}={value}"));
        }
        Ok(text + "</RequestResults>")
    }

    fn set_properties(&mut self, request: &Request) -> Outcome {
        let id = self.id(request)?;
        let mut user = self.users[&id].clone();
        let mut notes = Vec::new();
        for pair in request.texts("properties") {
            let Some((name, value)) = pair.split_once('=') else {
                return Err((4, format!("{pair} is not of the form key=value")));
            };
            let field = match name {
                "Email" => &mut user.email,
                "DisplayName" => &mut user.display_name,
                "Username" => &mut user.username,
                "Password" if self.setting.is("password", "absent") => {
                    return Err((5, "Password is not a property that can be set".to_owned()));
                }
                "Password" => {
                    if user.password != value {
                        notes.push(("password", "set".to_owned()));
                    }
                    user.must_change |= self.setting.is("force-change", "yes");
                    &mut user.password
                }
                "ForcePasswordChange" => {
                    user.must_change = value == "true";
                    continue;
                }
                other => user.properties.entry(other.to_owned()).or_default(),
            };
            if *field != value {
                value.clone_into(field);
                if name != "Password" {
                    notes.push(("set", format!("{name}={value}")));
                }
            }
        }
        self.free(id, &user)?;
        for (verb, detail) in notes {
            self.ledger.note(verb, &user.username, detail);
        }
        self.users.insert(id, user);
        Ok(String::new())
    }

    fn role(&mut self, request: &Request, add: bool) -> Outcome {
        let id = self.id(request)?;
        let role = request.text("roleName");
        if !self.roles.contains_key(role.as_str()) {
            return Err((6, "The role does not exist".to_owned()));
        }
        let Some(user) = self.users.get_mut(&id) else {
            return Err((3, "The user does not exist".to_owned()));
        };
        let effective = if add {
            user.roles.insert(role.clone())
        } else {
            user.roles.remove(&role)
        };
        if effective {
            let name = user.username.clone();
            self.ledger
                .note(if add { "grant" } else { "revoke" }, name, role);
        }
        Ok(String::new())
    }

    fn delete(&mut self, request: &Request) -> Outcome {
        let id = self.id(request)?;
        if let Some(user) = self.users.remove(&id) {
            self.ledger.note("delete", user.username, "");
        }
        Ok(String::new())
    }
}
