//! Who is open and who is closed at a moment, and what changes from then on: windows, overrides, dates and the
//! directory's own word together. For showing; what is done about it is decided elsewhere, from the same parts.

use jiff::Timestamp;

use super::judge::Judge;
use super::rules::AccessRules;
use super::verdict::{Access, Transition};
use crate::model::{Anchor, Identity, Override, SuspendReason, Suspensions};
use crate::reconcile::mapping::Mapping;

/// One person at one moment.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Outlook {
    /// Who.
    pub anchor: Anchor,
    /// A name for people to read.
    pub label: String,
    /// Whether the mapping's scope includes them.
    pub in_scope: bool,
    /// Every reason why they must not have access; empty means open, unless something cannot be said.
    pub reasons: Suspensions,
    /// What windows and overrides say.
    pub access: Access,
    /// The next moment at which time alone changes the answer; `None` if nothing is foreseen.
    pub next: Option<Timestamp>,
    /// Every change within the range that was asked about, in order.
    pub transitions: Vec<Transition>,
}

impl Outlook {
    /// Whether they have access.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.reasons.is_empty() && self.access.hold.is_none()
    }
}

/// From when until when the directory and the mapping let somebody be active at all.
struct Validity {
    starts: Option<Timestamp>,
    ends: Option<Timestamp>,
}

impl Validity {
    fn of(identity: &Identity, mapping: &Mapping) -> Self {
        let projection = mapping.project(identity);
        let ends = [identity.state.expires, projection.ends];
        Self {
            starts: identity.state.starts.max(projection.starts),
            ends: ends.into_iter().flatten().min(),
        }
    }

    fn has_begun(&self, at: Timestamp) -> bool {
        self.starts.is_none_or(|start| start <= at)
    }

    fn has_ended(&self, at: Timestamp) -> bool {
        self.ends.is_some_and(|end| end <= at)
    }
}

/// Looks at one person at the moment of a judge, and at the time until `to` if there is one.
#[must_use]
pub fn outlook(
    judge: &mut Judge<'_>,
    mapping: &Mapping,
    identity: &Identity,
    overrides: &[Override],
    to: Option<Timestamp>,
) -> Outlook {
    let now = judge.now();
    let access = judge.judge(identity, overrides);
    let validity = Validity::of(identity, mapping);
    let in_scope = mapping.scope(identity).inside;
    let mut lasting = Suspensions::new();
    if identity.state.disabled {
        lasting.insert(SuspendReason::SourceDisabled);
    }
    if !in_scope {
        lasting.insert(SuspendReason::OutOfScope);
    }
    let mut reasons = access.reasons.clone();
    reasons.extend(&lasting);
    if validity.has_ended(now) {
        reasons.insert(SuspendReason::Expired);
    }
    if !validity.has_begun(now) {
        reasons.insert(SuspendReason::NotYetStarted);
    }
    let is_shut = !lasting.is_empty() || access.hold.is_some();
    let next = if is_shut {
        None
    } else {
        next(judge.rules(), identity, overrides, &access, &validity, now)
    };
    let transitions = match to {
        Some(to) if !is_shut => {
            let windows = judge.transitions(identity, overrides, to);
            within(access.open, &windows, &validity, now, to)
        }
        Some(_) | None => Vec::new(),
    };
    Outlook {
        anchor: identity.anchor.clone(),
        label: identity.label().to_owned(),
        in_scope,
        reasons,
        access,
        next,
        transitions,
    }
}

/// The next change of windows and dates together.
fn next(
    rules: &AccessRules,
    identity: &Identity,
    overrides: &[Override],
    access: &Access,
    validity: &Validity,
    now: Timestamp,
) -> Option<Timestamp> {
    if validity.has_ended(now) {
        return None;
    }
    if !validity.has_begun(now) {
        let start = validity.starts?;
        let then = rules.judge(identity, overrides, start);
        let opens = if then.open { Some(start) } else { then.next };
        return opens.filter(|at| !validity.has_ended(*at));
    }
    if access.open {
        return [access.next, validity.ends].into_iter().flatten().min();
    }
    access.next.filter(|at| !validity.has_ended(*at))
}

/// Transitions of windows, cut down to the time in which somebody may be active at all.
fn within(
    open: bool,
    windows: &[Transition],
    validity: &Validity,
    from: Timestamp,
    to: Timestamp,
) -> Vec<Transition> {
    let mut edges: Vec<Timestamp> = windows.iter().map(|window| window.at).collect();
    let dates = [validity.starts, validity.ends];
    edges.extend(
        dates
            .into_iter()
            .flatten()
            .filter(|at| *at > from && *at <= to),
    );
    edges.sort();
    edges.dedup();
    let is_open = |window: bool, at| window && validity.has_begun(at) && !validity.has_ended(at);
    let mut window = open;
    let mut state = is_open(open, from);
    let mut found = Vec::new();
    for at in edges {
        if let Some(edge) = windows.iter().find(|window| window.at == at) {
            window = edge.open;
        }
        if is_open(window, at) != state {
            state = !state;
            found.push(Transition { at, open: state });
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn cut(
        open: bool,
        windows: &[(i64, bool)],
        starts: Option<i64>,
        ends: Option<i64>,
    ) -> Vec<(i64, bool)> {
        let windows: Vec<Transition> = windows
            .iter()
            .map(|(second, open)| Transition {
                at: at(*second),
                open: *open,
            })
            .collect();
        let validity = Validity {
            starts: starts.map(at),
            ends: ends.map(at),
        };
        within(open, &windows, &validity, at(0), at(100))
            .into_iter()
            .map(|found| (found.at.as_second(), found.open))
            .collect()
    }

    #[test]
    fn dates_cut_windows() {
        let day = [(10, true), (20, false), (30, true), (40, false)];
        assert_eq!(cut(false, &day, None, None), day);
        // Begins within a window, ends within another.
        assert_eq!(
            cut(false, &day, Some(15), Some(35)),
            [(15, true), (20, false), (30, true), (35, false)]
        );
        // Begins and ends while it is closed: that is no change.
        assert_eq!(
            cut(false, &day, Some(25), Some(45)),
            [(30, true), (40, false)]
        );
        assert_eq!(
            cut(false, &day, Some(30), Some(40)),
            [(30, true), (40, false)]
        );
        assert_eq!(cut(true, &[], Some(5), Some(50)), [(5, true), (50, false)]);
        assert_eq!(cut(true, &[], Some(50), Some(5)), []);
        assert_eq!(cut(true, &[(10, false)], None, Some(5)), [(5, false)]);
        assert_eq!(cut(true, &[], None, None), []);
    }
}
