//! The practice application's own rules, without a file: unique and required attributes, switches, entitlements.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::inside::{Entry, Inside, Mail};
use crate::model::{Account, AccountDraft, AccountId, AccountPatch, MembershipChange, Value};
use crate::target::ConnectorError;
use crate::target::settings::SandboxSettings;

/// One change to what the application holds.
#[derive(Clone, PartialEq, Debug)]
pub(super) enum Mutation {
    /// The account is now this.
    Put(Account),
    /// The account is gone.
    Delete(AccountId),
    /// This entitlement exists.
    Entitlement(String),
    /// The next account gets at least this number.
    Next(u64),
    /// The inside of an account is now this.
    Inside(AccountId, Inside),
    /// This was done.
    Done(Entry),
    /// This was mailed.
    Mail(Mail),
}

/// Everything the application holds.
#[derive(Debug, Default)]
pub(super) struct Application {
    accounts: BTreeMap<AccountId, Account>,
    entitlements: BTreeSet<String>,
    taken: HashMap<(String, String), AccountId>,
    insides: BTreeMap<AccountId, Inside>,
    ledger: Vec<Entry>,
    mails: Vec<Mail>,
    next: u64,
}

impl Application {
    /// Takes a change over; `unique` are the attributes to index.
    pub(super) fn apply(&mut self, mutation: Mutation, unique: &[String]) {
        match mutation {
            Mutation::Put(account) => {
                self.drop_claims(&account.id, unique);
                for claim in claims(&account.attributes, unique) {
                    self.taken.insert(claim, account.id.clone());
                }
                self.next = self.next.max(number(&account.id) + 1);
                self.accounts.insert(account.id.clone(), account);
            }
            Mutation::Delete(id) => {
                self.drop_claims(&id, unique);
                self.accounts.remove(&id);
                self.insides.remove(&id);
            }
            Mutation::Inside(id, inside) => drop(self.insides.insert(id, inside)),
            Mutation::Done(entry) => self.ledger.push(entry),
            Mutation::Mail(mail) => self.mails.push(mail),
            Mutation::Entitlement(name) => {
                self.entitlements.insert(name);
            }
            Mutation::Next(next) => self.next = self.next.max(next),
        }
    }

    fn drop_claims(&mut self, id: &AccountId, unique: &[String]) {
        let Some(account) = self.accounts.get(id) else {
            return;
        };
        for claim in claims(&account.attributes, unique) {
            self.taken.remove(&claim);
        }
    }

    /// The changes that lead here from nothing.
    pub(super) fn mutations(&self) -> impl Iterator<Item = Mutation> + '_ {
        let entitlements = self.entitlements.iter().cloned().map(Mutation::Entitlement);
        let accounts = self.accounts.values().cloned().map(Mutation::Put);
        let insides = self.insides.iter();
        let insides = insides.map(|(id, inside)| Mutation::Inside(id.clone(), inside.clone()));
        std::iter::once(Mutation::Next(self.next))
            .chain(entitlements)
            .chain(accounts)
            .chain(insides)
            .chain(self.ledger.iter().cloned().map(Mutation::Done))
            .chain(self.mails.iter().cloned().map(Mutation::Mail))
    }

    /// Every account, ordered by id.
    pub(super) fn accounts(&self) -> impl Iterator<Item = &Account> {
        self.accounts.values()
    }

    /// How many accounts there are.
    pub(super) fn len(&self) -> usize {
        self.accounts.len()
    }

    /// How many lines it takes to write everything down.
    pub(super) fn lines(&self) -> usize {
        self.accounts.len() + self.insides.len() + self.ledger.len() + self.mails.len()
    }

    /// The inside of an account; of an unknown one, that of a new one.
    pub(super) fn inside(&self, id: &AccountId) -> Inside {
        self.insides.get(id).cloned().unwrap_or_default()
    }

    /// What was done, in order.
    pub(super) fn ledger(&self) -> &[Entry] {
        &self.ledger
    }

    /// What was mailed, in order.
    pub(super) fn mails(&self) -> &[Mail] {
        &self.mails
    }

    /// One account.
    pub(super) fn get(&self, id: &AccountId) -> Option<&Account> {
        self.accounts.get(id)
    }

    /// Accounts whose attribute has a value; unique attributes are compared without case.
    pub(super) fn find(&self, attribute: &str, value: &Value, unique: &[String]) -> Vec<Account> {
        if unique.iter().any(|name| name == attribute) {
            let claim = (attribute.to_owned(), fold(value));
            let owner = self.taken.get(&claim).and_then(|id| self.accounts.get(id));
            return owner.cloned().into_iter().collect();
        }
        self.accounts
            .values()
            .filter(|account| account.attributes.get(attribute) == Some(value))
            .cloned()
            .collect()
    }

    /// A new account.
    ///
    /// # Errors
    /// Conflict or Rejected, by the rules.
    pub(super) fn create(
        &self,
        draft: &AccountDraft,
        rules: &SandboxSettings,
    ) -> Result<Account, ConnectorError> {
        let id = AccountId(format!("u-{:06}", self.next.max(1)));
        self.judge(&id, &draft.attributes, rules)?;
        Ok(Account {
            id,
            attributes: draft.attributes.clone(),
            active: rules.deactivate.then_some(true),
            login_allowed: rules.block_login.then_some(true),
            entitlements: rules.entitlements.then(BTreeSet::new),
            version: Some("1".to_owned()),
        })
    }

    /// An account after a change.
    ///
    /// # Errors
    /// NotFound, Conflict or Rejected, by the rules.
    pub(super) fn update(
        &self,
        id: &AccountId,
        patch: &AccountPatch,
        rules: &SandboxSettings,
    ) -> Result<Account, ConnectorError> {
        let mut account = self.existing(id)?.clone();
        for (name, value) in &patch.attributes {
            match value {
                Some(value) => account.attributes.insert(name.clone(), value.clone()),
                None => account.attributes.remove(name),
            };
        }
        self.judge(id, &account.attributes, rules)?;
        if let Some(active) = patch.active {
            allowed(rules.deactivate, "has no active flag")?;
            account.active = Some(active);
        }
        if let Some(login) = patch.login_allowed {
            allowed(rules.block_login, "has no login switch")?;
            account.login_allowed = Some(login);
        }
        let version = account
            .version
            .as_deref()
            .and_then(|v| v.parse::<u64>().ok());
        account.version = Some((version.unwrap_or(0) + 1).to_string());
        Ok(account)
    }

    /// What a change of members comes to.
    ///
    /// # Errors
    /// NotFound or Rejected, by the rules.
    pub(super) fn set_members(
        &self,
        change: &MembershipChange,
        rules: &SandboxSettings,
    ) -> Result<Vec<Mutation>, ConnectorError> {
        allowed(rules.entitlements, "has no entitlements")?;
        let name = &change.entitlement;
        let mut mutations = Vec::new();
        if !change.add.is_empty() && !self.entitlements.contains(name) {
            mutations.push(Mutation::Entitlement(name.clone()));
        }
        for id in change.add.union(&change.remove) {
            let grant = change.add.contains(id);
            let account = match self.accounts.get(id) {
                Some(account) => account,
                None if grant => return Err(missing(id)),
                None => continue,
            };
            let mut held = account.entitlements.clone().unwrap_or_default();
            let moved = if grant {
                held.insert(name.clone())
            } else {
                held.remove(name)
            };
            if moved {
                let entitlements = Some(held);
                mutations.push(Mutation::Put(Account {
                    entitlements,
                    ..account.clone()
                }));
            }
        }
        Ok(mutations)
    }

    /// What deleting comes to.
    ///
    /// # Errors
    /// Rejected where it cannot delete.
    pub(super) fn delete(
        &self,
        id: &AccountId,
        rules: &SandboxSettings,
    ) -> Result<Vec<Mutation>, ConnectorError> {
        allowed(rules.delete, "cannot delete")?;
        let known = self.accounts.contains_key(id);
        Ok(known
            .then(|| Mutation::Delete(id.clone()))
            .into_iter()
            .collect())
    }

    fn existing(&self, id: &AccountId) -> Result<&Account, ConnectorError> {
        self.accounts.get(id).ok_or_else(|| missing(id))
    }

    fn judge(
        &self,
        id: &AccountId,
        attributes: &BTreeMap<String, Value>,
        rules: &SandboxSettings,
    ) -> Result<(), ConnectorError> {
        if let Some(name) = rules
            .required
            .iter()
            .find(|&name| !attributes.contains_key(name))
        {
            return Err(ConnectorError::Rejected(format!(
                "attribute {name} is required"
            )));
        }
        for claim in claims(attributes, &rules.unique) {
            if self.taken.get(&claim).is_some_and(|owner| owner != id) {
                return Err(ConnectorError::Conflict(format!(
                    "another account has this {}",
                    claim.0
                )));
            }
        }
        Ok(())
    }
}

/// The unique values that an account holds.
fn claims(
    attributes: &BTreeMap<String, Value>,
    unique: &[String],
) -> impl Iterator<Item = (String, String)> {
    unique
        .iter()
        .filter_map(|name| Some((name.clone(), fold(attributes.get(name)?))))
}

/// A value for comparison without case.
pub(super) fn fold(value: &Value) -> String {
    value.to_string().to_lowercase()
}

fn number(id: &AccountId) -> u64 {
    let digits = id.0.strip_prefix("u-").unwrap_or_default();
    digits.parse().unwrap_or(0)
}

pub(super) fn allowed(switch: bool, why_not: &str) -> Result<(), ConnectorError> {
    if switch {
        Ok(())
    } else {
        Err(ConnectorError::Rejected(format!(
            "the practice application {why_not}"
        )))
    }
}

pub(super) fn missing(id: &AccountId) -> ConnectorError {
    ConnectorError::NotFound(format!("account {id}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules() -> SandboxSettings {
        SandboxSettings {
            path: "unused".into(),
            deactivate: true,
            block_login: false,
            delete: true,
            list_inactive: true,
            entitlements: true,
            unique: vec!["userName".to_owned()],
            required: vec!["userName".to_owned()],
            faults: Vec::new(),
            ..SandboxSettings::new("unused".into())
        }
    }

    fn draft(name: &str) -> AccountDraft {
        let name = Value::Text(name.to_owned());
        AccountDraft {
            attributes: BTreeMap::from([("userName".to_owned(), name)]),
        }
    }

    fn with(names: &[&str]) -> Application {
        let mut application = Application::default();
        for name in names {
            let account = application.create(&draft(name), &rules()).unwrap();
            application.apply(Mutation::Put(account), &rules().unique);
        }
        application
    }

    fn ids(names: &[&str]) -> BTreeSet<AccountId> {
        names.iter().map(|&id| AccountId(id.to_owned())).collect()
    }

    #[test]
    fn unique_values_are_unique_in_any_case_and_free_again_after_a_rename_or_deletion() {
        let mut application = with(&["Ann", "ben"]);
        let conflict = |a: &Application, name: &str| {
            matches!(
                a.create(&draft(name), &rules()),
                Err(ConnectorError::Conflict(_))
            )
        };
        assert!(conflict(&application, "aNN"));
        let patch = AccountPatch {
            attributes: BTreeMap::from([(
                "userName".to_owned(),
                Some(Value::Text("BEN".to_owned())),
            )]),
            ..AccountPatch::default()
        };
        let ann = AccountId("u-000001".to_owned());
        let ben = AccountId("u-000002".to_owned());
        assert!(application.update(&ann, &patch, &rules()).is_err());
        let renamed = application.update(&ben, &patch, &rules()).unwrap();
        application.apply(Mutation::Put(renamed), &rules().unique);
        assert!(conflict(&application, "ben"));
        application.apply(Mutation::Delete(ben), &rules().unique);
        assert!(!conflict(&application, "ben"));
        let next = application.create(&draft("cleo"), &rules()).unwrap();
        assert_eq!(next.id.0, "u-000003");
    }

    #[test]
    fn switches_that_do_not_exist_are_refused() {
        let application = with(&["ann"]);
        let ann = AccountId("u-000001".to_owned());
        let block = AccountPatch {
            login_allowed: Some(false),
            ..AccountPatch::default()
        };
        let rejected = application.update(&ann, &block, &rules());
        assert!(matches!(rejected, Err(ConnectorError::Rejected(_))));
        let none = application.create(&AccountDraft::default(), &rules());
        assert!(matches!(none, Err(ConnectorError::Rejected(_))));
        let gone = application.update(&AccountId("u-9".to_owned()), &block, &rules());
        assert!(matches!(gone, Err(ConnectorError::NotFound(_))));
    }

    #[test]
    fn members_are_set_once_and_repeating_changes_nothing() {
        let mut application = with(&["ann", "ben"]);
        let change = MembershipChange {
            entitlement: "Staff".to_owned(),
            add: ids(&["u-000001"]),
            remove: ids(&["u-000002", "u-000404"]),
        };
        let first = application.set_members(&change, &rules()).unwrap();
        assert_eq!(first.len(), 2);
        for mutation in first {
            application.apply(mutation, &rules().unique);
        }
        assert_eq!(application.set_members(&change, &rules()).unwrap(), vec![]);
        let unknown = MembershipChange {
            add: ids(&["u-000404"]),
            ..change
        };
        assert!(application.set_members(&unknown, &rules()).is_err());
    }
}
