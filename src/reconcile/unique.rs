//! Unique attributes: who gets which login, and who waits. The order of the input never matters.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use rayon::iter::{
    IndexedParallelIterator as _, IntoParallelRefIterator as _, ParallelIterator as _,
};

use super::correlate::{Correlation, Matcher};
use super::desired::{Desired, Want};
use super::mapping::Rule;
use super::plan::TOGETHER;
use super::situation::{Person, Situation, fold};
use crate::model::{Account, AccountId, Anchor, HeldWhy, Value};

/// Everybody who is decided about, in the order of their anchors, with what belongs to each at the same place.
pub(super) struct Claimants<'a> {
    pub people: &'a [&'a Person],
    pub desired: &'a mut [Option<Desired>],
    pub correlations: &'a [Correlation],
    pub matcher: &'a Matcher<'a>,
}

/// Settles every unique attribute among everybody who is to be active: replaces taken values by the first free alternative,
/// or says, by their place, why somebody can have none.
///
/// A person keeps an alternative once they have it: a login must not change because somebody else left.
pub(super) fn settle(
    claimants: &mut Claimants<'_>,
    situation: &Situation<'_>,
) -> BTreeMap<usize, HeldWhy> {
    let mut held = BTreeMap::new();
    let rules = situation.mapping.rules().iter().enumerate();
    for (place, rule) in rules.filter(|(_, rule)| rule.unique) {
        settle_one(place, rule, claimants, situation, &mut held);
    }
    held
}

fn settle_one(
    place: usize,
    rule: &Rule,
    claimants: &mut Claimants<'_>,
    situation: &Situation<'_>,
    held: &mut BTreeMap<usize, HeldWhy>,
) {
    let holders = Holders::new(&rule.name, situation);
    let claims = claims(place, claimants, &holders);
    let rivals = rivals(&claims);
    // What was settled for somebody in this run is nobody else's.
    let mut settled: HashSet<Cow<'_, str>> = HashSet::with_capacity(claims.len());
    for claim in &claims {
        let desired = claimants.desired.get_mut(claim.who);
        let want = desired.and_then(|desired| desired.as_mut()?.attributes.get_mut(place));
        let Some(Want::Value(value, alternatives)) = want else {
            continue;
        };
        if let Some(others) = rivals.get(claim.key.as_str()).filter(|_| claim.rival) {
            let others = others.iter().filter(|who| **who != claim.who);
            let others = others.filter_map(|who| claimants.people.get(*who));
            let why = HeldWhy::Contested {
                what: format!("{} = {value}", rule.name),
                others: others.map(|person| person.anchor.clone()).collect(),
            };
            held.insert(claim.who, why);
            continue;
        }
        let found = match claim.kept {
            Some(kept) => Some(kept),
            None => choose(claim, alternatives, &holders, &mut settled),
        };
        match found {
            Some(number) => {
                if let Some(other) = number.checked_sub(1) {
                    *value = alternatives.swap_remove(other);
                }
                alternatives.clear();
            }
            None => {
                let tried = std::iter::once(&*value).chain(&*alternatives);
                let why = HeldWhy::NameTaken {
                    attribute: rule.name.clone(),
                    tried: tried.map(ToString::to_string).collect(),
                };
                held.insert(claim.who, why);
            }
        }
    }
}

/// Somebody who is to have a unique value.
struct Claim<'a> {
    /// Their place among all.
    who: usize,
    anchor: &'a Anchor,
    /// The account that is or will be theirs.
    account: Option<&'a AccountId>,
    /// Their first choice, in the form in which it is judged.
    key: String,
    /// Which of their candidates they have already.
    kept: Option<usize>,
    /// Whether nobody else is known to have their first choice, apart from what is settled in this run.
    free: bool,
    /// Whether they newly want it and have no alternative. Who had it confirmed does not want it newly, even if somebody
    /// changed their account since: no newcomer may keep them from getting it back.
    rival: bool,
}

/// Everybody's claim to one attribute.
fn claims<'a>(place: usize, claimants: &Claimants<'a>, holders: &Holders<'_>) -> Vec<Claim<'a>> {
    let (people, matcher) = (claimants.people, claimants.matcher);
    let correlations = claimants.correlations;
    let claim = |((who, desired), correlation): ((usize, &Option<Desired>), &'a Correlation)| {
        let desired = desired.as_ref()?;
        if !desired.reasons.is_empty() || desired.hold.is_some() {
            return None;
        }
        let Some(Want::Value(value, alternatives)) = desired.attributes.get(place) else {
            return None;
        };
        let account = match correlation {
            Correlation::Linked(id) | Correlation::Matched { account: id, .. } => Some(id),
            Correlation::New => None,
            Correlation::Undecided(_) => return None,
        };
        let person: &'a Person = people.get(who)?;
        let live = account.and_then(|id| matcher.account(id));
        let own = current(live, person.shadow.as_ref())
            .and_then(|current| current.get(holders.attribute))
            .map(key);
        let first = key(value);
        let kept = own.and_then(|own| {
            if own == first {
                return Some(0);
            }
            let other = alternatives.iter().position(|other| key(other) == own)?;
            Some(other + 1)
        });
        let confirmed = || holders.confirmed(&first) == Some(&person.anchor);
        let free = kept.is_some() || holders.allow(&first, &person.anchor, account);
        let rival = kept.is_none() && alternatives.is_empty() && !confirmed();
        Some(Claim {
            who,
            anchor: &person.anchor,
            account,
            key: first,
            kept,
            free,
            rival,
        })
    };
    claimants
        .desired
        .par_iter()
        .enumerate()
        .zip(correlations)
        .with_min_len(TOGETHER)
        .filter_map(claim)
        .collect()
}

/// For each value that more than one newly want who have no alternative: all of these.
fn rivals<'c>(claims: &'c [Claim<'_>]) -> HashMap<&'c str, Vec<usize>> {
    let mut first: HashMap<&str, usize> = HashMap::with_capacity(claims.len());
    let mut rivals: HashMap<&str, Vec<usize>> = HashMap::new();
    for claim in claims.iter().filter(|claim| claim.rival) {
        let before = *first.entry(&claim.key).or_insert(claim.who);
        if before != claim.who {
            let all = rivals.entry(&claim.key).or_insert_with(|| vec![before]);
            all.push(claim.who);
        }
    }
    rivals
}

/// The number of the first candidate that is free, and takes it.
fn choose<'c>(
    claim: &'c Claim<'_>,
    alternatives: &[Value],
    holders: &Holders<'_>,
    settled: &mut HashSet<Cow<'c, str>>,
) -> Option<usize> {
    if claim.free && settled.insert(Cow::Borrowed(&claim.key)) {
        return Some(0);
    }
    let other = alternatives.iter().position(|other| {
        let other = key(other);
        holders.allow(&other, claim.anchor, claim.account) && settled.insert(Cow::Owned(other))
    })?;
    Some(other + 1)
}

/// Who holds a unique value now.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Holder<'a> {
    Person(&'a Anchor),
    Stranger(&'a AccountId),
}

/// Who holds the values of one attribute. What was read now and what was last confirmed both count:
/// a value that an account lost behind our back may be somebody else's by now.
struct Holders<'a> {
    attribute: &'a str,
    /// As read now.
    now: HashMap<String, Vec<Holder<'a>>>,
    /// As last confirmed, for all attributes.
    confirmed: &'a HashMap<(String, String), Anchor>,
    /// Refused by the application for somebody whom it does not show, for all attributes.
    refused: &'a BTreeSet<(String, String)>,
}

impl<'a> Holders<'a> {
    fn new(attribute: &'a str, situation: &'a Situation<'_>) -> Self {
        let mut now: HashMap<String, Vec<Holder<'a>>> = HashMap::new();
        for account in &situation.live.accounts {
            if let Some(value) = account.attributes.get(attribute) {
                let holder = match situation.register.owners.get(&account.id) {
                    Some(anchor) => Holder::Person(anchor),
                    None => Holder::Stranger(&account.id),
                };
                now.entry(key(value)).or_default().push(holder);
            }
        }
        Self {
            attribute,
            now,
            confirmed: &situation.register.names,
            refused: &situation.live.taken,
        }
    }

    /// A value in the form the register keeps it.
    fn name(&self, key: &str) -> (String, String) {
        (self.attribute.to_owned(), key.to_owned())
    }

    /// Who was last confirmed to have a value.
    fn confirmed(&self, key: &str) -> Option<&'a Anchor> {
        if self.confirmed.is_empty() {
            return None;
        }
        self.confirmed.get(&self.name(key))
    }

    /// Whether everybody who holds a value is this person, or is the account that will be theirs.
    fn allow(&self, key: &str, anchor: &Anchor, account: Option<&AccountId>) -> bool {
        let theirs = |holder: &Holder<'_>| match *holder {
            Holder::Person(holder) => holder == anchor,
            Holder::Stranger(id) => Some(id) == account,
        };
        let mut now = self.now.get(key).into_iter().flatten();
        let confirmed = self.confirmed(key).map(Holder::Person);
        let refused = !self.refused.is_empty() && self.refused.contains(&self.name(key));
        !refused && confirmed.as_ref().is_none_or(theirs) && now.all(theirs)
    }
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
