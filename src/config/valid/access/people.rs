//! Who a policy is for, and who is exempt.

use super::refuse;
use crate::config::raw::Section;
use crate::config::syntax;
use crate::reconcile::access::{Assignment, Named};
use crate::reconcile::mapping::Selector;

/// Reads `people` and the clauses.
pub(super) fn read(section: &Section<'_>) -> Assignment {
    let people = section.texts("people");
    for person in people.iter().filter(|person| person.value.contains('=')) {
        if let Err(why) = syntax::dn(&person.value) {
            refuse(section, person, why);
        }
    }
    let (table, span, path) = section.raw();
    let selector = Selector::compile(table, span, path).unwrap_or_else(|problems| {
        for problem in problems {
            section.findings().error(problem);
        }
        None
    });
    Assignment {
        everybody: false,
        people: Named::of(people.iter().map(|person| person.value.as_str())),
        selector,
    }
}

/// As [`read`], and somebody must be meant: a policy without people would be a mistake that nobody sees.
pub(super) fn assigned(section: &Section<'_>) -> Assignment {
    let mut people = read(section);
    people.everybody = section.flag("everybody", false);
    let clauses = [
        "people",
        "condition",
        "groups",
        "not-groups",
        "ou",
        "not-ou",
    ];
    let written = clauses.iter().find(|key| section.has(key));
    match (people.everybody, written) {
        (true, Some(key)) => {
            let help = "remove one of them; people who are left out are named in [access-rules.exempt] or by not-groups";
            section.error(key, "means nothing beside everybody = true", help);
        }
        (false, None) => {
            let help = "or name people, groups, an ou or a condition";
            section.missing(
                "everybody",
                &format!("write everybody = true if it is for everybody, {help}"),
            );
        }
        (_, _) => {}
    }
    people
}
