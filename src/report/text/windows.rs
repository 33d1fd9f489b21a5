//! Who has access when, as people read it.

use std::collections::BTreeMap;

use anstyle::Style;
use jiff::{SignedDuration, Timestamp};

use crate::reconcile::access::Outlook;
use crate::report::paint::{ALERT, CHANGE, FAINT, GAIN, LOSS, Look};
use crate::report::safe;
use crate::report::windows::{Asked, Windows, say, wall};

use super::Page;

/// Who is open and who is closed at a moment, or every transition of a range.
#[must_use]
pub fn windows(all: &[Windows<'_>], asked: &Asked, look: Look) -> String {
    let mut out = Page::new(look);
    for remark in &asked.remarks {
        out.prose(0, CHANGE, &format!("note: {}", safe::text(remark)));
    }
    for one in all {
        header(one, asked, &mut out);
        state(one, asked, &mut out);
        if asked.to.is_some() {
            work(one, asked, &mut out);
            transitions(one, asked, &mut out);
        }
    }
    out.text
}

fn header(one: &Windows<'_>, asked: &Asked, out: &mut Page) {
    out.heading(&format!("Access to {}", safe::text(one.target)));
    out.field("at", &format!("{} ({})", asked.at, wall(asked.at, asked)));
    if let Some(to) = asked.to {
        out.field("until", &format!("{to} ({})", wall(to, asked)));
    }
    out.field("directory", &format!("as read {}", one.read_at));
    for shortfall in one.shortfalls {
        out.prose(4, ALERT, &format!("missing: {}", safe::text(shortfall)));
    }
    let policies = match one.policies {
        0 => "none: nobody is closed by the clock".to_owned(),
        n => format!("{n}, time zones {}", safe::text(one.time_zones)),
    };
    out.field("policies", &policies);
}

fn state(one: &Windows<'_>, asked: &Asked, out: &mut Page) {
    let part = |wanted: fn(&Outlook) -> bool| {
        let people = one.people.iter().filter(|person| wanted(person));
        people.collect::<Vec<_>>()
    };
    let undecided = |person: &Outlook| person.access.hold.is_some() && person.reasons.is_empty();
    list("Open", GAIN, &part(Outlook::is_open), asked, out);
    let closed = part(|person| !person.reasons.is_empty());
    list("Closed", LOSS, &closed, asked, out);
    list("Undecided", ALERT, &part(undecided), asked, out);
}

fn list(title: &str, style: Style, people: &[&Outlook], asked: &Asked, out: &mut Page) {
    if people.is_empty() {
        return;
    }
    out.heading(&format!("{title} ({})", people.len()));
    let shown = out.look.changes_per_action.unwrap_or(usize::MAX);
    for person in people.iter().take(shown) {
        let name = out.look.paint(style, &safe::text(&person.label));
        out.line(&format!("{name}{}", when(person, asked)));
        let anchor = safe::text(person.anchor.as_str());
        out.prose(4, FAINT, &format!("anchor {anchor}; {}", why(person)));
        for notice in &person.access.notices {
            out.prose(4, CHANGE, &format!("note: {}", safe::text(notice)));
        }
    }
    if people.len() > shown {
        let more = people.len() - shown;
        out.prose(2, FAINT, &format!("… and {more} more, not shown here"));
    }
}

fn when(person: &Outlook, asked: &Asked) -> String {
    match person.next {
        Some(next) if person.is_open() => format!(", closes {}", say(next, person, asked)),
        Some(next) => format!(", opens {}", say(next, person, asked)),
        None => String::new(),
    }
}

/// All reasons, and what the windows say.
fn why(person: &Outlook) -> String {
    let mut parts: Vec<&str> = person.reasons.iter().map(|r| r.as_str()).collect();
    let access = safe::text(&person.access.why());
    parts.push(&access);
    parts.join("; ")
}

/// Closings that take long enough to matter.
fn work(one: &Windows<'_>, asked: &Asked, out: &mut Page) {
    let long = SignedDuration::from_mins(1);
    let all = one.closings();
    for closing in all.iter().filter(|closing| closing.late > long) {
        let (people, takes) = (closing.people, minutes(closing.takes));
        let at = wall(closing.at, asked);
        let (late, begin) = (minutes(closing.late), wall(closing.begin, asked));
        let line = format!(
            "! closing {people} at {at} takes {takes}: the last one is closed {late} late; to be done in time it would have to begin at {begin}"
        );
        out.prose(2, ALERT, &line);
    }
}

fn minutes(time: SignedDuration) -> String {
    let minutes = (time.as_secs() + 59) / 60;
    match minutes {
        1 => "1 minute".to_owned(),
        n => format!("{n} minutes"),
    }
}

fn transitions(one: &Windows<'_>, asked: &Asked, out: &mut Page) {
    let mut by_time: BTreeMap<(Timestamp, bool), Vec<&Outlook>> = BTreeMap::new();
    for person in one.people {
        for edge in &person.transitions {
            let at = by_time.entry((edge.at, edge.open)).or_default();
            at.push(person);
        }
    }
    let edges: usize = by_time.values().map(Vec::len).sum();
    out.heading(&format!("Transitions ({edges})"));
    if by_time.is_empty() {
        out.line("none");
    }
    let shown = out.look.changes_per_action.unwrap_or(usize::MAX);
    for ((at, open), people) in &by_time {
        let (what, style) = if *open {
            ("opens", GAIN)
        } else {
            ("closes", LOSS)
        };
        let what = out.look.paint(style, &format!("{what:<6}"));
        let wall = wall(*at, asked);
        out.line(&format!("{at}  {wall}  {what} {}", people.len()));
        for person in people.iter().take(shown) {
            let own = say(*at, person, asked);
            let own = if own == wall {
                String::new()
            } else {
                format!(" ({own})")
            };
            out.line(&format!("    {}{own}", safe::text(&person.label)));
        }
    }
}
