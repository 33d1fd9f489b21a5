//! From a raw entry to what the engine is told: unchanged, changed, or not readable.
//!
//! The same code serves directory servers and files, so a fingerprint means the same everywhere.
//! The fingerprint is computed from the message without building the [`Identity`]: an unchanged person costs one digest and one lookup.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hasher as _};

use sha2::{Digest as _, Sha256};

use super::entry::{OwnedEntry, RawEntry, printable};
use super::groups::GroupTable;
use super::rule::PersonRule;
use crate::model::{
    Anchor, EntryProblem, Fingerprint, Identity, Packer, ReadEvidence, Shortfall, Sieve,
    SourceState, normalise_dn,
};

/// What a fetch still needs to know about sentinels.
#[derive(Debug, Default)]
struct Sentinels(Vec<(String, String)>);

impl Sentinels {
    fn new(configured: &[String]) -> Self {
        let normal = |dn: &String| (dn.clone(), normalise_dn(dn).unwrap_or_else(|| dn.clone()));
        Self(configured.iter().map(normal).collect())
    }

    fn saw(&mut self, dn: &str) {
        if !self.0.is_empty()
            && let Some(normal) = normalise_dn(dn)
        {
            self.0.retain(|(_, wanted)| *wanted != normal);
        }
    }
}

/// Takes entries one by one and tells the sieve.
#[derive(Debug)]
pub(super) struct PersonReader<'r> {
    rule: &'r PersonRule,
    groups: Option<GroupTable>,
    /// Group information is incomplete: people whose fingerprint changed are held, unless they are disabled.
    groups_short: bool,
    /// Whoever had groups and shows no membership is put off and asked about.
    asks: bool,
    unlisted: Vec<(Anchor, OwnedEntry)>,
    sentinels: Sentinels,
    /// Anchors seen, with a hash of the DN.
    seen: HashMap<u128, u64>,
    /// For each attribute position of the last entry: its description and which wanted attribute it is.
    hints: Vec<(Vec<u8>, Option<usize>)>,
    slots: Vec<Option<usize>>,
    numbers: Vec<usize>,
    buffer: Vec<u8>,
    packer: Packer,
}

impl<'r> PersonReader<'r> {
    pub(super) fn new(
        rule: &'r PersonRule,
        groups: Option<GroupTable>,
        groups_short: bool,
        sentinels: &[String],
    ) -> Self {
        Self {
            rule,
            groups,
            groups_short,
            asks: false,
            unlisted: Vec::new(),
            sentinels: Sentinels::new(sentinels),
            seen: HashMap::new(),
            hints: Vec::new(),
            slots: Vec::new(),
            numbers: Vec::new(),
            buffer: Vec::with_capacity(4096),
            packer: rule.packer(),
        }
    }

    /// From now on puts off whoever had groups and shows no membership any more: the caller asks about those whom
    /// [`Self::unlisted`] gives, and settles them.
    pub(super) fn asking(mut self) -> Self {
        self.asks = true;
        self
    }

    /// Those who were put off.
    pub(super) fn unlisted(&mut self) -> Vec<(Anchor, OwnedEntry)> {
        std::mem::take(&mut self.unlisted)
    }

    /// Settles somebody who was put off, by the group that lists them all the same.
    pub(super) fn settle(
        &mut self,
        anchor: Anchor,
        entry: &RawEntry<'_>,
        listed: Result<Option<String>, String>,
        evidence: &mut ReadEvidence,
        sieve: &mut dyn Sieve,
    ) {
        let asks = std::mem::replace(&mut self.asks, false);
        let settled = match listed {
            Ok(None) => self.weigh(&anchor, entry, sieve),
            Ok(Some(group)) => Err(format!(
                "memberOf is not shown, and \"{group}\" lists this person as a member: let the bind account read memberOf"
            )),
            Err(why) => Err(format!(
                "memberOf is not shown any more, and the server does not say whether a group lists this person: {why}"
            )),
        };
        self.asks = asks;
        if let Err(why) = settled {
            self.reject(Some(anchor), entry.dn, why, evidence, sieve);
        }
    }

    /// Takes one entry: it reaches the sieve exactly once, unless it was there before.
    /// Returns whether it counts (it does not if it came twice).
    pub(super) fn take(
        &mut self,
        entry: &RawEntry<'_>,
        evidence: &mut ReadEvidence,
        sieve: &mut dyn Sieve,
    ) -> bool {
        let anchor = match self.rule.anchor_of(entry) {
            Ok(anchor) => anchor,
            Err(why) => {
                self.reject(None, entry.dn, why, evidence, sieve);
                return true;
            }
        };
        if !self.first_time(&anchor, entry.dn, evidence) {
            return false;
        }
        if let Err(why) = self.weigh(&anchor, entry, sieve) {
            self.reject(Some(anchor), entry.dn, why, evidence, sieve);
        }
        true
    }

    /// The attribute that holds the anchor.
    pub(super) fn anchor_attribute(&self) -> &str {
        self.rule.anchor_attribute()
    }

    /// Rejects an entry of which only anchor and DN are known. Returns whether it counts.
    pub(super) fn hold(
        &mut self,
        entry: &RawEntry<'_>,
        why: String,
        evidence: &mut ReadEvidence,
        sieve: &mut dyn Sieve,
    ) -> bool {
        let anchor = self.rule.anchor_of(entry).ok();
        if let Some(anchor) = &anchor
            && !self.first_time(anchor, entry.dn, evidence)
        {
            return false;
        }
        self.reject(anchor, entry.dn, why, evidence, sieve);
        true
    }

    fn reject(
        &mut self,
        anchor: Option<Anchor>,
        dn: &[u8],
        why: String,
        evidence: &mut ReadEvidence,
        sieve: &mut dyn Sieve,
    ) {
        let dn = printable(dn);
        if anchor.is_none() {
            evidence.shortfall(Shortfall::NoAnchor(dn.clone()));
        }
        self.sentinels.saw(&dn);
        sieve.reject(EntryProblem { anchor, dn, why });
    }

    /// Ends the read: what was expected and did not come becomes a shortfall.
    pub(super) fn finish(self, allow_empty: bool, evidence: &mut ReadEvidence) {
        for (sentinel, _) in self.sentinels.0 {
            evidence.shortfall(Shortfall::Sentinel(sentinel));
        }
        if self.seen.is_empty() && !allow_empty {
            evidence.shortfall(Shortfall::Empty);
        }
    }

    fn first_time(&mut self, anchor: &Anchor, dn: &[u8], evidence: &mut ReadEvidence) -> bool {
        let mut hasher = DefaultHasher::new();
        hasher.write(dn);
        let hash = hasher.finish();
        match self.seen.insert(key_of(anchor), hash) {
            None => true,
            Some(before) => {
                // The same entry twice is harmless (overlapping bases); two entries with one anchor are not.
                if before != hash {
                    evidence.shortfall(Shortfall::DuplicateAnchor(anchor.to_string()));
                }
                false
            }
        }
    }

    /// Decides between unchanged and accepted.
    fn weigh(
        &mut self,
        anchor: &Anchor,
        entry: &RawEntry<'_>,
        sieve: &mut dyn Sieve,
    ) -> Result<(), String> {
        let dn =
            std::str::from_utf8(entry.dn).map_err(|_| "the DN is not UTF-8 text".to_owned())?;
        self.sentinels.saw(dn);
        self.find_slots(entry)?;
        let state = self.rule.state_of(entry)?;
        if let Some(groups) = &mut self.groups {
            groups.of(entry, &mut self.numbers)?;
        }
        let fingerprint = self.fingerprint(entry, &state);
        if sieve.is_unchanged(anchor, fingerprint) {
            return Ok(());
        }
        if self.groups_short && !state.disabled {
            return Err("group memberships could not be read in full in this read".to_owned());
        }
        let unlisted = |groups: &GroupTable| groups.are_unlisted(entry);
        if self.asks
            && !state.disabled
            && self.groups.as_ref().is_some_and(unlisted)
            && sieve.had_groups(anchor)
        {
            self.unlisted
                .push((anchor.clone(), OwnedEntry::copy(entry)));
            return Ok(());
        }
        let mut groups = Vec::with_capacity(self.numbers.len());
        groups.extend(self.numbers.iter().filter_map(|number| {
            let (group, _) = self.groups.as_ref()?.get(*number)?;
            Some(group.clone())
        }));
        let identity = Identity {
            anchor: anchor.clone(),
            dn: dn.to_owned(),
            attributes: self
                .rule
                .attributes_of(entry, &self.slots, &mut self.packer)?,
            groups,
            state,
        };
        sieve.accept(identity, fingerprint);
        Ok(())
    }

    /// Finds where each wanted attribute is. Servers send attributes in the same order again and again.
    fn find_slots(&mut self, entry: &RawEntry<'_>) -> Result<(), String> {
        self.slots.clear();
        self.slots.resize(self.rule.wanted(), None);
        for (at, (description, _)) in entry.iter().enumerate() {
            if self.hints.len() <= at {
                self.hints
                    .push((description.to_vec(), self.rule.slot_of(description)));
            }
            let Some(hint) = self.hints.get_mut(at) else {
                continue;
            };
            if hint.0 != description {
                *hint = (description.to_vec(), self.rule.slot_of(description));
            }
            let Some(slot) = hint.1.and_then(|slot| self.slots.get_mut(slot)) else {
                continue;
            };
            if slot.replace(at).is_some() {
                return Err(format!("{} was returned twice", printable(description)));
            }
        }
        Ok(())
    }

    fn fingerprint(&mut self, entry: &RawEntry<'_>, state: &SourceState) -> Fingerprint {
        let buffer = &mut self.buffer;
        buffer.clear();
        buffer.extend_from_slice(self.rule.digest());
        put(buffer, entry.dn);
        let mut sorted: Vec<&[u8]> = Vec::new();
        for slot in &self.slots {
            let values = slot.and_then(|at| entry.values_at(at)).unwrap_or_default();
            put_count(buffer, values.len());
            if let [value] = values {
                put(buffer, value);
                continue;
            }
            sorted.clear();
            sorted.extend_from_slice(values);
            sorted.sort_unstable();
            for value in &sorted {
                put(buffer, value);
            }
        }
        buffer.push(u8::from(state.disabled));
        for moment in [state.expires, state.starts] {
            let nanos = moment.map_or(i128::MAX, jiff::Timestamp::as_nanosecond);
            buffer.extend(nanos.to_be_bytes());
        }
        if let Some(groups) = &self.groups {
            for (_, mark) in self.numbers.iter().filter_map(|number| groups.get(*number)) {
                buffer.extend(mark);
            }
        }
        let digest = Sha256::digest(buffer.as_slice());
        let mut fingerprint = Fingerprint::default();
        fingerprint
            .0
            .iter_mut()
            .zip(digest)
            .for_each(|(to, from)| *to = from);
        fingerprint
    }
}

fn put_count(buffer: &mut Vec<u8>, count: usize) {
    buffer.extend(u32::try_from(count).unwrap_or(u32::MAX).to_be_bytes());
}

fn put(buffer: &mut Vec<u8>, bytes: &[u8]) {
    put_count(buffer, bytes.len());
    buffer.extend_from_slice(bytes);
}

fn key_of(anchor: &Anchor) -> u128 {
    let text = anchor.as_str();
    match uuid::Uuid::try_parse(text) {
        Ok(id) if text.len() == 36 => id.as_u128(),
        _ => {
            let digest = Sha256::digest(text);
            digest
                .iter()
                .take(16)
                .fold(0, |key, byte| key << 8 | u128::from(*byte))
        }
    }
}

#[cfg(test)]
mod tests;
