//! Lists: the vendor's filter language in its smallest useful part, includes, and paging in three forms.

use serde_json::{Map, Value, json};

use super::{Securitytrax, User, api};
use crate::support::sim::wire::{Answer, Call, text};

/// One comparison of a filter: attribute, operator, value.
type Comparison = (String, String, String);

impl Securitytrax {
    pub(super) fn list_users(&self, call: &Call) -> Answer {
        let comparisons = match call.query("filter").map(parse) {
            Some(None) => return Self::error(400, "the filter cannot be read", None),
            Some(Some(comparisons)) => comparisons,
            None => Vec::new(),
        };
        let asks_inactive = comparisons.iter().any(|(name, _, _)| name == "active");
        let shown = |user: &User| {
            self.setting.is("lists-inactive", "yes") || asks_inactive || user.flag("active")
        };
        let fits = |user: &User| {
            comparisons.iter().all(|(name, operator, wanted)| {
                let held = user.attributes.get(name).map(text).unwrap_or_default();
                let same = held.eq_ignore_ascii_case(wanted);
                if operator == "!=" { !same } else { same }
            })
        };
        let found = self
            .users
            .iter()
            .filter(|(_, user)| shown(user) && fits(user));
        let items: Vec<Value> = found.map(|(id, user)| self.user_json(*id, user)).collect();
        self.page_of(items, call)
    }

    fn page_of(&self, items: Vec<Value>, call: &Call) -> Answer {
        let number = |name: &str, default: usize| {
            call.query(name)
                .and_then(|text| text.parse().ok())
                .unwrap_or(default)
        };
        let total = items.len();
        let (from, size) = match self.setting.get("paging") {
            "page-number" => {
                let size = number("page[size]", self.page).clamp(1, self.page);
                ((number("page[number]", 1).max(1) - 1) * size, size)
            }
            "page-offset" => {
                let size = number("page[limit]", self.page).clamp(1, self.page);
                (number("page[offset]", 0), size)
            }
            _none => (0, usize::MAX),
        };
        let shown: Vec<Value> = items.into_iter().skip(from).take(size).collect();
        api(200, &json!({"data": shown, "meta": {"total": total}}))
    }

    /// A user as a resource object. The password is never among it.
    pub(super) fn user_json(&self, id: i64, user: &User) -> Value {
        let pairs = user.groups.iter().map(|(location, group)| {
            json!({"type": "groups", "id": group, "meta": {"office_location": location}})
        });
        let groups: Vec<Value> = pairs.collect();
        let boss = user.reports_to.as_ref();
        let reports_to = boss.map_or(Value::Null, |id| json!({"type": "users", "id": id}));
        json!({
            "type": "users",
            "id": id.to_string(),
            "attributes": user.attributes,
            "relationships": {"groups": {"data": groups}, "reports_to": {"data": reports_to}},
        })
    }

    pub(super) fn names(kind: &str, names: &std::collections::BTreeMap<&str, &str>) -> Answer {
        let items: Vec<Value> = names
            .iter()
            .map(|(id, name)| json!({"type": kind, "id": id, "attributes": {"name": name}}))
            .collect();
        api(200, &json!({"data": items}))
    }
}

/// The attributes of a document's data.
pub(super) fn attributes(document: &Value) -> Map<String, Value> {
    let found = document
        .pointer("/data/attributes")
        .and_then(Value::as_object);
    found.cloned().unwrap_or_default()
}

/// `(a = 'x' AND b != 'y')`; quotes within text are doubled.
fn parse(filter: &str) -> Option<Vec<Comparison>> {
    let inner = filter.trim();
    let inner = inner
        .strip_prefix('(')
        .and_then(|rest| rest.strip_suffix(')'))
        .unwrap_or(inner);
    let mut rest = inner.trim();
    let mut comparisons = Vec::new();
    loop {
        let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_')?;
        let name = rest.get(..end)?.to_owned();
        rest = rest.get(end..)?.trim_start();
        let operator = if rest.starts_with("!=") { "!=" } else { "=" };
        rest = rest.strip_prefix(operator)?.trim_start();
        let (value, after) = literal(rest)?;
        comparisons.push((name, operator.to_owned(), value));
        rest = after.trim_start();
        if rest.is_empty() {
            return Some(comparisons);
        }
        rest = rest.strip_prefix("AND")?.trim_start();
    }
}

fn literal(text: &str) -> Option<(String, &str)> {
    let Some(quoted) = text.strip_prefix('\'') else {
        let end = text.find(' ').unwrap_or(text.len());
        return Some((text.get(..end)?.to_owned(), text.get(end..)?));
    };
    let mut value = String::new();
    let mut chars = quoted.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        if c != '\'' {
            value.push(c);
        } else if chars.peek().is_some_and(|(_, next)| *next == '\'') {
            value.push('\'');
            chars.next();
        } else {
            return Some((value, quoted.get(at + 1..)?));
        }
    }
    None
}
