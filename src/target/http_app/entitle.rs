//! What accounts hold: roles, groups, licences; and the work that can be given to somebody else.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use serde_json::{Value as Json, json};

use super::HttpApp;
use super::account::with_id;
use super::write::Way;
use crate::model::{Account, AccountId, MembershipChange};
use crate::target::ConnectorError;
use crate::target::profile::expr::plain;
use crate::target::profile::{Call, Entitlement, Scope};

/// All entitlements of one kind.
#[derive(Debug, Default)]
pub struct Directory {
    /// Ids by name.
    ids: BTreeMap<String, Json>,
    /// Names by id.
    names: BTreeMap<String, String>,
}

impl Directory {
    fn id(&self, name: &str) -> Option<Json> {
        let folded = || {
            self.ids
                .iter()
                .find(|(known, _)| known.to_lowercase() == name.to_lowercase())
        };
        self.ids
            .get(name)
            .cloned()
            .or_else(|| folded().map(|(_, id)| id.clone()))
    }

    /// The name of what an account shows: an id, a name, or an object with one of them.
    fn name(&self, shown: &Json) -> Option<String> {
        let word = word(shown)?;
        Some(self.names.get(&word).cloned().unwrap_or(word))
    }
}

/// What identifies a thing that is shown as itself or as an object.
fn word(shown: &Json) -> Option<String> {
    match shown {
        Json::Object(object) => ["id", "name"]
            .iter()
            .find_map(|key| object.get(*key).and_then(plain)),
        Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) | Json::Array(_) => {
            plain(shown)
        }
    }
}

impl HttpApp {
    /// The kinds of entitlement that exist with these settings.
    pub(super) fn kinds(&self) -> Result<Vec<&Entitlement>, ConnectorError> {
        let mut kinds = Vec::new();
        for kind in &self.profile.entitlements {
            let on = kind
                .when
                .as_ref()
                .map_or(Ok(true), |when| when.holds(&self.base));
            let calls = kind.grant.iter().chain(&kind.revoke).chain(&kind.replace);
            if on.map_err(ConnectorError::Rejected)? && self.present(calls) {
                kinds.push(kind);
            }
        }
        Ok(kinds)
    }

    /// All entitlements of a kind, read once; `again` reads them anew.
    pub(super) async fn directory(
        &self,
        kind: &Entitlement,
        again: bool,
    ) -> Result<Option<Arc<Directory>>, ConnectorError> {
        let Some(call) = &kind.directory else {
            return Ok(None);
        };
        let mut all = self.directories.lock().await;
        if let Some(known) = all.get(&kind.name).filter(|_| !again) {
            return Ok(Some(Arc::clone(known)));
        }
        let key = |item: &Json| {
            thing(call, &self.base, item).map(|(id, _)| plain(&id).unwrap_or_default())
        };
        let mut directory = Directory::default();
        for item in self.whole(call, &self.base, &key).await? {
            let (id, name) = thing(call, &self.base, &item)?;
            directory
                .names
                .insert(plain(&id).unwrap_or_default(), name.clone());
            directory.ids.insert(name, id);
        }
        let directory = Arc::new(directory);
        all.insert(kind.name.clone(), Arc::clone(&directory));
        Ok(Some(directory))
    }

    /// What each account holds; `None` where the application does not show it.
    pub(super) async fn holdings(
        &self,
        items: &[Json],
        accounts: &[Account],
        all: bool,
    ) -> Result<Option<Vec<BTreeSet<String>>>, ConnectorError> {
        let kinds = self.kinds()?;
        let shown = |kind: &Entitlement| {
            kind.read.is_some() || (all && kind.members.is_some() && kind.directory.is_some())
        };
        if kinds.is_empty() || !kinds.iter().all(|kind| shown(kind)) {
            return Ok(None);
        }
        let mut held = vec![BTreeSet::new(); items.len()];
        for kind in kinds {
            let directory = self.directory(kind, false).await?;
            if let Some(read) = &kind.read {
                for (item, held) in items.iter().zip(&mut held) {
                    let scope = self.base.clone().with_json("item", item);
                    for shown in read.list(&scope).map_err(ConnectorError::Protocol)? {
                        let name = match &directory {
                            Some(directory) => directory.name(&shown),
                            None => word(&shown),
                        };
                        held.extend(name.map(|name| format!("{}{name}", kind.prefix)));
                    }
                }
            } else if let (Some(members), Some(directory)) = (&kind.members, &directory) {
                for (name, id) in &directory.ids {
                    let holders = self.holders(members, id, name).await?;
                    for (account, held) in accounts.iter().zip(&mut held) {
                        if holders.contains(&account.id.0) {
                            held.insert(format!("{}{name}", kind.prefix));
                        }
                    }
                }
            }
        }
        Ok(Some(held))
    }

    async fn holders(
        &self,
        members: &Call,
        id: &Json,
        name: &str,
    ) -> Result<BTreeSet<String>, ConnectorError> {
        let scope = self
            .base
            .clone()
            .with_json("entitlement", &json!({"id": id, "name": name}));
        let key = |item: &Json| {
            thing(members, &scope, item).map(|(id, _)| plain(&id).unwrap_or_default())
        };
        let found = self.whole(members, &scope, &key).await?;
        found.iter().map(key).collect()
    }

    pub(super) async fn change_members(
        &self,
        change: &MembershipChange,
    ) -> Result<(), ConnectorError> {
        if change.add.is_empty() && change.remove.is_empty() {
            return Ok(());
        }
        let kinds = self.kinds()?;
        let name = &change.entitlement;
        let Some(kind) = kinds
            .into_iter()
            .find(|kind| name.starts_with(&kind.prefix))
        else {
            return Err(ConnectorError::Rejected(format!(
                "the profile has no [entitlement.*] for \"{name}\"; its name must begin with the prefix of one"
            )));
        };
        let plain_name = name.get(kind.prefix.len()..).unwrap_or_default();
        let id = self.entitlement_id(kind, plain_name).await?;
        let entitlement = json!({"name": plain_name, "id": id});
        let width = self.settings.http.parallelism.max(1);
        // What is taken away may free a licence that somebody else needs.
        for (accounts, give) in [(&change.remove, false), (&change.add, true)] {
            let one = |account| self.entitle(kind, account, &entitlement, give);
            let work: Vec<_> = accounts.iter().map(one).collect();
            stream::iter(work)
                .buffer_unordered(width)
                .try_collect::<()>()
                .await?;
        }
        Ok(())
    }

    async fn entitlement_id(&self, kind: &Entitlement, name: &str) -> Result<Json, ConnectorError> {
        for again in [false, true] {
            match self.directory(kind, again).await? {
                None => return Ok(Json::from(name)),
                Some(directory) => {
                    if let Some(id) = directory.id(name) {
                        return Ok(id);
                    }
                }
            }
        }
        Err(ConnectorError::Rejected(format!(
            "the application has no {} named \"{name}\"; create it there, or correct the mapping",
            kind.name
        )))
    }

    async fn entitle(
        &self,
        kind: &Entitlement,
        account: &AccountId,
        what: &Json,
        give: bool,
    ) -> Result<(), ConnectorError> {
        let _one_at_a_time = if kind.replace.is_empty() {
            None
        } else {
            Some(self.replacing.lock().await)
        };
        let calls = match (kind.replace.is_empty(), give) {
            (false, _) => &kind.replace,
            (true, true) => &kind.grant,
            (true, false) => &kind.revoke,
        };
        let mut scope = with_id(&self.base, account).with_json("entitlement", what);
        if !kind.replace.is_empty() || calls.iter().any(|call| call.uses_current) {
            let current = self.item(account).await?;
            let current =
                current.ok_or_else(|| ConnectorError::NotFound(format!("account {account}")))?;
            if !kind.replace.is_empty() {
                let Some(wanted) = self.replaced(kind, &current, what, give).await? else {
                    return Ok(());
                };
                scope = scope.with_json("entitlements", &wanted);
            }
            scope = scope.with_json("current", &current);
        }
        let mut way = Way::new(scope);
        for call in calls {
            match self.step(call, &mut way).await {
                Ok(_) => {}
                // It was so already.
                Err(ConnectorError::Conflict(_)) if give => {}
                Err(ConnectorError::NotFound(_)) if !give => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Everything that an account shall hold of a kind; `None` if that is what it holds.
    async fn replaced(
        &self,
        kind: &Entitlement,
        current: &Json,
        what: &Json,
        give: bool,
    ) -> Result<Option<Json>, ConnectorError> {
        let directory = self.directory(kind, false).await?;
        let scope = self.base.clone().with_json("item", current);
        let Some(read) = &kind.read else {
            return Ok(None);
        };
        let mut held: Vec<Json> = Vec::new();
        for shown in read.list(&scope).map_err(ConnectorError::Protocol)? {
            let Some(word) = word(&shown) else { continue };
            let id = directory.as_ref().and_then(|directory| {
                let known = directory.names.get(&word);
                known.map_or_else(|| directory.id(&word), |name| directory.id(name))
            });
            held.push(id.unwrap_or_else(|| {
                if shown.is_object() {
                    Json::from(word)
                } else {
                    shown
                }
            }));
        }
        let wanted = what.get("id").cloned().unwrap_or(Json::Null);
        let has = held.iter().any(|id| plain(id) == plain(&wanted));
        if has == give {
            return Ok(None);
        }
        if give {
            held.push(wanted);
        } else {
            held.retain(|id| plain(id) != plain(&wanted));
        }
        Ok(Some(Json::Array(held)))
    }

    /// Gives all work of one kind to somebody else.
    pub(super) async fn move_work(
        &self,
        from: &AccountId,
        kind: &str,
        to: &AccountId,
    ) -> Result<(), ConnectorError> {
        let work = self
            .profile
            .reassign
            .get(kind)
            .filter(|_| self.capabilities.reassign.contains(kind));
        let Some(work) = work else {
            return Err(ConnectorError::Rejected(format!(
                "this target cannot reassign \"{kind}\""
            )));
        };
        let scope = self
            .base
            .clone()
            .with_json("from", &Json::from(from.0.as_str()))
            .with_json("to", &Json::from(to.0.as_str()));
        if work.find.is_empty() {
            let mut way = Way::new(scope);
            for call in &work.moves {
                self.step(call, &mut way).await?;
            }
            return Ok(());
        }
        for item in self.work_of(&work.find, &scope).await? {
            let mut way = Way::new(scope.clone().with_json("item", &item));
            for call in &work.moves {
                self.step(call, &mut way).await?;
            }
        }
        let left = self.work_of(&work.find, &scope).await?.len();
        if left > 0 {
            return Err(ConnectorError::Rejected(format!(
                "the application answered that the {kind} were moved, but {left} are still there"
            )));
        }
        Ok(())
    }

    async fn work_of(&self, find: &[Call], scope: &Scope) -> Result<Vec<Json>, ConnectorError> {
        let mut found = Vec::new();
        for call in find {
            if Self::applies(call, scope)? {
                let key = |item: &Json| {
                    thing(call, scope, item).map(|(id, _)| plain(&id).unwrap_or_default())
                };
                found.extend(self.whole(call, scope, &key).await?);
            }
        }
        Ok(found)
    }
}

/// The id and name of something in a list; without expressions for them, what is shown.
fn thing(call: &Call, scope: &Scope, item: &Json) -> Result<(Json, String), ConnectorError> {
    let scope = scope.clone().with_json("item", item);
    let id = match &call.id {
        Some(expr) => expr.json(&scope).map_err(ConnectorError::Protocol)?,
        None => word(item).map(Json::from),
    };
    let id = id.filter(|id| plain(id).is_some());
    let id = id.ok_or_else(|| {
        ConnectorError::Protocol(format!("{}: something in the list has no id", call.fact))
    })?;
    let name = match &call.name {
        Some(expr) => expr.text(&scope).map_err(ConnectorError::Protocol)?,
        None => None,
    };
    let name = name.or_else(|| plain(&id)).unwrap_or_default();
    Ok((id, name))
}
