//! Accounts and workflows: invitations, roles after creation, disabling, and deleting with an heir.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::graphql::Field;
use super::{ORGANISATION, Salestrekker, User};
use crate::support::sim::wire::text;

/// Operations by their kind, for introspection.
const QUERIES: [&str; 5] = [
    "account",
    "accounts",
    "organizations",
    "workflow",
    "workflows",
];
const MUTATIONS: [&str; 7] = [
    "authenticate",
    "accountCreate",
    "accountDelete",
    "accountDisable",
    "accountEnable",
    "accountUpdate",
    "workflowUpdate",
];
const FLAGS: [&str; 3] = ["isAdministrator", "isBroker", "isMentor"];

impl Salestrekker {
    pub(super) fn resolve(&mut self, kind: &str, field: &Field) -> Result<Value, String> {
        let name = field.name.as_str();
        if name == "__schema" {
            return self.schema();
        }
        let known: &[&str] = if kind == "mutation" {
            &MUTATIONS
        } else {
            &QUERIES
        };
        if !known.contains(&name) {
            return Err(format!("Cannot query field \"{name}\""));
        }
        // Only owners of the organisation may add, change, disable or remove users.
        if name.starts_with("account") && kind == "mutation" && self.setting.is("rights", "too-low")
        {
            return Err("Insufficient permissions".to_owned());
        }
        match name {
            "organizations" => Ok(
                json!([{"id": "1", "organization": {"id": ORGANISATION, "name": "Example Brokers"}}]),
            ),
            "accounts" => Ok(self.list(field)),
            "account" => Ok(self
                .users
                .get(&id(field, "id"))
                .map_or(Value::Null, |user| self.user_json(&id(field, "id"), user))),
            "workflows" => Ok(self
                .workflows
                .keys()
                .map(|id| self.workflow_json(id))
                .collect()),
            "workflow" => Ok(self.workflow_json(&id(field, "id"))),
            "accountCreate" => self.create(&field.argument("account")),
            "accountUpdate" => self.update(&field.argument("account")),
            "accountDisable" => self.switch(&id(field, "id"), false),
            "accountEnable" => self.switch(&id(field, "id"), true),
            "accountDelete" => self.delete(&id(field, "id"), &id(field, "idNewOwner")),
            _workflow => self.set_members(&field.argument("workflow")),
        }
    }

    fn schema(&self) -> Result<Value, String> {
        if self.setting.is("introspection", "off") {
            return Err("GraphQL introspection is not allowed".to_owned());
        }
        let fields = |names: &[&str]| {
            names
                .iter()
                .map(|name| json!({"name": name}))
                .collect::<Value>()
        };
        Ok(json!({
            "queryType": {"name": "Query"},
            "mutationType": {"name": "Mutation"},
            "types": [
                {"name": "Query", "kind": "OBJECT", "fields": fields(&QUERIES)},
                {"name": "Mutation", "kind": "OBJECT", "fields": fields(&MUTATIONS)},
            ],
        }))
    }

    fn list(&self, field: &Field) -> Value {
        let all = self.setting.is("lists-disabled", "yes");
        let shown = self.users.iter().filter(|(_, user)| all || user.enabled);
        let items: Vec<Value> = shown.map(|(id, user)| self.user_json(id, user)).collect();
        if self.setting.is("paging", "none") {
            return Value::Array(items);
        }
        let number = |name: &str| {
            field
                .argument(name)
                .as_u64()
                .and_then(|n| usize::try_from(n).ok())
        };
        let limit = number("limit").unwrap_or(self.page).min(self.page);
        items
            .into_iter()
            .skip(number("offset").unwrap_or(0))
            .take(limit)
            .collect()
    }

    fn user_json(&self, id: &str, user: &User) -> Value {
        let mut shown = user.fields.clone();
        shown.insert("id".to_owned(), json!(id));
        shown.insert("isActive".to_owned(), json!(user.enabled));
        let mine = self
            .workflows
            .iter()
            .filter(|(_, (_, members))| members.contains(id));
        let mine: Vec<&String> = mine.map(|(id, _)| id).collect();
        shown.insert("idWorkflows".to_owned(), json!(mine));
        Value::Object(shown)
    }

    fn workflow_json(&self, id: &str) -> Value {
        self.workflows.get(id).map_or(
            Value::Null,
            |(name, members)| json!({"id": id, "name": name, "idTeamMembers": members}),
        )
    }

    fn create(&mut self, account: &Value) -> Result<Value, String> {
        let field = |name: &str| account.get(name).map(text).unwrap_or_default();
        for name in ["email", "firstName", "familyName"] {
            if field(name).is_empty() {
                return Err(format!("{name} is required"));
            }
        }
        // Roles are set after creation.
        if FLAGS.iter().any(|flag| account.get(*flag).is_some()) {
            return Err("Roles can be set for existing accounts only".to_owned());
        }
        let email = field("email");
        let held = |user: &User| user.text("email").eq_ignore_ascii_case(&email);
        if self.strangers.contains(&email) || self.users.values().any(held) {
            return Err("An account with this e-mail address already exists".to_owned());
        }
        let mut user = User {
            enabled: true,
            ..User::default()
        };
        for name in ["email", "firstName", "familyName", "phone"] {
            if account.get(name).is_some_and(|value| !value.is_null()) {
                user.fields.insert(name.to_owned(), json!(field(name)));
            }
        }
        for flag in FLAGS {
            user.fields.insert(flag.to_owned(), json!(false));
        }
        let id = self.fresh();
        self.ledger.note(
            "create",
            &email,
            format!("{} {}", field("firstName"), field("familyName")),
        );
        // The application always tells the person, with a login link and a temporary password.
        self.ledger.note("mail", &email, "invitation");
        let shown = self.user_json(&id, &user);
        self.users.insert(id, user);
        Ok(shown)
    }

    fn update(&mut self, account: &Value) -> Result<Value, String> {
        let id = account.get("id").map(text).unwrap_or_default();
        let mut user = self.users.get(&id).cloned().ok_or("Account not found")?;
        let email = user.text("email").to_owned();
        for (name, value) in account.as_object().into_iter().flatten() {
            match name.as_str() {
                "id" => continue,
                "email" | "firstName" | "familyName" if text(value).is_empty() => {
                    return Err(format!("{name} is required"));
                }
                "email" => {
                    let wanted = text(value);
                    let mut others = self.users.iter().filter(|(other, _)| **other != id);
                    if others.any(|(_, other)| other.text("email").eq_ignore_ascii_case(&wanted)) {
                        return Err("An account with this e-mail address already exists".to_owned());
                    }
                }
                "firstName" | "familyName" | "phone" => {}
                flag if FLAGS.contains(&flag) && value.is_boolean() => {}
                other => {
                    return Err(format!(
                        "Field \"{other}\" is not defined by type AccountInput"
                    ));
                }
            }
            let before = user.fields.get(name).cloned().unwrap_or(Value::Null);
            if before == *value {
                continue;
            }
            let detail = format!(
                "{name}={}",
                if value.is_null() {
                    String::new()
                } else {
                    text(value)
                }
            );
            self.ledger.note("set", &email, detail);
            if value.is_null() {
                user.fields.remove(name);
            } else {
                user.fields.insert(name.clone(), value.clone());
            }
        }
        self.users.insert(id.clone(), user);
        Ok(self.user_json(&id, &self.users[&id]))
    }

    fn switch(&mut self, id: &str, on: bool) -> Result<Value, String> {
        let user = self.users.get_mut(id).ok_or("Account not found")?;
        if user.enabled != on {
            user.enabled = on;
            let email = user.text("email").to_owned();
            self.ledger
                .note(if on { "enable" } else { "disable" }, email, "");
        }
        Ok(self.user_json(id, &self.users[id]))
    }

    fn delete(&mut self, id: &str, heir: &str) -> Result<Value, String> {
        if !self.users.contains_key(id) {
            return Err("Account not found".to_owned());
        }
        // Deals, contacts, tasks and notes need somebody to go to.
        if heir == id || !self.users.get(heir).is_some_and(|user| user.enabled) {
            return Err(
                "An active account must take over deals, contacts, tasks and notes".to_owned(),
            );
        }
        for (thing, (kind, owner)) in &mut self.belongings {
            if owner == id {
                heir.clone_into(owner);
                self.ledger.note(
                    "reassign",
                    format!("{kind} {thing}"),
                    format!("{id}>{heir}"),
                );
            }
        }
        for (_, members) in self.workflows.values_mut() {
            members.remove(id);
        }
        if let Some(user) = self.users.remove(id) {
            self.ledger.note("delete", user.text("email"), "");
        }
        Ok(json!({"id": id}))
    }

    fn set_members(&mut self, workflow: &Value) -> Result<Value, String> {
        let id = workflow.get("id").map(text).unwrap_or_default();
        let wanted = workflow.get("idTeamMembers").and_then(Value::as_array);
        let wanted: BTreeSet<String> = wanted
            .ok_or("idTeamMembers is required")?
            .iter()
            .map(text)
            .collect();
        if wanted.iter().any(|member| !self.users.contains_key(member)) {
            return Err("Team member not found".to_owned());
        }
        let (name, members) = self.workflows.get_mut(&id).ok_or("Workflow not found")?;
        let name = *name;
        let before = std::mem::replace(members, wanted.clone());
        for (verb, changed) in [
            ("grant", wanted.difference(&before)),
            ("revoke", before.difference(&wanted)),
        ] {
            for member in changed {
                let email = self.users.get(member).map_or("", |user| user.text("email"));
                self.ledger.note(verb, email, name);
            }
        }
        Ok(self.workflow_json(&id))
    }
}

fn id(field: &Field, name: &str) -> String {
    field.argument(name).as_str().unwrap_or("").to_owned()
}
