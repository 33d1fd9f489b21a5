//! One attribute of an account: where it stands in the application's answers and requests, and in which form.

use std::collections::BTreeSet;

use serde_json::{Map, Value as Json};

use super::expr::{Expr, Scope, Template, plain};
use super::facts::Evidence;
use super::making::Making;
use crate::document::Node;
use crate::model::Value;

const KEYS: &[&str] = &[
    "name",
    "type",
    "key",
    "as",
    "values",
    "separator",
    "read",
    "write",
    "on-clear",
    "cleared",
    "immutable",
    "required",
    "read-only",
    "write-only",
    "when",
    "evidence",
    "comment",
];

/// The form of a value.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// Text.
    Text,
    /// A whole number.
    Number,
    /// True or false.
    Flag,
    /// Several texts.
    Texts,
    /// Several whole numbers.
    Numbers,
    /// Another thing's id.
    Reference,
    /// Several ids.
    References,
}

/// What is written to clear a field.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum OnClear {
    /// `null`.
    Null,
    /// An empty text or list.
    Empty,
    /// Nothing: the field is left out.
    Omit,
    /// It cannot be cleared.
    Refuse,
}

/// One attribute of an account.
#[derive(Debug)]
pub struct Field {
    /// Where it stands, from the outside in.
    pub path: Vec<String>,
    /// Its form.
    pub kind: Kind,
    /// What a reference's object calls its id.
    pub key: String,
    /// Whether ids of references are written as numbers.
    pub as_number: bool,
    /// What stands for true and false.
    pub values: Option<[Json; 2]>,
    /// What separates several texts in one.
    pub separator: Option<String>,
    /// How it is read, where that differs.
    pub read: Option<Expr>,
    /// How it is written, where that is special.
    pub write: Option<Template>,
    /// How it is cleared.
    pub on_clear: OnClear,
    /// What is written to clear it, where that is special.
    pub cleared: Option<Template>,
    /// It is written on create only.
    pub immutable: bool,
    /// A create needs it.
    pub required: bool,
    /// It is never written.
    pub read_only: bool,
    /// It is never read.
    pub write_only: bool,
    /// Whether it exists, by the settings.
    pub when: Option<Expr>,
    /// How sure that is.
    pub evidence: Evidence,
}

impl Field {
    /// Reads one `[field.*]`.
    pub(super) fn read(
        name: &str,
        node: &Node<'_>,
        making: &mut Making<'_>,
        around: Evidence,
    ) -> Option<Self> {
        node.only(KEYS, &mut making.desk);
        let kinds = [
            ("text", Kind::Text),
            ("number", Kind::Number),
            ("flag", Kind::Flag),
            ("texts", Kind::Texts),
            ("numbers", Kind::Numbers),
            ("reference", Kind::Reference),
            ("references", Kind::References),
        ];
        let clears = [
            ("null", OnClear::Null),
            ("empty", OnClear::Empty),
            ("omit", OnClear::Omit),
            ("refuse", OnClear::Refuse),
        ];
        let text = |key: &str, making: &mut Making<'_>| {
            node.text(key, &mut making.desk).map(|text| text.value)
        };
        let wire = text("name", making).unwrap_or_else(|| name.to_owned());
        let path: Vec<String> = wire.split('.').map(str::to_owned).collect();
        if path.iter().any(String::is_empty) {
            making.desk.note(
                node.key_span("name"),
                &node.field("name"),
                "a part of this name is empty",
            );
        }
        let write = node
            .value("write")
            .map(|value| making.value(&node.field("write"), value, &["value"]));
        let flag =
            |key: &str, making: &mut Making<'_>| node.flag(key, &mut making.desk).unwrap_or(false);
        let cleared = node
            .value("cleared")
            .and_then(|value| making.value(&node.field("cleared"), value, &[]));
        Some(Self {
            path,
            kind: node
                .choice("type", &kinds, &mut making.desk)
                .unwrap_or(Kind::Text),
            key: text("key", making).unwrap_or_else(|| "id".to_owned()),
            as_number: node
                .choice("as", &[("text", false), ("number", true)], &mut making.desk)
                .unwrap_or(false),
            values: values(node, making),
            separator: separator(node),
            read: making.expr(node, "read", &["item"]),
            write: match write {
                Some(None) => return None,
                Some(found) => found,
                None => None,
            },
            on_clear: node
                .choice("on-clear", &clears, &mut making.desk)
                .unwrap_or(OnClear::Null),
            cleared,
            immutable: flag("immutable", making),
            required: flag("required", making),
            read_only: flag("read-only", making),
            write_only: flag("write-only", making),
            when: making.expr(node, "when", &[]),
            evidence: Evidence::read(node, making, around),
        })
    }

    /// The value in an account; `None` if it has none.
    ///
    /// # Errors
    /// A text for people.
    pub fn get(&self, item: &Json, scope: &Scope) -> Result<Option<Value>, String> {
        if self.write_only {
            return Ok(None);
        }
        let found = match &self.read {
            Some(expr) => expr.json(&scope.clone().with_json("item", item))?,
            None => self
                .path
                .iter()
                .try_fold(item, |at, part| at.get(part))
                .cloned(),
        };
        Ok(found.and_then(|found| self.understand(&found)))
    }

    fn understand(&self, found: &Json) -> Option<Value> {
        let unwrapped = |found: &Json| match found {
            Json::Object(object) => object.get(&self.key).and_then(plain),
            Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) | Json::Array(_) => {
                plain(found)
            }
        };
        match self.kind {
            Kind::Text => Value::text(&plain(found)?),
            Kind::Number => match plain(found)?.trim().parse() {
                Ok(number) => Some(Value::Int(number)),
                Err(_) => Value::text(&plain(found)?),
            },
            Kind::Flag => self.truth(found).map(Value::Bool),
            Kind::Reference => Value::text(&unwrapped(found)?),
            Kind::Texts | Kind::Numbers | Kind::References => {
                let texts: BTreeSet<String> = match (found, &self.separator) {
                    (Json::Array(items), _) => items.iter().filter_map(unwrapped).collect(),
                    (Json::String(text), Some(separator)) => {
                        let parts = text.split(separator.as_str()).map(str::trim);
                        parts
                            .filter(|part| !part.is_empty())
                            .map(str::to_owned)
                            .collect()
                    }
                    (one, _) => unwrapped(one).into_iter().collect(),
                };
                (!texts.is_empty()).then_some(Value::Set(texts))
            }
        }
    }

    /// What stands for true or false, also as another kind of scalar that reads the same.
    fn truth(&self, found: &Json) -> Option<bool> {
        if let Some([yes, no]) = &self.values {
            let same = |wanted: &Json| wanted == found || plain(wanted) == plain(found);
            return if same(yes) {
                Some(true)
            } else {
                same(no).then_some(false)
            };
        }
        match plain(found)?.to_ascii_lowercase().as_str() {
            "true" | "1" | "yes" => Some(true),
            "false" | "0" | "no" => Some(false),
            _ => None,
        }
    }

    /// What is sent for a value; `None` clears. The outer `None` means that nothing is sent.
    ///
    /// # Errors
    /// A text for people.
    pub fn wire(&self, value: Option<&Value>, scope: &Scope) -> Result<Option<Json>, String> {
        let Some(value) = value else {
            if let Some(cleared) = &self.cleared {
                return cleared.value(scope);
            }
            return match self.on_clear {
                OnClear::Null => Ok(Some(Json::Null)),
                OnClear::Empty => {
                    let several =
                        matches!(self.kind, Kind::Texts | Kind::Numbers | Kind::References);
                    Ok(Some(if several && self.separator.is_none() {
                        Json::Array(Vec::new())
                    } else {
                        Json::String(String::new())
                    }))
                }
                OnClear::Omit => Ok(None),
                OnClear::Refuse => {
                    Err("this field cannot be cleared in the application".to_owned())
                }
            };
        };
        let plain_form = self.form(value)?;
        match &self.write {
            Some(template) => template.value(&scope.clone().with_json("value", &plain_form)),
            None => Ok(Some(plain_form)),
        }
    }

    fn form(&self, value: &Value) -> Result<Json, String> {
        let number = |text: &str| {
            text.trim()
                .parse::<i64>()
                .map(Json::from)
                .map_err(|_| "the application takes a whole number here".to_owned())
        };
        let id = |text: &str| {
            if self.as_number {
                number(text)
            } else {
                Ok(Json::from(text))
            }
        };
        match self.kind {
            Kind::Text => Ok(Json::from(value.to_string())),
            Kind::Number => number(&value.to_string()),
            Kind::Reference => id(&value.to_string()),
            Kind::Flag => {
                let truth = match value {
                    Value::Bool(truth) => *truth,
                    Value::Int(_) | Value::Text(_) | Value::Set(_) => {
                        let text = Json::from(value.to_string());
                        self.truth(&text)
                            .ok_or("the application takes true or false here")?
                    }
                };
                Ok(match &self.values {
                    Some([yes, no]) => {
                        if truth {
                            yes.clone()
                        } else {
                            no.clone()
                        }
                    }
                    None => Json::Bool(truth),
                })
            }
            Kind::Texts | Kind::Numbers | Kind::References => {
                let one = BTreeSet::from([value.to_string()]);
                let items = if let Value::Set(items) = value {
                    items
                } else {
                    &one
                };
                if let Some(separator) = &self.separator {
                    let items: Vec<&str> = items.iter().map(String::as_str).collect();
                    return Ok(Json::from(items.join(separator)));
                }
                let as_numbers = self.kind == Kind::Numbers;
                let items = items.iter().map(|text| {
                    if as_numbers {
                        number(text)
                    } else if self.kind == Kind::References {
                        id(text)
                    } else {
                        Ok(Json::from(text.as_str()))
                    }
                });
                items.collect::<Result<Vec<_>, _>>().map(Json::Array)
            }
        }
    }

    /// Puts a wire value where this field stands.
    pub fn put(&self, into: &mut Map<String, Json>, value: Json) {
        put(into, &self.path, value);
    }
}

fn put(into: &mut Map<String, Json>, path: &[String], value: Json) {
    match path {
        [] => {}
        [last] => {
            into.insert(last.clone(), value);
        }
        [first, rest @ ..] => {
            let inner = into
                .entry(first.clone())
                .or_insert_with(|| Json::Object(Map::new()));
            if !inner.is_object() {
                *inner = Json::Object(Map::new());
            }
            if let Json::Object(inner) = inner {
                put(inner, rest, value);
            }
        }
    }
}

fn separator(node: &Node<'_>) -> Option<String> {
    // A separator may be a blank, which `text` would refuse as empty.
    node.value("separator")?
        .get_ref()
        .as_str()
        .filter(|text| !text.is_empty())
        .map(str::to_owned)
}

fn values(node: &Node<'_>, making: &mut Making<'_>) -> Option<[Json; 2]> {
    let value = node.value("values")?;
    let field = node.field("values");
    let built = making
        .tree(&field, value, &[])
        .and_then(|tree| tree.build(&Scope::new()).ok().flatten());
    let items = match built?.into_json() {
        Json::Array(items) => items,
        Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) | Json::Object(_) => {
            Vec::new()
        }
    };
    let pair = <[Json; 2]>::try_from(items).ok();
    if pair.is_none() {
        making.desk.note(
            value.span(),
            &field,
            "expected two values: what stands for true, and what for false",
        );
    }
    pair
}
