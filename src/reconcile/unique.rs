//! Unique attributes: who gets which login, and who waits. The order of the input never matters.

use std::collections::BTreeMap;

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
        let mut holders = holders(&rule.name, situation);
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
                    let holder = Holder::Person(claimant.anchor.clone());
                    holders.entry(key(&value)).or_default().push(holder);
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

/// Who holds each value of one attribute before this run. What was read now and what was last confirmed both count:
/// a value that an account lost behind our back may be somebody else's by now.
fn holders(attribute: &str, situation: &Situation<'_>) -> BTreeMap<String, Vec<Holder>> {
    let mut holders: BTreeMap<String, Vec<Holder>> = BTreeMap::new();
    for account in &situation.live.accounts {
        if let Some(value) = account.attributes.get(attribute) {
            let holder = match situation.register.owners.get(&account.id) {
                Some(anchor) => Holder::Person(anchor.clone()),
                None => Holder::Stranger(account.id.clone()),
            };
            holders.entry(key(value)).or_default().push(holder);
        }
    }
    for ((name, value), anchor) in &situation.register.names {
        if name == attribute {
            let holder = Holder::Person(anchor.clone());
            holders.entry(value.clone()).or_default().push(holder);
        }
    }
    holders
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

fn free(
    candidates: &[Value],
    claimant: &Claimant<'_>,
    holders: &BTreeMap<String, Vec<Holder>>,
) -> Option<Value> {
    let own_account = match claimant.correlation {
        Correlation::Linked(id) | Correlation::Matched { account: id, .. } => Some(id),
        Correlation::New | Correlation::Undecided(_) => None,
    };
    candidates
        .iter()
        .find(|candidate| {
            let mut holders = holders.get(&key(candidate)).into_iter().flatten();
            holders.all(|holder| match holder {
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
        .filter_map(|name| Some((name.to_owned(), key(attributes.get(name)?))))
        .collect()
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
