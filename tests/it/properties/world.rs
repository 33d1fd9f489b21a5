//! A directory, an application and our shadows, all in maps: what the properties play with.
//!
//! What becomes of a plan is in `app`; shadows move as observing moves them.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use provost::model::{
    Account, AccountId, Anchor, Attributes, Basis, Capabilities, Group, Identity, Shadow,
    SourceState, SuspendReason, Suspensions, Value,
};
use provost::reconcile::absence::{self, Said};
use provost::reconcile::access::Access;
use provost::reconcile::mapping::{Mapping, Projected};
use provost::reconcile::{
    Live, Person, Presence, Reference, Register, Situation, TargetRules, fold, names_of, observe,
};

use super::given::{Entry, PEOPLE, Reading};

/// What one run is made from, besides what never changes.
pub(super) struct Rules {
    pub rules: TargetRules,
    pub mapping: &'static Mapping,
    pub capabilities: Capabilities,
}

/// What opens an account.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Secret {
    /// What the person chose.
    Own,
    /// The one of this number that was made for it, and that the person has.
    Made(u64),
    /// What nobody knows.
    Nobodys,
}

/// Everything.
#[derive(Clone, Debug)]
pub(super) struct World {
    pub directory: BTreeMap<u8, Entry>,
    pub accounts: BTreeMap<AccountId, Account>,
    pub shadows: BTreeMap<Anchor, Shadow>,
    /// In how many complete reads in a row somebody who was read before was missing.
    pub missed: BTreeMap<u8, u8>,
    pub imposed: BTreeSet<u8>,
    /// Accounts that we suspended and have not re-activated since.
    pub ours: BTreeSet<AccountId>,
    /// Whose access window is shut.
    pub shut: BTreeSet<u8>,
    /// What opens each account.
    pub passwords: BTreeMap<AccountId, Secret>,
    pub hours: i64,
    made: u32,
}

pub(super) fn anchor(n: u8) -> Anchor {
    Anchor::new(&format!("00000000-0000-4000-8000-{n:012}")).unwrap()
}

pub(super) fn number(anchor: &Anchor) -> u8 {
    anchor.as_str()[24..].parse().unwrap()
}

fn at(hours: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + hours * 3600).unwrap()
}

fn text(value: &str) -> Value {
    Value::Text(value.to_owned())
}

impl World {
    pub(super) fn new() -> Self {
        Self {
            directory: BTreeMap::new(),
            accounts: BTreeMap::new(),
            shadows: BTreeMap::new(),
            missed: BTreeMap::new(),
            imposed: BTreeSet::new(),
            ours: BTreeSet::new(),
            shut: BTreeSet::new(),
            passwords: BTreeMap::new(),
            hours: 0,
            made: 0,
        }
    }

    pub(super) fn now(&self) -> Timestamp {
        at(self.hours)
    }

    /// The account of a login, compared as the application compares.
    pub(super) fn holder(&self, login: &str) -> Option<&AccountId> {
        let named = |account: &&Account| {
            let held = account.attributes.get("login");
            held.is_some_and(|held| fold(&held.to_string()) == fold(login))
        };
        self.accounts
            .values()
            .find(named)
            .map(|account| &account.id)
    }

    /// Somebody makes an account by hand.
    pub(super) fn stranger(&mut self, login: Option<&str>, mail: &str, active: bool) {
        let free = login.filter(|login| self.holder(login).is_none());
        let mut attributes = BTreeMap::from([("mail".to_owned(), text(mail))]);
        attributes.extend(free.map(|login| ("login".to_owned(), text(login))));
        let id = self.insert(attributes);
        self.accounts.get_mut(&id).unwrap().active = Some(active);
    }

    pub(super) fn insert(&mut self, attributes: BTreeMap<String, Value>) -> AccountId {
        self.made += 1;
        let id = AccountId(format!("u-{:03}", self.made));
        let account = Account {
            id: id.clone(),
            attributes,
            active: Some(true),
            login_allowed: Some(true),
            entitlements: Some(BTreeSet::new()),
            version: None,
        };
        self.passwords.insert(id.clone(), Secret::Own);
        self.accounts.insert(id.clone(), account);
        id
    }

    fn dn(&self, n: u8) -> String {
        let Some(entry) = self.directory.get(&n) else {
            return format!("cn=p{n},ou=gone,dc=x");
        };
        let dn = format!("cn=p{n},ou={},dc=x", if entry.ou { "east" } else { "west" });
        if entry.upper { dn.to_uppercase() } else { dn }
    }

    fn identity(&self, n: u8, entry: &Entry, groupless: bool) -> Identity {
        let mut attributes = Attributes::new();
        attributes.add_text("cn", &format!("Person {n}"));
        let kind = if entry.contractor {
            "contractor"
        } else {
            "employee"
        };
        attributes.add_text("employeetype", kind);
        let optional = [
            ("uid", entry.uid),
            ("mail", entry.mail),
            ("title", entry.title),
        ];
        for (name, value) in optional {
            if let Some(value) = value {
                attributes.add_text(name, value);
            }
        }
        if let Some(manager) = entry.manager {
            attributes.add_text("manager", &self.dn(manager));
        }
        let group = |name: &&str| Group {
            dn: format!("cn={name},dc=x").into(),
            name: (*name).into(),
        };
        Identity {
            anchor: anchor(n),
            dn: self.dn(n),
            attributes,
            groups: if groupless {
                Vec::new()
            } else {
                entry.groups.iter().map(group).collect()
            },
            state: SourceState {
                disabled: entry.disabled,
                expires: entry.ends.map(at),
                starts: entry.starts.map(at),
            },
        }
    }

    /// Counts who is missing from a complete read, and asks for whoever is newly so. A read that the directory itself
    /// contradicts is not a complete one.
    pub(super) fn read(&mut self, reading: &Reading) -> Reading {
        let newly = |n: &u8| !self.directory.contains_key(n) && self.missed.get(n) == Some(&0);
        let answers: Vec<(Anchor, Said)> = (0..PEOPLE)
            .filter(newly)
            .filter(|_| absence::may_ask(!reading.partial, !reading.other_server))
            .filter_map(|n| Some((anchor(n), *reading.asked.get(&n)?)))
            .collect();
        let again = absence::weigh(answers);
        let reading = Reading {
            partial: reading.partial || again.contradicted.is_some(),
            ..reading.clone()
        };
        for n in 0..PEOPLE {
            if self.directory.contains_key(&n) {
                if !(reading.partial && reading.unseen.contains(&n)) {
                    self.missed.insert(n, 0);
                }
            } else if !reading.partial
                && let Some(missed) = self.missed.get_mut(&n)
            {
                *missed = absence::missed(*missed, again.confirmed.contains(&anchor(n)), 2);
            }
        }
        reading
    }

    fn presence(&self, n: u8, reading: &Reading) -> Presence {
        let unseen = reading.partial && reading.unseen.contains(&n);
        match self.directory.get(&n) {
            Some(entry) if !unseen && entry.unreadable => {
                Presence::Unreadable("not UTF-8".to_owned())
            }
            Some(entry) if !unseen => {
                Presence::Present(self.identity(n, entry, reading.groupless).into())
            }
            Some(_) | None => {
                let missed = self.missed.get(&n).copied().unwrap_or_default();
                absence::presence(missed, !reading.partial, 2)
            }
        }
    }

    /// Corrects shadows by the accounts, as a run that lists them does.
    pub(super) fn observe(&mut self) {
        let now = self.now();
        for shadow in self.shadows.values_mut() {
            let Some(id) = &shadow.account else { continue };
            if let Some(seen) = observe(shadow, self.accounts.get(id), now) {
                *shadow = seen;
            }
        }
    }

    /// What a run decides from. `seed` turns the order of every list.
    pub(super) fn situation<'a>(
        &self,
        reading: &Reading,
        rules: &'a Rules,
        seed: usize,
    ) -> Situation<'a> {
        let now = self.now();
        let mut people: Vec<Person> = (0..PEOPLE)
            .filter(|n| self.missed.contains_key(n) || self.shadows.contains_key(&anchor(*n)))
            .map(|n| Person {
                anchor: anchor(n),
                presence: self.presence(n, reading),
                shadow: self.shadows.get(&anchor(n)).cloned(),
                imposed_until: None,
                access: Access::default(),
                foretold: false,
                imposed: self.imposed_on(n),
            })
            .collect();
        let mut live = self.live(reading, &people, rules);
        let register = self.register(rules);
        let references = self.references(&people, rules);
        turn(&mut people, seed);
        turn(&mut live.accounts, seed ^ 3);
        let age = SignedDuration::from_hours(if reading.stale { 20 } else { 0 });
        let shortfalls = if reading.partial {
            vec!["a page was lost".to_owned()]
        } else {
            Vec::new()
        };
        Situation {
            now,
            rules: &rules.rules,
            mapping: rules.mapping,
            capabilities: &rules.capabilities,
            basis: Basis {
                now,
                read_at: now.checked_sub(age).unwrap(),
                people: people.len() as u64,
                shortfalls,
                config: String::new(),
                live: reading.live,
            },
            people,
            live,
            register,
            references,
            heirs: BTreeMap::new(),
            untouched: 0,
        }
    }

    /// Why somebody must not have access whatever the directory says.
    pub(super) fn imposed_on(&self, n: u8) -> Suspensions {
        let orders = self.imposed.contains(&n).then_some(SuspendReason::Operator);
        let windows = self
            .shut
            .contains(&n)
            .then_some(SuspendReason::AccessWindow);
        orders.into_iter().chain(windows).collect()
    }

    /// Every account, or only those that newcomers could be or collide with.
    fn live(&self, reading: &Reading, people: &[Person], rules: &Rules) -> Live {
        if reading.live {
            let linked = self.shadows.values().filter_map(|s| s.account.clone());
            return Live {
                accounts: self.accounts.values().cloned().collect(),
                complete: true,
                gone: linked
                    .filter(|id| !self.accounts.contains_key(id))
                    .collect(),
                taken: BTreeSet::new(),
            };
        }
        let mut questions: BTreeSet<(String, String)> = BTreeSet::new();
        for person in people {
            let Presence::Present(identity) = &person.presence else {
                continue;
            };
            let projection = rules.mapping.project(identity);
            if person.shadow.as_ref().is_none_or(|s| s.account.is_none()) {
                for (rule, value) in rules.mapping.match_rules().iter().zip(projection.matches) {
                    questions.extend(value.map(|v| (rule.account.clone(), fold(&v.to_string()))));
                }
            }
            if let Some(Projected::Value(first, others)) = projection.attributes.get("login") {
                let all = std::iter::once(first).chain(others);
                questions.extend(all.map(|v| ("login".to_owned(), fold(&v.to_string()))));
            }
        }
        let asked = |account: &&Account| {
            let mut held = account.attributes.iter();
            held.any(|(k, v)| questions.contains(&(k.clone(), fold(&v.to_string()))))
        };
        Live {
            accounts: self.accounts.values().filter(asked).cloned().collect(),
            complete: false,
            gone: BTreeSet::new(),
            taken: BTreeSet::new(),
        }
    }

    fn register(&self, rules: &Rules) -> Register {
        let mut register = Register::default();
        let unique: Vec<&str> = rules
            .mapping
            .rules()
            .iter()
            .filter(|r| r.unique)
            .map(|r| r.name.as_str())
            .collect();
        for shadow in self.shadows.values() {
            let Some(account) = &shadow.account else {
                continue;
            };
            register.managed += 1;
            let owner = shadow.anchor.clone();
            register.owners.insert(account.clone(), owner.clone());
            for name in names_of(unique.iter().copied(), &shadow.attributes) {
                register.names.insert(name, owner.clone());
            }
        }
        register
    }

    fn references(&self, people: &[Person], rules: &Rules) -> BTreeMap<String, Reference> {
        let mut references = BTreeMap::new();
        for person in people {
            let Presence::Present(identity) = &person.presence else {
                continue;
            };
            for dn in rules.mapping.references(identity) {
                let Some(n) = (0..PEOPLE).find(|n| self.dn(*n) == dn) else {
                    continue;
                };
                if self.missed.get(&n) != Some(&0) {
                    continue;
                }
                let shadow = self.shadows.get(&anchor(n));
                let account = shadow.and_then(|shadow| shadow.account.clone());
                let reference = account.map_or(Reference::NoAccountYet, Reference::Account);
                references.insert(dn, reference);
            }
        }
        references
    }
}

/// Another order: backwards for odd seeds, turned for even ones.
fn turn<T>(items: &mut [T], seed: usize) {
    if seed % 2 == 1 {
        items.reverse();
    } else if !items.is_empty() {
        items.rotate_left(seed / 2 % items.len());
    }
}
