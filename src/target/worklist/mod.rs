//! The work list: for an application without any interface. Each change becomes a task for the application's administrator.
//!
//! Nothing counts as done because it was asked for. A task is confirmed when somebody ticks it off, or when the
//! application's next export shows it; until then every run hands the same task out again, under the same id.
//! What is no longer wanted is withdrawn. This connector decides nothing but the order of tasks that need one another's
//! licences.

mod ahead;
mod book;
mod dates;
mod export;
mod letter;
mod order;
mod ready;
mod render;
mod seats;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use jiff::Timestamp;

pub use self::book::{Kind, Standing, Task};
pub use self::letter::{Bulletin, bulletin};

use self::ahead::Event;
use self::book::{Book, Field, Known};
use self::export::Export;
use self::order::in_order;
use super::connector::{AccountReader, AccountWriter, Coming, ConnectorError, Finding};
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
    coming: Mutex<Vec<Event>>,
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
            coming: Mutex::new(Vec::new()),
        })
    }

    fn handed(&self) -> MutexGuard<'_, Vec<Task>> {
        self.handed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn coming(&self) -> MutexGuard<'_, Vec<Event>> {
        self.coming.lock().unwrap_or_else(PoisonError::into_inner)
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

    /// A task as it comes up.
    fn task(&self, kind: Kind, id: &str, fields: Vec<Field>) -> Task {
        Task {
            id: self.book.id_of(kind, id, &fields),
            kind,
            account: id.to_owned(),
            notes: Vec::new(),
            after: Vec::new(),
            takes: BTreeSet::new(),
            frees: BTreeSet::new(),
            due: None,
            not_before: None,
            since: None,
            standing: Standing::Open,
            fields,
        }
    }

    /// Puts a task on the list, unless it is there.
    fn put(&self, task: Task) {
        let mut handed = self.handed();
        if !handed.iter().any(|other| other.id == task.id) {
            handed.push(task);
        }
    }

    /// Asks a person for something. The answer is always that it waits for a person, or that it cannot be done.
    fn hand(
        &self,
        kind: Kind,
        id: &str,
        fields: Vec<Field>,
    ) -> Result<ConnectorError, ConnectorError> {
        let mut task = self.task(kind, id, fields);
        self.prepare(&mut task)?;
        let words = format!(
            "task {} is on the work list: {} {id}",
            task.id,
            kind.as_str()
        );
        self.put(task);
        Ok(ConnectorError::Handed(words))
    }

    /// Whether what a task asks for is confirmed.
    fn is_so(&self, task: &Task) -> bool {
        let view = self.view(&task.account);
        let holds = |known: &Known| {
            // A person may enter another day than was proposed.
            let mut fields = task
                .fields
                .iter()
                .filter(|field| !self.is_date(&field.name));
            fields.all(|field| known.attributes.get(&field.name) == field.after.as_ref())
        };
        let moved = |known: &Known| {
            let mut fields = task.fields.iter();
            fields.all(|field| dates::is_moved(field, known))
        };
        match (task.kind, view) {
            (Kind::Delete, view) => view.is_none(),
            (_, None) => false,
            (Kind::Disable, Some(known)) => !known.active,
            (Kind::Enable, Some(known)) => known.active,
            (Kind::Create, Some(_)) => true,
            (Kind::Change, Some(known)) => holds(&known),
            (Kind::Renew, Some(known)) => moved(&known),
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
        let Some(id) = self.id_of(draft) else {
            return Err(ConnectorError::Rejected(format!(
                "a new account needs \"{}\", by which it is known",
                self.settings.id
            )));
        };
        if self.view(&id.0).is_some() {
            return Err(ConnectorError::Conflict(format!(
                "there is an account {id}"
            )));
        }
        Err(self.hand(Kind::Create, &id.0, Self::fields(draft))?)
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
        self.horizon()
    }

    async fn foresee(&self, what: Coming<'_>, at: Timestamp) -> Result<(), ConnectorError> {
        self.note_coming(what, at);
        Ok(())
    }

    /// Writes down what was handed out, what the export has confirmed, and what is no longer wanted.
    async fn finish(&self, now: Timestamp, whole: bool) -> Result<(), ConnectorError> {
        let ends = self.list_coming(now)?;
        self.enter_dates(now, &ends);
        if whole {
            self.renew(now, &ends)?;
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
                    // Its time has come, and it was not done then: the list says how late it is.
                    let came = old.not_before.is_none_or(|at| at <= now);
                    if old.is_open() && came && task.due.is_none() {
                        task.due = old.due;
                    }
                    if let Standing::Ticked { .. } = old.standing {
                        task.standing = old.standing;
                    }
                }
                task.since = task.since.or(Some(now));
                book.tasks.push(task);
            }
            // What an export showed stays known should there be none the next time, and with it what disabling strips.
            for (id, known) in self.everybody() {
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
