//! A plan as people read it before they allow it.
//!
//! Header, one block per change in the order of application, what was set aside and why, what the limits say, and a summary.
//! At [`Look::plain`] this text is what scenario files hold, so it depends on nothing but its arguments.

mod change;
mod explain;
mod orders;
mod result;
mod status;
mod tail;
mod windows;

use jiff::SignedDuration;

use crate::model::Plan;

use super::paint::{ALERT, FAINT, HEADING, Look, wrap};
use super::{Review, safe};

pub(super) use change::{how, reasons, title};
pub use explain::{Explanation, explain};
pub use orders::{freeze_status, frozen, given, overrides, trail};
pub use result::{ChangeResult, ResultState, failure, remarks, results};
pub use status::status;
pub use tail::{counts, kind};
pub use windows::windows;

/// The whole plan with what the guard said about it.
#[must_use]
pub fn plan(plan: &Plan, review: &Review, look: Look) -> String {
    let mut out = page(plan, review, look);
    tail::digest(plan, &mut out);
    out.text
}

/// A plan that was carried out. Without a digest: there is nothing left to approve.
#[must_use]
pub fn ran(plan: &Plan, review: &Review, look: Look) -> String {
    page(plan, review, look).text
}

fn page(plan: &Plan, review: &Review, look: Look) -> Page {
    let mut out = Page::new(look);
    header(plan, &mut out);
    change::changes(&plan.changes, &mut out);
    tail::held(&plan.held, &mut out);
    tail::letters(&plan.letters, &mut out);
    tail::notices(&plan.notices, &mut out);
    tail::orphans(&plan.orphans, &mut out);
    tail::review(&plan.target, review, &mut out);
    tail::summary(plan, &mut out);
    out
}

fn header(plan: &Plan, out: &mut Page) {
    let basis = &plan.basis;
    let title = format!("Plan for {}", safe::text(&plan.target));
    out.heading(&title);
    let people = match basis.people {
        1 => "1 person".to_owned(),
        n => format!("{n} people"),
    };
    let complete = if basis.shortfalls.is_empty() {
        "complete"
    } else {
        "NOT complete: nobody is treated as a leaver"
    };
    out.field(
        "directory",
        &format!("{people}, read {}, {complete}", basis.read_at),
    );
    for shortfall in &basis.shortfalls {
        out.prose(4, ALERT, &format!("missing: {}", safe::text(shortfall)));
    }
    // Moments between reading and planning say nothing; old data does.
    if basis.now.duration_since(basis.read_at) >= SignedDuration::from_mins(1) {
        out.field("as of", &basis.now.to_string());
    }
    let accounts = if basis.live {
        "as the application lists them now (reconciliation)"
    } else {
        "as last confirmed (sync)"
    };
    out.field("accounts", accounts);
}

/// A text under construction.
#[derive(Debug)]
struct Page {
    look: Look,
    text: String,
}

impl Page {
    fn new(look: Look) -> Self {
        Self {
            look,
            text: String::new(),
        }
    }

    /// One line as it is. The caller has made it safe.
    fn line(&mut self, line: &str) {
        self.text.push_str(line);
        self.text.push('\n');
    }

    /// A heading, with an empty line before it unless it is the first.
    fn heading(&mut self, title: &str) {
        if !self.text.is_empty() {
            self.text.push('\n');
        }
        let title = self.look.paint(HEADING, title);
        self.line(&title);
    }

    /// An indented name with prose beside it.
    fn field(&mut self, name: &str, prose: &str) {
        let room = self.look.width.saturating_sub(14);
        for (i, part) in wrap(prose, room).iter().enumerate() {
            let name = if i == 0 { name } else { "" };
            let name = self.look.paint(FAINT, &format!("{name:<12}"));
            self.line(&format!("  {name}{part}"));
        }
    }

    /// Prose, wrapped and indented.
    fn prose(&mut self, indent: usize, style: anstyle::Style, prose: &str) {
        let room = self.look.width.saturating_sub(indent);
        for part in wrap(prose, room) {
            let part = self.look.paint(style, &part);
            self.line(&format!("{:indent$}{part}", ""));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::model::{
        AccountId, Action, Anchor, AttributeChange, Basis, Change, Held, HeldWhy, How, Orphan,
        Reason, SuspendReason, Value,
    };
    use crate::report::{BreachLine, Paint};

    fn sample() -> Plan {
        let at = "2026-01-05T08:00:00Z".parse().unwrap();
        let how = [How::Deactivate].into();
        let mut leaver = change("1", "Ana\u{1b}[2J", Action::Suspend(how), {
            Reason::Suspended(SuspendReason::Leaver)
        });
        leaver.suspended_after = [SuspendReason::Leaver].into();
        let mut mover = change("2", "Jörg Müller", Action::Update, Reason::Mover);
        mover.attributes = vec![
            attribute("userName", Some("jm"), Some("jmüller"), true),
            attribute("title", Some(&"long ".repeat(12)), Some("x\" → \"y"), false),
            attribute("phone", Some("1"), None, false),
        ];
        let mut joiner = change("3", "Zoë", Action::Create, Reason::Joiner);
        joiner.account = None;
        joiner.attributes = vec![attribute("userName", None, Some("zoe"), true)];
        let held = |n: &str| Held {
            anchor: Anchor::new(n).unwrap(),
            label: "Two Bobs".to_owned(),
            account: None,
            why: HeldWhy::Missing { reads: 1, more: 1 },
        };
        Plan {
            target: "crm".to_owned(),
            basis: Basis {
                now: at,
                read_at: at,
                people: 300,
                shortfalls: Vec::new(),
                config: "c0".to_owned(),
                live: true,
            },
            changes: [leaver, mover, joiner].map(Arc::new).to_vec(),
            held: vec![held("7")],
            notices: Vec::new(),
            letters: Vec::new(),
            orphans: (0..12).map(orphan).collect(),
            pending: std::collections::BTreeSet::new(),
            foretold: std::collections::BTreeSet::new(),
            unchanged: 296,
            managed: 298,
        }
    }

    fn change(anchor: &str, label: &str, action: Action, reason: Reason) -> Change {
        let anchor = Anchor::new(anchor).unwrap();
        let mut change = Change::new(anchor, label.to_owned(), action, reason);
        change.account = Some(AccountId("a1".to_owned()));
        change
    }

    fn attribute(
        name: &str,
        before: Option<&str>,
        after: Option<&str>,
        id: bool,
    ) -> AttributeChange {
        AttributeChange {
            name: name.to_owned(),
            before: before.and_then(Value::text),
            after: after.and_then(Value::text),
            identifier: id,
        }
    }

    fn orphan(n: usize) -> Orphan {
        Orphan {
            account: AccountId(format!("o{n}")),
            label: "old".to_owned(),
            active: Some(n == 0),
        }
    }

    const EXPECTED: &str = "\
Plan for crm
  directory   300 people, read 2026-01-05T08:00:00Z, complete
  accounts    as the application lists them now (reconciliation)

Suspend (1)
- suspend (leaver) Ana\\u{1b}[2J
    account \"a1\", anchor 1
    by deactivate
    suspended: no → leaver

Update (1)
~ update (mover) Jörg Müller
    account \"a1\", anchor 2
    userName  \"jm\" → \"jmüller\"  (rename)
    title     \"long long long long long long long long long long long long \"
              → \"x\\\" → \\\"y\"
    phone     \"1\" → (none)

Create (1)
+ create (joiner) Zoë
    anchor 3
    userName  \"zoe\"

Held (1), left exactly as they are
! Two Bobs
    anchor 7
    missing from one complete read; a second one confirms it
";

    #[test]
    fn a_plan_reads_as_expected() {
        let plan = sample();
        let mut look = Look::plain();
        look.width = 80;
        let text = super::plan(&plan, &Review::passed(&plan), look);
        assert_eq!(text.get(..EXPECTED.len()), Some(EXPECTED), "{text}");
        assert!(text.contains("… and 2 more, see --json"), "{text}");
        assert!(
            text.contains("Summary: 1 to suspend, 1 to update, 1 to create; 296 unchanged, 1 held, 12\norphans."),
            "{text}"
        );
    }

    #[test]
    fn what_waits_is_named_with_its_command() {
        let plan = sample();
        let review = Review {
            approved: 2,
            staged: 1,
            breaches: vec![BreachLine {
                kind: "suspend".to_owned(),
                count: 1,
                allowed: 0,
                text: "1 to suspend, 0 allowed".to_owned(),
            }],
            uses: Vec::new(),
            release: Some(plan.digest()),
        };
        let text = super::plan(&plan, &review, Look::plain());
        let command = format!("provost release crm --plan {}", plan.digest().short());
        assert!(text.contains(&command), "{text}");
        assert!(
            text.contains("! suspend: 1 to suspend, 0 allowed"),
            "{text}"
        );
    }

    #[test]
    fn an_incomplete_read_is_said_loudly_and_cuts_are_counted() {
        let mut plan = sample();
        plan.basis.shortfalls = vec!["the base \"x\" does not exist".to_owned()];
        let mut look = Look::plain();
        look.changes_per_action = Some(0);
        let text = super::plan(&plan, &Review::passed(&plan), look);
        assert!(text.contains("NOT complete"), "{text}");
        assert!(
            text.contains("missing: the base \"x\" does not exist"),
            "{text}"
        );
        assert!(text.contains("… and 1 more, not shown here"), "{text}");
    }

    #[test]
    fn colour_changes_nothing_but_colour() {
        let plan = sample();
        let mut look = Look::plain();
        let plain = super::plan(&plan, &Review::passed(&plan), look);
        look.paint = Paint::Ansi;
        let coloured = super::plan(&plan, &Review::passed(&plan), look);
        let stripped = anstream::adapter::strip_str(&coloured).to_string();
        assert_ne!(coloured, plain);
        assert_eq!(stripped, plain);
    }
}
