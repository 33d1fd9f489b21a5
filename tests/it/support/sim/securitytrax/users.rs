//! Writing users: two switches, the flags around a password, and permission groups per office location.

use serde_json::{Map, Value, json};

use super::query::attributes;
use super::{Securitytrax, User, api};
use crate::support::sim::wire::{Answer, Call, text};

/// Attributes that a user may have.
const KNOWN: [&str; 27] = [
    "fname",
    "lname",
    "username",
    "email",
    "primary_phone",
    "cell_phone",
    "cell_carrier",
    "cell_private",
    "work_phone",
    "address1",
    "city",
    "state",
    "zip",
    "time_zone",
    "language",
    "active",
    "can_login",
    "email_reminders",
    "restore_sessions",
    "hire_date",
    "start_date",
    "last_day",
    "leave_reason",
    "payroll_identifier",
    "employee_directory",
    "title",
    "view_limit_days",
];
/// Attributes that set a password and say what follows from it.
const PASSWORD: [&str; 6] = [
    "change_password",
    "password",
    "confirm_password",
    "notification_email",
    "generate_random_password",
    "force_password_change",
];

impl Securitytrax {
    pub(super) fn route(&mut self, call: &Call, method: &str, path: &[&str]) -> Answer {
        let update = self.setting.get("update");
        match (method, path) {
            ("GET", ["users"]) => self.list_users(call),
            ("POST", ["users"]) => self.create(&call.json()),
            ("GET", ["users", id]) => self.one(id, Self::show),
            ("DELETE", ["users", id]) => self.one(id, Self::delete),
            (_, ["users", id]) if method == update => {
                self.one(id, |me, id| me.update(id, &call.json()))
            }
            (_, ["users", _]) => Self::error(405, "this method is not known here", None),
            ("POST" | "DELETE", ["users", id, "relationships", "groups"]) => {
                let add = method == "POST";
                self.one(id, |me, id| me.set_groups(id, &call.json(), add))
            }
            ("POST", ["users", id, "actions", "set_password"])
                if self.setting.is("password", "action") =>
            {
                self.one(id, |me, id| me.password_by_action(id, &call.json()))
            }
            ("GET", ["groups"]) => Self::names("groups", &self.groups),
            ("GET", ["office_locations"]) => Self::names("office_locations", &self.locations),
            _ => Self::error(404, "no such resource", None),
        }
    }

    fn one(&mut self, id: &str, then: impl FnOnce(&mut Self, i64) -> Answer) -> Answer {
        match id.parse::<i64>() {
            Ok(id) if self.users.contains_key(&id) => then(self, id),
            Ok(_) | Err(_) => Self::error(404, "there is no such user", None),
        }
    }

    fn show(&mut self, id: i64) -> Answer {
        api(200, &json!({"data": self.user_json(id, &self.users[&id])}))
    }

    /// "Never delete": the newest pages let one, so it works here, and a test can see that it was done.
    fn delete(&mut self, id: i64) -> Answer {
        if let Some(user) = self.users.remove(&id) {
            self.ledger.note("delete", user.text("username"), "");
        }
        Answer::empty(204)
    }

    fn create(&mut self, document: &Value) -> Answer {
        if document.pointer("/data/type").and_then(Value::as_str) != Some("users") {
            return Self::error(409, "the type must be users", None);
        }
        // More fields appear after the first save.
        if document.pointer("/data/relationships/groups").is_some() {
            return Self::error(422, "groups are assigned after the first save", None);
        }
        let given = attributes(document);
        for field in ["username", "fname", "lname", "email"] {
            if given.get(field).map(text).unwrap_or_default().is_empty() {
                return Self::error(422, "must be there", Some(field));
            }
        }
        let mut user = User::default();
        user.attributes.insert("active".to_owned(), json!(true));
        user.attributes.insert("can_login".to_owned(), json!(true));
        self.counter += 1;
        let id = self.counter;
        let changed = match self.write(id, &mut user, &given) {
            Ok(changed) => changed,
            Err(refused) => return refused,
        };
        user.reports_to = reports_to(document).flatten();
        self.ledger
            .note("create", user.text("username"), changed.join(" "));
        if self.setting.is("password", "attributes") {
            // For a new user, all boxes are ticked.
            self.password(&mut user, &given, true);
        }
        self.users.insert(id, user);
        api(201, &json!({"data": self.user_json(id, &self.users[&id])}))
    }

    fn update(&mut self, id: i64, document: &Value) -> Answer {
        if document.pointer("/data/id").map(text) != Some(id.to_string()) {
            return Self::error(409, "type and id must be those of the address", None);
        }
        let given = attributes(document);
        let Some(mut user) = self.users.get(&id).cloned() else {
            return Self::error(404, "there is no such user", None);
        };
        let name = user.text("username").to_owned();
        let mut changed = match self.write(id, &mut user, &given) {
            Ok(changed) => changed,
            Err(refused) => return refused,
        };
        if self.setting.is("update", "PUT") && self.setting.is("put", "replaces") {
            let held = std::mem::take(&mut user.attributes);
            let (kept, gone): (Map<_, _>, Map<_, _>) = held
                .into_iter()
                .partition(|(key, _)| given.contains_key(key));
            changed.extend(gone.keys().map(|key| format!("{key}=")));
            user.attributes = kept;
        }
        for change in changed {
            self.ledger.note("set", &name, change);
        }
        if let Some(boss) = reports_to(document).filter(|boss| user.reports_to != *boss) {
            let detail = format!("reports_to={}", boss.as_deref().unwrap_or(""));
            self.ledger.note("set", &name, detail);
            user.reports_to = boss;
        }
        if self.setting.is("password", "attributes") {
            self.password(&mut user, &given, false);
        }
        self.users.insert(id, user);
        if self.setting.is("answer", "204") {
            return Answer::empty(204);
        }
        self.show(id)
    }

    fn write(
        &self,
        id: i64,
        user: &mut User,
        given: &Map<String, Value>,
    ) -> Result<Vec<String>, Answer> {
        let mut changed = Vec::new();
        for (key, value) in given {
            if PASSWORD.contains(&key.as_str()) {
                continue;
            }
            if !KNOWN.contains(&key.as_str()) {
                return Err(Self::error(422, "no such attribute", Some(key)));
            }
            if self.taken(id, key, &text(value)) {
                let status = self.setting.get("conflict").parse().unwrap_or(422);
                let what = format!("{key} has already been taken");
                return Err(Self::error(status, &what, Some(key)));
            }
            if ["active", "can_login"].contains(&key.as_str()) && !value.is_boolean() {
                return Err(Self::error(422, "must be yes or no", Some(key)));
            }
            if user.attributes.get(key) == Some(value) {
                continue;
            }
            changed.push(format!(
                "{key}={}",
                if value.is_null() {
                    String::new()
                } else {
                    text(value)
                }
            ));
            if value.is_null() {
                user.attributes.remove(key);
            } else {
                user.attributes.insert(key.clone(), value.clone());
            }
        }
        Ok(changed)
    }

    fn taken(&self, id: i64, key: &str, value: &str) -> bool {
        let unique = key == "username" || key == "email" && self.setting.is("email", "unique");
        let mut others = self.users.iter().filter(|(other, _)| **other != id);
        let held = others.any(|(_, user)| user.text(key).eq_ignore_ascii_case(value));
        unique && (held || key == "username" && self.strangers.contains(value))
    }

    /// The flags around a password, each on its own: changing, notifying, generating, forcing another at the next login.
    fn password(&mut self, user: &mut User, given: &Map<String, Value>, first: bool) {
        let flag = |name: &str| given.get(name).and_then(Value::as_bool);
        let random = flag("generate_random_password") == Some(true);
        // A password that is supplied without the flag is not taken.
        let change = flag("change_password") == Some(true) || random;
        let supplied = given.get("password").map(text);
        if supplied.is_some() && supplied != given.get("confirm_password").map(text) && !random {
            return;
        }
        let name = user.text("username").to_owned();
        if change && (random || supplied.is_some()) {
            let password = if random {
                format!("random-{}", self.counter)
            } else {
                supplied.unwrap_or_default()
            };
            if user.password.as_ref() != Some(&password) {
                let force = flag("force_password_change").unwrap_or(first);
                let detail = if force { "set, to be changed" } else { "set" };
                self.ledger.note("password", &name, detail);
                user.password = Some(password);
            }
            let default = self.setting.is("mail-unless-refused", "yes");
            if random || flag("notification_email").unwrap_or(default) {
                self.ledger.note("mail", &name, "credentials");
            }
        }
    }

    fn password_by_action(&mut self, id: i64, document: &Value) -> Answer {
        let given = attributes(document);
        let Some(mut user) = self.users.get(&id).cloned() else {
            return Self::error(404, "there is no such user", None);
        };
        self.password(&mut user, &given, false);
        self.users.insert(id, user);
        Answer::empty(204)
    }

    /// Adds or removes pairs of office location and group, by JSON:API's relationship documents.
    fn set_groups(&mut self, id: i64, document: &Value, add: bool) -> Answer {
        let items = document.get("data").and_then(Value::as_array).cloned();
        for item in items.unwrap_or_default() {
            let group = item.get("id").map(text).unwrap_or_default();
            let location = item
                .pointer("/meta/office_location")
                .map(text)
                .unwrap_or_default();
            let known = self.groups.contains_key(group.as_str());
            if !known || !self.locations.contains_key(location.as_str()) {
                return Self::error(422, "there is no such group or office location", None);
            }
            let detail = format!(
                "{}@{}",
                self.groups[group.as_str()],
                self.locations[location.as_str()]
            );
            let Some(user) = self.users.get_mut(&id) else {
                return Self::error(404, "there is no such user", None);
            };
            let pair = (location, group);
            let (verb, effective) = if add {
                ("grant", user.groups.insert(pair))
            } else {
                ("revoke", user.groups.remove(&pair))
            };
            if effective {
                let name = user.text("username").to_owned();
                self.ledger.note(verb, name, detail);
            }
        }
        Answer::empty(204)
    }
}

/// Whose report a document makes the user; `None` if it does not say.
fn reports_to(document: &Value) -> Option<Option<String>> {
    let data = document.pointer("/data/relationships/reports_to/data")?;
    Some(data.get("id").map(text))
}
