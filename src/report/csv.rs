//! A plan as a table for spreadsheets: one line per attribute, entitlement, step or letter, safe against formulas.
//!
//! A spreadsheet runs what begins with `=`, `+`, `-`, `@`, a tab or a line break. Such a cell gets an apostrophe in front,
//! which a spreadsheet takes as "this is text". Characters that cannot be seen are written out.

use crate::model::{Change, Letter, Plan, Value};

use super::{safe, text};

/// The columns.
const HEADER: [&str; 11] = [
    "target", "action", "reason", "person", "anchor", "account", "what", "name", "before", "after",
    "waits",
];

/// All changes, letters, held people and orphans of some plans. `waits` says whether a change waits for a person.
///
/// # Errors
/// None in practice: the table is made in memory.
pub fn plans<'a>(
    plans: impl IntoIterator<Item = (&'a Plan, &'a dyn Fn(&Change) -> bool)>,
) -> Result<Vec<u8>, csv::Error> {
    let mut out = csv::WriterBuilder::new()
        .terminator(csv::Terminator::CRLF)
        .from_writer(Vec::new());
    out.write_record(HEADER)?;
    for (plan, waits) in plans {
        for change in &plan.changes {
            for [what, name, before, after] in lines(change) {
                let account = change.account.as_ref().map_or("", |id| id.0.as_str());
                let waits = if waits(change) { "yes" } else { "no" };
                out.write_record(
                    [
                        &plan.target,
                        change.action.as_str(),
                        change.reason.as_str(),
                        &change.label,
                        change.anchor.as_str(),
                        account,
                        &what,
                        &name,
                        &before,
                        &after,
                        waits,
                    ]
                    .map(cell),
                )?;
            }
        }
        for letter in &plan.letters {
            out.write_record(row_of(plan, letter).map(|text| cell(&text)))?;
        }
        for held in &plan.held {
            let account = held.account.as_ref().map_or("", |id| id.0.as_str());
            let why = held.why.to_string();
            let row = [
                &plan.target,
                "held",
                "",
                &held.label,
                held.anchor.as_str(),
                account,
                "why",
                "",
                "",
                &why,
                "no",
            ];
            out.write_record(row.map(cell))?;
        }
        for orphan in &plan.orphans {
            let row = [
                &plan.target,
                "orphan",
                "",
                &orphan.label,
                "",
                &orphan.account.0,
                "",
                "",
                "",
                "",
                "no",
            ];
            out.write_record(row.map(cell))?;
        }
    }
    out.into_inner().map_err(|error| error.into_error().into())
}

/// A letter that goes with the changes: whom it is about, and where it goes or why it cannot.
fn row_of(plan: &Plan, letter: &Letter) -> [String; 11] {
    let (what, to) = match &letter.to {
        Ok(to) => ("to", to),
        Err(why) => ("no address", why),
    };
    [
        &plan.target,
        "letter",
        "",
        &letter.label,
        letter.anchor.as_str(),
        "",
        what,
        &text::kind(letter),
        "",
        to,
        "no",
    ]
    .map(str::to_owned)
}

/// What a change does, line by line; one line even if there is nothing but the action.
fn lines(change: &Change) -> Vec<[String; 4]> {
    let owned = |what: &str, name: &str, before: &str, after: &str| {
        [what, name, before, after].map(str::to_owned)
    };
    let mut lines: Vec<[String; 4]> = change
        .attributes
        .iter()
        .map(|a| {
            owned(
                "attribute",
                &a.name,
                &plain(a.before.as_ref()),
                &plain(a.after.as_ref()),
            )
        })
        .collect();
    lines.extend(change.grant.iter().map(|name| owned("grant", name, "", "")));
    lines.extend(
        change
            .revoke
            .iter()
            .map(|name| owned("revoke", name, "", "")),
    );
    lines.extend(
        text::how(change)
            .iter()
            .map(|how| owned("how", how, "", "")),
    );
    if change.suspended_before != change.suspended_after {
        let (before, after) = (&change.suspended_before, &change.suspended_after);
        lines.push(owned(
            "suspended",
            "",
            &text::reasons(before),
            &text::reasons(after),
        ));
    }
    if lines.is_empty() {
        lines.push(owned("", "", "", ""));
    }
    lines
}

fn plain(value: Option<&Value>) -> String {
    value.map_or(String::new(), |value| match value {
        Value::Bool(value) => value.to_string(),
        Value::Int(value) => value.to_string(),
        Value::Text(value) => value.clone(),
        Value::Set(values) => values.iter().cloned().collect::<Vec<_>>().join("; "),
    })
}

/// A cell that no spreadsheet runs.
#[must_use]
pub fn cell(raw: &str) -> String {
    let shown = safe::text(raw);
    let first = shown.trim_start().chars().next();
    if first.is_some_and(|c| "=+-@|%\u{ff1d}\u{ff0b}\u{ff0d}\u{ff20}".contains(c)) {
        format!("'{shown}")
    } else {
        shown
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::model::{Action, Anchor, AttributeChange, Basis, LetterKind, Reason};
    use proptest::prelude::*;

    #[test]
    fn formulas_become_text_and_every_change_has_a_line() {
        let at = "2026-01-05T08:00:00Z".parse().unwrap();
        let anchor = |n: &str| Anchor::new(n).unwrap();
        let mut change = Change::new(
            anchor("1"),
            "=HYPERLINK(\"x\")".to_owned(),
            Action::Update,
            Reason::Mover,
        );
        change.attributes = vec![AttributeChange {
            name: "phone".to_owned(),
            before: Value::text("1"),
            after: Value::text("+49 1"),
            identifier: false,
        }];
        let bare = Change::new(
            anchor("2"),
            "B,\n\"".to_owned(),
            Action::Delete,
            Reason::Retention,
        );
        let plan = Plan {
            target: "crm".to_owned(),
            basis: Basis {
                now: at,
                read_at: at,
                people: 2,
                shortfalls: Vec::new(),
                config: String::new(),
                live: false,
            },
            changes: vec![Arc::new(change), Arc::new(bare)],
            held: Vec::new(),
            notices: Vec::new(),
            letters: vec![
                Letter {
                    kind: LetterKind::Welcome,
                    anchor: anchor("3"),
                    label: "C".to_owned(),
                    to: Ok("@c@example.com".to_owned()),
                    closes: None,
                },
                Letter {
                    kind: LetterKind::ClosingSoon,
                    anchor: anchor("4"),
                    label: "D".to_owned(),
                    to: Err("no manager".to_owned()),
                    closes: Some(at),
                },
            ],
            orphans: Vec::new(),
            pending: std::collections::BTreeSet::new(),
            foretold: std::collections::BTreeSet::new(),
            unchanged: 0,
            managed: 2,
        };
        let waits = |change: &Change| change.action == Action::Delete;
        let table = plans([(&plan, &waits as &dyn Fn(&Change) -> bool)]).unwrap();
        assert_eq!(
            String::from_utf8(table).unwrap(),
            "target,action,reason,person,anchor,account,what,name,before,after,waits\r\n\
             crm,update,mover,\"'=HYPERLINK(\"\"x\"\")\",1,,attribute,phone,1,'+49 1,no\r\n\
             crm,delete,retention,\"B,\\u{a}\"\"\",2,,,,,,yes\r\n\
             crm,letter,,C,3,,to,welcome,,'@c@example.com,no\r\n\
             crm,letter,,D,4,,no address,closing-soon before 2026-01-05T08:00:00Z,,no manager,no\r\n"
        );
    }

    proptest! {
        #[test]
        fn no_cell_begins_like_a_formula(raw in "[ \t\r\n]{0,3}[=+@|%-]?.{0,5}") {
            let cell = cell(&raw);
            prop_assert!(!cell.trim_start().starts_with(['=', '+', '-', '@', '\t', '\r', '\n']));
        }
    }
}
