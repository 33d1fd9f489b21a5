//! What makes a task ready for a person: the licences it needs, what must be entered again, and end dates that come near.

use std::collections::BTreeSet;

use jiff::Timestamp;
use jiff::civil::Date;

use super::book::{Field, Kind, Standing, Task};
use super::{WorkList, seats};
use crate::model::Value;
use crate::target::ConnectorError;

impl WorkList {
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
        let before = self
            .book
            .tasks
            .iter()
            .rev()
            .find_map(|old| match &old.standing {
                Standing::Ticked { by, at }
                    if old.kind == task.kind
                        && old.account == task.account
                        && old.fields == task.fields =>
                {
                    Some((by, at))
                }
                Standing::Open
                | Standing::Ticked { .. }
                | Standing::Verified { .. }
                | Standing::Withdrawn { .. } => None,
            });
        if let Some((by, at)) = before {
            let day = at.strftime("%Y-%m-%d");
            task.notes.push(format!(
                "{by} ticked this off on {day}, but the application's export does not show it."
            ));
        }
    }

    /// End dates that come near are moved, for accounts that are in use.
    pub(super) fn renew(&self, now: Timestamp) -> Result<(), ConnectorError> {
        let Some(renew) = &self.settings.renew else {
            return Ok(());
        };
        let today = now.to_zoned(jiff::tz::TimeZone::UTC).date();
        let day = |days: i32| jiff::Span::new().days(days);
        for (id, known) in self.everybody() {
            let ends = known
                .attributes
                .get(&renew.attribute)
                .map(ToString::to_string);
            let Some(ends) = ends
                .and_then(|text| text.parse::<Date>().ok())
                .filter(|_| known.active)
            else {
                continue;
            };
            let (Ok(limit), Ok(next)) = (
                today.checked_add(day(renew.ahead)),
                today.checked_add(day(renew.by)),
            ) else {
                continue;
            };
            let disabling = |task: &Task| task.account == id && task.kind < Kind::Change;
            if ends > limit || self.handed().iter().any(disabling) {
                continue;
            }
            let field = Field {
                name: renew.attribute.clone(),
                before: known.attributes.get(&renew.attribute).cloned(),
                after: Value::text(&next.to_string()),
            };
            // A renewal asked for earlier stays as it was asked for, whatever day it is now.
            let open = self.book.tasks.iter().find(|task| {
                task.is_open()
                    && task.kind == Kind::Renew
                    && task.account == id
                    && task
                        .fields
                        .first()
                        .is_some_and(|f| f.before == field.before)
            });
            let fields = open.map_or_else(|| vec![field], |task| task.fields.clone());
            let _waits = self.hand(Kind::Renew, &id, fields)?;
            if let Some(task) = self.handed().last_mut() {
                task.due = Some(ends.to_string());
            }
        }
        Ok(())
    }
}
