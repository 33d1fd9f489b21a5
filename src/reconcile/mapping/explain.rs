//! How a mapping came to its results for one person.

use minijinja::value::{Value as Jinja, ValueKind};

use super::convert::hex_text;
use super::program::Failure;
use super::seen::Seen;
use super::{Explained, Explanation, Mapping, Projected};
use crate::model::Identity;

/// Explains one identity.
pub(super) fn explain(mapping: &Mapping, identity: &Identity) -> Explanation {
    let scope = mapping.scope(identity);
    let mut projection = mapping.project(identity);
    let seen = Seen::new(&mapping.library, identity).ok();
    let attributes = mapping.attributes.iter().map(|attribute| {
        let name = &attribute.rule.name;
        Explained {
            field: format!("attributes.{name}"),
            source: attribute.source().to_owned(),
            inputs: inputs(seen.as_ref(), attribute.inputs()),
            outcome: projection
                .attributes
                .remove(name)
                .unwrap_or(Projected::Omit),
        }
    });
    let attributes = attributes.collect();
    let matches = mapping.matches.iter().map(|found| {
        let outcome = seen.as_ref().map_or(Projected::Omit, |seen| {
            match mapping.engine.run(&found.program, seen) {
                Ok(value) => Projected::Value(value, Vec::new()),
                Err(Failure::Missing) => Projected::Omit,
                Err(Failure::Broken(why)) => Projected::Hold(why),
            }
        });
        Explained {
            field: format!("match {}", found.rule.account),
            source: found.program.source.clone(),
            inputs: inputs(
                seen.as_ref(),
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

fn inputs(seen: Option<&Seen<'_>>, names: Vec<&str>) -> Vec<(String, Vec<String>)> {
    names
        .into_iter()
        .filter(|name| *name != "n")
        .map(|name| {
            let values = seen.map(|seen| values(seen, name)).unwrap_or_default();
            (name.to_owned(), values)
        })
        .collect()
}

fn values(seen: &Seen<'_>, name: &str) -> Vec<String> {
    let value = if seen.library().has_slot(name) {
        seen.facts().all(name)
    } else {
        seen.root().get_attr(name).unwrap_or(Jinja::UNDEFINED)
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
