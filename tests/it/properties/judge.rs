//! What no run may do, and what must be so in the end. Written from the rules for people, not from the code.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use provost::model::{
    Account, Action, Anchor, Change, How, Life, Plan, Reason, SuspendReason, Suspensions, Value,
};
use provost::reconcile::guard::kind;
use provost::reconcile::{DriftPolicy, Person, Presence, SyncPolicy, fold};

use super::given::{Entry, Reading};
use super::world::{Rules, Secret, World, anchor, number};

/// Why this person must not have a usable account, by the directory alone.
fn evidence(entry: &Entry, world: &World) -> Suspensions {
    let mut reasons = Suspensions::new();
    let mut add = |holds: bool, reason| {
        if holds {
            reasons.insert(reason);
        }
    };
    add(entry.disabled, SuspendReason::SourceDisabled);
    add(entry.contractor, SuspendReason::OutOfScope);
    add(
        entry.ends.is_some_and(|end| end <= world.hours),
        SuspendReason::Expired,
    );
    add(
        entry.starts.is_some_and(|start| start > world.hours),
        SuspendReason::NotYetStarted,
    );
    reasons
}

fn reasons(person: &Person, world: &World) -> Suspensions {
    let mut reasons = person.imposed.clone();
    match &person.presence {
        Presence::Present(_) => {
            reasons.extend(evidence(&world.directory[&number(&person.anchor)], world));
        }
        Presence::Gone => drop(reasons.insert(SuspendReason::Leaver)),
        // An operator's order stands whatever the directory says.
        Presence::Unreadable(_) | Presence::Missing { .. } | Presence::Unproven => {}
    }
    reasons
}

/// One change with what is known about its person.
struct Case<'a> {
    world: &'a World,
    reading: &'a Reading,
    change: &'a Change,
    person: &'a Person,
    say: String,
}

/// Judges a plan before it is applied.
pub(super) fn safety(
    world: &World,
    reading: &Reading,
    rules: &Rules,
    people: &[Person],
    plan: &Plan,
) {
    let people: BTreeMap<&Anchor, &Person> = people.iter().map(|p| (&p.anchor, p)).collect();
    let mut done: BTreeMap<&Anchor, BTreeSet<&str>> = BTreeMap::new();
    let mut touched = BTreeMap::new();
    let links = |change: &&Arc<Change>| change.action == Action::Link;
    let adopted: BTreeSet<&Anchor> = plan
        .changes
        .iter()
        .filter(links)
        .map(|c| &c.anchor)
        .collect();
    for change in &plan.changes {
        let person = people[&change.anchor];
        let case = Case {
            world,
            reading,
            change,
            person,
            say: format!("{change:?}\n{person:?}"),
        };
        let say = &case.say;
        let actions = done.entry(&change.anchor).or_default();
        assert!(
            actions.insert(change.action.as_str()),
            "twice the same: {say}"
        );
        if let Some(id) = &change.account {
            let owner = touched.entry(id).or_insert(&change.anchor);
            assert_eq!(*owner, &change.anchor, "an account of two people: {say}");
        }
        case.theirs(adopted.contains(&change.anchor));
        case.proven();
        protected(world, change, rules, say);
        permitted(change, rules.rules.policy, say);
    }
    for (anchor, actions) in done {
        let has = |action| actions.contains(action);
        assert!(
            !(has("create") && (has("suspend") || has("delete") || has("link"))),
            "{anchor}: {actions:?}"
        );
        assert!(!(has("suspend") && has("reactivate")), "{anchor}");
    }
}

impl Case<'_> {
    /// The account is this person's, or free and about to be, and we know how it is.
    fn theirs(&self, adopted: bool) {
        let shadow = self.person.shadow.as_ref();
        if let Some(id) = &self.change.account {
            let linked = shadow.and_then(|s| s.account.as_ref());
            let mut owned = self.world.shadows.values();
            let owned = owned.any(|s| s.account.as_ref() == Some(id));
            assert!(
                linked == Some(id) || (linked.is_none() && !owned && adopted),
                "an account that is not theirs: {}",
                self.say
            );
        }
        assert!(
            !shadow.is_some_and(|s| s.life != Life::Live),
            "nobody knows how this account is, or it is gone: {}",
            self.say
        );
    }

    /// There is evidence for what is done.
    fn proven(&self) {
        let Self {
            change,
            person,
            say,
            ..
        } = self;
        let (shadow, proven) = (person.shadow.as_ref(), reasons(person, self.world));
        let sure = matches!(person.presence, Presence::Present(_) | Presence::Gone);
        let mut against = proven.clone();
        if self.may_be_protected() {
            against.remove(&SuspendReason::AccessWindow);
        }
        let opens = sure && against.is_empty() && !self.reading.stale;
        match &change.action {
            Action::Suspend(_) => self.closes(&proven, sure),
            Action::Delete => {
                assert_eq!(person.presence, Presence::Gone, "{say}");
                assert!(shadow.is_some_and(|s| !s.suspended.is_empty()), "{say}");
            }
            Action::Reactivate(_) => {
                let ours = change.account.as_ref();
                let ours = ours.is_some_and(|id| self.world.ours.contains(id));
                assert!(opens && ours, "we did not suspend it: {say}");
            }
            Action::Create => {
                assert!(opens && shadow.is_none_or(|s| s.account.is_none()), "{say}");
            }
            Action::Update | Action::Entitle | Action::Link => {
                assert!(matches!(person.presence, Presence::Present(_)), "{say}");
            }
        }
        let partial = self.reading.partial;
        assert!(
            !partial || change.revoke.is_empty() || matches!(change.action, Action::Suspend(_)),
            "revoked on a partial read: {say}"
        );
    }

    /// Whether the person or the account is protected, by the shadow or by the account itself: no window touches those.
    fn may_be_protected(&self) -> bool {
        let root = |attributes: &BTreeMap<String, Value>| {
            let login = attributes.get("login");
            login.is_some_and(|login| fold(&login.to_string()) == "root")
        };
        let shadow = self.person.shadow.as_ref();
        let id = shadow.and_then(|s| s.account.as_ref());
        let id = id.or(self.change.account.as_ref());
        let live = id.and_then(|id| self.world.accounts.get(id));
        self.change.anchor == anchor(7)
            || shadow.is_some_and(|shadow| root(&shadow.attributes))
            || live.is_some_and(|live| root(&live.attributes))
    }

    fn closes(&self, proven: &Suspensions, sure: bool) {
        let Self {
            change,
            person,
            say,
            ..
        } = self;
        let already = person.shadow.as_ref().map(|s| s.suspended.clone());
        let already = already.unwrap_or_default();
        let again = !already.is_empty() && !sure;
        assert!(!proven.is_empty() || again, "no evidence: {say}");
        for reason in change.suspended_after.difference(&already) {
            assert!(proven.contains(reason), "{reason} is not proven: {say}");
        }
        let absence = [SuspendReason::Leaver, SuspendReason::OutOfScope];
        assert!(
            !self.reading.partial
                || person.presence == Presence::Gone
                || !absence.map(Reason::Suspended).contains(&change.reason),
            "absence from a partial read: {say}"
        );
    }
}

fn protected(world: &World, change: &Change, rules: &Rules, say: &str) {
    if !kind(change).is_some_and(provost::reconcile::guard::Kind::is_destructive) {
        return;
    }
    assert_ne!(change.anchor, anchor(7), "a protected person: {say}");
    let login = change
        .account
        .as_ref()
        .and_then(|id| {
            world
                .shadows
                .values()
                .find(|s| s.account.as_ref() == Some(id))
        })
        .and_then(|shadow| shadow.attributes.get("login"))
        .map(|login| fold(&login.to_string()));
    let named = login.is_some_and(|login| rules.rules.protected_accounts.contains(&login));
    let live = change
        .account
        .as_ref()
        .and_then(|id| world.accounts.get(id));
    let now = live.and_then(|account| account.attributes.get("login"));
    // What the account holds now counts where it was read; the shadow's word where it was not.
    let still = now.is_none_or(|now| fold(&now.to_string()) == "root");
    assert!(!(named && still), "a protected account: {say}");
}

fn permitted(change: &Change, policy: SyncPolicy, say: &str) {
    match policy {
        SyncPolicy::Sync => {}
        SyncPolicy::UpsertOnly => {
            let takes = matches!(change.action, Action::Suspend(_) | Action::Delete);
            assert!(!takes && change.revoke.is_empty(), "{say}");
        }
        SyncPolicy::CreateOnly => {
            let creates = change.account.is_none()
                && matches!(change.action, Action::Create | Action::Entitle);
            assert!(creates, "{say}");
        }
    }
}

/// Judges a world at rest: everybody who is not set aside has exactly what they should have.
pub(super) fn justice(world: &World, rules: &Rules, plan: &Plan) {
    let mut owners = BTreeMap::new();
    for shadow in world.shadows.values() {
        if let Some(id) = &shadow.account {
            let other = owners.insert(id, &shadow.anchor);
            assert_eq!(other, None, "{id} has two owners");
        }
    }
    if rules.rules.policy != SyncPolicy::Sync || rules.rules.drift == DriftPolicy::Report {
        return;
    }
    let held: BTreeSet<&Anchor> = plan.held.iter().map(|held| &held.anchor).collect();
    for (n, entry) in &world.directory {
        let who = anchor(*n);
        if held.contains(&who) {
            continue;
        }
        let mut must_not = evidence(entry, world);
        must_not.extend(world.imposed_on(*n));
        let shadow = world.shadows.get(&who);
        let account = shadow
            .and_then(|s| s.account.as_ref())
            .and_then(|id| world.accounts.get(id));
        if account.is_some_and(|account| is_protected(*n, account, rules)) {
            // No window touches them, and whatever else does is for a person to do.
            continue;
        }
        if !must_not.is_empty() {
            stopped(world, rules, account, &must_not);
            continue;
        }
        let account = account.unwrap_or_else(|| panic!("{who} has no account: {entry:?}"));
        let held = |name: &str| account.attributes.get(name).map(Value::to_string);
        assert_eq!(held("title"), entry.title.map(str::to_owned), "{who}");
        assert_eq!(
            held("mail").map(|mail| fold(&mail)),
            entry.mail.map(fold),
            "{who}"
        );
        let login = held("login").unwrap_or_default();
        let uid = fold(entry.uid.unwrap_or_default());
        assert!(fold(&login).starts_with(&uid), "{who}: {login}");
        let active = account.active == Some(true)
            && account.login_allowed == Some(true)
            && world.passwords[&account.id] != Secret::Nobodys;
        let remarked = plan.notices.iter().any(|notice| notice.anchor == who);
        assert!(active || remarked, "{who} is locked out without a word");
    }
    for (n, missed) in &world.missed {
        let shadow = world.shadows.get(&anchor(*n));
        let account = shadow
            .and_then(|s| s.account.as_ref())
            .and_then(|id| world.accounts.get(id));
        let protected = account.is_some_and(|account| is_protected(*n, account, rules));
        if *missed == 2 && !held.contains(&anchor(*n)) && !protected {
            let mut reasons = world.imposed_on(*n);
            reasons.insert(SuspendReason::Leaver);
            stopped(world, rules, account, &reasons);
        }
    }
}

/// Whether nothing takes access away here.
fn is_protected(n: u8, account: &Account, rules: &Rules) -> bool {
    let login = account.attributes.get("login").map(Value::to_string);
    let named = login.is_some_and(|login| rules.rules.protected_accounts.contains(&fold(&login)));
    named || rules.rules.protected_people.contains(anchor(n).as_str())
}

/// Whoever must not have access for these reasons has none, in every way that is ordered for them.
pub(super) fn stopped(
    world: &World,
    rules: &Rules,
    account: Option<&Account>,
    reasons: &Suspensions,
) {
    let Some(account) = account else { return };
    for how in rules.rules.suspend.of_all(reasons) {
        let done = match how {
            How::Deactivate => account.active == Some(false),
            How::BlockLogin => account.login_allowed == Some(false),
            How::FuzzPassword => world.passwords[&account.id] == Secret::Nobodys,
            How::RemoveEntitlements => account.entitlements == Some(BTreeSet::new()),
            How::RevokeSessions | How::Reassign(_) => true,
        };
        assert!(done, "{how} is not done for {reasons:?}: {account:?}");
    }
}
