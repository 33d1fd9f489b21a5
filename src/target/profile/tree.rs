//! What is sent, as a tree of values. A serializer writes it, so that no value can leave its place.

use serde_json::{Map, Value as Json};

use super::expr::{Expr, Scope, Template};

/// A value with templates in it; the members of tables in the order of the file.
#[derive(Debug)]
pub enum Tree {
    /// One value.
    Leaf(Template),
    /// Several.
    List(Vec<Self>),
    /// Members by name.
    Table(Vec<(String, Self)>),
}

/// A built value whose members keep their order, for XML.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Built {
    /// A scalar, or whatever one template gave.
    Value(Json),
    /// Several.
    List(Vec<Self>),
    /// Members by name.
    Table(Vec<(String, Self)>),
}

impl Tree {
    /// Builds the value; `None` if it is missing. Members and elements that are missing are left out.
    ///
    /// # Errors
    /// A text for people.
    pub fn build(&self, scope: &Scope) -> Result<Option<Built>, String> {
        Ok(match self {
            Self::Leaf(template) => template.value(scope)?.map(Built::Value),
            Self::List(items) => {
                let mut built = Vec::new();
                for item in items {
                    built.extend(item.build(scope)?);
                }
                Some(Built::List(built))
            }
            Self::Table(members) => {
                let mut built = Vec::new();
                for (name, member) in members {
                    if let Some(value) = member.build(scope)? {
                        built.push((name.clone(), value));
                    }
                }
                Some(Built::Table(built))
            }
        })
    }

    /// Every expression in it.
    pub fn exprs(&self) -> Vec<&Expr> {
        match self {
            Self::Leaf(template) => template.exprs().collect(),
            Self::List(items) => items.iter().flat_map(Self::exprs).collect(),
            Self::Table(members) => members.iter().flat_map(|(_, tree)| tree.exprs()).collect(),
        }
    }
}

impl Built {
    /// As JSON.
    #[must_use]
    pub fn into_json(self) -> Json {
        match self {
            Self::Value(value) => value,
            Self::List(items) => Json::Array(items.into_iter().map(Self::into_json).collect()),
            Self::Table(members) => {
                let members = members
                    .into_iter()
                    .map(|(name, value)| (name, value.into_json()));
                Json::Object(members.collect::<Map<String, Json>>())
            }
        }
    }
}
