//! How an account's attributes differ from what is wanted, and which differences are left standing.

use std::collections::{BTreeMap, BTreeSet};

use super::DriftPolicy;
use super::desired::{Desired, Want};
use super::diff::{Case, Decision};
use super::mapping::{Apply, Compare, Rule};
use super::situation::fold;
use crate::model::{AccountId, Action, AttributeChange, Reason, Value};

/// Plans an update where attributes differ.
pub(super) fn update(
    case: &Case<'_>,
    account: &AccountId,
    desired: &Desired,
    reason: Reason,
    decision: &mut Decision,
) {
    let empty = BTreeMap::new();
    let current = super::unique::current(case.live, case.shadow()).unwrap_or(&empty);
    let mut changes = Vec::new();
    let mut drift = true;
    let rules = case.situation.mapping.rules().iter();
    for (rule, want) in rules.zip(&desired.attributes) {
        let Some(change) = difference(rule, want, current) else {
            continue;
        };
        if let Some(remark) = standing(rule, &change, case) {
            case.notice(decision, &remark);
            continue;
        }
        // Drift is what differs although we had confirmed exactly what is wanted.
        drift &= case.live.is_some()
            && case.shadow().is_some_and(|s| {
                s.account.is_some() && s.attributes.get(&rule.name) == change.after.as_ref()
            });
        changes.push(change);
    }
    if changes.is_empty() {
        return;
    }
    if drift && case.situation.rules.drift == DriftPolicy::Report {
        let names: Vec<&str> = changes.iter().map(|c| c.name.as_str()).collect();
        return case.notice(
            decision,
            &format!("changed in the application: {}", names.join(", ")),
        );
    }
    let mut change = case.change(Action::Update, if drift { Reason::Drift } else { reason });
    change.account = Some(account.clone());
    change.attributes = changes;
    decision.changes.push(change);
}

/// How one attribute differs from what is wanted, if it does.
fn difference(
    rule: &Rule,
    want: &Want,
    current: &BTreeMap<String, Value>,
) -> Option<AttributeChange> {
    if rule.apply == Apply::OnCreate {
        return None;
    }
    let before = current.get(&rule.name);
    let after = match want {
        Want::Value(value, _) => Some(value),
        Want::Clear => None,
        Want::Leave => return None,
    };
    if same(rule.compare, before, after) {
        return None;
    }
    Some(AttributeChange {
        name: rule.name.clone(),
        before: before.cloned(),
        after: after.cloned(),
        identifier: rule.unique,
    })
}

fn same(compare: Compare, a: Option<&Value>, b: Option<&Value>) -> bool {
    if a == b {
        return true;
    }
    match (a, b, compare) {
        (Some(a), Some(b), Compare::IgnoreCase) => match (a, b) {
            (Value::Set(a), Value::Set(b)) => {
                let folded =
                    |set: &BTreeSet<String>| set.iter().map(|v| fold(v)).collect::<BTreeSet<_>>();
                folded(a) == folded(b)
            }
            (a, b) => fold(&a.to_string()) == fold(&b.to_string()),
        },
        // One value and a set of just that value are the same thing, whichever way a target returns it.
        (Some(Value::Set(set)), Some(Value::Text(text)), Compare::Exact)
        | (Some(Value::Text(text)), Some(Value::Set(set)), Compare::Exact) => {
            set.len() == 1 && set.contains(text)
        }
        (_, _, Compare::Exact | Compare::IgnoreCase) => false,
    }
}

/// A difference that is left standing, as a remark.
fn standing(rule: &Rule, change: &AttributeChange, case: &Case<'_>) -> Option<String> {
    let wanted = change
        .after
        .as_ref()
        .map_or_else(|| "nothing".to_owned(), ToString::to_string);
    if rule.immutable {
        return Some(format!(
            "{} is immutable and stays as it is; the directory now says {wanted}",
            rule.name
        ));
    }
    let unkept = case.shadow().and_then(|s| s.unkept.get(&rule.name))?;
    (*unkept == change.after).then(|| {
        format!(
            "the application did not keep {} = {wanted}; not sent again",
            rule.name
        )
    })
}
