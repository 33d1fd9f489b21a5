//! A directory, an application and our shadows, all in maps: what the properties play with.
//!
//! The application is as naive as one can be: it does what a change says, and refuses a login that is taken.
//! Shadows move as applying and observing move them.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use provost::model::{
    Account, AccountId, Action, Anchor, Attributes, Basis, Capabilities, Change, Group, Identity,
    Life, Origin, Shadow, SourceState, SuspendReason, Suspensions, Value,
};
use provost::reconcile::access::Access;
use provost::reconcile::guard::ApprovedPlan;
use provost::reconcile::mapping::{Mapping, Projected};
use provost::reconcile::{
    Live, Person, Presence, Reference, Register, Situation, TargetRules, fold, names_of, observe,
    remember,
};

use super::given::{Entry, PEOPLE, Reading};

/// What one run is made from, besides what never changes.
pub(super) struct Rules {
    pub rules: TargetRules,
    pub mapping: &'static Mapping,
    pub capabilities: Capabilities,
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

    fn insert(&mut self, attributes: BTreeMap<String, Value>) -> AccountId {
        self.made += 1;
        let id = AccountId(format!("u-{:03}", self.made));
        let account = Account {
            id: id.clone(),
            attributes,
            active: Some(true),
            login_allowed: None,
            entitlements: Some(BTreeSet::new()),
            version: None,
        };
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

    /// Counts who is missing from a complete read.
    pub(super) fn read(&mut self, reading: &Reading) {
        for n in 0..PEOPLE {
            if self.directory.contains_key(&n) {
                if !(reading.partial && reading.unseen.contains(&n)) {
                    self.missed.insert(n, 0);
                }
            } else if !reading.partial
                && let Some(missed) = self.missed.get_mut(&n)
            {
                *missed = missed.saturating_add(1).min(2);
            }
        }
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
            Some(_) | None => match self.missed.get(&n) {
                Some(2) => Presence::Gone,
                Some(1) if !reading.partial => Presence::MissingOnce,
                Some(_) | None => Presence::Unproven,
            },
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
                imposed: if self.imposed.contains(&n) {
                    Suspensions::from([SuspendReason::Operator])
                } else {
                    Suspensions::new()
                },
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

    /// Does what was approved. Returns what the application refused.
    pub(super) fn apply(&mut self, plan: &ApprovedPlan, rules: &Rules) -> Vec<Action> {
        let mut refused = Vec::new();
        let mut blocked = BTreeSet::new();
        for change in plan.changes() {
            if !blocked.contains(&change.anchor) && !self.perform(change, rules) {
                blocked.insert(change.anchor.clone());
                refused.push(change.action.clone());
            }
        }
        refused
    }

    fn perform(&mut self, change: &Change, rules: &Rules) -> bool {
        let login = change.attributes.iter().find(|a| a.name == "login");
        let wanted = login.and_then(|a| a.after.as_ref()).map(Value::to_string);
        let before = self.shadows.get(&change.anchor).cloned();
        let mut id = before
            .as_ref()
            .and_then(|shadow| shadow.account.clone())
            .or_else(|| change.account.clone());
        let changes_login = matches!(change.action, Action::Create | Action::Update);
        if let Some(holder) = wanted.as_deref().and_then(|login| self.holder(login))
            && changes_login
            && Some(holder) != id.as_ref()
        {
            return false;
        }
        if change.action == Action::Create {
            assert_eq!(id, None, "an account was created for somebody who has one");
            id = Some(self.insert(BTreeMap::new()));
        }
        let id = id.expect("every other change is about an account");
        let origin = if change.action == Action::Create {
            Origin::Created
        } else {
            Origin::Adopted
        };
        let fresh = || Shadow::new(change.anchor.clone(), change.label.clone(), origin);
        let mut shadow = before.unwrap_or_else(fresh);
        let now = self.now();
        let Some(account) = self.accounts.get_mut(&id) else {
            shadow.life = Life::Tombstone { since: now };
            self.shadows.insert(change.anchor.clone(), shadow);
            return false;
        };
        alter(change, account, &mut shadow, now);
        match &change.action {
            Action::Suspend(_) => drop(self.ours.insert(id.clone())),
            Action::Reactivate(_) => drop(self.ours.remove(&id)),
            Action::Create | Action::Link | Action::Update | Action::Entitle | Action::Delete => {}
        }
        shadow.account = Some(id.clone());
        shadow.active = account.active;
        if matches!(change.action, Action::Create | Action::Link) {
            let names = rules.mapping.rules().iter().map(|rule| rule.name.as_str());
            remember(&mut shadow, account, names);
        }
        if change.action == Action::Delete {
            self.accounts.remove(&id);
            self.shadows.remove(&change.anchor);
            return true;
        }
        self.shadows.insert(change.anchor.clone(), shadow);
        true
    }
}

/// One change on its account and shadow.
fn alter(change: &Change, account: &mut Account, shadow: &mut Shadow, now: Timestamp) {
    match &change.action {
        Action::Create | Action::Update => {
            for attribute in &change.attributes {
                let name = attribute.name.clone();
                for attributes in [&mut account.attributes, &mut shadow.attributes] {
                    match attribute.after.clone() {
                        Some(value) => attributes.insert(name.clone(), value),
                        None => attributes.remove(&name),
                    };
                }
            }
        }
        Action::Suspend(how) => {
            account.active = Some(false);
            shadow.suspended.clone_from(&change.suspended_after);
            shadow.suspended_by.clone_from(how);
            shadow.suspended_since = shadow.suspended_since.or(Some(now));
        }
        Action::Reactivate(_) => {
            account.active = Some(true);
            shadow.suspended.clear();
            shadow.suspended_by.clear();
            shadow.suspended_since = None;
        }
        Action::Entitle => {
            let held = account.entitlements.get_or_insert_default();
            held.extend(change.grant.iter().cloned());
            held.retain(|name| !change.revoke.contains(name));
            shadow.entitlements.extend(change.grant.iter().cloned());
            shadow
                .entitlements
                .retain(|name| !change.revoke.contains(name));
        }
        Action::Link | Action::Delete => {}
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
