//! What earlier passes of the same run found out: who was created, and which names the application refused because
//! somebody has them whom it does not show.
//!
//! Nobody takes such an account over. The next pass gives the next alternative of the mapping; where there is none, the
//! refusal stands as it is. Nothing of this is kept: the next run asks the application again.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::result::{ChangeResult, ChangeStatus, TargetReport};
use crate::model::{Action, Anchor, Change, Notice, Value};
use crate::reconcile::mapping::Mapping;
use crate::reconcile::{Reconciled, name_of};

/// So many passes are made because of refused names: one more than there are alternatives usually.
const TRIES: usize = 12;

/// A change that the application refused because a unique value is somebody's already.
#[derive(Clone, Debug)]
pub(super) struct Conflict {
    /// What was to be done.
    pub change: Arc<Change>,
    /// What the application said.
    pub said: String,
}

/// What the passes before this one found out.
#[derive(Debug, Default)]
pub(super) struct Earlier {
    /// Whose accounts were created or linked.
    pub created: BTreeSet<Anchor>,
    refused: BTreeMap<(String, String), Refused>,
    /// Whose changes failed: for them this run is over.
    failed: BTreeSet<Anchor>,
    passes: usize,
}

/// A name that was refused, and to whom.
#[derive(Debug)]
struct Refused {
    change: Arc<Change>,
    value: Value,
}

impl Earlier {
    /// Whether this is the first pass.
    pub(super) fn is_none(&self) -> bool {
        self.passes == 0
    }

    /// The names that nobody can have now, in the form in which uniqueness is judged.
    pub(super) fn taken(&self) -> BTreeSet<(String, String)> {
        self.refused.keys().cloned().collect()
    }

    /// Takes over what a pass found out. Says whether another one is worth while: because somebody waits for the account
    /// of somebody who has one now, because there is another name to try, or because somebody waits for a licence and one
    /// may have come free since.
    pub(super) fn learn(
        &mut self,
        report: &TargetReport,
        conflicts: &[Conflict],
        mapping: &Mapping,
    ) -> bool {
        self.passes += 1;
        let plan = report.plan.as_ref();
        let pending = plan.is_some_and(|plan| !plan.pending.is_empty());
        let waits = pending && made(report).next().is_some();
        self.failed.extend(failed(report));
        let before = self.refused.len();
        for Conflict { change, said } in conflicts {
            if let Some((name, value)) = refused(change, said, mapping) {
                let (change, value) = (Arc::clone(change), value.clone());
                self.failed.remove(&change.anchor);
                self.refused.insert(name, Refused { change, value });
            }
        }
        let tries = self.refused.len() > before && self.passes < TRIES;
        let again = waits || tries || (self.passes < TRIES && freed(report));
        if again {
            // Who was created is asked about in the passes to come only.
            self.created.extend(made(report).cloned());
        }
        again
    }

    /// Leaves those alone whose changes failed in a pass before: what was refused is not asked again in the same run.
    /// They stay unsettled, and the next run decides about them.
    pub(super) fn spare(&self, decided: &mut Reconciled) {
        let failed = &self.failed;
        decided.plan.changes.retain(|c| !failed.contains(&c.anchor));
        decided
            .settled
            .retain(|(anchor, _)| !failed.contains(anchor));
    }

    /// Tells people which names were refused.
    pub(super) fn tell(&self, report: &mut TargetReport) {
        let Some(plan) = &mut report.plan else { return };
        for ((attribute, _), refused) in &self.refused {
            plan.notices.push(Notice {
                anchor: refused.change.anchor.clone(),
                label: refused.change.label.clone(),
                what: format!(
                    "the application refused {attribute} = {} as taken, and shows nobody who has it; the next alternative of the mapping was tried",
                    refused.value
                ),
            });
        }
    }
}

/// Which unique value of a change was refused, if the mapping has another one to try. Where several could be meant, the
/// one that the application named.
fn refused<'a>(
    change: &'a Change,
    said: &str,
    mapping: &Mapping,
) -> Option<((String, String), &'a Value)> {
    let unique: BTreeSet<&str> = mapping
        .rules()
        .iter()
        .filter(|rule| rule.unique)
        .map(|rule| rule.name.as_str())
        .collect();
    let said = said.to_lowercase();
    // "E-mail", "user name" and "first_name" are written in several ways.
    let plain = said.replace(['-', '_'], "");
    let words = plain.split(|c: char| !c.is_alphanumeric());
    let words: BTreeSet<&str> = words
        .chain(said.split(|c: char| !c.is_alphanumeric()))
        .collect();
    let named = |name: &str| {
        let name = name.to_lowercase();
        words.contains(name.as_str()) || words.contains(name.replace(['-', '_'], "").as_str())
    };
    let some_named = change.attributes.iter().any(|a| named(&a.name));
    let sent: Vec<(&str, &Value)> = change
        .attributes
        .iter()
        .filter(|attribute| unique.contains(attribute.name.as_str()))
        .filter_map(|attribute| Some((attribute.name.as_str(), attribute.after.as_ref()?)))
        .collect();
    let mut meant = sent.iter().filter(|(name, value)| match some_named {
        true => named(name),
        false => sent.len() == 1 || said.contains(&value.to_string().to_lowercase()),
    });
    let (name, value) = meant.next()?;
    let only = meant.next().is_none();
    let others = mapping.with_alternatives().any(|other| other == *name);
    (only && others).then(|| (name_of(name, value), *value))
}

/// Whose changes failed in a pass. An outcome that nobody knows is another thing: it is read before anything is decided.
fn failed(report: &TargetReport) -> impl Iterator<Item = Anchor> {
    let failed = |result: &&ChangeResult| {
        matches!(
            result.status,
            ChangeStatus::Failed(_) | ChangeStatus::Partly(_)
        )
    };
    let results = report.results.iter().filter(failed);
    results.map(|result| result.change.anchor.clone())
}

/// Whose accounts were created or linked in a pass.
fn made(report: &TargetReport) -> impl Iterator<Item = &Anchor> {
    report
        .results
        .iter()
        .filter(|result| matches!(result.change.action, Action::Create | Action::Link))
        .filter(|result| {
            matches!(
                result.status,
                ChangeStatus::Done | ChangeStatus::DoneWith(_) | ChangeStatus::Partly(_)
            )
        })
        .map(|result| &result.change.anchor)
}

/// Whether somebody waits for a licence, and something was made, or asked for, after which one may be free. Leavers are not
/// counted: they came before anybody asked for a licence.
fn freed(report: &TargetReport) -> bool {
    let waits = |result: &ChangeResult| matches!(result.status, ChangeStatus::Waiting(_));
    let frees = |result: &ChangeResult| match result.change.action {
        Action::Update => !result.change.attributes.is_empty(),
        Action::Entitle => !result.change.revoke.is_empty(),
        Action::Suspend(_)
        | Action::Delete
        | Action::Link
        | Action::Create
        | Action::Reactivate(_) => false,
    };
    let moved = |result: &ChangeResult| {
        result.is_made() || matches!(result.status, ChangeStatus::Handed(_))
    };
    report.results.iter().any(waits) && report.results.iter().any(|r| moved(r) && frees(r))
}

/// Takes out of a report what a later pass did over again.
pub(super) fn replace(first: &mut TargetReport, second: &TargetReport) {
    let again: BTreeSet<(&Anchor, &str)> = second
        .results
        .iter()
        .map(|result| (&result.change.anchor, result.change.action.as_str()))
        .collect();
    let mut gone: BTreeSet<(Anchor, &'static str)> = BTreeSet::new();
    first.results.retain(|result| {
        let key = (&result.change.anchor, result.change.action.as_str());
        let stays = result.is_made() || !again.contains(&key);
        if !stays {
            gone.insert((result.change.anchor.clone(), key.1));
        }
        stays
    });
    if let Some(plan) = &mut first.plan {
        plan.changes
            .retain(|change| !gone.contains(&(change.anchor.clone(), change.action.as_str())));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{AttributeChange, Reason};

    const MAPPING: &str = "version = 1\napplication = \"App\"\n[[match]]\naccount = \"login\"\nvalue = \"{{ uid }}\"\n\
        [attributes.login]\nvalue = \"{{ uid }}\"\nalternatives = [\"{{ uid }}{{ n }}\"]\nunique = true\n\
        [attributes.badge]\nvalue = \"{{ employeeNumber }}\"\nunique = true\n";

    fn change(attributes: &[(&str, &str)]) -> Change {
        let mut change = Change::new(
            Anchor::new("a").unwrap(),
            "A".to_owned(),
            Action::Create,
            Reason::Joiner,
        );
        for (name, value) in attributes {
            change.attributes.push(AttributeChange {
                name: (*name).to_owned(),
                before: None,
                after: Value::text(value),
                identifier: false,
            });
        }
        change
    }

    fn named(attributes: &[(&str, &str)], said: &str) -> Option<String> {
        let mapping = Mapping::compile(MAPPING).unwrap();
        refused(&change(attributes), said, &mapping).map(|(name, _)| name.0)
    }

    #[test]
    fn the_only_unique_value_is_meant_whatever_was_said() {
        assert_eq!(
            named(&[("login", "ada")], "taken").as_deref(),
            Some("login")
        );
        assert_eq!(
            named(&[("badge", "7")], "taken"),
            None,
            "nothing else to try"
        );
        assert_eq!(named(&[("mail", "x")], "taken"), None, "not unique");
        let mail = [("login", "ada"), ("mail", "ada@example.com")];
        assert_eq!(named(&mail, "it is taken").as_deref(), Some("login"));
        assert_eq!(
            named(&mail, "{\"mail\":\"is in use\"}"),
            None,
            "another one"
        );
        for said in ["The E-Mail address is in use", "e_mail: taken"] {
            assert_eq!(named(&[("login", "ada"), ("email", "x")], said), None);
        }
    }

    #[test]
    fn of_several_only_the_one_that_was_named_is_meant() {
        let both = [("login", "ada"), ("badge", "4711")];
        assert_eq!(named(&both, "taken"), None);
        assert_eq!(named(&both, "ADA is in use").as_deref(), Some("login"));
        assert_eq!(named(&both, "badge 4711 is in use"), None);
        assert_eq!(
            named(&both, "the Login is in use").as_deref(),
            Some("login")
        );
        assert_eq!(named(&both, "login ada or badge 4711"), None);
    }
}
