//! Account attributes and SCIM JSON: reading a resource, and setting or clearing one value in it. Pure.
//!
//! Names are compared without case; `null`, empty text, empty lists and absence are the same; order of elements means nothing.

use std::collections::BTreeSet;

use serde_json::{Map, Value as Json};

use super::json::{in_array, in_object, insert, lookup, lookup_mut, remove};
use super::path::{CORE_USER, Clause, Path};
use super::schema::{Schema, Shape};
use crate::model::Value;

/// An attribute of the mapping: its name as written, parsed.
#[derive(Clone, Debug)]
pub struct Field {
    /// As the mapping writes it.
    pub name: String,
    /// Parsed.
    pub path: Path,
    /// Its shape on this server.
    pub shape: Shape,
    /// Whether its value is a truth value.
    pub truth: bool,
}

impl Field {
    /// Parses a mapping's attribute name.
    ///
    /// # Errors
    /// A text that says what is wrong with it.
    pub fn parse(name: &str, schema: &Schema) -> Result<Self, String> {
        let path = Path::parse(name)?;
        let shape = schema.shape(&path);
        let truth = schema.is_truth(&path);
        Ok(Self {
            name: name.to_owned(),
            path,
            shape,
            truth,
        })
    }

    /// The value in a resource, if it has one.
    #[must_use]
    pub fn read(&self, resource: &Json) -> Option<Value> {
        let object = resource.as_object()?;
        let holder = match &self.path.schema {
            Some(schema) => lookup(object, schema)?.as_object()?,
            None => object,
        };
        let whole = lookup(holder, &self.path.attribute)?;
        let found = if self.path.filter.is_empty() {
            match (whole, &self.path.sub) {
                (Json::Array(_), _) => return texts(whole, self.path.leaf()),
                (Json::Object(object), _) => lookup(object, self.path.leaf())?,
                (_, Some(_)) => return None,
                (_, None) => whole,
            }
        } else {
            let element = elements(whole).find(|e| matches(e, &self.path.filter))?;
            lookup(element, self.path.leaf())?
        };
        scalar(found, self.truth)
    }

    /// The value that [`Self::read`] finds where [`Self::set`] put this one.
    #[must_use]
    pub fn as_held(&self, value: Value) -> Value {
        let many = matches!(self.shape, Shape::List | Shape::Objects);
        if many && self.path.filter.is_empty() {
            return match value {
                Value::Set(_) => value,
                Value::Text(_) | Value::Int(_) | Value::Bool(_) => {
                    Value::Set(BTreeSet::from([value.to_string()]))
                }
            };
        }
        match value {
            Value::Text(text) => match truth(&text) {
                Some(value) if self.truth => Value::Bool(value),
                Some(_) | None => Value::Text(text),
            },
            Value::Set(values) if values.len() == 1 => {
                let only: String = values.into_iter().collect();
                match truth(&only) {
                    Some(value) if self.truth => Value::Bool(value),
                    Some(_) | None => Value::Text(only),
                }
            }
            Value::Bool(_) | Value::Int(_) | Value::Set(_) => value,
        }
    }

    /// Puts a value into a resource.
    ///
    /// # Errors
    /// A text, if the attribute cannot hold such a value.
    pub fn set(&self, resource: &mut Map<String, Json>, value: &Value) -> Result<(), String> {
        match &self.path.schema {
            Some(schema) => {
                announce(resource, schema);
                in_object(resource, schema, |holder| self.set_in(holder, value))
            }
            None => self.set_in(resource, value),
        }
    }

    fn set_in(&self, holder: &mut Map<String, Json>, value: &Value) -> Result<(), String> {
        let name = &self.path.attribute;
        let many =
            matches!(self.shape, Shape::List | Shape::Objects) && self.path.filter.is_empty();
        if many {
            let kept = self.kept(lookup(holder, name), value);
            insert(holder, name, Json::Array(kept));
            return Ok(());
        }
        let json = self.single(value)?;
        if !self.path.filter.is_empty() {
            in_array(holder, name, |list| {
                let found = list
                    .iter_mut()
                    .filter_map(Json::as_object_mut)
                    .find(|e| matches(e, &self.path.filter));
                match found {
                    Some(element) => insert(element, self.path.leaf(), json),
                    None => list.push(self.new_element(json)),
                }
            });
        } else if self.path.sub.is_some() || self.shape == Shape::Object {
            in_object(holder, name, |object| {
                insert(object, self.path.leaf(), json);
            });
        } else {
            insert(holder, name, json);
        }
        Ok(())
    }

    /// Removes the value from a resource.
    pub fn clear(&self, resource: &mut Map<String, Json>) {
        let holder = match &self.path.schema {
            Some(schema) => match lookup_mut(resource, schema).and_then(Json::as_object_mut) {
                Some(holder) => holder,
                None => return,
            },
            None => resource,
        };
        if self.clears_whole() {
            remove(holder, &self.path.attribute);
            return;
        }
        match lookup_mut(holder, &self.path.attribute) {
            Some(Json::Array(list)) => {
                let element_goes = self.path.leaf().eq_ignore_ascii_case("value");
                if element_goes {
                    list.retain(|e| !e.as_object().is_some_and(|e| matches(e, &self.path.filter)));
                }
                for element in list.iter_mut().filter_map(Json::as_object_mut) {
                    if matches(element, &self.path.filter) {
                        remove(element, self.path.leaf());
                    }
                }
            }
            Some(Json::Object(object)) => remove(object, self.path.leaf()),
            Some(_) | None => {}
        }
    }

    /// Whether clearing the value means removing the whole attribute.
    #[must_use]
    pub fn clears_whole(&self) -> bool {
        let leaf = self.path.leaf().eq_ignore_ascii_case("value");
        self.path.filter.is_empty() && (self.path.sub.is_none() || leaf)
    }

    /// A value for a place that holds one.
    ///
    /// # Errors
    /// A text, if there are several.
    pub fn single(&self, value: &Value) -> Result<Json, String> {
        Ok(match value {
            Value::Bool(value) => Json::Bool(*value),
            Value::Int(value) => Json::from(*value),
            Value::Text(text) => match truth(text) {
                Some(value) if self.truth => Json::Bool(value),
                Some(_) | None => Json::String(text.clone()),
            },
            Value::Set(values) => match (values.first(), values.len()) {
                (Some(only), 1) => Json::String(only.clone()),
                (_, _) => {
                    return Err(format!(
                        "the attribute \"{}\" holds one value, but the mapping gives {}",
                        self.name,
                        values.len()
                    ));
                }
            },
        })
    }

    /// A new element that brackets would select, holding the value.
    #[must_use]
    pub fn new_element(&self, value: Json) -> Json {
        let mut element = Map::new();
        for clause in &self.path.filter {
            element.insert(clause.sub.clone(), clause.value.clone());
        }
        insert(&mut element, self.path.leaf(), value);
        Json::Object(element)
    }

    /// The elements of a multi-valued attribute for these values; elements that exist keep what else they hold.
    #[must_use]
    pub fn kept(&self, current: Option<&Json>, value: &Value) -> Vec<Json> {
        let wanted: BTreeSet<String> = match value {
            Value::Set(values) => values.clone(),
            Value::Text(_) | Value::Int(_) | Value::Bool(_) => BTreeSet::from([value.to_string()]),
        };
        if self.shape == Shape::List {
            return wanted.into_iter().map(Json::String).collect();
        }
        let leaf = self.path.leaf();
        let old = |text: &str| {
            elements(current?)
                .find(|e| lookup(e, leaf).and_then(Json::as_str) == Some(text))
                .cloned()
        };
        wanted
            .into_iter()
            .map(|text| match old(&text) {
                Some(element) => Json::Object(element),
                None => self.new_element(Json::String(text)),
            })
            .collect()
    }
}

/// A new resource with the core schema.
#[must_use]
pub fn new_user() -> Map<String, Json> {
    let mut user = Map::new();
    user.insert(
        "schemas".to_owned(),
        Json::Array(vec![Json::String(CORE_USER.to_owned())]),
    );
    user
}

/// The active flag, also from servers that send it as text.
#[must_use]
pub fn active(resource: &Json) -> Option<bool> {
    match lookup(resource.as_object()?, "active")? {
        Json::Bool(value) => Some(*value),
        Json::String(text) => truth(text),
        Json::Null | Json::Number(_) | Json::Array(_) | Json::Object(_) => None,
    }
}

/// The id of a resource; some servers send numbers.
#[must_use]
pub fn id(resource: &Json) -> Option<String> {
    let id = match lookup(resource.as_object()?, "id")? {
        Json::String(text) => text.clone(),
        Json::Number(number) => number.to_string(),
        Json::Null | Json::Bool(_) | Json::Array(_) | Json::Object(_) => return None,
    };
    (!id.is_empty()).then_some(id)
}

fn announce(resource: &mut Map<String, Json>, schema: &str) {
    in_array(resource, "schemas", |schemas| {
        let known = schemas
            .iter()
            .filter_map(Json::as_str)
            .any(|s| s.eq_ignore_ascii_case(schema));
        if !known {
            schemas.push(Json::String(schema.to_owned()));
        }
    });
}

/// The objects in a multi-valued attribute; one object alone counts as one element.
pub fn elements(whole: &Json) -> impl Iterator<Item = &Map<String, Json>> {
    let several = whole.as_array().map_or(&[] as &[Json], Vec::as_slice);
    whole
        .as_object()
        .into_iter()
        .chain(several.iter().filter_map(Json::as_object))
}

/// Whether an element fulfils every condition; texts without case, truth values also as text.
#[must_use]
pub fn matches(element: &Map<String, Json>, filter: &[Clause]) -> bool {
    filter.iter().all(
        |clause| match (lookup(element, &clause.sub), &clause.value) {
            (Some(Json::String(have)), Json::String(want)) => {
                have.to_lowercase() == want.to_lowercase()
            }
            (Some(Json::String(have)), Json::Bool(want)) => truth(have) == Some(*want),
            (Some(have), want) => have == want,
            (None, want) => *want == Json::Bool(false),
        },
    )
}

fn truth(text: &str) -> Option<bool> {
    if text.eq_ignore_ascii_case("true") {
        Some(true)
    } else if text.eq_ignore_ascii_case("false") {
        Some(false)
    } else {
        None
    }
}

fn scalar(value: &Json, is_truth: bool) -> Option<Value> {
    match value {
        Json::Bool(value) => Some(Value::Bool(*value)),
        Json::Number(number) => Some(match number.as_i64() {
            Some(number) => Value::Int(number),
            None => Value::Text(number.to_string()),
        }),
        Json::String(text) if is_truth => match truth(text) {
            Some(value) => Some(Value::Bool(value)),
            None => Value::text(text),
        },
        Json::String(text) => Value::text(text),
        Json::Null | Json::Array(_) | Json::Object(_) => None,
    }
}

fn texts(whole: &Json, leaf: &str) -> Option<Value> {
    let values: BTreeSet<String> = whole
        .as_array()?
        .iter()
        .filter_map(|element| match element.as_object() {
            Some(object) => scalar(lookup(object, leaf)?, false),
            None => scalar(element, false),
        })
        .map(|value| value.to_string())
        .collect();
    (!values.is_empty()).then_some(Value::Set(values))
}

#[cfg(test)]
mod tests;
