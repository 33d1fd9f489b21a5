//! Which account belongs to which identity. Never picks among several; never takes what another identity holds.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::desired::Desired;
use super::mapping::{Compare, MatchRule};
use super::situation::{Person, Situation, fold};
use crate::model::{Account, AccountId, HeldWhy, Orphan, Value};

/// How an identity and the target's accounts relate.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Correlation {
    /// Bound to an account by id.
    Linked(AccountId),
    /// Not bound; exactly one free account matches by a rule that adopts.
    Matched { account: AccountId, rule: String },
    /// Not bound, and nothing matches.
    New,
    /// Cannot be decided by us.
    Undecided(HeldWhy),
}

/// Accounts by the values that match rules look at.
pub(super) struct Matcher<'a> {
    rules: &'a [MatchRule],
    index: Vec<HashMap<String, Vec<&'a Account>>>,
    accounts: HashMap<&'a AccountId, &'a Account>,
}

impl<'a> Matcher<'a> {
    pub(super) fn new(situation: &'a Situation<'_>) -> Self {
        let rules = situation.mapping.match_rules();
        let mut index = vec![HashMap::new(); rules.len()];
        for account in &situation.live.accounts {
            for (rule, by_value) in rules.iter().zip(&mut index) {
                for key in keys(rule, account.attributes.get(&rule.account)) {
                    by_value.entry(key).or_insert_with(Vec::new).push(account);
                }
            }
        }
        let accounts = situation
            .live
            .accounts
            .iter()
            .map(|account| (&account.id, account))
            .collect();
        Self {
            rules,
            index,
            accounts,
        }
    }

    /// The account as read now, if it was read.
    pub(super) fn account(&self, id: &AccountId) -> Option<&'a Account> {
        self.accounts.get(id).copied()
    }

    /// Correlates one identity.
    pub(super) fn correlate(
        &self,
        person: &Person,
        desired: Option<&Desired>,
        situation: &Situation<'_>,
    ) -> Correlation {
        if let Some(id) = person.shadow.as_ref().and_then(|s| s.account.as_ref()) {
            return Correlation::Linked(id.clone());
        }
        let Some(desired) = desired else {
            return Correlation::New;
        };
        for ((rule, by_value), value) in self.rules.iter().zip(&self.index).zip(&desired.matches) {
            if by_value.is_empty() {
                continue;
            }
            // By id: an account that holds several of the values is one account, and the order of the list means nothing.
            let hits: BTreeMap<&AccountId, &Account> = keys(rule, value.as_ref())
                .into_iter()
                .filter_map(|key| by_value.get(&key))
                .flatten()
                .map(|account| (&account.id, *account))
                .collect();
            let hits: Vec<&Account> = hits.into_values().collect();
            match hits.as_slice() {
                [] => {}
                [account] => return self.settle(person, rule, account, situation),
                several => {
                    let accounts = several.iter().map(|a| a.id.clone()).collect();
                    return Correlation::Undecided(HeldWhy::Ambiguous {
                        rule: rule.account.clone(),
                        accounts,
                    });
                }
            }
        }
        Correlation::New
    }

    fn settle(
        &self,
        person: &Person,
        rule: &MatchRule,
        account: &Account,
        situation: &Situation<'_>,
    ) -> Correlation {
        if let Some(owner) = situation.register.owners.get(&account.id)
            && *owner != person.anchor
        {
            return Correlation::Undecided(HeldWhy::Contested {
                what: format!("account {}", account.id),
                others: vec![owner.clone()],
            });
        }
        if rule.adopt {
            Correlation::Matched {
                account: account.id.clone(),
                rule: rule.account.clone(),
            }
        } else {
            Correlation::Undecided(HeldWhy::NotAdoptable {
                account: account.id.clone(),
                rule: rule.account.clone(),
            })
        }
    }
}

/// The forms under which a value is looked up by a rule.
fn keys(rule: &MatchRule, value: Option<&Value>) -> Vec<String> {
    let form = |text: &str| match rule.compare {
        Compare::Exact => text.to_owned(),
        Compare::IgnoreCase => fold(text),
    };
    match value {
        None => Vec::new(),
        Some(Value::Text(text)) => vec![form(text)],
        Some(Value::Set(texts)) => texts.iter().map(|text| form(text)).collect(),
        Some(Value::Int(number)) => vec![number.to_string()],
        Some(Value::Bool(truth)) => vec![truth.to_string()],
    }
}

/// Where two identities match one account, neither gets it. Both are in the same order.
pub(super) fn forbid_sharing(people: &[&Person], correlations: &mut [Correlation]) {
    let mut claims: BTreeMap<AccountId, Vec<usize>> = BTreeMap::new();
    for (who, correlation) in correlations.iter().enumerate() {
        if let Correlation::Matched { account, .. } = correlation {
            claims.entry(account.clone()).or_default().push(who);
        }
    }
    for (account, claimants) in claims.into_iter().filter(|(_, all)| all.len() > 1) {
        for who in &claimants {
            let others = claimants.iter().filter(|other| *other != who);
            let others = others.filter_map(|other| people.get(*other));
            let why = HeldWhy::Contested {
                what: format!("account {account}"),
                others: others.map(|person| person.anchor.clone()).collect(),
            };
            if let Some(correlation) = correlations.get_mut(*who) {
                *correlation = Correlation::Undecided(why);
            }
        }
    }
}

/// Accounts that belong to nobody: not linked, not about to be. Only a complete list can say.
pub(super) fn orphans(situation: &Situation<'_>, correlations: &[Correlation]) -> Vec<Orphan> {
    if !situation.live.complete || situation.live.accounts.is_empty() {
        return Vec::new();
    }
    let matched: HashSet<&AccountId> = correlations
        .iter()
        .filter_map(|correlation| match correlation {
            Correlation::Matched { account, .. } | Correlation::Linked(account) => Some(account),
            Correlation::New | Correlation::Undecided(_) => None,
        })
        .collect();
    let name = situation
        .mapping
        .rules()
        .iter()
        .find(|rule| rule.unique)
        .map(|rule| rule.name.as_str());
    let mut orphans: Vec<Orphan> = situation
        .live
        .accounts
        .iter()
        .filter(|a| !situation.register.owners.contains_key(&a.id) && !matched.contains(&a.id))
        .map(|account| Orphan {
            account: account.id.clone(),
            label: name
                .and_then(|name| account.attributes.get(name))
                .map_or_else(String::new, ToString::to_string),
            active: account.active,
        })
        .collect();
    orphans.sort_by(|a, b| a.account.cmp(&b.account));
    orphans
}
