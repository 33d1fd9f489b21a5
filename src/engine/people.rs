//! Who is in a source, and who is meant by a word. Remembers nothing and decides nothing.

use std::collections::BTreeMap;

use std::sync::Arc;

use super::snapshot::Standing;
use super::{EngineError, Session};
use crate::model::{Anchor, Identity, Shadow};
use crate::reconcile::mapping::Mapping;
use crate::report::safe;

/// Attributes that people are known by besides their label, DN and anchor.
const KNOWN_BY: [&str; 5] = ["uid", "samaccountname", "userprincipalname", "mail", "cn"];
/// At most this many people are named when a word fits several.
const NAMED: usize = 10;

/// Somebody, as far as an order needs to know them.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Known {
    /// The immutable key.
    pub anchor: Anchor,
    /// A name for people to read.
    pub label: String,
}

/// Whether a word, in lower case, means this person: anchor, DN, mail address, login or display name.
#[must_use]
pub fn is_meant(identity: &Identity, wanted: &str) -> bool {
    identity.anchor.as_str() == wanted
        || identity.dn.to_lowercase() == wanted
        || identity.label().to_lowercase() == wanted
        || KNOWN_BY.iter().any(|name| {
            let mut values = identity.attributes.texts(name);
            values.any(|value| value.to_lowercase() == wanted)
        })
}

/// Whether a word, in lower case, means whoever has this account: anchor, or the name they had.
#[must_use]
pub fn is_remembered(shadow: &Shadow, wanted: &str) -> bool {
    shadow.anchor.as_str() == wanted || shadow.label.to_lowercase() == wanted
}

/// Whether a word, in lower case, names this account: its id, or what identifies it by the mapping, such as its login.
#[must_use]
pub fn is_named(shadow: &Shadow, mapping: &Mapping, wanted: &str) -> bool {
    let is = |text: String| text.to_lowercase() == wanted;
    shadow.account.as_ref().is_some_and(|id| is(id.to_string()))
        || mapping
            .identifying()
            .filter_map(|name| shadow.attributes.get(name))
            .any(|value| is(value.to_string()))
}

impl Session {
    /// Reads a source now and hands out everybody who is in it, in no particular order. If it cannot be reached,
    /// everybody as last read is handed out instead.
    ///
    /// # Errors
    /// When the store fails, or the source cannot be read and never was.
    pub async fn people(
        &self,
        source: &str,
        each: &mut (dyn FnMut(Identity) + Send),
    ) -> Result<(), EngineError> {
        let snapshot = self.fetch(source).await?;
        for somebody in snapshot.everybody() {
            let here = match somebody.standing {
                Standing::Present => true,
                Standing::Unreadable | Standing::Missing(_) | Standing::Unproven => false,
            };
            if !here {
                continue;
            }
            if let Some(identity) = snapshot.identity(somebody.anchor, &self.state)? {
                each(Arc::unwrap_or_clone(identity));
            }
        }
        Ok(())
    }

    /// Everybody who is meant by a word, by what was last read and by the accounts there are: who left the directory is
    /// known by the names of their account. Needs no directory.
    ///
    /// # Errors
    /// When the state cannot be used.
    pub fn find(&self, word: &str) -> Result<Vec<Known>, EngineError> {
        let wanted = word.trim().to_lowercase();
        let mut found: BTreeMap<Anchor, String> = BTreeMap::new();
        for source in &self.config.sources {
            self.state
                .identities(&source.settings.name, &mut |identity| {
                    if is_meant(&identity, &wanted) {
                        let label = identity.label().to_owned();
                        found.insert(identity.anchor, label);
                    }
                })?;
        }
        for target in &self.config.targets {
            self.state.shadows(&target.name, &mut |shadow| {
                if is_remembered(&shadow, &wanted) {
                    found.entry(shadow.anchor).or_insert(shadow.label);
                }
            })?;
        }
        if found.is_empty() {
            // Names of accounts are asked last: somebody else may have that login in the directory by now.
            for target in &self.config.targets {
                self.state.shadows(&target.name, &mut |shadow| {
                    if is_named(&shadow, &target.mapping, &wanted) {
                        found.insert(shadow.anchor, shadow.label);
                    }
                })?;
            }
        }
        Ok(found
            .into_iter()
            .map(|(anchor, label)| Known { anchor, label })
            .collect())
    }

    /// The one person who is meant by a word.
    ///
    /// # Errors
    /// When nobody is, or more than one; the message names them.
    pub fn find_one(&self, word: &str) -> Result<Known, EngineError> {
        let found = self.find(word)?;
        match found.as_slice() {
            [one] => Ok(one.clone()),
            [] => Err(EngineError::Refused(self.nobody(word)?)),
            several => Err(EngineError::Refused(ambiguous(word, several))),
        }
    }
}

impl Session {
    /// The message that nobody is meant.
    fn nobody(&self, word: &str) -> Result<String, EngineError> {
        let word = safe::text(word);
        let unread = self
            .config
            .sources
            .iter()
            .map(|source| &source.settings.name);
        for source in unread {
            if self.state.source_meta(source)?.is_some() {
                return Ok(format!(
                    "nobody is known as \"{word}\" by what was last read; try the anchor, DN, login, mail address or display name"
                ));
            }
        }
        Ok(format!(
            "nobody is known as \"{word}\", because no directory was read yet; run `provost sync` first, or `provost check --online` to see whether it can be"
        ))
    }
}

/// The message that more than one person is meant.
#[must_use]
pub fn ambiguous(word: &str, several: &[Known]) -> String {
    let mut text = format!(
        "\"{}\" fits {} people; name one by anchor:",
        safe::text(word),
        several.len()
    );
    for one in several.iter().take(NAMED) {
        let (anchor, label) = (safe::text(one.anchor.as_str()), safe::text(&one.label));
        text.push_str(&format!("\n  {anchor}  {label}"));
    }
    if several.len() > NAMED {
        text.push_str(&format!("\n  … and {} more", several.len() - NAMED));
    }
    text
}
