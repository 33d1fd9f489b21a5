//! What is known about attributes: their shape by RFC 7643, and by the server's own `/Schemas` where it has one. Pure.

use std::collections::HashMap;

use serde_json::{Map, Value};

use super::path::{CORE_USER, Path};

/// How an attribute's values are held.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Shape {
    /// One text or number.
    Simple,
    /// One truth value.
    Truth,
    /// Several plain values.
    List,
    /// One object (`manager`).
    Object,
    /// Several objects (`emails`).
    Objects,
}

/// One attribute in the server's schema.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Known {
    shape: Shape,
    read_only: bool,
}

/// The attributes of a user.
#[derive(Clone, Debug, Default)]
pub struct Schema {
    known: HashMap<String, Known>,
}

impl Schema {
    /// Reads the resources of `/Schemas`. Unusable parts are skipped: the schema is advice, not evidence.
    #[must_use]
    pub fn read(resources: &[Value]) -> Self {
        let mut schema = Self::default();
        for resource in resources {
            let Some(id) = resource.get("id").and_then(Value::as_str) else {
                continue;
            };
            let prefix = if id.eq_ignore_ascii_case(CORE_USER) {
                String::new()
            } else {
                format!("{}:", id.to_ascii_lowercase())
            };
            schema.add(&prefix, resource, false);
        }
        // A server without a schema for users tells nothing about users.
        if !schema.known.contains_key("username") {
            schema.known.clear();
        }
        schema
    }

    fn add(&mut self, prefix: &str, holder: &Value, nested: bool) {
        let key = if nested {
            "subAttributes"
        } else {
            "attributes"
        };
        let attributes = holder.get(key).and_then(Value::as_array);
        for attribute in attributes.into_iter().flatten() {
            let Some(name) = attribute.get("name").and_then(Value::as_str) else {
                continue;
            };
            let flag = |name: &str| attribute.get(name).and_then(Value::as_bool) == Some(true);
            let text = |name: &str| attribute.get(name).and_then(Value::as_str).unwrap_or("");
            let complex = text("type").eq_ignore_ascii_case("complex");
            let shape = match (complex, flag("multiValued")) {
                (true, true) => Shape::Objects,
                (true, false) => Shape::Object,
                (false, true) => Shape::List,
                (false, false) if text("type").eq_ignore_ascii_case("boolean") => Shape::Truth,
                (false, false) => Shape::Simple,
            };
            let name = format!("{prefix}{}", name.to_ascii_lowercase());
            let read_only = text("mutability").eq_ignore_ascii_case("readOnly");
            self.known.insert(name.clone(), Known { shape, read_only });
            if complex && !nested {
                self.add(&format!("{name}."), attribute, true);
            }
        }
    }

    /// Whether the server told its attributes at all.
    #[must_use]
    pub fn is_known(&self) -> bool {
        !self.known.is_empty()
    }

    /// Whether the server has this attribute; `None` if it did not tell.
    #[must_use]
    pub fn has(&self, path: &Path) -> Option<bool> {
        if !self.is_known() {
            return None;
        }
        // Common attributes are in no schema (RFC 7643 §3.1).
        let key = path.key();
        Some(matches!(key.as_str(), "id" | "externalid") || self.known.contains_key(&key))
    }

    /// The shape of the whole attribute that a path points at or into.
    #[must_use]
    pub fn shape(&self, path: &Path) -> Shape {
        let whole = path.whole().to_ascii_lowercase();
        if let Some(known) = self.known.get(&whole) {
            return known.shape;
        }
        if !path.filter.is_empty() {
            return Shape::Objects;
        }
        let name = path.attribute.to_ascii_lowercase();
        match name.as_str() {
            "emails" | "phonenumbers" | "ims" | "photos" | "addresses" | "entitlements"
            | "roles" | "x509certificates" | "groups" => Shape::Objects,
            "name" | "manager" => Shape::Object,
            "active" => Shape::Truth,
            _ if path.sub.is_some() => Shape::Object,
            _ => Shape::Simple,
        }
    }

    /// Whether the value that a path points at is a truth value.
    #[must_use]
    pub fn is_truth(&self, path: &Path) -> bool {
        match (&path.sub, self.known.get(&path.key())) {
            (_, Some(known)) => known.shape == Shape::Truth,
            (Some(sub), None) => sub.eq_ignore_ascii_case("primary"),
            (None, None) => self.shape(path) == Shape::Truth,
        }
    }

    /// Removes from a resource what a client must not send back.
    pub fn drop_read_only(&self, resource: &mut Map<String, Value>) {
        resource.retain(|name, _| {
            let name = name.to_ascii_lowercase();
            let always = matches!(name.as_str(), "id" | "meta" | "groups");
            !always && !self.known.get(&name).is_some_and(|known| known.read_only)
        });
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn schema() -> Schema {
        Schema::read(&[
            json!({"id": CORE_USER, "attributes": [
                {"name": "userName", "type": "string", "multiValued": false},
                {"name": "tags", "type": "string", "multiValued": true},
                {"name": "vip", "type": "boolean"},
                {"name": "seen", "type": "dateTime", "mutability": "readOnly"},
                {"name": "emails", "type": "complex", "multiValued": true, "subAttributes": [
                    {"name": "value", "type": "string"}, {"name": "primary", "type": "boolean"}]},
            ]}),
            json!({"id": "urn:x:Y", "attributes": [{"name": "cost", "type": "complex", "subAttributes": [{"name": "value"}]}]}),
            json!({"attributes": 7}),
        ])
    }

    #[test]
    fn shapes_come_from_the_server_and_else_from_the_rfc() {
        for (schema, path, shape) in [
            (schema(), "tags", Shape::List),
            (schema(), "urn:x:y:COST", Shape::Object),
            (schema(), "VIP", Shape::Truth),
            (Schema::default(), "roles", Shape::Objects),
            (Schema::default(), "title", Shape::Simple),
            (Schema::default(), "name.givenName", Shape::Object),
            (Schema::default(), "x[type eq \"y\"].value", Shape::Objects),
        ] {
            assert_eq!(schema.shape(&Path::parse(path).unwrap()), shape, "{path}");
        }
    }

    #[test]
    fn unknown_attributes_are_noticed() {
        for (path, known) in [
            ("username", Some(true)),
            ("externalId", Some(true)),
            ("emails[type eq \"work\"].value", Some(true)),
            ("emails.colour", Some(false)),
            ("nickName", Some(false)),
        ] {
            let path = Path::parse(path).unwrap();
            assert_eq!(schema().has(&path), known, "{path}");
            assert_eq!(Schema::default().has(&path), None);
        }
    }

    #[test]
    fn what_is_read_only_is_not_sent_back() {
        let mut resource =
            json!({"id": "1", "meta": {}, "groups": [], "Seen": "x", "userName": "a"});
        schema().drop_read_only(resource.as_object_mut().unwrap());
        assert_eq!(resource, json!({"userName": "a"}));
    }
}
