//! What is read of each person: the anchor, the wanted attributes with their types, the state.
//!
//! A rule is made once per read and changes nothing.

use std::collections::BTreeSet;

use sha2::{Digest as _, Sha256};

use super::entry::{RawEntry, Schema, typed};
use super::settings::AnchorRule;
use super::state::StateRule;
use crate::model::{Anchor, AttributeNames, Attributes, Packer, SourceState};

/// Changed whenever the same entry must get another fingerprint than before.
const FINGERPRINT_VERSION: &[u8] = b"provost fingerprint 1";

/// How people are read from one source.
#[derive(Clone, Debug)]
pub(super) struct PersonRule {
    anchor: AnchorRule,
    /// The anchor is binary.
    binary_anchor: bool,
    state: StateRule,
    /// Wanted attributes, lower case and sorted, with whether they are binary.
    wanted: Vec<(String, bool)>,
    /// The digest of all of the above.
    digest: [u8; 32],
}

impl PersonRule {
    /// The rule for these attributes. A name for people to read is always among them.
    pub(super) fn new(
        anchor: &AnchorRule,
        state: StateRule,
        schema: &Schema,
        attributes: &BTreeSet<String>,
    ) -> Self {
        let mut names: BTreeSet<String> = attributes.iter().map(|n| n.to_lowercase()).collect();
        names.extend(["cn".to_owned(), "displayname".to_owned()]);
        let wanted: Vec<(String, bool)> = names
            .into_iter()
            .map(|name| {
                let binary = schema.is_binary(&name);
                (name, binary)
            })
            .collect();
        let mut digest = Sha256::new().chain_update(FINGERPRINT_VERSION);
        digest.update(format!(
            "{anchor:?}{:?}{:?}{:?}",
            state.flavour, state.start, state.end
        ));
        for (name, binary) in &wanted {
            digest.update(name);
            digest.update([0, u8::from(*binary)]);
        }
        let binary_anchor = schema.is_binary(&attribute_of(anchor).to_ascii_lowercase());
        Self {
            anchor: anchor.clone(),
            binary_anchor,
            state,
            wanted,
            digest: digest.finalize().into(),
        }
    }

    /// The attributes to ask the server for, without those of groups.
    pub(super) fn attributes(&self) -> BTreeSet<String> {
        let wanted = self.wanted.iter().map(|(name, _)| name.clone());
        wanted
            .chain([self.anchor_attribute().to_ascii_lowercase()])
            .chain(self.state.attributes())
            .collect()
    }

    /// The attribute that holds the anchor.
    pub(super) fn anchor_attribute(&self) -> &str {
        attribute_of(&self.anchor)
    }

    /// A filter that finds the entry with this anchor.
    pub(super) fn anchor_filter(&self, anchor: &Anchor) -> String {
        let name = self.anchor_attribute();
        let guid = uuid::Uuid::try_parse(anchor.as_str())
            .ok()
            .filter(|_| self.binary_anchor);
        let value: String = match guid {
            Some(guid) => guid
                .to_bytes_le()
                .iter()
                .map(|b| format!("\\{b:02x}"))
                .collect(),
            None => escape_filter(anchor.as_str()),
        };
        format!("({name}={value})")
    }

    /// The anchor of an entry.
    ///
    /// # Errors
    /// Says why there is none.
    pub(super) fn anchor_of(&self, entry: &RawEntry<'_>) -> Result<Anchor, String> {
        let name = self.anchor_attribute();
        let values = entry.get(name);
        let [value] = values else {
            return Err(match values.len() {
                0 => format!(
                    "{name} was not returned; let the bind account read it, or choose another `anchor`"
                ),
                n => format!("{name} has {n} values; an anchor has one"),
            });
        };
        let anchor = if self.binary_anchor {
            Anchor::from_guid(value).map_err(|error| error.to_string())
        } else {
            let text =
                std::str::from_utf8(value).map_err(|_| format!("{name} is not UTF-8 text"))?;
            Anchor::new(text).map_err(|error| error.to_string())
        };
        anchor.map_err(|why| format!("{name}: {why}"))
    }

    /// How many attributes are wanted.
    pub(super) fn wanted(&self) -> usize {
        self.wanted.len()
    }

    /// Stands for everything in this rule that a fingerprint depends on.
    pub(super) fn digest(&self) -> &[u8; 32] {
        &self.digest
    }

    /// The state of an entry.
    ///
    /// # Errors
    /// Names the attribute that could not be understood.
    pub(super) fn state_of(&self, entry: &RawEntry<'_>) -> Result<SourceState, String> {
        self.state.read(entry)
    }

    /// Which wanted attribute a description is. The option `;binary` changes the transfer, not the attribute.
    pub(super) fn slot_of(&self, description: &[u8]) -> Option<usize> {
        let name = std::str::from_utf8(description).ok()?.to_ascii_lowercase();
        let find = |name: &str| {
            let wanted = &self.wanted;
            wanted
                .binary_search_by(|(wanted, _)| wanted.as_str().cmp(name))
                .ok()
        };
        find(&name).or_else(|| find(name.strip_suffix(";binary")?))
    }

    /// What packs the attributes of entries for [`Self::attributes_of`].
    pub(super) fn packer(&self) -> Packer {
        Packer::new(AttributeNames::new(
            self.wanted.iter().map(|(name, _)| name),
        ))
    }

    /// The attributes of an entry, typed.
    ///
    /// # Errors
    /// Says which value cannot be used.
    pub(super) fn attributes_of(
        &self,
        entry: &RawEntry<'_>,
        slots: &[Option<usize>],
        packer: &mut Packer,
    ) -> Result<Attributes, String> {
        packer.clear();
        for (number, ((name, binary), slot)) in self.wanted.iter().zip(slots).enumerate() {
            let Some(values) = slot.and_then(|at| entry.values_at(at)) else {
                continue;
            };
            let added = match values {
                [value] => packer.add(number, [typed(name, *binary, value)?].into_iter()),
                values => {
                    let values = values.iter().map(|value| typed(name, *binary, value));
                    let values: Vec<_> = values.collect::<Result<_, _>>()?;
                    packer.add(number, values.into_iter())
                }
            };
            added.map_err(|error| error.to_string())?;
        }
        Ok(packer.finish())
    }
}

fn attribute_of(anchor: &AnchorRule) -> &str {
    match anchor {
        AnchorRule::ObjectGuid => "objectGUID",
        AnchorRule::EntryUuid => "entryUUID",
        AnchorRule::NsUniqueId => "nsUniqueId",
        AnchorRule::Attribute(name) => name,
    }
}

/// Escapes a value for a filter (RFC 4515 §3).
pub(super) fn escape_filter(value: &str) -> String {
    let mut escaped = String::with_capacity(value.len());
    for c in value.chars() {
        match c {
            '*' | '(' | ')' | '\\' | '\0' => escaped.push_str(&format!("\\{:02x}", u32::from(c))),
            c => escaped.push(c),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::settings::Flavour;

    fn rule(anchor: &AnchorRule) -> PersonRule {
        let state = StateRule {
            flavour: Flavour::Ldap,
            start: None,
            end: None,
            needs_control: false,
        };
        PersonRule::new(
            anchor,
            state,
            &Schema::default(),
            &BTreeSet::from(["userCertificate".to_owned()]),
        )
    }

    #[test]
    fn filters_for_one_anchor() {
        let id = "00112233-4455-6677-8899-aabbccddeeff";
        let guid = Anchor::new(id).unwrap();
        assert_eq!(
            rule(&AnchorRule::EntryUuid).anchor_filter(&guid),
            format!("(entryUUID={id})")
        );
        assert_eq!(
            rule(&AnchorRule::ObjectGuid).anchor_filter(&guid),
            "(objectGUID=\\33\\22\\11\\00\\55\\44\\77\\66\\88\\99\\aa\\bb\\cc\\dd\\ee\\ff)"
        );
        assert_eq!(escape_filter("a*(\\)"), "a\\2a\\28\\5c\\29");
    }

    #[test]
    fn options_of_attributes() {
        let rule = rule(&AnchorRule::EntryUuid);
        assert_eq!(
            rule.slot_of(b"userCERTIFICATE;binary"),
            rule.slot_of(b"usercertificate")
        );
        assert!(rule.slot_of(b"usercertificate").is_some());
        assert_eq!(
            rule.slot_of(b"cn;lang-fr"),
            None,
            "another language is another attribute"
        );
    }
}
