//! Entitlements as SCIM groups, named by `displayName`: who holds which, and changing that in portions.

use std::collections::{BTreeSet, HashMap};
use std::sync::atomic::Ordering;

use http::{Method, StatusCode};
use serde_json::{Value as Json, json};

use super::ScimConnector;
use super::api::{GROUPS, ListStyle};
use super::json;
use super::patch::request;
use super::path::literal;
use super::wire;
use crate::model::{AccountId, MembershipChange};
use crate::target::ConnectorError;

/// The schema of a group (RFC 7643 §4.2).
pub(super) const GROUP: &str = "urn:ietf:params:scim:schemas:core:2.0:Group";

/// A group as listed.
#[derive(Clone, Debug)]
pub struct Group {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Its members' ids; `None` if the service did not list them.
    pub members: Option<BTreeSet<String>>,
}

impl Group {
    pub(super) fn read(resource: &Json) -> Self {
        Self {
            id: wire::id(resource).unwrap_or_default(),
            name: json::text(resource, "displayName")
                .unwrap_or_default()
                .to_owned(),
            members: members(resource),
        }
    }
}

fn members(resource: &Json) -> Option<BTreeSet<String>> {
    let list = json::lookup(resource.as_object()?, "members")?.as_array()?;
    let value = |member: &Json| {
        let value = json::lookup(member.as_object()?, "value")?;
        match value {
            Json::String(text) => Some(text.clone()),
            Json::Number(number) => Some(number.to_string()),
            Json::Null | Json::Bool(_) | Json::Array(_) | Json::Object(_) => None,
        }
    };
    Some(list.iter().filter_map(value).collect())
}

impl ScimConnector {
    /// Account id → names of its groups, or `None` if the service does not list members.
    pub(super) async fn memberships(
        &self,
    ) -> Result<Option<HashMap<String, BTreeSet<String>>>, ConnectorError> {
        let Some(mut groups) = self.groups().await? else {
            return Ok(None);
        };
        self.directory.lock().await.fill(&groups);
        let listed = groups.iter().any(|g| g.members.is_some());
        if listed {
            // A group without the attribute is an empty one where others have it.
            self.members_listed.store(true, Ordering::Relaxed);
        } else if !groups.is_empty() && !self.read_members(&mut groups).await? {
            return Ok(None);
        }
        let mut held: HashMap<String, BTreeSet<String>> = HashMap::new();
        for group in groups {
            for member in group.members.unwrap_or_default() {
                held.entry(member).or_default().insert(group.name.clone());
            }
        }
        Ok(Some(held))
    }

    // Some services give members only for one group at a time; others never do, which the first few groups tell.
    async fn read_members(&self, groups: &mut [Group]) -> Result<bool, ConnectorError> {
        let mut seen = false;
        for (i, group) in groups.iter_mut().enumerate() {
            if i >= 3 && !seen {
                return Ok(false);
            }
            if let Some(resource) = self.api.resource(GROUPS, &group.id).await? {
                group.members = members(&resource);
                seen |= group.members.is_some();
            }
        }
        if seen {
            self.members_listed.store(true, Ordering::Relaxed);
        }
        Ok(seen)
    }

    /// Every group, or `None` where the service has no groups.
    pub(super) async fn groups(&self) -> Result<Option<Vec<Group>>, ConnectorError> {
        if self.found.groups == Some(false) {
            return Ok(None);
        }
        let style = ListStyle {
            by_cursor: false,
            ..self.style()
        };
        match self
            .api
            .list(GROUPS, style, &[], &|resource| Group::read(&resource))
            .await
        {
            Ok(groups) => Ok(Some(groups)),
            Err(ConnectorError::NotFound(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Adds and removes members in portions, and looks whether it took.
    pub(super) async fn change_members(
        &self,
        change: &MembershipChange,
    ) -> Result<(), ConnectorError> {
        let (id, fresh) = self.group_id(&change.entitlement).await?;
        let before = if fresh {
            Some(BTreeSet::new())
        } else {
            self.listed_members(&id).await?
        };
        // What is known to hold already is not sent: a change without effect still moves `lastModified`.
        let holds = |account: &AccountId| before.as_ref().map(|m| m.contains(&account.0));
        let add: Vec<&str> = change
            .add
            .iter()
            .filter(|a| holds(a) != Some(true))
            .map(|a| a.0.as_str())
            .collect();
        let remove: Vec<&str> = change
            .remove
            .iter()
            .filter(|a| holds(a) != Some(false))
            .map(|a| a.0.as_str())
            .collect();
        if add.is_empty() && remove.is_empty() {
            return Ok(());
        }
        let size = self.settings.members_per_request.max(1);
        for portion in remove.chunks(size) {
            self.send_members(&id, &[], portion).await?;
        }
        for portion in add.chunks(size) {
            self.send_members(&id, portion, &[]).await?;
        }
        self.verify(&id, &change.entitlement, &add, &remove).await
    }

    async fn verify(
        &self,
        id: &str,
        name: &str,
        add: &[&str],
        remove: &[&str],
    ) -> Result<(), ConnectorError> {
        let Some(after) = self.listed_members(id).await? else {
            return Ok(());
        };
        let missing = add.iter().filter(|a| !after.contains(**a)).count();
        let left = remove.iter().filter(|a| after.contains(**a)).count();
        if missing == 0 && left == 0 {
            return Ok(());
        }
        Err(ConnectorError::Rejected(format!(
            "the application answered that group \"{name}\" was changed, but {missing} added members are missing and {left} removed ones are still there"
        )))
    }

    /// The members of a group; `None` if the service does not list them.
    async fn listed_members(&self, id: &str) -> Result<Option<BTreeSet<String>>, ConnectorError> {
        let resource = self.api.resource(GROUPS, id).await?.ok_or_else(|| {
            ConnectorError::NotFound(format!("{GROUPS}/{id} does not exist any more"))
        })?;
        let members = members(&resource);
        if members.as_ref().is_some_and(|m| !m.is_empty()) {
            self.members_listed.store(true, Ordering::Relaxed);
        }
        // An empty list from a service that never showed a member proves nothing.
        if self.members_listed.load(Ordering::Relaxed) {
            Ok(Some(members.unwrap_or_default()))
        } else {
            Ok(None)
        }
    }

    async fn send_members(
        &self,
        id: &str,
        add: &[&str],
        remove: &[&str],
    ) -> Result<(), ConnectorError> {
        if !self.patch_usable() {
            return self.put_members(id, add, remove).await;
        }
        let operations = if add.is_empty() {
            remove.iter().map(|m| removal(m)).collect()
        } else {
            vec![json!({"op": "add", "path": "members", "value": values(add)})]
        };
        let status = self.patch_group(id, &operations).await?;
        match status {
            None => Ok(()),
            Some((StatusCode::NOT_IMPLEMENTED | StatusCode::METHOD_NOT_ALLOWED, _)) => {
                self.put_members(id, add, remove).await
            }
            Some((StatusCode::BAD_REQUEST, _)) if add.is_empty() => {
                self.remove_by_list(id, remove).await
            }
            Some((_, error)) => Err(error),
        }
    }

    /// Sends operations; `None` on success, else status and meaning.
    async fn patch_group(
        &self,
        id: &str,
        operations: &[Json],
    ) -> Result<Option<(StatusCode, ConnectorError)>, ConnectorError> {
        let body = request(operations);
        let answer = self
            .api
            .write(Method::PATCH, GROUPS, Some(id), Some(&body), None)
            .await?;
        if answer.status.is_success() {
            return Ok(None);
        }
        let error = self.api.refusal(&answer, &format!("change {GROUPS}/{id}"));
        Ok(Some((answer.status, error)))
    }

    /// The other way to remove: a list of values. By the letter of RFC 7644 the list is ignored and everybody goes, so this is
    /// only done where the members can be seen, and undone if it happens.
    async fn remove_by_list(&self, id: &str, remove: &[&str]) -> Result<(), ConnectorError> {
        let Some(before) = self.listed_members(id).await? else {
            return Err(ConnectorError::Rejected(format!(
                "{GROUPS}/{id} refuses to remove single members and does not list them, so the other way is not safe"
            )));
        };
        let operation = json!({"op": "remove", "path": "members", "value": values(remove)});
        if let Some((_, error)) = self.patch_group(id, &[operation]).await? {
            return Err(error);
        }
        let after = self.listed_members(id).await?.unwrap_or_default();
        let lost: Vec<&str> = before
            .iter()
            .map(String::as_str)
            .filter(|m| !remove.contains(m) && !after.contains(*m))
            .collect();
        if lost.is_empty() {
            return Ok(());
        }
        for portion in lost.chunks(self.settings.members_per_request.max(1)) {
            let operation = json!({"op": "add", "path": "members", "value": values(portion)});
            if let Some((_, error)) = self.patch_group(id, &[operation]).await? {
                return Err(error);
            }
        }
        Err(ConnectorError::Protocol(format!(
            "{GROUPS}/{id} removed members that were not named; they were put back"
        )))
    }

    async fn put_members(
        &self,
        id: &str,
        add: &[&str],
        remove: &[&str],
    ) -> Result<(), ConnectorError> {
        let resource = self.api.resource(GROUPS, id).await?.ok_or_else(|| {
            ConnectorError::NotFound(format!("{GROUPS}/{id} does not exist any more"))
        })?;
        let listed = json::lookup(
            resource.as_object().unwrap_or(&serde_json::Map::new()),
            "members",
        )
        .is_some();
        if !listed && !self.members_listed.load(Ordering::Relaxed) && !self.members_assumed() {
            return Err(ConnectorError::Rejected(format!(
                "{GROUPS}/{id} can only be replaced as a whole, and its members are not listed"
            )));
        }
        let mut all: BTreeSet<String> = members(&resource).unwrap_or_default();
        all.retain(|m| !remove.contains(&m.as_str()));
        all.extend(add.iter().map(ToString::to_string));
        let all: Vec<&str> = all.iter().map(String::as_str).collect();
        let mut body = resource.as_object().cloned().unwrap_or_default();
        body.retain(|name, _| {
            !["id", "meta", "members"]
                .iter()
                .any(|gone| name.eq_ignore_ascii_case(gone))
        });
        body.insert("members".to_owned(), values(&all));
        let answer = self
            .api
            .write(
                Method::PUT,
                GROUPS,
                Some(id),
                Some(&Json::Object(body)),
                None,
            )
            .await?;
        self.api
            .success(&answer, &format!("replace {GROUPS}/{id}"))
            .map(|_| ())
    }

    // Discovery said that PATCH is off: such services list members or nobody could change a group.
    fn members_assumed(&self) -> bool {
        self.found.patch == Some(false)
    }
}

fn removal(member: &str) -> Json {
    let path = format!("members[value eq {}]", literal(&json!(member)));
    json!({"op": "remove", "path": path})
}

fn values(members: &[&str]) -> Json {
    members.iter().map(|m| json!({"value": m})).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_are_read_as_ids() {
        let group = Group::read(&json!({
            "id": 5, "displayName": "Staff",
            "members": [{"value": "a"}, {"value": 7}, {"display": "x"}, "y"],
        }));
        assert_eq!(group.id, "5");
        assert_eq!(group.members, Some(["a", "7"].map(str::to_owned).into()));
        assert_eq!(Group::read(&json!({"id": "1"})).members, None);
    }

    #[test]
    fn an_id_cannot_leave_its_quotes() {
        assert_eq!(
            removal("a\"] or members[value eq \"b")["path"],
            "members[value eq \"a\\\"] or members[value eq \\\"b\"]"
        );
    }
}
