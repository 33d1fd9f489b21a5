//! How a mapping came to its results for one person.

use std::sync::Arc;

use minijinja::value::{Value as Jinja, ValueKind};

use super::convert::hex_text;
use super::facts::Facts;
use super::program::Failure;
use super::{Explained, Explanation, Mapping, Projected};
use crate::model::Identity;

/// Explains one identity.
pub(super) fn explain(mapping: &Mapping, identity: &Identity) -> Explanation {
    let scope = mapping.scope(identity);
    let mut projection = mapping.project(identity);
    let facts = Facts::new(&mapping.library, identity).ok();
    let attributes = mapping.attributes.iter().map(|attribute| {
        let name = &attribute.rule.name;
        Explained {
            field: format!("attributes.{name}"),
            source: attribute.source().to_owned(),
            inputs: inputs(facts.as_ref(), attribute.inputs()),
            outcome: projection
                .attributes
                .remove(name)
                .unwrap_or(Projected::Omit),
        }
    });
    let attributes = attributes.collect();
    let matches = mapping.matches.iter().map(|found| {
        let outcome = facts.as_ref().map_or(Projected::Omit, |facts| {
            match mapping.engine.run(&found.program, &facts.root()) {
                Ok(value) => Projected::Value(value, Vec::new()),
                Err(Failure::Missing) => Projected::Omit,
                Err(Failure::Broken(why)) => Projected::Hold(why),
            }
        });
        Explained {
            field: format!("match {}", found.rule.account),
            source: found.program.source.clone(),
            inputs: inputs(
                facts.as_ref(),
                found.program.inputs.iter().map(String::as_str).collect(),
            ),
            outcome,
        }
    });
    let matches = matches.collect();
    Explanation {
        scope,
        attributes,
        matches,
        entitlements: projection.entitlements,
        starts: projection.starts,
        ends: projection.ends,
    }
}

fn inputs(facts: Option<&Arc<Facts>>, names: Vec<&str>) -> Vec<(String, Vec<String>)> {
    names
        .into_iter()
        .filter(|name| *name != "n")
        .map(|name| {
            let values = facts.map(|facts| values(facts, name)).unwrap_or_default();
            (name.to_owned(), values)
        })
        .collect()
}

fn values(facts: &Arc<Facts>, name: &str) -> Vec<String> {
    let value = if facts.has_slot(name) {
        facts.all(name)
    } else {
        facts.root().get_attr(name).unwrap_or(Jinja::UNDEFINED)
    };
    let shown = |value: &Jinja| match (value.kind(), value.as_bytes()) {
        (ValueKind::Bytes, Some(bytes)) => format!("hex {}", hex_text(bytes)),
        _ => value.to_string(),
    };
    super::filters::items(&value)
        .unwrap_or_default()
        .iter()
        .map(shown)
        .collect()
}
