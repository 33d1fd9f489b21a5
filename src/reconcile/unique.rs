//! Unique attributes: who gets which login, and who waits. The order of the input never matters.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::correlate::Correlation;
use super::desired::{Desired, Want};
use super::situation::{Situation, fold};
use crate::model::{Account, AccountId, Anchor, HeldWhy, Value};

/// Who holds a unique value now.
#[derive(Clone, PartialEq, Eq)]
enum Holder {
    Person(Anchor),
    Stranger(AccountId),
}

/// One identity as far as uniqueness is concerned.
pub(super) struct Claimant<'a> {
    pub anchor: &'a Anchor,
    pub desired: &'a mut Desired,
    pub correlation: &'a Correlation,
    /// The account's attributes as last known, if it has an account.
    pub current: Option<&'a BTreeMap<String, Value>>,
}

/// Settles every unique attribute: replaces taken values by the first free alternative, or says why nobody can have it.
///
/// A person keeps an alternative once they have it: a login must not change because somebody else left.
pub(super) fn settle(
    mut claimants: Vec<Claimant<'_>>,
    situation: &Situation<'_>,
) -> BTreeMap<Anchor, HeldWhy> {
    let mut held = BTreeMap::new();
    claimants.sort_by(|a, b| a.anchor.cmp(b.anchor));
    for rule in situation.mapping.rules().iter().filter(|rule| rule.unique) {
        let mut holders = Holders::new(&rule.name, situation);
        let rivals = rivals(&rule.name, &claimants, situation);
        for claimant in &mut claimants {
            let own = claimant.current.and_then(|current| current.get(&rule.name));
            let Some(Want::Value(primary, alternatives)) =
                claimant.desired.attributes.get(&rule.name)
            else {
                continue;
            };
            let candidates: Vec<Value> = std::iter::once(primary)
                .chain(alternatives)
                .cloned()
                .collect();
            if let Some(own) = own
                && let Some(kept) = candidates.iter().find(|c| key(c) == key(own))
            {
                let kept = kept.clone();
                claimant
                    .desired
                    .attributes
                    .insert(rule.name.clone(), Want::Value(kept, Vec::new()));
                continue;
            }
            if let [only] = candidates.as_slice()
                && let Some(others) = rivals
                    .get(&key(only))
                    .filter(|rivals| rivals.len() > 1 && rivals.contains(claimant.anchor))
            {
                let others = others
                    .iter()
                    .filter(|a| *a != claimant.anchor)
                    .cloned()
                    .collect();
                let what = format!("{} = {only}", rule.name);
                held.insert(claimant.anchor.clone(), HeldWhy::Contested { what, others });
                continue;
            }
            match free(&candidates, claimant, &holders) {
                Some(value) => {
                    holders.add(&value, Holder::Person(claimant.anchor.clone()));
                    claimant
                        .desired
                        .attributes
                        .insert(rule.name.clone(), Want::Value(value, Vec::new()));
                }
                None => {
                    let tried = candidates.iter().map(ToString::to_string).collect();
                    let attribute = rule.name.clone();
                    held.insert(
                        claimant.anchor.clone(),
                        HeldWhy::NameTaken { attribute, tried },
                    );
                }
            }
        }
    }
    held
}

/// Who holds the values of one attribute. What was read now and what was last confirmed both count:
/// a value that an account lost behind our back may be somebody else's by now.
struct Holders<'a> {
    attribute: &'a str,
    /// As read now, and as settled since.
    now: BTreeMap<String, Vec<Holder>>,
    /// As last confirmed, for all attributes.
    confirmed: &'a HashMap<(String, String), Anchor>,
    /// Refused by the application for somebody whom it does not show, for all attributes.
    refused: &'a BTreeSet<(String, String)>,
}

impl<'a> Holders<'a> {
    fn new(attribute: &'a str, situation: &'a Situation<'_>) -> Self {
        let mut holders = Self {
            attribute,
            now: BTreeMap::new(),
            confirmed: &situation.register.names,
            refused: &situation.live.taken,
        };
        for account in &situation.live.accounts {
            if let Some(value) = account.attributes.get(attribute) {
                let holder = match situation.register.owners.get(&account.id) {
                    Some(anchor) => Holder::Person(anchor.clone()),
                    None => Holder::Stranger(account.id.clone()),
                };
                holders.add(value, holder);
            }
        }
        holders
    }

    fn add(&mut self, value: &Value, holder: Holder) {
        self.now.entry(key(value)).or_default().push(holder);
    }

    /// Whether everybody who holds a value fulfils a condition.
    fn all(&self, value: &Value, allowed: impl Fn(&Holder) -> bool) -> bool {
        let name = name_of(self.attribute, value);
        let confirmed = self.confirmed.get(&name).cloned().map(Holder::Person);
        let mut now = self.now.get(&name.1).into_iter().flatten();
        !self.refused.contains(&name) && confirmed.as_ref().is_none_or(&allowed) && now.all(allowed)
    }
}

/// For each value, everybody who newly wants it and has no alternative. Who had it confirmed does not want it newly,
/// even if somebody changed their account since: no newcomer may keep them from getting it back.
fn rivals(
    attribute: &str,
    claimants: &[Claimant<'_>],
    situation: &Situation<'_>,
) -> BTreeMap<String, Vec<Anchor>> {
    let names = &situation.register.names;
    let confirmed = |value: &Value| names.get(&(attribute.to_owned(), key(value)));
    let mut rivals: BTreeMap<String, Vec<Anchor>> = BTreeMap::new();
    for claimant in claimants {
        if let Some(Want::Value(value, alternatives)) = claimant.desired.attributes.get(attribute)
            && alternatives.is_empty()
            && claimant.desired.reasons.is_empty()
            && claimant
                .current
                .and_then(|current| current.get(attribute))
                .is_none_or(|own| key(own) != key(value))
            && confirmed(value) != Some(claimant.anchor)
        {
            rivals
                .entry(key(value))
                .or_default()
                .push(claimant.anchor.clone());
        }
    }
    rivals
}

fn free(candidates: &[Value], claimant: &Claimant<'_>, holders: &Holders<'_>) -> Option<Value> {
    let own_account = match claimant.correlation {
        Correlation::Linked(id) | Correlation::Matched { account: id, .. } => Some(id),
        Correlation::New | Correlation::Undecided(_) => None,
    };
    candidates
        .iter()
        .find(|candidate| {
            holders.all(candidate, |holder| match holder {
                Holder::Person(anchor) => anchor == claimant.anchor,
                Holder::Stranger(id) => Some(id) == own_account,
            })
        })
        .cloned()
}

/// The form under which a unique value is judged.
fn key(value: &Value) -> String {
    fold(&value.to_string())
}

/// The unique values that an account or shadow holds, in the form the register keeps them.
pub fn names_of<'a>(
    unique: impl Iterator<Item = &'a str>,
    attributes: &BTreeMap<String, Value>,
) -> Vec<(String, String)> {
    unique
        .filter_map(|name| Some(name_of(name, attributes.get(name)?)))
        .collect()
}

/// A unique value in the form the register keeps it.
#[must_use]
pub fn name_of(attribute: &str, value: &Value) -> (String, String) {
    (attribute.to_owned(), key(value))
}

/// The attributes of an identity's account as last known: read now, else as confirmed.
pub(super) fn current<'a>(
    live: Option<&'a Account>,
    shadow: Option<&'a crate::model::Shadow>,
) -> Option<&'a BTreeMap<String, Value>> {
    live.map(|account| &account.attributes).or_else(|| {
        shadow
            .filter(|s| s.account.is_some())
            .map(|s| &s.attributes)
    })
}
