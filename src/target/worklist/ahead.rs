//! What is on the list before its time: accesses that end or begin at a moment that is known already.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::WorkList;
use super::book::{Field, Kind};
use crate::model::{AccountDraft, AccountId};
use crate::target::{Coming, ConnectorError};

/// Something that time alone brings.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct Event {
    kind: Kind,
    account: String,
    fields: Vec<Field>,
    at: Timestamp,
}

/// The accounts whose access ends, and when.
pub(super) type Ends = BTreeMap<String, Timestamp>;

impl WorkList {
    /// How far ahead to look: what people want to know, and what the renewing of dates must know.
    pub(super) fn horizon(&self) -> Option<jiff::SignedDuration> {
        let renewing = self.settings.dated.iter().filter(|d| d.until.is_some());
        let days = renewing.map(|dated| i64::from(dated.by)).max();
        let renewing = days.map(|days| jiff::SignedDuration::from_hours(24 * (days + 1)));
        self.settings.foresee.max(renewing)
    }

    /// Remembers what comes, until the end of the run.
    pub(super) fn note_coming(&self, what: Coming<'_>, at: Timestamp) {
        let event = |kind, id: &AccountId, fields| Event {
            kind,
            account: id.0.clone(),
            fields,
            at,
        };
        let event = match what {
            Coming::Ends(id) => event(Kind::Disable, id, Vec::new()),
            Coming::Begins(id) => event(Kind::Enable, id, Vec::new()),
            Coming::Joins(draft) => match self.id_of(draft) {
                Some(id) => event(Kind::Create, &id, Self::fields(draft)),
                None => return,
            },
        };
        self.coming().push(event);
    }

    /// Puts on the list what is near enough. Says whose access ends, near or not.
    pub(super) fn list_coming(&self, now: Timestamp) -> Result<Ends, ConnectorError> {
        let coming = std::mem::take(&mut *self.coming());
        let near = self.settings.foresee.map(|ahead| {
            let near = now.checked_add(ahead);
            near.unwrap_or(Timestamp::MAX)
        });
        let mut ends = Ends::new();
        for event in coming {
            if event.kind == Kind::Disable {
                ends.insert(event.account.clone(), event.at);
            }
            if near.is_some_and(|near| event.at <= near) && self.is_news(&event) {
                self.hand_ahead(event)?;
            }
        }
        Ok(ends)
    }

    /// Whether an event changes what is confirmed, and nothing of its kind is to be done already.
    fn is_news(&self, event: &Event) -> bool {
        let view = self.view(&event.account);
        let changes = match event.kind {
            Kind::Disable => view.is_some_and(|known| known.active),
            Kind::Enable => view.is_some_and(|known| !known.active),
            Kind::Create | Kind::Delete | Kind::Change | Kind::Renew => view.is_none(),
        };
        let ends = event.kind == Kind::Disable;
        let asked = self.handed().iter().any(|task| {
            let same = task.kind == event.kind || (ends && task.kind == Kind::Delete);
            task.account == event.account && same
        });
        changes && !asked
    }

    fn hand_ahead(&self, event: Event) -> Result<(), ConnectorError> {
        let moment = event.at.strftime("%Y-%m-%d %H:%M UTC").to_string();
        let mut task = self.task(event.kind, &event.account, event.fields);
        match self.prepare(&mut task) {
            // Known ahead of time, it can still be ordered.
            Err(ConnectorError::Exhausted(why)) => {
                task.notes.push(format!("As things are, {why}."));
            }
            prepared => prepared?,
        }
        let what = match task.kind {
            Kind::Disable | Kind::Delete => "The access ends",
            Kind::Create | Kind::Enable | Kind::Change | Kind::Renew => "The access begins",
        };
        task.notes
            .push(format!("{what} at {moment}: do it then, not earlier."));
        task.due = Some(moment);
        task.not_before = Some(event.at);
        self.put(task);
        Ok(())
    }

    /// The account that a draft is for.
    pub(super) fn id_of(&self, draft: &AccountDraft) -> Option<AccountId> {
        let id = draft.attributes.get(&self.settings.id)?;
        Some(AccountId(id.to_string()))
    }

    /// What a new account is to have.
    pub(super) fn fields(draft: &AccountDraft) -> Vec<Field> {
        let wanted = draft.attributes.iter();
        wanted
            .map(|(name, value)| Field {
                name: name.clone(),
                before: None,
                after: Some(value.clone()),
            })
            .collect()
    }
}
