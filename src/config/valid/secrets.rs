//! How passwords of our own making are sealed: `[secrets]`.

use super::{Outside, Secrets, VaultSpec, common};
use crate::config::keys;
use crate::config::raw::{Located, Section};
use crate::config::secret::{FORMS, Reference};
use crate::model::Problem;
use crate::store::{VaultKey, VaultKeys};

/// Reads `[secrets]`; the outer `None` after errors.
pub fn read(root: &Section<'_>, outside: &dyn Outside) -> Option<Option<VaultSpec>> {
    if !root.has("secrets") {
        return Some(None);
    }
    let section = root.table("secrets", &keys::SECRET_STORE)?;
    if !section.has("key") {
        section.missing("key", FORMS);
    }
    let reference = section.peek("key");
    if reference.is_none() && section.has("key") {
        section.error("key", "must be a text in quotes", FORMS);
    }
    let old = section.texts("old-keys");
    let old: Vec<_> = old
        .iter()
        .map(|text| key(&section, text, outside))
        .collect();
    let reference = reference?;
    let current = key(&section, &reference, outside);
    let old: Option<Vec<_>> = old.into_iter().collect();
    let (current, old) = (current?, old?);
    let old: Vec<VaultKey> = old.into_iter().flatten().collect();
    if current.as_ref().is_some_and(|key| old.contains(key)) {
        section.error(
            "old-keys",
            "the current key is among them",
            "an old key is one that the current key took the place of",
        );
        return None;
    }
    Some(Some(VaultSpec {
        reference: reference.value,
        keys: current.map(|current| VaultKeys { current, old }),
    }))
}

/// One key; the inner `None` when secrets are not loaded.
fn key(
    section: &Section<'_>,
    text: &Located<String>,
    outside: &dyn Outside,
) -> Option<Option<VaultKey>> {
    let refuse = |why: &str| {
        let problem = Problem::new(Some(text.span.clone()), &text.field, why);
        section.findings().error(problem.help(FORMS));
    };
    let reference = Reference::parse(&text.value).map_err(refuse).ok()?;
    if let Reference::Environment(_) = reference {
        let problem = Problem::new(Some(text.span.clone()), &text.field, common::INHERITED);
        section
            .findings()
            .warning(problem.help(common::NOT_INHERITED));
    }
    if outside.secrets() == Secrets::CheckFormOnly {
        return Some(None);
    }
    let bytes = outside.key(&reference).map_err(|why| refuse(&why)).ok()?;
    VaultKey::read(&bytes, &text.value)
        .map_err(refuse)
        .map(Some)
        .ok()
}
