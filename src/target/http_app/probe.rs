//! Looking around, reading only: what works, and which assumed facts that confirms.

use std::collections::BTreeSet;

use serde_json::Value as Json;

use super::HttpApp;
use super::request::Added;
use crate::model::AccountId;
use crate::target::profile::Op;
use crate::target::{ConnectorError, Finding};

/// Whether only writing could confirm a fact.
fn writes(fact: &str) -> bool {
    let operation = fact.strip_prefix("operation.").map(|name| {
        let name = name.split('#').next().unwrap_or_default();
        !["list", "get", "detail", "find"].contains(&name)
    });
    operation.unwrap_or_else(|| {
        ["entitlement.", "reassign.", "setting."]
            .iter()
            .any(|kind| fact.starts_with(kind))
    })
}

/// What was found, and which facts it confirms.
#[derive(Default)]
struct Seen {
    findings: Vec<Finding>,
    confirmed: BTreeSet<String>,
}

impl Seen {
    fn note(&mut self, what: &str, found: impl Into<String>, ok: bool) {
        let (what, found) = (what.to_owned(), found.into());
        self.findings.push(Finding { what, found, ok });
    }

    fn confirm(&mut self, fact: &str, found: impl Into<String>) {
        self.confirmed.insert(fact.to_owned());
        self.note(fact, found, true);
    }
}

impl HttpApp {
    /// Looks at everything that can be seen without changing anything.
    pub(super) async fn look_around(&self) -> Result<Vec<Finding>, ConnectorError> {
        let mut seen = Seen::default();
        let items = self.look_at_lists(&mut seen).await?;
        self.look_at_one(&items, &mut seen).await;
        self.look_at_fields(&items, &mut seen)?;
        for kind in self.kinds()? {
            let fact = format!("entitlement.{}", kind.name);
            match self.directory(kind, false).await {
                Ok(Some(_)) => seen.note(
                    &fact,
                    "its directory can be read; granting was not tried",
                    true,
                ),
                Ok(None) => seen.note(
                    &fact,
                    "not tried: it has no directory, and nothing is changed here",
                    true,
                ),
                Err(error) => seen.note(&fact, error.to_string(), false),
            }
        }
        self.ask_probes(&mut seen).await;
        for lacking in &self.absent {
            seen.note(
                lacking,
                "the application's own description lacks it: what needs it is switched off",
                true,
            );
        }
        self.sum_up(&mut seen);
        Ok(seen.findings)
    }

    async fn look_at_lists(&self, seen: &mut Seen) -> Result<Vec<Json>, ConnectorError> {
        let key = |item: &Json| self.id_of(item);
        let mut all = Vec::new();
        let mut auth = false;
        for call in self.profile.calls(Op::List) {
            if !Self::applies(call, &self.base)? {
                continue;
            }
            match self.whole(call, &self.base, &key).await {
                Ok(items) => {
                    auth = true;
                    seen.confirm(&call.fact, format!("{} accounts", items.len()));
                    all.extend(items);
                }
                Err(error @ (ConnectorError::Unauthorised(_) | ConnectorError::Transient(_))) => {
                    return Err(error);
                }
                Err(error) => seen.note(&call.fact, error.to_string(), false),
            }
        }
        if auth {
            let used = self.profile.auth.iter().position(|a| {
                a.when
                    .as_ref()
                    .is_none_or(|w| w.holds(&self.base) == Ok(true))
            });
            let fact = match used {
                None | Some(0) => "auth".to_owned(),
                Some(at) => format!("auth#{}", at + 1),
            };
            seen.confirm(&fact, "credentials accepted");
        }
        if !all.is_empty() {
            seen.confirm("account", "accounts have ids");
        }
        self.detailed(all).await
    }

    async fn look_at_one(&self, items: &[Json], seen: &mut Seen) {
        let Some(id) = items.first().and_then(|item| self.id_of(item).ok()) else {
            return seen.note(
                "operation.get",
                "not tried: there is no account to read",
                true,
            );
        };
        if self.has(Op::Get) {
            match self.item(&AccountId(id.clone())).await {
                Ok(Some(_)) => seen.confirm("operation.get", "one account was read"),
                Ok(None) => seen.note(
                    "operation.get",
                    "an account of the list is not found by its id",
                    false,
                ),
                Err(error) => seen.note("operation.get", error.to_string(), false),
            }
        }
        for call in self.profile.calls(Op::Find) {
            let Some(by) = &call.by else { continue };
            let value = self.field(by).ok().and_then(|field| {
                items
                    .iter()
                    .find_map(|item| field.get(item, &self.base).ok().flatten())
            });
            let Some(value) = value else { continue };
            match self.search(by, &value).await {
                Ok(found) if !found.is_empty() => {
                    seen.confirm(&call.fact, format!("somebody was found by {by}"));
                }
                Ok(_) => seen.note(
                    &call.fact,
                    format!("somebody who exists is not found by {by}"),
                    false,
                ),
                Err(error) => seen.note(&call.fact, error.to_string(), false),
            }
        }
    }

    fn look_at_fields(&self, items: &[Json], seen: &mut Seen) -> Result<(), ConnectorError> {
        for name in &self.settings.attributes {
            let fact = format!("field.{name}");
            let field = match self.field(name) {
                Ok(field) => field,
                Err(error) => {
                    seen.note(&fact, error.to_string(), false);
                    continue;
                }
            };
            let mut number = 0;
            for item in items {
                number += usize::from(
                    field
                        .get(item, &self.base)
                        .map_err(ConnectorError::Protocol)?
                        .is_some(),
                );
            }
            if number > 0 {
                seen.confirm(
                    &fact,
                    format!(
                        "read from {number} of {} accounts; writing was not tried",
                        items.len()
                    ),
                );
            } else {
                seen.note(
                    &fact,
                    "no account has it: its name may be wrong, or it is empty everywhere",
                    true,
                );
            }
        }
        Ok(())
    }

    async fn ask_probes(&self, seen: &mut Seen) {
        for call in &self.profile.probes {
            if !Self::applies(call, &self.base).unwrap_or(false) {
                continue;
            }
            let what = call.says.as_deref().unwrap_or(&call.fact);
            match self.make(call, &self.base, &Added::default()).await {
                Ok(reply) => {
                    let met = call
                        .expect
                        .as_ref()
                        .map_or(Ok(true), |expect| expect.holds(&reply.scope));
                    if met == Ok(true) {
                        seen.confirmed.extend(call.confirms.iter().cloned());
                        seen.note(what, "as expected", true);
                    } else {
                        seen.note(what, "not as the profile expects", false);
                    }
                }
                Err(error) => seen.note(what, error.to_string(), false),
            }
        }
    }

    fn sum_up(&self, seen: &mut Seen) {
        let assumed = self.settings.assumed();
        let now: Vec<String> = assumed
            .iter()
            .filter(|fact| seen.confirmed.contains(*fact))
            .cloned()
            .collect();
        let left: Vec<String> = assumed
            .iter()
            .filter(|fact| !seen.confirmed.contains(*fact))
            .cloned()
            .collect();
        let text = format!(
            "{} in use, {} of them confirmed just now, as far as reading can",
            assumed.len(),
            now.len()
        );
        seen.note("assumed facts", text, true);
        if !now.is_empty() {
            // With those that were confirmed before: the line replaces the one that is there.
            let all: BTreeSet<&String> = self.settings.confirmed.iter().chain(&now).collect();
            let quoted: Vec<String> = all.iter().map(|fact| format!("\"{fact}\"")).collect();
            seen.note(
                "put into the target",
                format!("confirmed = [{}]", quoted.join(", ")),
                true,
            );
        }
        let (writing, reading): (Vec<String>, Vec<String>) =
            left.into_iter().partition(|fact| writes(fact));
        if !reading.is_empty() {
            let text = format!("{}; nothing that was read shows it", reading.join(", "));
            seen.note("still assumed", text, true);
        }
        if !writing.is_empty() {
            let text = format!(
                "{}; nothing was written here: try them on a test account, then name them in `confirmed`",
                writing.join(", ")
            );
            seen.note("still assumed", text, true);
        }
    }
}
