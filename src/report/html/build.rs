//! From a plan to what the page shows of it.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use crate::model::{Action, AttributeChange, Change, Letter, Orphan, Outcome, Plan};
use crate::report::text::{self, ChangeResult, ResultState};
use crate::report::{Review, safe};

use super::view::{self, Tone};
use super::{SHOWN, Sheet};

const GOOD: Tone = "tone-good";
const CHANGE: Tone = "tone-change";
const ALARM: Tone = "tone-alarm";
const PLAIN: Tone = "";

/// Shades that the style has.
const SHADES: usize = 6;

pub(super) fn outcome(outcome: Outcome) -> String {
    outcome.as_str().replace('-', " ")
}

pub(super) fn tone(outcome: Outcome) -> Tone {
    match outcome.exit_code() {
        0 => GOOD,
        10 | 13 => CHANGE,
        _ => ALARM,
    }
}

pub(super) fn target(sheet: Sheet<'_>) -> view::Target {
    let mut out = view::Target {
        name: sheet.target.to_owned(),
        outcome: outcome(sheet.outcome),
        tone: tone(sheet.outcome),
        error: sheet.error.map(str::to_owned),
        alerts: sheet.remarks.to_vec(),
        ..view::Target::default()
    };
    let Some(plan) = sheet.plan else {
        return out;
    };
    out.alerts.extend(shortfalls(plan));
    out.tiles = tiles(plan, sheet.review);
    out.facts = facts(plan);
    out.bars = bars(&plan.changes);
    out.limits = limits(sheet.review);
    out.breaches = sheet
        .review
        .breaches
        .iter()
        .map(|b| b.text.clone())
        .collect();
    out.release = sheet
        .review
        .release
        .as_ref()
        .map(|digest| format!("provost release {} --plan {}", sheet.target, digest.short()));
    out.groups = groups(plan, &sheet);
    out.lists = lists(plan);
    out.weeks = sheet.weeks;
    out
}

fn shortfalls(plan: &Plan) -> impl Iterator<Item = String> + '_ {
    plan.basis.shortfalls.iter().map(|shortfall| {
        format!(
            "The directory read was not complete, so nobody is treated as a leaver: {shortfall}"
        )
    })
}

fn tiles(plan: &Plan, review: &Review) -> Vec<view::Tile> {
    let tile = |count, name: &str, tone| view::Tile {
        count,
        name: name.to_owned(),
        tone,
    };
    let mut tiles: Vec<view::Tile> = by_action(&plan.changes)
        .into_iter()
        .map(|(first, changes)| tile(changes.len(), &format!("to {}", first.as_str()), CHANGE))
        .collect();
    if tiles.is_empty() {
        tiles.push(tile(0, "changes", GOOD));
    }
    if review.staged > 0 {
        tiles.push(tile(review.staged, "wait for a decision", ALARM));
    }
    if !plan.held.is_empty() {
        tiles.push(tile(plan.held.len(), "held", ALARM));
    }
    tiles.push(tile(plan.unchanged, "as wanted", PLAIN));
    tiles
}

fn facts(plan: &Plan) -> Vec<view::Fact> {
    let basis = &plan.basis;
    let fact = |name, text| view::Fact { name, text };
    let people = format!("{} people, read {}", basis.people, basis.read_at);
    let accounts = if basis.live {
        "compared with what the application lists now"
    } else {
        "compared with what was last confirmed"
    };
    let mut facts = vec![
        fact("Directory", people),
        fact("Planned for", basis.now.to_string()),
        fact(
            "Accounts",
            format!("{} under management, {accounts}", plan.managed),
        ),
    ];
    if !plan.changes.is_empty() {
        facts.push(fact("Plan digest", plan.digest().short().to_owned()));
    }
    facts
}

/// The changes of each action, in the order of application.
fn by_action(changes: &[Arc<Change>]) -> Vec<(&Action, Vec<&Change>)> {
    let mut groups: Vec<(&Action, Vec<&Change>)> = Vec::new();
    for change in changes {
        let name = change.action.as_str();
        match groups.iter_mut().find(|(first, _)| first.as_str() == name) {
            Some((_, group)) => group.push(change),
            None => groups.push((&change.action, vec![&**change])),
        }
    }
    groups
}

fn bars(changes: &[Arc<Change>]) -> Vec<view::Bar> {
    let groups = by_action(changes);
    let longest = groups
        .iter()
        .map(|(_, group)| group.len())
        .max()
        .unwrap_or(1);
    let mut shades: Vec<&'static str> = Vec::new();
    let mut bars = Vec::new();
    for (first, group) in groups {
        let mut reasons: BTreeMap<&'static str, usize> = BTreeMap::new();
        for change in &group {
            *reasons.entry(change.reason.as_str()).or_default() += 1;
        }
        let mut parts = Vec::new();
        for (name, count) in reasons {
            let shade = shades
                .iter()
                .position(|known| *known == name)
                .unwrap_or_else(|| {
                    shades.push(name);
                    shades.len() - 1
                });
            let shade = shade % SHADES;
            parts.push(view::Part { name, count, shade });
        }
        bars.push(view::Bar {
            name: text::title(first),
            count: group.len(),
            width: (group.len() * 100 / longest).max(1),
            parts,
        });
    }
    bars
}

fn limits(review: &Review) -> Vec<view::Limit> {
    let limit = |used: &crate::reconcile::guard::Use| view::Limit {
        name: used
            .kind
            .map_or_else(|| "in 24 hours".to_owned(), |kind| kind.as_str().to_owned()),
        count: used.count,
        allowed: used.allowed,
        left: used.allowed.saturating_sub(used.count),
        width: (used.count * 100)
            .checked_div(used.allowed)
            .unwrap_or(if used.count > 0 { 100 } else { 0 })
            .min(100),
        over: used.count > used.allowed,
    };
    review.uses.iter().map(limit).collect()
}

fn groups(plan: &Plan, sheet: &Sheet<'_>) -> Vec<view::Group> {
    let staged: HashSet<(&str, &str)> = sheet.staged.iter().map(|change| key(change)).collect();
    let results: BTreeMap<(&str, &str), &ChangeResult> = sheet
        .results
        .iter()
        .map(|result| (key(&result.change), result))
        .collect();
    by_action(&plan.changes)
        .into_iter()
        .map(|(first, changes)| view::Group {
            name: text::title(first),
            count: changes.len(),
            open: changes.len() <= 20,
            more: changes.len().saturating_sub(SHOWN),
            changes: changes
                .into_iter()
                .take(SHOWN)
                .map(|one| {
                    change(
                        one,
                        staged.contains(&key(one)),
                        results.get(&key(one)).copied(),
                    )
                })
                .collect(),
        })
        .collect()
}

fn key(change: &Change) -> (&str, &str) {
    (change.anchor.as_str(), change.action.as_str())
}

fn change(change: &Change, waits: bool, result: Option<&ChangeResult>) -> view::Change {
    let account = change
        .account
        .as_ref()
        .map_or(String::new(), |id| format!("account {id}, "));
    let mut lines = text::how(change);
    lines.extend(
        change
            .grant
            .iter()
            .map(|name| format!("grant {}", safe::quoted(name))),
    );
    lines.extend(
        change
            .revoke
            .iter()
            .map(|name| format!("revoke {}", safe::quoted(name))),
    );
    if change.suspended_before != change.suspended_after {
        lines.push(format!(
            "suspended: {} → {}",
            text::reasons(&change.suspended_before),
            text::reasons(&change.suspended_after)
        ));
    }
    lines.extend(result.and_then(|result| result.detail.clone()));
    view::Change {
        label: change.label.clone(),
        reason: change.reason.as_str(),
        tone: match &change.action {
            Action::Suspend(_) | Action::Delete => "loss",
            Action::Create | Action::Reactivate(_) => "gain",
            Action::Link | Action::Update | Action::Entitle => "shift",
        },
        waits,
        result: result.map(|result| result.state.as_str()),
        result_tone: result.map_or(PLAIN, |result| match result.state {
            ResultState::Done => GOOD,
            ResultState::Handed => PLAIN,
            ResultState::Partly
            | ResultState::Failed
            | ResultState::Unconfirmed
            | ResultState::Waiting
            | ResultState::Skipped => ALARM,
        }),
        who: format!("{account}anchor {}", change.anchor),
        lines,
        attributes: change.attributes.iter().map(attribute).collect(),
    }
}

fn attribute(attribute: &AttributeChange) -> view::Attribute {
    let show = |value: &Option<_>| value.as_ref().map_or("–".to_owned(), safe::value);
    view::Attribute {
        name: attribute.name.clone(),
        before: show(&attribute.before),
        after: show(&attribute.after),
        identifier: attribute.identifier,
    }
}

fn lists(plan: &Plan) -> Vec<view::List> {
    let list = |name, about, columns: &[&'static str], rows: Vec<Vec<String>>, open| view::List {
        name,
        about,
        count: rows.len(),
        open,
        columns: columns.to_vec(),
        more: rows.len().saturating_sub(SHOWN),
        rows: rows.into_iter().take(SHOWN).collect(),
    };
    let held = plan.held.iter().map(|held| {
        vec![
            held.label.clone(),
            account(held.account.as_ref()),
            held.why.to_string(),
        ]
    });
    let notices = plan
        .notices
        .iter()
        .map(|notice| vec![notice.label.clone(), notice.what.clone()]);
    let mut lists = vec![
        list(
            "Held",
            "Set aside; their accounts are left exactly as they are.",
            &["Person", "Account", "Why"],
            held.collect(),
            true,
        ),
        list(
            "Letters",
            "Sent once their changes are confirmed, and warnings before a window closes; their words and passwords are not shown.",
            &["Letter", "For", "To"],
            plan.letters.iter().map(letter).collect(),
            false,
        ),
        list(
            "Remarks",
            "",
            &["Person", "Remark"],
            notices.collect(),
            false,
        ),
        list(
            "Accounts nobody owns",
            "Reported and untouched.",
            &["Account", "Label", "State"],
            plan.orphans.iter().map(orphan).collect(),
            false,
        ),
    ];
    lists.retain(|list| list.count > 0);
    lists
}

fn letter(letter: &Letter) -> Vec<String> {
    let to = match &letter.to {
        Ok(to) => to.clone(),
        Err(why) => format!("no address: {why}"),
    };
    vec![text::kind(letter), letter.label.clone(), to]
}

fn account(id: Option<&crate::model::AccountId>) -> String {
    id.map_or("–".to_owned(), ToString::to_string)
}

fn orphan(orphan: &Orphan) -> Vec<String> {
    let state = match orphan.active {
        Some(true) => "active",
        Some(false) => "inactive",
        None => "unknown",
    };
    vec![
        orphan.account.0.clone(),
        orphan.label.clone(),
        state.to_owned(),
    ]
}
