//! Somebody whose memberships are hidden, beside somebody who left every group: on real servers, with their own access
//! control. Both come back without `memberOf`.

use super::absent::{House, held};
use crate::support::directory::Directory;
use crate::support::{OpenLdap, SambaAd};

/// `memberOf` in the schema of Active Directory.
const MEMBER_OF: &str = "bf967991-0de6-11d0-a285-00aa003049e2";
/// Everybody is in this group.
const SCOPE: &str = "[scope]\ngroups = [\"all-staff\"]\n";

/// Hides the groups of one person, takes another one out of all of theirs, and looks at who loses the account.
fn one_is_held_and_one_leaves(
    up: &Directory,
    house: &House,
    dn_of: &dyn Fn(&str) -> Option<String>,
    hide: &dyn Fn(&str),
) {
    house.maps(SCOPE);
    house.finishes();
    let mut stopped = house.stopped();
    let logins = (30..60).map(|n| format!("u{n:06}"));
    let enabled = logins.filter(|login| !stopped.contains(login));
    let mut people = enabled.filter_map(|login| Some((dn_of(&login)?, login)));
    let ((hidden, login), (left, gone)) = (people.next().unwrap(), people.next().unwrap());
    hide(&hidden);
    let groups = up.search(&["-b", &up.groups_base, &format!("(member={left})"), "dn"]);
    let groups = groups.lines().filter(|line| line.starts_with("dn: "));
    let leave: String = groups
        .map(|dn| format!("{dn}\nchangetype: modify\ndelete: member\nmember: {left}\n\n"))
        .collect();
    up.modify(&leave);
    let report = house.run(&["sync"], 13);
    assert_eq!(held(&report), ["unreadable"], "{report}");
    let only = &report["targets"][0]["held"][0]["text"];
    assert!(only.to_string().contains("memberOf is not shown"), "{only}");
    assert!(only.to_string().contains("let the bind account"), "{only}");
    stopped.push(gone);
    stopped.sort();
    assert_eq!(house.stopped(), stopped, "{login} keeps the account");
    // Nothing was learned by having looked once.
    assert_eq!(held(&house.run(&["sync"], 13)), ["unreadable"]);
    assert_eq!(house.stopped(), stopped);
}

#[test]
fn groups_that_openldap_hides_are_not_lost() {
    let up = OpenLdap::start(60);
    let groups = &up.groups_base;
    let house = House::of(
        &up,
        &format!("[source.groups]\nmethod = \"member-of\"\nbases = [\"{groups}\"]\n"),
    );
    one_is_held_and_one_leaves(
        &up,
        &house,
        &|login| Some(format!("uid={login},{}", up.people_base)),
        &|dn| up.hide_of(dn, "memberOf"),
    );
}

#[test]
fn groups_that_active_directory_hides_are_not_lost() {
    let up = SambaAd::start(60);
    let house = House::of_domain(&up, &[up.people_base.clone(), up.groups_base.clone()]);
    one_is_held_and_one_leaves(
        &up,
        &house,
        &|login| up.dn_line(login).strip_prefix("dn: ").map(str::to_owned),
        &|dn| up.deny_reading(dn, MEMBER_OF, ""),
    );
}
