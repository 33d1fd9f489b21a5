//! JSON objects with names in any case, as SCIM has them (RFC 7643 §2.1). Pure.

use serde_json::{Map, Value as Json};

/// A member of an object by name in any case; an exact match wins.
#[must_use]
pub fn lookup<'a>(object: &'a Map<String, Json>, name: &str) -> Option<&'a Json> {
    object.get(name).or_else(|| {
        object
            .iter()
            .find(|(key, _)| key.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
    })
}

/// The text of a member, in any case.
#[must_use]
pub fn text<'a>(resource: &'a Json, name: &str) -> Option<&'a str> {
    lookup(resource.as_object()?, name)?.as_str()
}

/// As [`lookup`], to change it.
pub fn lookup_mut<'a>(object: &'a mut Map<String, Json>, name: &str) -> Option<&'a mut Json> {
    match other_spelling(object, name) {
        Some(key) => object.get_mut(&key),
        None => object.get_mut(name),
    }
}

/// How an object spells a name that it does not have exactly so.
fn other_spelling(object: &Map<String, Json>, name: &str) -> Option<String> {
    if object.contains_key(name) {
        return None;
    }
    let mut keys = object.keys();
    keys.find(|key| key.eq_ignore_ascii_case(name)).cloned()
}

/// The place of a member, in the spelling it already has.
fn place<'a>(object: &'a mut Map<String, Json>, name: &str) -> &'a mut Json {
    let key = other_spelling(object, name).unwrap_or_else(|| name.to_owned());
    object.entry(key).or_insert(Json::Null)
}

/// Sets a member, in the spelling it already has.
pub fn insert(object: &mut Map<String, Json>, name: &str, value: Json) {
    *place(object, name) = value;
}

/// Removes a member, however it is spelt.
pub fn remove(object: &mut Map<String, Json>, name: &str) {
    match other_spelling(object, name) {
        Some(key) => object.remove(&key),
        None => object.remove(name),
    };
}

/// Edits an object inside another one; whatever else was there becomes an empty object.
pub fn in_object<T>(
    object: &mut Map<String, Json>,
    name: &str,
    edit: impl FnOnce(&mut Map<String, Json>) -> T,
) -> T {
    let place = place(object, name);
    let mut inner = if let Json::Object(inner) = place.take() {
        inner
    } else {
        Map::new()
    };
    let result = edit(&mut inner);
    *place = Json::Object(inner);
    result
}

/// Edits a list inside an object; whatever else was there becomes an empty list.
pub fn in_array(object: &mut Map<String, Json>, name: &str, edit: impl FnOnce(&mut Vec<Json>)) {
    let place = place(object, name);
    let mut inner = if let Json::Array(inner) = place.take() {
        inner
    } else {
        Vec::new()
    };
    edit(&mut inner);
    *place = Json::Array(inner);
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn names_are_found_and_kept_in_any_case() {
        let mut json = json!({"Name": 1, "name": 2, "TITLE": 3});
        let object = json.as_object_mut().unwrap();
        assert_eq!(lookup(object, "name"), Some(&json!(2)));
        assert_eq!(lookup(object, "title"), Some(&json!(3)));
        assert_eq!(lookup(object, "other"), None);
        insert(object, "title", json!(4));
        remove(object, "NAME");
        in_object(object, "ext", |inner| insert(inner, "x", json!(1)));
        in_array(object, "title", |list| list.push(json!("a")));
        assert_eq!(json["TITLE"], json!(["a"]));
        assert_eq!(json["ext"], json!({"x": 1}));
        assert_eq!(json.as_object().unwrap().len(), 3);
    }
}
