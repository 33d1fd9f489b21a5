//! Dates that belong to single attributes: from when something counts, and until when. What ends by itself is renewed
//! before it does, but never beyond the known end of the access.

use jiff::Timestamp;
use jiff::civil::Date;

use super::WorkList;
use super::ahead::Ends;
use super::book::{Field, Kind, Known, Task};
use crate::model::Value;
use crate::target::ConnectorError;
use crate::target::settings::Dated;

/// The day of a moment.
fn day(at: Timestamp) -> Date {
    at.to_zoned(jiff::tz::TimeZone::UTC).date()
}

fn later(date: Date, days: i32) -> Date {
    date.checked_add(jiff::Span::new().days(days))
        .unwrap_or(Date::MAX)
}

fn date(value: Option<&Value>) -> Option<Date> {
    value.and_then(|value| value.to_string().parse().ok())
}

impl WorkList {
    /// Adds the dates to the tasks that enter something which has dates of its own.
    pub(super) fn enter_dates(&self, now: Timestamp, ends: &Ends) {
        let today = day(now);
        let mut handed = self.handed();
        for task in handed.iter_mut() {
            let known = self.view(&task.account);
            for dated in &self.settings.dated {
                let entered = task.field(&dated.attribute);
                let entered = entered.is_some_and(|field| field.after.is_some());
                let begins = task.not_before.map_or(today, day);
                match task.kind {
                    Kind::Create | Kind::Change if entered => {
                        self.begin(task, dated, begins, known.as_ref());
                        self.end(task, dated, begins, known.as_ref(), ends);
                    }
                    // Whoever comes back may have been away when a date passed.
                    Kind::Enable => self.end(task, dated, begins, known.as_ref(), ends),
                    Kind::Create | Kind::Change | Kind::Disable | Kind::Delete | Kind::Renew => {}
                }
            }
        }
    }

    fn begin(&self, task: &mut Task, dated: &Dated, begins: Date, known: Option<&Known>) {
        let Some(name) = &dated.from else { return };
        let asked = self.asked(task, name);
        let after = asked.or_else(|| Value::text(&begins.to_string()));
        enter(task, name, after, known);
    }

    fn end(
        &self,
        task: &mut Task,
        dated: &Dated,
        begins: Date,
        known: Option<&Known>,
        ends: &Ends,
    ) {
        let Some(name) = &dated.until else { return };
        let now = known.and_then(|known| known.attributes.get(name));
        let lasts = date(now).is_some_and(|until| until > later(begins, dated.ahead));
        if task.kind == Kind::Enable && lasts {
            return;
        }
        let end = ends.get(&task.account).map(|at| day(*at));
        let after = match end {
            Some(end) => Value::text(&end.min(later(begins, dated.by)).to_string()),
            None if lasts => now.cloned(),
            None => self
                .asked(task, name)
                .or_else(|| Value::text(&later(begins, dated.by).to_string())),
        };
        enter(task, name, after, known);
    }

    /// What an open task asked for before: it stays as it was asked for, whatever day it is now.
    fn asked(&self, task: &Task, name: &str) -> Option<Value> {
        let old = self.book.tasks.iter().find(|old| old.id == task.id);
        let field = old.filter(|old| old.is_open())?.field(name)?;
        field.after.clone()
    }

    /// Dates that come near are moved, for accounts that are in use: one task for each account.
    pub(super) fn renew(&self, now: Timestamp, ends: &Ends) -> Result<(), ConnectorError> {
        let today = day(now);
        for (id, known) in self.everybody() {
            let ending = |task: &Task| {
                task.account == id && task.kind < Kind::Change && task.not_before.is_none()
            };
            if !known.active || self.handed().iter().any(ending) {
                continue;
            }
            let end = ends.get(&id).map(|at| day(*at));
            let due: Vec<(&String, Option<Date>, Date)> = self
                .settings
                .dated
                .iter()
                .filter_map(|dated| {
                    let (name, until) = self.due(dated, &id, &known, today, end)?;
                    let next = later(today, dated.by);
                    Some((name, until, end.map_or(next, |end| end.min(next))))
                })
                .collect();
            if due.is_empty() {
                continue;
            }
            let fields = due.iter().map(|(name, _, next)| Field {
                name: (*name).clone(),
                before: known.attributes.get(*name).cloned(),
                after: end
                    .is_none()
                    .then(|| self.renewed(&id, name, &known))
                    .flatten()
                    .or_else(|| Value::text(&next.to_string())),
            });
            let mut task = self.task(Kind::Renew, &id, fields.collect());
            self.prepare(&mut task)?;
            let first = due.iter().filter_map(|(_, until, _)| *until).min();
            task.due = first.map(|date| date.to_string());
            self.put(task);
        }
        Ok(())
    }

    /// The end date of something that an account has, if it must be moved now.
    fn due<'a>(
        &self,
        dated: &'a Dated,
        id: &str,
        known: &Known,
        today: Date,
        end: Option<Date>,
    ) -> Option<(&'a String, Option<Date>)> {
        let name = dated.until.as_ref()?;
        let until = date(known.attributes.get(name));
        let entered = |task: &Task| task.account == id && task.field(name).is_some();
        let has = known.attributes.contains_key(&dated.attribute);
        let near = match until {
            Some(until) => until <= later(today, dated.ahead) && end.is_none_or(|end| until < end),
            // Nobody knows when it ends: a date must be entered.
            None => has,
        };
        (near && !self.handed().iter().any(entered)).then_some((name, until))
    }

    /// A renewal asked for earlier stays as it was asked for.
    fn renewed(&self, id: &str, name: &str, known: &Known) -> Option<Value> {
        let mut open = self
            .book
            .tasks
            .iter()
            .filter(|task| task.is_open() && task.kind == Kind::Renew && task.account == id);
        let field = open.find_map(|task| task.field(name))?;
        let same = field.before.as_ref() == known.attributes.get(name);
        field.after.clone().filter(|_| same)
    }

    /// Whether a field is one of the dates that belong to an attribute.
    pub(super) fn is_date(&self, name: &str) -> bool {
        let mut dates = self.settings.dated.iter().flat_map(Dated::dates);
        dates.any(|date| date == name)
    }
}

/// Whether a date was moved, whatever day exactly was entered.
pub(super) fn is_moved(field: &Field, known: &Known) -> bool {
    let now = date(known.attributes.get(&field.name));
    now.is_some() && now > date(field.before.as_ref())
}

fn enter(task: &mut Task, name: &str, after: Option<Value>, known: Option<&Known>) {
    if task.field(name).is_none() {
        task.fields.push(Field {
            name: name.to_owned(),
            before: known.and_then(|known| known.attributes.get(name).cloned()),
            after,
        });
    }
}
