//! Writing users: what must be there, what must be unique, what cannot be changed, and roles.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::data::{COMPANY, Servicetrade, User};
use crate::support::sim::wire::{Answer, text};

/// Fields that writing knows, besides the default office, whose name is a switch.
const FIELDS: [&str; 14] = [
    "username",
    "firstName",
    "lastName",
    "email",
    "phone",
    "timezone",
    "companyId",
    "officeIds",
    "managerId",
    "isTech",
    "isHelper",
    "isSales",
    "serviceLineIds",
    "status",
];
const REQUIRED: [&str; 4] = ["username", "firstName", "lastName", "email"];
/// The only role that a helper may hold.
const HELPER: i64 = 108;

impl Servicetrade {
    pub(super) fn create_user(&mut self, body: &Value) -> Answer {
        let Some(body) = body.as_object() else {
            return self.error(400, "no JSON object");
        };
        let office = self.setting.get("office");
        for field in REQUIRED.into_iter().chain([office]) {
            let empty = match body.get(field) {
                None | Some(Value::Null) => true,
                Some(value) => text(value).is_empty(),
            };
            if empty {
                return self.invalid(field, &format!("{field} is required"));
            }
        }
        if !self.has_seat("user") {
            return self.no_seat();
        }
        let mut user = User::default();
        user.fields.insert("status".to_owned(), json!("active"));
        user.fields.insert("companyId".to_owned(), json!(COMPANY));
        user.fields
            .insert("created".to_owned(), json!(self.ledger.now));
        let id = self.fresh();
        let changed = match self.write(id, &mut user, body) {
            Ok(changed) => changed,
            Err(refused) => return refused,
        };
        let name = user.text("username").to_owned();
        self.ledger.note("create", &name, changed.join(" "));
        self.note_password(&mut user, body);
        self.users.insert(id, user);
        if let Err(refused) = self.roles_from(id, body) {
            self.users.remove(&id);
            return refused;
        }
        // A technician gets a role without being asked, besides those that were asked for.
        self.automatic_role(id, false);
        self.show_user(id)
    }

    pub(super) fn update_user(&mut self, id: i64, body: &Value) -> Answer {
        let Some(body) = body.as_object() else {
            return self.error(400, "no JSON object");
        };
        let Some(mut user) = self.users.get(&id).cloned() else {
            return self.error(404, "user not found");
        };
        let back = !user.active() && body.get("status") == Some(&json!("active"));
        if back && !self.has_seat("user") {
            return self.no_seat();
        }
        let name = user.text("username").to_owned();
        let was_tech = user.flag("isTech");
        let changed = match self.write(id, &mut user, body) {
            Ok(changed) => changed,
            Err(refused) => return refused,
        };
        for change in changed {
            self.ledger.note("set", &name, change);
        }
        self.note_password(&mut user, body);
        self.users.insert(id, user);
        if let Err(refused) = self.roles_from(id, body) {
            return refused;
        }
        self.automatic_role(id, was_tech);
        self.show_user(id)
    }

    /// Writes what a body names, after every check; says what differs now.
    fn write(
        &self,
        id: i64,
        user: &mut User,
        body: &Map<String, Value>,
    ) -> Result<Vec<String>, Answer> {
        let office = self.setting.get("office");
        let mut changed = Vec::new();
        for (key, value) in body {
            let known = if key == office { "officeId" } else { key };
            match key.as_str() {
                "password" if self.setting.is("password", "refused") => {
                    return Err(self.invalid("password", "password cannot be set"));
                }
                "password" | "roleIds" => continue,
                _ if key == office || FIELDS.contains(&key.as_str()) => {}
                _ if self.setting.is("unknown-field", "refused") => {
                    return Err(self.invalid(key, &format!("{key} is not a field of a user")));
                }
                _ => continue,
            }
            if self.check(id, user, known, value)? && user.fields.get(known) != Some(value) {
                user.fields.insert(known.to_owned(), value.clone());
                changed.push(format!("{known}={}", text(value)));
            }
        }
        if user.flag("isHelper") && user.flag("isTech") {
            return Err(self.invalid("isHelper", "a helper cannot be a technician"));
        }
        user.fields
            .insert("updated".to_owned(), json!(self.ledger.now));
        Ok(changed)
    }

    /// Whether a field may have this value: `false` means that it is ignored.
    fn check(&self, id: i64, user: &User, field: &str, value: &Value) -> Result<bool, Answer> {
        let wanted = text(value);
        let taken = |field: &str| {
            let mut others = self.users.iter().filter(|(other, _)| **other != id);
            others.any(|(_, other)| other.text(field).eq_ignore_ascii_case(&wanted))
        };
        match field {
            "username" => {
                let before = user.text("username");
                if !before.is_empty() && before != wanted {
                    // A customer cannot change it.
                    return if self.setting.is("rename", "refused") {
                        Err(self.invalid("username", "username cannot be changed"))
                    } else {
                        Ok(false)
                    };
                }
                let stranger = self.strangers.contains(&wanted.to_lowercase());
                if before.is_empty() && (stranger || taken("username")) {
                    return Err(self.conflict("username", "username is unavailable"));
                }
            }
            "email" if taken("email") => {
                return Err(self.conflict("email", "email is already in use"));
            }
            "status" if !["active", "inactive"].contains(&wanted.as_str()) => {
                return Err(self.invalid("status", "status is active or inactive"));
            }
            "officeId"
                if value
                    .as_i64()
                    .is_none_or(|id| !self.offices.contains_key(&id)) =>
            {
                return Err(self.invalid("officeId", "there is no such office"));
            }
            "serviceLineIds" => {
                let ids: Vec<i64> = value
                    .as_array()
                    .into_iter()
                    .flatten()
                    .filter_map(Value::as_i64)
                    .collect();
                if ids.iter().any(|id| !self.lines.contains_key(id)) || !value.is_array() {
                    return Err(self.invalid("serviceLineIds", "there is no such service line"));
                }
            }
            "isTech" | "isHelper" | "isSales" if !value.is_boolean() => {
                return Err(self.invalid(field, "this is yes or no"));
            }
            _ => {}
        }
        Ok(true)
    }

    fn conflict(&self, field: &str, words: &str) -> Answer {
        match self.setting.get("conflict") {
            "400-validation" => self.invalid(field, words),
            "400-error" => self.error(400, words),
            "403" => self.error(403, words),
            _same_as_409 => self.error(409, words),
        }
    }

    /// The words of the vendor are not known.
    fn no_seat(&self) -> Answer {
        self.error(400, "No more licenses are available on your subscription")
    }

    fn note_password(&mut self, user: &mut User, body: &Map<String, Value>) {
        let Some(password) = body.get("password").map(text) else {
            return;
        };
        if self.setting.is("password", "accepted") && user.password.as_ref() != Some(&password) {
            user.password = Some(password);
            let name = user.text("username").to_owned();
            self.ledger.note("password", name, "set");
        }
    }

    /// "A new technician gets the newest role that contains performing jobs."
    fn automatic_role(&mut self, id: i64, was_tech: bool) {
        let seat = self.has_seat("role");
        let newest = self.tech_roles.last().copied().filter(|_| seat);
        let Some((user, role)) = self.users.get_mut(&id).zip(newest) else {
            return;
        };
        if user.flag("isTech") && !was_tech && user.roles.insert(role) {
            let name = user.text("username").to_owned();
            self.ledger
                .note("automatic-role", name, self.roles[&role].clone());
        }
    }

    /// Roles from the field of a user, where that is how roles are given.
    fn roles_from(&mut self, id: i64, body: &Map<String, Value>) -> Result<(), Answer> {
        let Some(ids) = body.get("roleIds") else {
            return Ok(());
        };
        if self.setting.is("role", "sub-resource") {
            return Ok(());
        }
        let wanted: BTreeSet<i64> = ids
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(Value::as_i64)
            .collect();
        if wanted.iter().any(|role| !self.roles.contains_key(role)) {
            return Err(self.invalid("roleIds", "there is no such role"));
        }
        let held = self.users[&id].roles.clone();
        for role in held.difference(&wanted) {
            self.revoke(id, *role);
        }
        for role in wanted.difference(&held) {
            self.grant(id, *role)?;
        }
        Ok(())
    }

    fn grant(&mut self, id: i64, role: i64) -> Result<(), Answer> {
        let Some(user) = self.users.get_mut(&id) else {
            return Ok(());
        };
        if user.flag("isHelper") && role != HELPER {
            return Err(self.invalid("roleIds", "a helper may hold the helper's role only"));
        }
        let first = self.tech_roles.contains(&role) && user.roles.is_disjoint(&self.tech_roles);
        if first && !self.has_seat("role") {
            return Err(self.no_seat());
        }
        let Some(user) = self.users.get_mut(&id) else {
            return Ok(());
        };
        if user.roles.insert(role) {
            let name = user.text("username").to_owned();
            self.ledger.note("grant", name, self.roles[&role].clone());
        }
        Ok(())
    }

    fn revoke(&mut self, id: i64, role: i64) {
        let Some(user) = self.users.get_mut(&id) else {
            return;
        };
        if user.roles.remove(&role) {
            let name = user.text("username").to_owned();
            self.ledger.note("revoke", name, self.roles[&role].clone());
        }
    }

    pub(super) fn add_role(&mut self, id: i64, body: &Value) -> Answer {
        let role = body.get("roleId").and_then(Value::as_i64);
        let role = role.filter(|role| self.roles.contains_key(role));
        match role {
            _ if self.setting.is("role", "field") => self.error(404, "not found"),
            None => self.invalid("roleId", "there is no such role"),
            Some(role) => match self.grant(id, role) {
                Ok(()) => self.show_user(id),
                Err(refused) => refused,
            },
        }
    }

    pub(super) fn drop_role(&mut self, id: i64, role: &str) -> Answer {
        if self.setting.is("role", "field") {
            return self.error(404, "not found");
        }
        match role.parse::<i64>() {
            Ok(role) if self.users[&id].roles.contains(&role) => {
                self.revoke(id, role);
                self.deleted()
            }
            Ok(_) | Err(_) => self.error(404, "the user has no such role"),
        }
    }
}
