//! The practice application, changed as a connector changes it.

use async_trait::async_trait;
use secrecy::{ExposeSecret as _, SecretString};

use super::Sandbox;
use super::application::Mutation;
use super::faults::Stop;
use crate::model::{Account, AccountDraft, AccountId, AccountPatch, MembershipChange};
use crate::target::connector::{AccountWriter, AfterLogin, ConnectorError};

#[async_trait]
impl AccountWriter for Sandbox {
    async fn create(&self, draft: &AccountDraft) -> Result<Account, ConnectorError> {
        self.stop("create", Stop::Before).await;
        let made = {
            let mut inner = self.called().await?;
            self.change(&mut inner, "create", |application| {
                let account = application.create(draft, &self.settings)?;
                if self.rejected_by_fault(None, &account) {
                    return Err(by_fault("fail-create"));
                }
                let mut mutations = vec![Mutation::Put(account.clone())];
                self.note(&mut mutations, &account.id, "create");
                Ok((mutations, account))
            })
        };
        self.stop("create", Stop::After).await;
        made
    }

    async fn update(
        &self,
        id: &AccountId,
        patch: &AccountPatch,
    ) -> Result<Account, ConnectorError> {
        self.stop("update", Stop::Before).await;
        let updated = {
            let mut inner = self.called().await?;
            self.change(&mut inner, "update", |application| {
                let before = application.get(id).cloned();
                let mut account = application.update(id, patch, &self.settings)?;
                if self.rejected_by_fault(Some(id), &account) {
                    return Err(by_fault("fail-update"));
                }
                if let Some(before) = before {
                    if self.faults.ignore_deactivate && patch.active == Some(false) {
                        account.active = before.active;
                    }
                    if self.faults.ignore_block && patch.login_allowed == Some(false) {
                        account.login_allowed = before.login_allowed;
                    }
                }
                let mut mutations = vec![Mutation::Put(account.clone())];
                for what in described(patch) {
                    self.note(&mut mutations, id, what);
                }
                Ok((mutations, account))
            })
        };
        self.stop("update", Stop::After).await;
        let account = updated?;
        let ignored = (patch.active.is_some() && account.active != patch.active)
            || (patch.login_allowed.is_some() && account.login_allowed != patch.login_allowed);
        if ignored {
            return Err(ConnectorError::Rejected(format!(
                "account {id} was not switched although the application said so"
            )));
        }
        Ok(account)
    }

    async fn set_members(&self, change: &MembershipChange) -> Result<(), ConnectorError> {
        self.stop("members", Stop::Before).await;
        let done = {
            let mut inner = self.called().await?;
            self.change(&mut inner, "members", |application| {
                let mut mutations = application.set_members(change, &self.settings)?;
                for id in &change.add {
                    self.note(&mut mutations, id, &format!("grant {}", change.entitlement));
                }
                for id in &change.remove {
                    let what = format!("revoke {}", change.entitlement);
                    self.note(&mut mutations, id, &what);
                }
                Ok((mutations, ()))
            })
        };
        self.stop("members", Stop::After).await;
        done
    }

    async fn delete(&self, id: &AccountId) -> Result<(), ConnectorError> {
        self.stop("delete", Stop::Before).await;
        let done = {
            let mut inner = self.called().await?;
            self.change(&mut inner, "delete", |application| {
                let mut mutations = application.delete(id, &self.settings)?;
                self.note(&mut mutations, id, "delete");
                Ok((mutations, ()))
            })
        };
        self.stop("delete", Stop::After).await;
        done
    }

    async fn set_password(
        &self,
        id: &AccountId,
        password: &SecretString,
        then: AfterLogin,
    ) -> Result<(), ConnectorError> {
        self.stop("set-password", Stop::Before).await;
        let done = {
            let mut inner = self.called().await?;
            self.change(&mut inner, "set-password", |application| {
                let password = password.expose_secret();
                // We never let the application tell the person: that is our own business.
                let set = application.set_password(id, password, then, true, &self.settings)?;
                let mut mutations = if self.faults.ignore_password {
                    Vec::new()
                } else {
                    set
                };
                self.note(&mut mutations, id, "set-password");
                Ok((mutations, ()))
            })
        };
        self.stop("set-password", Stop::After).await;
        done
    }

    async fn revoke_sessions(&self, id: &AccountId) -> Result<(), ConnectorError> {
        self.stop("end-sessions", Stop::Before).await;
        let done = {
            let mut inner = self.called().await?;
            self.change(&mut inner, "end-sessions", |application| {
                let mut mutations = application.end_sessions(id, &self.settings)?;
                self.note(&mut mutations, id, "end-sessions");
                Ok((mutations, ()))
            })
        };
        self.stop("end-sessions", Stop::After).await;
        done
    }

    async fn reassign(
        &self,
        from: &AccountId,
        kind: &str,
        to: &AccountId,
    ) -> Result<(), ConnectorError> {
        self.stop("reassign", Stop::Before).await;
        let done = {
            let mut inner = self.called().await?;
            self.change(&mut inner, "reassign", |application| {
                let mut mutations = application.reassign(from, kind, to, &self.settings)?;
                self.note(&mut mutations, from, &format!("reassign {kind} to {to}"));
                Ok((mutations, ()))
            })
        };
        self.stop("reassign", Stop::After).await;
        done
    }
}

fn by_fault(fault: &str) -> ConnectorError {
    ConnectorError::Rejected(format!("by the fault {fault}"))
}

/// What a patch does, for the ledger.
fn described(patch: &AccountPatch) -> impl Iterator<Item = &'static str> {
    let attributes = (!patch.attributes.is_empty()).then_some("update");
    let active = patch
        .active
        .map(|on| if on { "activate" } else { "deactivate" });
    let login = patch
        .login_allowed
        .map(|on| if on { "allow-login" } else { "block-login" });
    attributes.into_iter().chain(active).chain(login)
}
