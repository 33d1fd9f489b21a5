//! What makes a task ready for a person: the licences it needs, what must be entered again, and what was ticked off wrongly.

use std::collections::BTreeSet;

use super::book::{Kind, Standing, Task};
use super::{WorkList, seats};
use crate::target::ConnectorError;

impl WorkList {
    /// Makes a task ready.
    ///
    /// # Errors
    /// [`ConnectorError::Exhausted`] if there is no licence for it; the rest is ready then.
    pub(super) fn prepare(&self, task: &mut Task) -> Result<(), ConnectorError> {
        self.remember_stripped(task);
        self.contradicted(task);
        let handed = self.handed();
        self.licences(task, &handed)
    }

    /// Which counted licences a task takes and gives back, and which tasks must come before it.
    pub(super) fn licences(&self, task: &mut Task, handed: &[Task]) -> Result<(), ConnectorError> {
        let Some(licences) = &self.settings.licences else {
            return Ok(());
        };
        let view = self.view(&task.account);
        let held = view
            .as_ref()
            .map(|known| seats::held(known, licences))
            .unwrap_or_default();
        let field = task
            .fields
            .iter()
            .find(|field| field.name == licences.attribute);
        let wanted = match (task.kind, field) {
            (Kind::Disable | Kind::Delete, _) => BTreeSet::new(),
            (Kind::Enable, _) => view
                .map(|known| seats::named(known.attributes.get(&licences.attribute)))
                .unwrap_or_default(),
            (_, Some(field)) => seats::named(field.after.as_ref()),
            (_, None) => held.clone(),
        };
        task.takes = wanted.difference(&held).cloned().collect();
        task.frees = held.difference(&wanted).cloned().collect();
        let all = self.everybody();
        task.after = seats::wait_for(&task.takes, licences, all.values(), handed)?;
        for licence in &task.takes {
            task.notes
                .push(format!("Add exactly this licence: {licence}."));
        }
        for licence in &task.frees {
            task.notes.push(format!("This frees a licence: {licence}."));
        }
        Ok(())
    }

    /// Disabling strips some fields: enabling must put them back, so the task names them.
    pub(super) fn remember_stripped(&self, task: &mut Task) {
        let Some(known) = self
            .view(&task.account)
            .filter(|_| task.kind == Kind::Enable)
        else {
            return;
        };
        for name in &self.settings.stripped {
            if let Some(value) = known.attributes.get(name) {
                task.notes.push(format!(
                    "Disabling removed this; enter it again: {name} = {value}."
                ));
            }
        }
    }

    /// Whether the same was ticked off before and the export does not show it.
    pub(super) fn contradicted(&self, task: &mut Task) {
        let of_it: Vec<&Task> = {
            let all = self.book.tasks.iter();
            all.filter(|old| old.account == task.account).collect()
        };
        let before = of_it.iter().enumerate().rev().find_map(|(n, old)| {
            let Standing::Ticked { by, at } = &old.standing else {
                return None;
            };
            // What was ticked off before something else was confirmed is history.
            let since = of_it.get(n + 1..).unwrap_or_default();
            let history = since.iter().any(|later| replaces(later, old));
            (asks_the_same(old, task) && !history).then_some((by, at))
        });
        let shown = self.export.as_ref().map(|export| export.as_of);
        let before = before.filter(|(_, at)| shown.is_some_and(|shown| shown > **at));
        if let Some((by, at)) = before {
            let day = at.strftime("%Y-%m-%d");
            task.notes.push(format!(
                "{by} ticked this off on {day}, but the application's export does not show it."
            ));
        }
    }
}

/// Whether a task asked for everything that another one asks for.
fn asks_the_same(old: &Task, task: &Task) -> bool {
    let mut fields = task.fields.iter();
    old.kind == task.kind
        && fields.all(|field| {
            let before = old.field(&field.name);
            before.is_some_and(|before| before.after == field.after)
        })
}

/// Whether a task that was confirmed after another one makes that one history.
fn replaces(later: &Task, old: &Task) -> bool {
    let undone = match old.kind {
        Kind::Disable | Kind::Delete => matches!(later.kind, Kind::Enable | Kind::Create),
        Kind::Create | Kind::Enable => matches!(later.kind, Kind::Disable | Kind::Delete),
        Kind::Change | Kind::Renew => {
            let mut fields = old.fields.iter();
            fields.any(|field| later.field(&field.name).is_some())
        }
    };
    undone && later.confirmed_at().is_some()
}
