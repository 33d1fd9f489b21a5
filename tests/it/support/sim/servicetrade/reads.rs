//! Lists of users and of what users refer to, and external ids.

use serde_json::{Map, Value, json};

use super::data::{COMPANY, Servicetrade, User};
use crate::support::sim::wire::{Answer, Call, text};

impl Servicetrade {
    pub(super) fn list_users(&self, call: &Call) -> Answer {
        // Inactive users are listed only if somebody asks for them.
        let status = call.query("status").unwrap_or("active");
        let company = call.query(self.setting.get("company-filter"));
        let tech = call
            .query("isTech")
            .map(|wanted| wanted == self.setting.get("booleans"));
        let has = |user: &User, field: &str| {
            let wanted = call.query(field).map(str::to_lowercase);
            wanted.is_none_or(|wanted| user.text(field).to_lowercase().contains(&wanted))
        };
        let after = call
            .query("updatedAfter")
            .and_then(|text| text.parse::<i64>().ok());
        let wanted = |user: &User| {
            user.text("status") == status
                && company.is_none_or(|id| id == COMPANY.to_string())
                && tech.is_none_or(|tech| user.flag("isTech") == tech)
                && has(user, "email")
                && has(user, "phone")
                && after.is_none_or(|after| {
                    user.fields.get("updated").and_then(Value::as_i64) > Some(after)
                })
        };
        let found = self.users.iter().filter(|(_, user)| wanted(user));
        let items = found.map(|(id, user)| self.user_json(*id, user)).collect();
        self.list("users", items, call)
    }

    pub(super) fn show_user(&mut self, id: i64) -> Answer {
        self.data(self.user_json(id, &self.users[&id]))
    }

    /// A user as reading gives it. The password is never among it.
    pub(super) fn user_json(&self, id: i64, user: &User) -> Value {
        let mut shown = Map::new();
        shown.insert("id".to_owned(), json!(id));
        shown.insert(
            "uri".to_owned(),
            json!(format!("https://api.servicetrade.com/api/user/{id}")),
        );
        let name = format!("{} {}", user.text("firstName"), user.text("lastName"));
        shown.insert("name".to_owned(), json!(name));
        let office = self.setting.get("office");
        for (key, value) in &user.fields {
            match key.as_str() {
                "companyId" => self.refer(&mut shown, "companyId", COMPANY, "Example Fire"),
                "officeId" => {
                    let id = value.as_i64().unwrap_or(0);
                    self.refer(
                        &mut shown,
                        office,
                        id,
                        self.offices.get(&id).map_or("", String::as_str),
                    );
                }
                "serviceLineIds" => self.refer_all(&mut shown, "serviceLine", value, &self.lines),
                _ => drop(shown.insert(key.clone(), value.clone())),
            }
        }
        let roles = json!(user.roles);
        self.refer_all(&mut shown, "role", &roles, &self.roles);
        Value::Object(shown)
    }

    /// A reference: an object with id and name, or the bare id.
    fn refer(&self, shown: &mut Map<String, Value>, field: &str, id: i64, name: &str) {
        if self.setting.is("reference", "id") {
            shown.insert(field.to_owned(), json!(id));
        } else {
            let field = field.trim_end_matches("Id");
            shown.insert(field.to_owned(), json!({"id": id, "name": name}));
        }
    }

    fn refer_all(
        &self,
        shown: &mut Map<String, Value>,
        one: &str,
        ids: &Value,
        names: &std::collections::BTreeMap<i64, String>,
    ) {
        if self.setting.is("reference", "id") {
            shown.insert(format!("{one}Ids"), ids.clone());
            return;
        }
        let ids = ids
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(Value::as_i64);
        let items: Vec<Value> = ids
            .map(|id| json!({"id": id, "name": names.get(&id)}))
            .collect();
        shown.insert(format!("{one}s"), Value::Array(items));
    }

    pub(super) fn roles_json(&self) -> Vec<Value> {
        named(&self.roles)
    }

    pub(super) fn lines_json(&self) -> Vec<Value> {
        named(&self.lines)
    }

    pub(super) fn offices_json(&self) -> Vec<Value> {
        named(&self.offices)
    }

    /// One page of a list.
    pub(super) fn list(&self, plural: &str, items: Vec<Value>, call: &Call) -> Answer {
        let number = |name: &str, default: usize| {
            call.query(name)
                .and_then(|text| text.parse().ok())
                .unwrap_or(default)
        };
        let limit = number("limit", self.page).clamp(1, self.page);
        let page = number("page", 1).max(1);
        let pages = items.len().div_ceil(limit).max(1);
        let shown: Vec<Value> = items
            .into_iter()
            .skip((page - 1) * limit)
            .take(limit)
            .collect();
        self.data(json!({plural: shown, "page": page, "totalPages": pages}))
    }

    /// `/externalid/user/…`
    pub(super) fn external(&mut self, call: &Call, method: &str, path: &[&str]) -> Answer {
        match (method, path) {
            ("GET", [id]) => self.known(id, |me, id| {
                me.data(json!({"values": me.users[&id].external}))
            }),
            ("GET", [system, value]) if system.parse::<i64>().is_err() => {
                self.by_external(system, value)
            }
            ("GET", [id, system]) => {
                self.known(id, |me, id| match me.users[&id].external.get(*system) {
                    Some(value) => me.data(json!({"value": value})),
                    None => me.error(404, "no such value"),
                })
            }
            ("POST" | "PUT", [id, system]) => {
                let value = call.json().get("value").map(text).unwrap_or_default();
                self.known(id, |me, id| me.set_external(id, system, &value))
            }
            _ => self.error(404, "not found"),
        }
    }

    fn known(&mut self, id: &str, then: impl FnOnce(&mut Self, i64) -> Answer) -> Answer {
        match id.parse::<i64>() {
            Ok(id) if self.users.contains_key(&id) => then(self, id),
            Ok(_) | Err(_) => self.error(404, "entity not found"),
        }
    }

    fn by_external(&self, system: &str, value: &str) -> Answer {
        let holds = |user: &User| user.external.get(system).is_some_and(|held| held == value);
        match self.users.iter().find(|(_, user)| holds(user)) {
            Some((id, user)) => {
                let mut shown = self.user_json(*id, user);
                shown["externalIds"] = json!(user.external);
                self.data(shown)
            }
            None => self.error(404, "no such value"),
        }
    }

    fn set_external(&mut self, id: i64, system: &str, value: &str) -> Answer {
        let Some(user) = self.users.get_mut(&id) else {
            return self.error(404, "entity not found");
        };
        let before = user.external.get(system).cloned().unwrap_or_default();
        if value.is_empty() {
            // An empty value removes it.
            user.external.remove(system);
        } else {
            user.external.insert(system.to_owned(), value.to_owned());
        }
        if before != value {
            let name = user.text("username").to_owned();
            self.ledger
                .note("external", name, format!("{system}={value}"));
        }
        self.data(json!({"value": value}))
    }
}

fn named(names: &std::collections::BTreeMap<i64, String>) -> Vec<Value> {
    let items = names
        .iter()
        .map(|(id, name)| json!({"id": id, "name": name}));
    items.collect()
}
