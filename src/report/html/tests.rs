use std::sync::Arc;

use super::*;
use crate::model::{
    AccountId, Action, Anchor, AttributeChange, Basis, Held, HeldWhy, Letter, LetterKind, Reason,
    Value as Attribute,
};

const HOSTILE: &str = "</td><script>alert(1)</script>\"'&\u{202e}\u{1b}[2J{{ 7*7 }}{% raw %}";

fn plan() -> Plan {
    let at = "2026-01-05T08:00:00Z".parse().unwrap();
    let anchor = Anchor::new("1").unwrap();
    let mut change = Change::new(
        anchor.clone(),
        HOSTILE.to_owned(),
        Action::Update,
        Reason::Mover,
    );
    change.account = Some(AccountId(HOSTILE.to_owned()));
    change.attributes = vec![AttributeChange {
        name: HOSTILE.to_owned(),
        before: None,
        after: Attribute::text(HOSTILE),
        identifier: true,
    }];
    change.grant = [HOSTILE.to_owned()].into();
    Plan {
        target: HOSTILE.to_owned(),
        basis: Basis {
            now: at,
            read_at: at,
            people: 3,
            shortfalls: vec![HOSTILE.to_owned()],
            config: String::new(),
            live: false,
        },
        changes: vec![Arc::new(change)],
        held: vec![Held {
            anchor,
            label: HOSTILE.to_owned(),
            account: None,
            why: HeldWhy::Unreadable(HOSTILE.to_owned()),
        }],
        notices: Vec::new(),
        letters: [Ok(HOSTILE.to_owned()), Err(HOSTILE.to_owned())]
            .map(|to| Letter {
                kind: LetterKind::Welcome,
                anchor: Anchor::new("1").unwrap(),
                label: HOSTILE.to_owned(),
                to,
                closes: None,
            })
            .into(),
        orphans: Vec::new(),
        pending: std::collections::BTreeSet::new(),
        foretold: std::collections::BTreeSet::new(),
        unchanged: 2,
        managed: 3,
    }
}

fn page_of(plan: &Plan) -> String {
    let review = Review::passed(plan);
    let sheet = Sheet {
        target: &plan.target,
        outcome: Outcome::ChangesPlanned,
        plan: Some(plan),
        review: &review,
        staged: plan.changes.iter().map(|change| &**change).collect(),
        results: &[],
        error: Some(HOSTILE),
        remarks: &[HOSTILE.to_owned()],
        weeks: Vec::new(),
    };
    page("Plan", Outcome::ChangesPlanned, "now", vec![sheet])
}

#[test]
fn hostile_text_stays_text_everywhere() {
    let page = page_of(&plan());
    assert!(!page.contains("<script"), "{page}");
    assert!(!page.contains('\u{202e}') && !page.contains('\u{1b}'));
    assert!(
        page.contains("&lt;script&gt;alert(1)&lt;&#x2f;script&gt;"),
        "{page}"
    );
    assert!(
        page.contains("{{ 7*7 }}"),
        "a template in a value is a value"
    );
    assert_eq!(page.matches("<title>").count(), 1);
    assert!(page.contains("<h3>Letters <span class=\"badge\">2</span></h3>"));
    assert!(page.contains("<td>no address: &lt;"), "{page}");
}

#[test]
fn the_page_loads_nothing_and_runs_nothing() {
    let page = page_of(&plan());
    assert!(page.contains("default-src 'none'; style-src 'unsafe-inline'"));
    for word in [
        "http://",
        "https://",
        "src=",
        "url(",
        "@import",
        "onclick",
        "javascript:",
    ] {
        assert!(!page.contains(word), "{word}");
    }
}

#[test]
fn what_is_left_out_is_counted() {
    let mut plan = plan();
    let one = plan.changes.remove(0);
    plan.changes = vec![one; SHOWN + 3];
    let page = page_of(&plan);
    assert!(page.contains("and 3 more, which this page leaves out"));
    assert_eq!(page.matches("<article").count(), SHOWN);
}
