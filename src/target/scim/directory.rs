//! Which group has which name. A few names are searched for one by one; after that, or where searching does not find one,
//! all groups are listed once. Only the list proves that a group is missing or that a name is used twice.

use std::collections::HashMap;

use http::Method;
use serde_json::json;

use super::ScimConnector;
use super::api::GROUPS;
use super::groups::{GROUP, Group};
use super::path::literal;
use super::wire;
use crate::target::ConnectorError;

/// So many names are searched for one by one, in the life of a connector, which is one run.
const SEARCHES: usize = 64;

/// What is known of the names of groups.
#[derive(Debug, Default)]
pub struct Directory {
    /// All of them, once listed; `None` marks a name that several groups have.
    listed: Option<HashMap<String, Option<String>>>,
    /// Those that a search found.
    found: HashMap<String, String>,
    searches: usize,
}

impl Directory {
    /// Takes over a list of all groups.
    pub fn fill(&mut self, groups: &[Group]) {
        let mut names: HashMap<String, Option<String>> = HashMap::with_capacity(groups.len());
        for group in groups {
            names
                .entry(group.name.clone())
                .and_modify(|id| *id = None)
                .or_insert_with(|| Some(group.id.clone()));
        }
        self.listed = Some(names);
    }

    /// A group that a search found, as long as no list says more.
    fn of_search(&self, name: &str) -> Option<String> {
        match self.listed {
            Some(_) => None,
            None => self.found.get(name).cloned(),
        }
    }

    /// Whether one more search is better than a list.
    fn may_search(&mut self) -> bool {
        self.searches += 1;
        self.listed.is_none() && self.searches <= SEARCHES
    }
}

impl ScimConnector {
    /// The group's id by name, and whether it was made just now.
    pub(super) async fn group_id(&self, name: &str) -> Result<(String, bool), ConnectorError> {
        let search = {
            let mut directory = self.directory.lock().await;
            if let Some(id) = directory.of_search(name) {
                return Ok((id, false));
            }
            self.found.filter != Some(false) && directory.may_search()
        };
        if search && let Some(id) = self.search_group(name).await? {
            let mut directory = self.directory.lock().await;
            directory.found.insert(name.to_owned(), id.clone());
            return Ok((id, false));
        }
        self.listed_group_id(name).await
    }

    /// The one group that a search finds under exactly this name; `None` if that is not certain.
    async fn search_group(&self, name: &str) -> Result<Option<String>, ConnectorError> {
        let filter = format!("displayName eq {}", literal(&json!(name)));
        let hits = self
            .api
            .filtered_without(GROUPS, &filter, "members")
            .await?;
        let hits: Vec<Group> = hits.iter().flatten().map(Group::read).collect();
        // Another name came back: the filter was ignored, or compares in a way of its own.
        Ok(match &hits[..] {
            [group] if group.name == name => Some(group.id.clone()),
            _ => None,
        })
    }

    async fn listed_group_id(&self, name: &str) -> Result<(String, bool), ConnectorError> {
        // Held while asking and creating, so that a name is created once however many callers want it.
        let mut directory = self.directory.lock().await;
        // Listed once: listing again for each new name would cost the square of the number of groups.
        if directory.listed.is_none() {
            let groups = self.groups().await?.ok_or_else(|| {
                ConnectorError::Rejected("the application has no groups".to_owned())
            })?;
            directory.fill(&groups);
        }
        let names = directory.listed.get_or_insert_default();
        match names.get(name) {
            Some(Some(id)) => Ok((id.clone(), false)),
            Some(None) => Err(ConnectorError::Rejected(format!(
                "several groups are called \"{name}\"; rename all but one"
            ))),
            None if self.settings.create_groups => match self.create_group(name).await {
                Ok(id) => {
                    names.insert(name.to_owned(), Some(id.clone()));
                    Ok((id, true))
                }
                Err(error) => {
                    // It may exist now: whoever asks next looks first.
                    directory.listed = None;
                    Err(error)
                }
            },
            None => Err(ConnectorError::NotFound(format!(
                "no group is called \"{name}\"; create it in the application or allow create-groups"
            ))),
        }
    }

    async fn create_group(&self, name: &str) -> Result<String, ConnectorError> {
        let body = json!({"schemas": [GROUP], "displayName": name});
        let answer = self
            .api
            .write(Method::POST, GROUPS, None, Some(&body), None)
            .await?;
        self.api
            .success(&answer, &format!("create group \"{name}\""))?;
        // It exists from here on: what its answer lacks is read, and never a reason to create it again.
        if let Some(id) = answer.json().ok().as_ref().and_then(wire::id) {
            return Ok(id);
        }
        let location = answer.location.as_deref();
        if let Some(id) = location.and_then(|to| self.api.origin().id_in(to, GROUPS).ok()) {
            return Ok(id);
        }
        let mut anew = Directory::default();
        anew.fill(&self.groups().await?.unwrap_or_default());
        match anew.listed.and_then(|mut names| names.remove(name)) {
            Some(Some(id)) => Ok(id),
            Some(None) | None => Err(ConnectorError::Protocol(format!(
                "group \"{name}\" was created but cannot be found"
            ))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_used_twice_is_nobodys() {
        let group = |id: &str, name: &str| Group {
            id: id.to_owned(),
            name: name.to_owned(),
            members: None,
        };
        let mut directory = Directory::default();
        assert!(directory.may_search());
        directory.found.insert("a".to_owned(), "1".to_owned());
        assert_eq!(directory.of_search("a").as_deref(), Some("1"));
        directory.fill(&[group("1", "a"), group("2", "b"), group("3", "a")]);
        let names = directory.listed.clone().unwrap();
        assert_eq!(names["a"], None);
        assert_eq!(names["b"].as_deref(), Some("2"));
        assert_eq!(directory.of_search("a"), None, "the list knows better");
        assert!(!directory.may_search());
    }
}
