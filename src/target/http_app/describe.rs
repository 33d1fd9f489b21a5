//! What the application's own description of its interface lacks of what the profile needs: a WSDL, or GraphQL introspection.

use std::collections::BTreeSet;

use serde_json::Value as Json;

use super::HttpApp;
use super::request::Added;
use crate::target::ConnectorError;
use crate::target::profile::Call;

impl HttpApp {
    /// The names that calls need and the description lacks.
    ///
    /// # Errors
    /// When the WSDL cannot be read: without it nobody knows what there is. A refused introspection says nothing.
    pub(super) async fn lacking(&self) -> Result<BTreeSet<String>, ConnectorError> {
        let mut absent = BTreeSet::new();
        if let Some(call) = &self.profile.describe.wsdl
            && Self::applies(call, &self.base)?
        {
            let reply = self.make(call, &self.base, &Added::default()).await?;
            let mut known = BTreeSet::new();
            operations(&reply.body, &mut known);
            if known.is_empty() {
                return Err(ConnectorError::Protocol(
                    "the WSDL describes no method".to_owned(),
                ));
            }
            absent.extend(
                self.needed(|call| call.is_soap())
                    .filter(|need| !known.contains(need)),
            );
        }
        if let Some(call) = &self.profile.describe.graphql
            && Self::applies(call, &self.base)?
        {
            match self.make(call, &self.base, &Added::default()).await {
                Ok(reply) => {
                    let known = types(&reply.body);
                    absent.extend(
                        self.needed(|call| !call.is_soap())
                            .filter(|need| !known.contains(need)),
                    );
                }
                Err(
                    ConnectorError::Rejected(_)
                    | ConnectorError::NotFound(_)
                    | ConnectorError::Protocol(_),
                ) => {
                    tracing::debug!("introspection is not allowed");
                }
                Err(error) => return Err(error),
            }
        }
        Ok(absent)
    }

    fn needed(&self, kind: impl Fn(&Call) -> bool) -> impl Iterator<Item = String> {
        let profile = &self.profile;
        let entitling = profile.entitlements.iter().flat_map(|kind| {
            let once = kind.directory.iter().chain(&kind.members);
            once.chain(&kind.grant)
                .chain(&kind.revoke)
                .chain(&kind.replace)
        });
        let work = profile
            .reassign
            .values()
            .flat_map(|work| work.find.iter().chain(&work.moves));
        let calls = profile
            .operations
            .values()
            .flatten()
            .chain(entitling)
            .chain(work);
        calls
            .filter(move |call| kind(call))
            .flat_map(|call| call.needs.clone())
    }
}

/// The names of all operations in a WSDL.
fn operations(value: &Json, into: &mut BTreeSet<String>) {
    match value {
        Json::Object(members) => {
            for (key, inner) in members {
                if key == "operation" {
                    let one = std::slice::from_ref(inner);
                    let items = inner.as_array().map_or(one, Vec::as_slice);
                    let names = items.iter().filter_map(|item| item.get("@name")?.as_str());
                    into.extend(names.map(str::to_owned));
                }
                operations(inner, into);
            }
        }
        Json::Array(items) => items.iter().for_each(|item| operations(item, into)),
        Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) => {}
    }
}

/// `Type.field` for every field; the root types also as `Query` and `Mutation`.
fn types(data: &Json) -> BTreeSet<String> {
    let root = |key: &str| {
        data.pointer(&format!("/__schema/{key}/name"))
            .and_then(Json::as_str)
    };
    let (query, mutation) = (root("queryType"), root("mutationType"));
    let mut known = BTreeSet::new();
    let all = data.pointer("/__schema/types").and_then(Json::as_array);
    for kind in all.into_iter().flatten() {
        let Some(name) = kind.get("name").and_then(Json::as_str) else {
            continue;
        };
        for field in kind
            .get("fields")
            .and_then(Json::as_array)
            .into_iter()
            .flatten()
        {
            let Some(field) = field.get("name").and_then(Json::as_str) else {
                continue;
            };
            known.insert(format!("{name}.{field}"));
            if query == Some(name) {
                known.insert(format!("Query.{field}"));
            }
            if mutation == Some(name) {
                known.insert(format!("Mutation.{field}"));
            }
        }
    }
    known
}
