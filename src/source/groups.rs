//! Which groups a person is in: directly, through other groups, or as the primary group.
//!
//! All groups below the group bases are read first and kept as edges between 128-bit keys of DNs, so the cost is per membership and not per spelling.
//! The closure is computed over all groups and only then reduced to those that configuration names: a nameless group in the middle still connects.
//! Circles end by themselves; groups nested deeper than [`DEEPEST`] make the information incomplete.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use sha2::{Digest as _, Sha256};

use super::GroupNeed;
use super::entry::{RawEntry, printable};
use super::settings::{Flavour, GroupMethod};
use super::state::primary_group_sid;
use crate::model::{Group, dn_wide_key, normalise_dn};

/// Deeper nesting than this is taken for damage.
const DEEPEST: usize = 64;
/// How many spellings of `memberOf` values are remembered.
const REMEMBERED: usize = 500_000;

/// How groups are read from one source.
#[derive(Clone, Debug)]
pub(super) struct GroupRule {
    pub flavour: Flavour,
    pub method: GroupMethod,
    pub nested: bool,
    pub need: GroupNeed,
}

impl GroupRule {
    /// The attributes to ask for on groups.
    pub(super) fn on_groups(&self) -> Vec<String> {
        let mut names = vec!["cn", "samaccountname"];
        match self.method {
            GroupMethod::MemberOf => names.push("memberof"),
            GroupMethod::Member => {
                names.extend(["member", "uniquemember", "memberuid", "gidnumber"]);
            }
        }
        if self.flavour == Flavour::ActiveDirectory {
            names.push("objectsid");
        }
        names.into_iter().map(str::to_owned).collect()
    }

    /// The attributes to ask for on people.
    pub(super) fn on_people(&self) -> Vec<String> {
        let mut names = Vec::new();
        if self.need != GroupNeed::None {
            match self.method {
                GroupMethod::MemberOf => names.push("memberof"),
                GroupMethod::Member => names.extend(["uid", "gidnumber"]),
            }
            if self.flavour == Flavour::ActiveDirectory {
                names.extend(["objectsid", "primarygroupid"]);
            }
        }
        names.into_iter().map(str::to_owned).collect()
    }
}

#[derive(Debug)]
struct Found {
    key: u128,
    dn: String,
    name: String,
    sid: Option<Vec<u8>>,
}

/// Collects groups while they are read.
#[derive(Debug)]
pub(super) struct GroupReader {
    rule: GroupRule,
    found: Vec<Found>,
    /// From a member, person or group, to the group.
    edges: Vec<(u128, u128)>,
}

impl GroupReader {
    pub(super) fn new(rule: GroupRule) -> Self {
        Self {
            rule,
            found: Vec::new(),
            edges: Vec::new(),
        }
    }

    /// Takes one group.
    ///
    /// # Errors
    /// Says which group cannot be understood; the information is then incomplete.
    pub(super) fn take(&mut self, entry: &RawEntry<'_>) -> Result<(), String> {
        let shown = || printable(entry.dn);
        let dn = std::str::from_utf8(entry.dn)
            .ok()
            .and_then(normalise_dn)
            .ok_or_else(|| format!("\"{}\" is not a DN", shown()))?;
        let key = dn_wide_key(&dn).unwrap_or_default();
        let text = |name| {
            let value = entry.first(name)?;
            std::str::from_utf8(value).ok().filter(|v| !v.is_empty())
        };
        let name = text("cn").or_else(|| text("sAMAccountName"));
        let name = name.map_or_else(|| dn.clone(), str::to_owned);
        match self.rule.method {
            GroupMethod::MemberOf => {
                for value in entry.get("memberOf") {
                    if let Some(above) = key_of(value, &shown)? {
                        self.edges.push((key, above));
                    }
                }
            }
            GroupMethod::Member => {
                let unique = entry.get("uniqueMember").iter();
                let unique = unique.map(|value| without_uid(value));
                for value in entry.get("member").iter().copied().chain(unique) {
                    if let Some(member) = key_of(value, &shown)? {
                        self.edges.push((member, key));
                    }
                }
                for uid in entry.get("memberUid") {
                    self.edges.push((word_key(UID, uid), key));
                }
                // Who has it as the primary group is not listed in a posixGroup (RFC 2307 §2.2).
                for gid in entry.get("gidNumber") {
                    self.edges.push((word_key(GID, gid), key));
                }
            }
        }
        let sid = entry.first("objectSid").map(<[u8]>::to_vec);
        self.found.push(Found { key, dn, name, sid });
        Ok(())
    }

    /// Closes the reading and computes the closure.
    ///
    /// # Errors
    /// When groups are nested too deep.
    pub(super) fn finish(mut self) -> Result<GroupTable, String> {
        // Ordered by DN, so that a person's list of numbers is ordered as well.
        self.found.sort_by(|a, b| a.dn.cmp(&b.dn));
        self.found.dedup_by(|a, b| a.key == b.key);
        let numbers: HashMap<u128, usize> = self
            .found
            .iter()
            .enumerate()
            .map(|(number, group)| (group.key, number))
            .collect();
        let mut above: Vec<(u128, usize)> = self
            .edges
            .into_iter()
            .filter_map(|(member, group)| Some((member, *numbers.get(&group)?)))
            .collect();
        above.sort_unstable();
        above.dedup();
        let kept = kept(&self.rule.need, &self.found);
        let mut reach = Vec::with_capacity(self.found.len());
        for number in 0..self.found.len() {
            let through = closure(number, &self.found, &above, self.rule.nested)?;
            reach.push(through.into_iter().filter(|n| kept.contains(n)).collect());
        }
        let sids = self.found.iter().enumerate();
        let sids = sids.filter_map(|(number, group)| Some((group.sid.clone()?, number)));
        Ok(GroupTable {
            sids: sids.collect(),
            groups: self.found.iter().map(finished).collect(),
            rule: self.rule,
            numbers,
            above,
            reach,
            remembered: HashMap::new(),
        })
    }
}

fn finished(group: &Found) -> (Group, [u8; 16]) {
    let digest = Sha256::new()
        .chain_update(&group.dn)
        .chain_update([0])
        .chain_update(&group.name)
        .finalize();
    let mut mark = [0; 16];
    mark.iter_mut()
        .zip(digest)
        .for_each(|(to, from)| *to = from);
    let group = Group {
        dn: group.dn.as_str().into(),
        name: group.name.as_str().into(),
    };
    (group, mark)
}

/// The numbers of the groups that configuration refers to.
fn kept(need: &GroupNeed, found: &[Found]) -> BTreeSet<usize> {
    match need {
        GroupNeed::None => BTreeSet::new(),
        GroupNeed::All => (0..found.len()).collect(),
        GroupNeed::Named(names) => {
            let mut short = BTreeSet::new();
            let mut dns = BTreeSet::new();
            for name in names {
                short.insert(name.to_lowercase());
                dns.extend(normalise_dn(name));
            }
            let named = |group: &Found| {
                short.contains(&group.name.to_lowercase()) || dns.contains(&group.dn)
            };
            let found = found.iter().enumerate();
            found
                .filter(|(_, group)| named(group))
                .map(|(number, _)| number)
                .collect()
        }
    }
}

/// The group itself and every group above it.
fn closure(
    start: usize,
    found: &[Found],
    above: &[(u128, usize)],
    nested: bool,
) -> Result<BTreeSet<usize>, String> {
    let mut through = BTreeSet::from([start]);
    let mut level = vec![start];
    let mut depth = 0;
    while nested && !level.is_empty() {
        depth += 1;
        if depth > DEEPEST {
            let name = found.get(start).map_or("?", |group| &group.name);
            return Err(format!(
                "the groups above \"{name}\" are nested more than {DEEPEST} deep"
            ));
        }
        let mut next = Vec::new();
        for number in level {
            let key = found.get(number).map(|group| group.key).unwrap_or_default();
            for (_, group) in direct(above, key) {
                if through.insert(*group) {
                    next.push(*group);
                }
            }
        }
        level = next;
    }
    Ok(through)
}

/// The groups that have this key as a direct member.
fn direct(above: &[(u128, usize)], key: u128) -> &[(u128, usize)] {
    let start = above.partition_point(|(member, _)| *member < key);
    let rest = above.get(start..).unwrap_or_default();
    let length = rest.partition_point(|(member, _)| *member == key);
    rest.get(..length).unwrap_or_default()
}

/// The key of a DN value; `None` for the empty value that some servers need in an empty group.
fn key_of(value: &[u8], shown: &dyn Fn() -> String) -> Result<Option<u128>, String> {
    if value.is_empty() {
        return Ok(None);
    }
    let key = std::str::from_utf8(value).ok().and_then(dn_wide_key);
    match key {
        Some(key) => Ok(Some(key)),
        None => Err(format!(
            "\"{}\" names the member \"{}\", which is not a DN",
            shown(),
            printable(value)
        )),
    }
}

/// The DN of a value of Name And Optional UID (RFC 4517 §3.3.21), without the bits that may follow it (`dn#'0101'B`).
///
/// The bits tell apart those who had one DN one after the other; whoever has it now is meant here.
fn without_uid(value: &[u8]) -> &[u8] {
    let inner = value.strip_suffix(b"'B");
    let before = inner.or_else(|| value.strip_suffix(b"'b")).map(|inner| {
        let digits = inner.iter().rev();
        let digits = digits.take_while(|byte| matches!(byte, b'0' | b'1'));
        inner
            .get(..inner.len() - digits.count())
            .unwrap_or_default()
    });
    let Some(dn) = before.and_then(|before| before.strip_suffix(b"#'")) else {
        return value;
    };
    // `\#` belongs to the name, unless the backslash is itself escaped.
    let escapes = dn.iter().rev().take_while(|byte| **byte == b'\\').count();
    if escapes % 2 == 0 { dn } else { value }
}

/// What a word is that groups name their members by.
const UID: u8 = 0;
const GID: u8 = 1;

fn word_key(kind: u8, word: &[u8]) -> u128 {
    let folded = String::from_utf8_lossy(word).to_lowercase();
    // A normalised DN never begins with a control character, so the kinds of key cannot meet.
    let digest = Sha256::new()
        .chain_update([kind])
        .chain_update(folded)
        .finalize();
    let head = digest.iter().take(16);
    head.fold(0, |key, byte| key << 8 | u128::from(*byte))
}

/// All groups, ready to say which ones a person is in.
#[derive(Clone, Debug)]
pub(super) struct GroupTable {
    rule: GroupRule,
    groups: Vec<(Group, [u8; 16])>,
    numbers: HashMap<u128, usize>,
    above: Vec<(u128, usize)>,
    /// For each group the kept groups that membership in it brings.
    reach: Vec<Arc<[usize]>>,
    sids: HashMap<Vec<u8>, usize>,
    /// What a `memberOf` value brings, by its bytes.
    remembered: HashMap<Box<[u8]>, Option<Arc<[usize]>>>,
}

impl GroupTable {
    /// How many groups were read.
    pub(super) fn len(&self) -> usize {
        self.groups.len()
    }

    /// Whether somebody shows no membership, where people are to show theirs.
    pub(super) fn are_unlisted(&self, entry: &RawEntry<'_>) -> bool {
        self.rule.method == GroupMethod::MemberOf && entry.get("memberOf").is_empty()
    }

    /// The numbers of a person's groups, ordered, into `numbers`.
    ///
    /// # Errors
    /// When a membership cannot be understood.
    pub(super) fn of(
        &mut self,
        entry: &RawEntry<'_>,
        numbers: &mut Vec<usize>,
    ) -> Result<(), String> {
        numbers.clear();
        match self.rule.method {
            GroupMethod::MemberOf => {
                for value in entry.get("memberOf") {
                    match self.brings(value) {
                        Some(reach) => numbers.extend_from_slice(&reach),
                        None => {
                            return Err(format!(
                                "memberOf holds \"{}\", which is not a DN",
                                printable(value)
                            ));
                        }
                    }
                }
            }
            GroupMethod::Member => {
                let dn = std::str::from_utf8(entry.dn).ok().and_then(dn_wide_key);
                let dn = dn.ok_or("the DN cannot be understood, so memberships cannot be found")?;
                let uids = entry.get("uid").iter().map(|uid| word_key(UID, uid));
                let gids = entry.get("gidNumber").iter();
                let gids = gids.map(|gid| word_key(GID, gid));
                for key in uids.chain(gids).chain([dn]) {
                    for (_, group) in direct(&self.above, key) {
                        numbers.extend(self.reach.get(*group).into_iter().flat_map(|r| r.iter()));
                    }
                }
            }
        }
        if let Some(primary) = self.primary(entry)? {
            numbers.extend(self.reach.get(primary).into_iter().flat_map(|r| r.iter()));
        }
        numbers.sort_unstable();
        numbers.dedup();
        Ok(())
    }

    /// The group and its 128-bit mark, by number.
    pub(super) fn get(&self, number: usize) -> Option<&(Group, [u8; 16])> {
        self.groups.get(number)
    }

    fn brings(&mut self, value: &[u8]) -> Option<Arc<[usize]>> {
        if let Some(known) = self.remembered.get(value) {
            return known.clone();
        }
        let key = std::str::from_utf8(value).ok().and_then(dn_wide_key);
        // A group outside the group bases brings nothing.
        let brings = key.map(|key| {
            let number = self.numbers.get(&key);
            number
                .and_then(|n| self.reach.get(*n))
                .cloned()
                .unwrap_or_default()
        });
        if self.remembered.len() < REMEMBERED {
            self.remembered.insert(value.into(), brings.clone());
        }
        brings
    }

    fn primary(&self, entry: &RawEntry<'_>) -> Result<Option<usize>, String> {
        let (Some(rid), Some(sid)) = (entry.first("primaryGroupID"), entry.first("objectSid"))
        else {
            return Ok(None);
        };
        let rid = std::str::from_utf8(rid)
            .ok()
            .and_then(|rid| rid.parse().ok());
        let sid = rid.and_then(|rid| primary_group_sid(sid, rid));
        let sid = sid.ok_or("primaryGroupID or objectSid cannot be understood")?;
        Ok(self.sids.get(&sid).copied())
    }
}

#[cfg(test)]
mod tests;
