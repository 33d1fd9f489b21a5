//! What the practice application keeps of an account that no connector ever sees: passwords as salted hashes, sessions,
//! work; and the rules by which they change.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::application::{Application, Mutation, allowed, missing};
use crate::model::{AccountId, Value};
use crate::target::settings::SandboxSettings;
use crate::target::{AfterLogin, ConnectorError};

/// The inside of one account.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "kebab-case", deny_unknown_fields)]
pub struct Inside {
    /// The salted hash of its password; `None` if it has none. It is for practice: a real application uses a slow hash.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub password: Option<String>,
    /// Hashes of the passwords before, the oldest first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub history: Vec<String>,
    /// Another password must be chosen at the next login.
    pub must_change: bool,
    /// How many sessions are open.
    pub sessions: u32,
    /// Work by kind: quotes, jobs.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub work: BTreeMap<String, BTreeSet<String>>,
}

/// One line of the application's own ledger: what was done to which account.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Entry {
    /// Whose account.
    pub account: String,
    /// What was done, such as `set-password`, `deactivate`, `reassign quotes to u-000007`; never a value.
    pub what: String,
}

/// One message that the application sent to a person by itself.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Mail {
    /// Whose account.
    pub account: String,
    /// What about.
    pub about: String,
}

/// What became of somebody who tried to log in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SignIn {
    /// In; a session is open.
    In,
    /// In, once another password is chosen.
    MustChange,
    /// The password is not this one.
    WrongPassword,
    /// The account is inactive, or its login is blocked.
    Closed,
}

impl Inside {
    /// Whether this is the password.
    #[must_use]
    pub fn is(&self, id: &AccountId, password: &str) -> bool {
        self.password.as_deref() == Some(hash(id, password).as_str())
    }

    fn set(&mut self, hash: String) {
        if self.password.as_ref() != Some(&hash) {
            self.history.extend(self.password.take());
        }
        self.password = Some(hash);
    }
}

fn hash(id: &AccountId, password: &str) -> String {
    let mut digest = Sha256::new();
    digest.update(b"practice/");
    digest.update(id.0.as_bytes());
    digest.update(b"/");
    digest.update(password.as_bytes());
    let bytes = digest.finalize();
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

impl Application {
    /// Sets a password. Unless it is told to be quiet, the application mails the person.
    ///
    /// # Errors
    /// NotFound or Rejected, by the rules.
    pub(super) fn set_password(
        &self,
        id: &AccountId,
        password: &str,
        then: AfterLogin,
        quiet: bool,
        rules: &SandboxSettings,
    ) -> Result<Vec<Mutation>, ConnectorError> {
        allowed(rules.set_password, "sets no passwords")?;
        let account = self.get(id).ok_or_else(|| missing(id))?;
        let mut inside = self.inside(id);
        let hash = hash(id, password);
        if rules.refuse_used && inside.history.contains(&hash) {
            let why = "this password was used before";
            return Err(ConnectorError::Rejected(why.to_owned()));
        }
        inside.set(hash);
        inside.must_change = then == AfterLogin::Change && rules.force_change;
        let mut mutations = vec![Mutation::Inside(id.clone(), inside)];
        if !quiet {
            let to = account.attributes.values().find_map(|value| match value {
                Value::Text(text) if text.contains('@') => Some(text.clone()),
                Value::Bool(_) | Value::Int(_) | Value::Text(_) | Value::Set(_) => None,
            });
            mutations.push(Mutation::Mail(Mail {
                account: id.0.clone(),
                about: format!("your new password, to {}", to.unwrap_or_default()),
            }));
        }
        Ok(mutations)
    }

    /// Ends the sessions of an account.
    ///
    /// # Errors
    /// NotFound or Rejected, by the rules.
    pub(super) fn end_sessions(
        &self,
        id: &AccountId,
        rules: &SandboxSettings,
    ) -> Result<Vec<Mutation>, ConnectorError> {
        allowed(rules.revoke_sessions, "ends no sessions")?;
        self.get(id).ok_or_else(|| missing(id))?;
        let inside = Inside {
            sessions: 0,
            ..self.inside(id)
        };
        Ok(vec![Mutation::Inside(id.clone(), inside)])
    }

    /// Gives all work of a kind to another account.
    ///
    /// # Errors
    /// NotFound or Rejected, by the rules.
    pub(super) fn reassign(
        &self,
        from: &AccountId,
        kind: &str,
        to: &AccountId,
        rules: &SandboxSettings,
    ) -> Result<Vec<Mutation>, ConnectorError> {
        let known = rules.reassign.contains(kind);
        allowed(known, &format!("reassigns no {kind}"))?;
        self.get(from).ok_or_else(|| missing(from))?;
        let heir = self.get(to).ok_or_else(|| missing(to))?;
        if heir.active == Some(false) {
            let why = format!("account {to} is inactive and gets no work");
            return Err(ConnectorError::Rejected(why));
        }
        let mut giver = self.inside(from);
        let mut taker = self.inside(to);
        let work = giver.work.remove(kind).unwrap_or_default();
        taker.work.entry(kind.to_owned()).or_default().extend(work);
        Ok(vec![
            Mutation::Inside(from.clone(), giver),
            Mutation::Inside(to.clone(), taker),
        ])
    }

    /// Tries to log in.
    ///
    /// # Errors
    /// NotFound.
    pub(super) fn sign_in(
        &self,
        id: &AccountId,
        password: &str,
    ) -> Result<(Vec<Mutation>, SignIn), ConnectorError> {
        let account = self.get(id).ok_or_else(|| missing(id))?;
        let mut inside = self.inside(id);
        if account.active == Some(false) || account.login_allowed == Some(false) {
            return Ok((Vec::new(), SignIn::Closed));
        }
        if !inside.is(id, password) {
            return Ok((Vec::new(), SignIn::WrongPassword));
        }
        if inside.must_change {
            return Ok((Vec::new(), SignIn::MustChange));
        }
        inside.sessions += 1;
        Ok((vec![Mutation::Inside(id.clone(), inside)], SignIn::In))
    }

    /// A person chooses a password.
    pub(super) fn choose(&self, id: &AccountId, password: &str) -> Vec<Mutation> {
        let mut inside = self.inside(id);
        inside.set(hash(id, password));
        inside.must_change = false;
        vec![Mutation::Inside(id.clone(), inside)]
    }

    /// A person gets a piece of work.
    pub(super) fn give_work(&self, id: &AccountId, kind: &str, item: &str) -> Vec<Mutation> {
        let mut inside = self.inside(id);
        let work = inside.work.entry(kind.to_owned()).or_default();
        work.insert(item.to_owned());
        vec![Mutation::Inside(id.clone(), inside)]
    }
}
