//! What to send for a change: PATCH operations (RFC 7644 §3.5.2) or the whole resource for PUT. Pure.
//!
//! Only what differs is sent: a change that changes nothing still moves `lastModified` on real servers.

use serde_json::{Map, Value as Json, json};

use super::json;
use super::schema::Schema;
use super::wire::{self, Field};
use crate::model::Value;

/// The schema of a PATCH request.
pub const PATCH_OP: &str = "urn:ietf:params:scim:api:messages:2.0:PatchOp";

/// A change in this connector's terms.
#[derive(Clone, Debug, Default)]
pub struct Delta {
    /// New values; `None` clears.
    pub fields: Vec<(Field, Option<Value>)>,
    /// The new active flag.
    pub active: Option<bool>,
}

impl Delta {
    /// Whether operations can only be chosen with the current resource at hand.
    #[must_use]
    pub fn needs_current(&self) -> bool {
        self.fields.iter().any(|(field, _)| {
            !field.path.filter.is_empty() || field.shape == super::schema::Shape::Objects
        })
    }

    /// Whether a resource already is as wanted; texts are compared without case, because servers normalise.
    #[must_use]
    pub fn holds_in(&self, resource: &Json) -> bool {
        let fields = self.fields.iter().all(|(field, wanted)| {
            let have = field.read(resource).map(|v| v.to_string().to_lowercase());
            have == wanted.as_ref().map(|v| v.to_string().to_lowercase())
        });
        fields && (self.active.is_none() || self.active == wire::active(resource))
    }

    /// The operations, against the current resource if it is known; none if nothing differs.
    ///
    /// # Errors
    /// A text, if an attribute cannot hold a value.
    pub fn operations(&self, current: Option<&Json>) -> Result<Vec<Json>, String> {
        let mut operations = Vec::new();
        for (field, wanted) in &self.fields {
            let have = current.map(|resource| field.read(resource));
            if have.as_ref() == Some(wanted) {
                continue;
            }
            operations.push(match wanted {
                Some(value) => put_value(field, value, current, &have)?,
                None => json!({"op": "remove", "path": removal(field)}),
            });
        }
        if let Some(active) = self.active
            && current.is_none_or(|resource| wire::active(resource) != Some(active))
        {
            operations.push(json!({"op": "replace", "path": "active", "value": active}));
        }
        Ok(operations)
    }

    /// The whole resource for PUT: the current one with the change, without what clients must not send.
    ///
    /// # Errors
    /// A text, if an attribute cannot hold a value.
    pub fn merged(&self, current: &Json, schema: &Schema) -> Result<Map<String, Json>, String> {
        let mut resource = current.as_object().cloned().unwrap_or_default();
        schema.drop_read_only(&mut resource);
        for (field, wanted) in &self.fields {
            match wanted {
                Some(value) => field.set(&mut resource, value)?,
                None => field.clear(&mut resource),
            }
        }
        if let Some(active) = self.active {
            resource.retain(|name, _| !name.eq_ignore_ascii_case("active"));
            resource.insert("active".to_owned(), Json::Bool(active));
        }
        Ok(resource)
    }
}

/// A PATCH request with these operations.
#[must_use]
pub fn request(operations: &[Json]) -> Json {
    json!({"schemas": [PATCH_OP], "Operations": operations})
}

fn put_value(
    field: &Field,
    value: &Value,
    current: Option<&Json>,
    have: &Option<Option<Value>>,
) -> Result<Json, String> {
    use super::schema::Shape;
    let path = &field.path;
    if path.filter.is_empty() && matches!(field.shape, Shape::List | Shape::Objects) {
        let whole = current.and_then(|resource| whole(field, resource));
        let list = field.kept(whole, value);
        return Ok(json!({"op": "replace", "path": path.whole(), "value": list}));
    }
    let json = field.single(value)?;
    if !path.filter.is_empty() {
        let exists = current
            .and_then(|resource| whole(field, resource))
            .is_some_and(|all| wire::elements(all).any(|e| wire::matches(e, &path.filter)));
        return Ok(if exists {
            let address = format!("{}.{}", path.element(), path.leaf());
            json!({"op": "replace", "path": address, "value": json})
        } else {
            json!({"op": "add", "path": path.whole(), "value": [field.new_element(json)]})
        });
    }
    let op = if matches!(have, Some(None)) {
        "add"
    } else {
        "replace"
    };
    // One object with a value inside: `manager` is sent as an object, `manager.value` as written.
    let json = if path.sub.is_none() && field.shape == Shape::Object {
        json!({"value": json})
    } else {
        json
    };
    Ok(json!({"op": op, "path": path.to_string(), "value": json}))
}

fn removal(field: &Field) -> String {
    if field.clears_whole() {
        field.path.whole()
    } else if field.path.leaf().eq_ignore_ascii_case("value") {
        field.path.element()
    } else {
        field.path.to_string()
    }
}

fn whole<'a>(field: &Field, resource: &'a Json) -> Option<&'a Json> {
    let object = resource.as_object()?;
    let holder = match &field.path.schema {
        Some(schema) => json::lookup(object, schema)?.as_object()?,
        None => object,
    };
    json::lookup(holder, &field.path.attribute)
}

#[cfg(test)]
mod tests {
    use super::*;

    const EXT: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";

    fn delta(changes: &[(&str, Option<Value>)], active: Option<bool>) -> Delta {
        Delta {
            fields: changes
                .iter()
                .map(|(name, value)| {
                    (
                        Field::parse(name, &Schema::default()).unwrap(),
                        value.clone(),
                    )
                })
                .collect(),
            active,
        }
    }

    fn t(text: &str) -> Option<Value> {
        Value::text(text)
    }

    fn current() -> Json {
        json!({
            "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"],
            "id": "1", "meta": {"version": "W/1"}, "groups": [{"value": "g"}],
            "userName": "ada", "active": true, "name": {"givenName": "Ada"},
            "emails": [{"type": "work", "value": "a@x", "primary": true}],
            "roles": [{"value": "r1", "display": "one"}, {"value": "r2"}],
        })
    }

    #[test]
    fn operations_name_only_what_differs() {
        let set = Value::Set(["r1", "r3"].map(str::to_owned).into());
        let department = format!("{EXT}:department");
        let manager = format!("{EXT}:manager");
        let work = "emails[type eq \"work\"].value";
        for (name, value, expected) in [
            ("userName", t("ada"), json!([])),
            ("title", None, json!([])),
            ("emails[type eq \"home\"].value", None, json!([])),
            (
                "userName",
                t("bo"),
                json!([{"op": "replace", "path": "userName", "value": "bo"}]),
            ),
            (
                "name.familyName",
                t("L"),
                json!([{"op": "add", "path": "name.familyName", "value": "L"}]),
            ),
            (
                "name.givenName",
                None,
                json!([{"op": "remove", "path": "name.givenName"}]),
            ),
            (
                work,
                t("b@x"),
                json!([{"op": "replace", "path": work, "value": "b@x"}]),
            ),
            (
                work,
                None,
                json!([{"op": "remove", "path": "emails[type eq \"work\"]"}]),
            ),
            (
                "emails[type eq \"home\"].value",
                t("h@x"),
                json!([{"op": "add", "path": "emails", "value": [{"type": "home", "value": "h@x"}]}]),
            ),
            (
                "roles",
                Some(set),
                json!([{"op": "replace", "path": "roles", "value": [{"value": "r1", "display": "one"}, {"value": "r3"}]}]),
            ),
            (
                &department,
                t("R&D"),
                json!([{"op": "add", "path": department, "value": "R&D"}]),
            ),
            (
                &manager,
                t("7"),
                json!([{"op": "add", "path": manager, "value": {"value": "7"}}]),
            ),
        ] {
            let ops = delta(&[(name, value)], None)
                .operations(Some(&current()))
                .unwrap();
            assert_eq!(Json::Array(ops), expected, "{name}");
        }
    }

    #[test]
    fn active_is_a_real_boolean_and_only_sent_when_it_differs() {
        let off = delta(&[], Some(false));
        let op = json!([{"op": "replace", "path": "active", "value": false}]);
        assert_eq!(Json::Array(off.operations(Some(&current())).unwrap()), op);
        assert_eq!(Json::Array(off.operations(None).unwrap()), op);
        let on = delta(&[], Some(true));
        assert!(on.operations(Some(&current())).unwrap().is_empty());
        assert!(on.holds_in(&current()) && !off.holds_in(&current()));
    }

    #[test]
    fn a_put_holds_the_rest_of_the_resource() {
        let change = delta(
            &[("userName", t("bo")), ("name.givenName", None)],
            Some(false),
        );
        let put = change.merged(&current(), &Schema::default()).unwrap();
        let mut expected = current();
        let object = expected.as_object_mut().unwrap();
        for gone in ["id", "meta", "groups"] {
            object.remove(gone);
        }
        object.insert("userName".to_owned(), json!("bo"));
        object.insert("active".to_owned(), json!(false));
        object.insert("name".to_owned(), json!({}));
        assert_eq!(Json::Object(put), expected);
    }

    #[test]
    fn brackets_need_the_current_resource() {
        assert!(delta(&[("emails[type eq \"work\"].value", None)], None).needs_current());
        assert!(!delta(&[("title", t("x"))], Some(true)).needs_current());
    }
}
