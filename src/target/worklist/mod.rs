//! The work list: for an application without any interface. Each change becomes a task for the application's administrator.
//!
//! Nothing counts as done because it was asked for. A task is confirmed when somebody ticks it off, or when the
//! application's next export shows it; until then every run hands the same task out again, under the same id.
//! What is no longer wanted is withdrawn. This connector decides nothing but the order of tasks that need one another's
//! licences.

mod book;
mod export;
mod letter;
mod ready;
mod render;
mod seats;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use jiff::Timestamp;

pub use self::book::{Kind, Standing, Task};
pub use self::letter::{Bulletin, bulletin};

use self::book::{Book, Field, Known};
use self::export::Export;
use super::connector::{AccountReader, AccountWriter, ConnectorError, Finding};
use super::settings::WorkListSettings;
use crate::model::{
    Account, AccountDraft, AccountId, AccountPatch, Capabilities, MembershipChange, Value,
};

/// A work list, opened.
#[derive(Debug)]
pub struct WorkList {
    settings: WorkListSettings,
    capabilities: Capabilities,
    export: Option<Export>,
    book: Book,
    handed: Mutex<Vec<Task>>,
}

/// The tasks of a work list, those to be done first.
///
/// # Errors
/// When its book cannot be read.
pub fn tasks(settings: &WorkListSettings) -> Result<Vec<Task>, ConnectorError> {
    let mut tasks = book::read(&settings.path)?.tasks;
    tasks.sort_by_key(|task| (!task.is_open(), task.kind));
    Ok(tasks)
}

/// Ticks a task off.
///
/// # Errors
/// [`ConnectorError::NotFound`] with the reason if there is nothing to tick off; otherwise when the book cannot be written.
pub fn tick(
    settings: &WorkListSettings,
    id: &str,
    by: &str,
    now: Timestamp,
) -> Result<Task, ConnectorError> {
    book::change(&settings.path, |book| {
        let task = book.tick(id, by, now).map_err(ConnectorError::NotFound)?;
        publish(settings, book, now)?;
        Ok(task)
    })
}

/// What is to be done, in the order in which it is to be done.
fn in_order(book: &Book) -> Vec<&Task> {
    let mut open: Vec<&Task> = book.tasks.iter().filter(|task| task.is_open()).collect();
    // What is not to be done before its time stands behind what can be done now.
    let later = |task: &Task| task.kind == Kind::Disable && task.due.is_some();
    open.sort_by_key(|task| (later(task), task.kind, &task.account, &task.id));
    open
}

/// Writes the list for people.
fn publish(settings: &WorkListSettings, book: &Book, now: Timestamp) -> Result<(), ConnectorError> {
    let open = in_order(book);
    let page = render::html(&settings.title, &open, &settings.steps, now);
    book::write(&settings.path.join("worklist.html"), page.as_bytes())?;
    book::write(&settings.path.join("worklist.csv"), &render::csv(&open)?)
}

impl WorkList {
    /// Opens the list: reads its book and the application's export.
    ///
    /// # Errors
    /// When one of them cannot be read, or the export is not as configured.
    pub fn open(settings: &WorkListSettings) -> Result<Self, ConnectorError> {
        let capabilities = Capabilities {
            deactivate: true,
            block_login: false,
            set_password: false,
            force_change: false,
            revoke_sessions: false,
            reassign: BTreeSet::new(),
            delete: true,
            list_inactive: true,
            entitlements: false,
            members_per_request: 1,
            inherits: false,
            // One after the other: licences are counted in the order of the plan.
            parallelism: 1,
        };
        Ok(Self {
            export: export::read(settings)?,
            book: book::read(&settings.path)?,
            settings: settings.clone(),
            capabilities,
            handed: Mutex::new(Vec::new()),
        })
    }

    fn handed(&self) -> MutexGuard<'_, Vec<Task>> {
        self.handed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is confirmed of an account: by the export, unless something was ticked off since.
    fn view(&self, id: &str) -> Option<Known> {
        let known = self.book.accounts.get(id);
        let newer = |export: &&Export| known.is_none_or(|known| known.as_of < export.as_of);
        let Some(export) = self.export.as_ref().filter(newer) else {
            return known.filter(|known| !known.gone).cloned();
        };
        let mut row = export.rows.get(id)?.clone();
        // What the export does not show is as it was confirmed last, and what disabling strips is remembered.
        for (name, value) in known.into_iter().flat_map(|known| &known.attributes) {
            let hidden = !self.settings.columns.contains_key(name);
            let stripped = !row.active && self.settings.stripped.contains(name);
            if hidden || stripped {
                row.attributes
                    .entry(name.clone())
                    .or_insert_with(|| value.clone());
            }
        }
        Some(row)
    }

    fn everybody(&self) -> BTreeMap<String, Known> {
        let rows = self.export.iter().flat_map(|export| export.rows.keys());
        let ids: BTreeSet<&String> = rows.chain(self.book.accounts.keys()).collect();
        ids.into_iter()
            .filter_map(|id| Some((id.clone(), self.view(id)?)))
            .collect()
    }

    fn account(id: &str, known: Known) -> Account {
        Account {
            id: AccountId(id.to_owned()),
            attributes: known.attributes,
            active: Some(known.active),
            login_allowed: None,
            entitlements: None,
            version: None,
        }
    }

    /// Puts a task on the list. The answer is always that it waits for a person, or that it cannot be done.
    fn hand(
        &self,
        kind: Kind,
        id: &str,
        fields: Vec<Field>,
    ) -> Result<ConnectorError, ConnectorError> {
        let mut task = Task {
            id: self.book.id_of(kind, id, &fields),
            kind,
            account: id.to_owned(),
            notes: Vec::new(),
            after: Vec::new(),
            takes: BTreeSet::new(),
            frees: BTreeSet::new(),
            due: None,
            since: None,
            standing: Standing::Open,
            fields,
        };
        let mut handed = self.handed();
        self.licences(&mut task, &handed)?;
        self.remember_stripped(&mut task);
        self.contradicted(&mut task);
        let words = format!(
            "task {} is on the work list: {} {id}",
            task.id,
            kind.as_str()
        );
        if !handed.iter().any(|other| other.id == task.id) {
            handed.push(task);
        }
        Ok(ConnectorError::Handed(words))
    }

    /// Whether what a task asks for is confirmed.
    fn is_so(&self, task: &Task) -> bool {
        let view = self.view(&task.account);
        let holds = |known: &Known| {
            let mut fields = task.fields.iter();
            fields.all(|field| known.attributes.get(&field.name) == field.after.as_ref())
        };
        match (task.kind, view) {
            (Kind::Delete, view) => view.is_none(),
            (_, None) => false,
            (Kind::Disable, Some(known)) => !known.active,
            (Kind::Enable, Some(known)) => known.active,
            (Kind::Create, Some(_)) => true,
            (Kind::Change | Kind::Renew, Some(known)) => holds(&known),
        }
    }
}

#[async_trait]
impl AccountReader for WorkList {
    fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    async fn list(&self) -> Result<Vec<Account>, ConnectorError> {
        let all = self.everybody().into_iter();
        Ok(all.map(|(id, known)| Self::account(&id, known)).collect())
    }

    async fn get(&self, id: &AccountId) -> Result<Option<Account>, ConnectorError> {
        Ok(self.view(&id.0).map(|known| Self::account(&id.0, known)))
    }

    async fn find(&self, attribute: &str, value: &Value) -> Result<Vec<Account>, ConnectorError> {
        let wanted = value.to_string().to_lowercase();
        let fits = |known: &Known| {
            let held = known.attributes.get(attribute);
            held.is_some_and(|held| held.to_string().to_lowercase() == wanted)
        };
        let found = self
            .everybody()
            .into_iter()
            .filter(|(_, known)| fits(known));
        Ok(found.map(|(id, known)| Self::account(&id, known)).collect())
    }

    async fn probe(&self) -> Result<Vec<Finding>, ConnectorError> {
        let open = self.book.tasks.iter().filter(|task| task.is_open()).count();
        let export = match (&self.export, &self.settings.export) {
            (Some(export), _) => format!("{} accounts, of {}", export.rows.len(), export.as_of),
            (None, Some(path)) => format!("{} is not there yet", path.display()),
            (None, None) => "none is configured: only ticks confirm".to_owned(),
        };
        let finding = |what: &str, found: String| Finding {
            what: what.to_owned(),
            found,
            ok: true,
        };
        Ok(vec![
            finding("list", self.settings.path.display().to_string()),
            finding("open tasks", open.to_string()),
            finding("export", export),
        ])
    }
}

#[async_trait]
impl AccountWriter for WorkList {
    async fn create(&self, draft: &AccountDraft) -> Result<Account, ConnectorError> {
        let Some(id) = draft
            .attributes
            .get(&self.settings.id)
            .map(ToString::to_string)
        else {
            return Err(ConnectorError::Rejected(format!(
                "a new account needs \"{}\", by which it is known",
                self.settings.id
            )));
        };
        if self.view(&id).is_some() {
            return Err(ConnectorError::Conflict(format!(
                "there is an account {id}"
            )));
        }
        let fields = draft.attributes.iter().map(|(name, value)| Field {
            name: name.clone(),
            before: None,
            after: Some(value.clone()),
        });
        Err(self.hand(Kind::Create, &id, fields.collect())?)
    }

    async fn update(
        &self,
        id: &AccountId,
        patch: &AccountPatch,
    ) -> Result<Account, ConnectorError> {
        let Some(known) = self.view(&id.0) else {
            return Err(ConnectorError::NotFound(format!("account {id}")));
        };
        if patch.login_allowed.is_some() {
            return Err(ConnectorError::Rejected(
                "there is no login switch".to_owned(),
            ));
        }
        let differing = patch
            .attributes
            .iter()
            .filter(|(name, value)| known.attributes.get(*name) != value.as_ref());
        let fields: Vec<Field> = differing
            .map(|(name, value)| Field {
                name: name.clone(),
                before: known.attributes.get(name).cloned(),
                after: value.clone(),
            })
            .collect();
        let mut waits = None;
        if !fields.is_empty() {
            waits = Some(self.hand(Kind::Change, &id.0, fields)?);
        }
        if let Some(active) = patch.active.filter(|active| *active != known.active) {
            let kind = if active { Kind::Enable } else { Kind::Disable };
            waits = Some(self.hand(kind, &id.0, Vec::new())?);
        }
        waits.map_or_else(|| Ok(Self::account(&id.0, known)), Err)
    }

    async fn set_members(&self, _change: &MembershipChange) -> Result<(), ConnectorError> {
        Err(ConnectorError::Rejected(
            "a work list has no entitlements; map them to a list attribute".to_owned(),
        ))
    }

    async fn delete(&self, id: &AccountId) -> Result<(), ConnectorError> {
        if self.view(&id.0).is_none() {
            return Ok(());
        }
        Err(self.hand(Kind::Delete, &id.0, Vec::new())?)
    }

    fn foresees(&self) -> Option<jiff::SignedDuration> {
        self.settings.foresee
    }

    async fn foresee(&self, id: &AccountId, at: Timestamp) -> Result<(), ConnectorError> {
        let ends = |task: &Task| task.account == id.0 && task.kind <= Kind::Delete;
        if self.view(&id.0).is_none_or(|known| !known.active) || self.handed().iter().any(ends) {
            return Ok(());
        }
        let _waits = self.hand(Kind::Disable, &id.0, Vec::new())?;
        if let Some(task) = self.handed().last_mut() {
            let moment = at.strftime("%Y-%m-%d %H:%M UTC").to_string();
            task.notes.push(format!(
                "The access ends at {moment}: do it then, not earlier."
            ));
            task.due = Some(moment);
        }
        Ok(())
    }

    /// Writes down what was handed out, what the export has confirmed, and what is no longer wanted.
    async fn finish(&self, now: Timestamp, whole: bool) -> Result<(), ConnectorError> {
        if whole {
            self.renew(now)?;
        }
        let handed = std::mem::take(&mut *self.handed());
        book::change(&self.settings.path, |book| {
            for task in &mut book.tasks {
                let again = handed.iter().any(|other| other.id == task.id);
                if task.is_open() && !again && self.is_so(task) {
                    let at = self.export.as_ref().map_or(now, |export| export.as_of);
                    task.standing = Standing::Verified { at };
                } else if task.is_open() && !again && whole {
                    task.standing = Standing::Withdrawn { at: now };
                }
            }
            for mut task in handed {
                let old = book.tasks.iter().position(|other| other.id == task.id);
                let old = old.map(|at| book.tasks.remove(at));
                // Ticked off while this run was under way: that counts.
                if let Some(old) = old {
                    task.since = old.since;
                    if let Standing::Ticked { .. } = old.standing {
                        task.standing = old.standing;
                    }
                }
                task.since = task.since.or(Some(now));
                book.tasks.push(task);
            }
            // What an export showed while an account was in use is what must come back after it was disabled.
            for (id, known) in self
                .everybody()
                .into_iter()
                .filter(|(_, known)| known.active)
            {
                let newer = book
                    .accounts
                    .get(&id)
                    .is_none_or(|old| old.as_of < known.as_of);
                if newer {
                    book.accounts.insert(id, known);
                }
            }
            publish(&self.settings, book, now)
        })
    }
}
