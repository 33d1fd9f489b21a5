//! Every way in which directories say who is in a group, on real servers.

use provost::source::GroupNeed;
use provost::source::settings::GroupMethod;

use super::{Tray, fetch, groups_of, openldap, request, samba, shortfalls};
use crate::support::{OpenLdap, SambaAd};

/// Unique members whose names are followed by bits, and one whose name looks nearly as if it were.
fn with_bits(people: &str, groups: &str) -> String {
    let add = |name: &str, members: &str| {
        format!(
            "dn: cn={name},{groups}\nchangetype: add\nobjectClass: groupOfUniqueNames\ncn: {name}\n{members}\n\n"
        )
    };
    [
        format!(
            "dn: uid=u000035,{people}\nchangetype: modrdn\nnewrdn: uid=x#'01'B\ndeleteoldrdn: 1\n\n"
        ),
        add(
            "x-bits",
            &format!(
                "uniqueMember: uid=u000034,{people}#'0101'B\nuniqueMember: uid=x#'01'B,{people}"
            ),
        ),
        add("x-both", &format!("uniqueMember: uid=x#'01'B,{people}#''B")),
    ]
    .concat()
}

#[test]
fn every_kind_of_group_is_looked_up_on_openldap_through_a_circle() {
    let up = OpenLdap::start(60);
    let (people, groups) = (&up.people_base, &up.groups_base);
    let account = |uid: &str, gid: u32| {
        format!(
            "dn: uid={uid},{people}\nchangetype: modify\nadd: objectClass\nobjectClass: posixAccount\n-\n\
             add: uidNumber\nuidNumber: 9000\n-\nadd: gidNumber\ngidNumber: {gid}\n-\n\
             add: homeDirectory\nhomeDirectory: /\n\n"
        )
    };
    let group = |name: &str, class: &str, members: &str| {
        format!(
            "dn: cn={name},{groups}\nchangetype: add\nobjectClass: {class}\ncn: {name}\n{members}\n\n"
        )
    };
    up.modify(
        &[
            account("u000033", 5001),
            group(
                "x-unique",
                "groupOfUniqueNames",
                &format!("uniqueMember: UID=U000031, {people}"),
            ),
            with_bits(people, groups),
            group("x-posix", "posixGroup", "gidNumber: 5000\nmemberUid: u000032"),
            group("x-primary", "posixGroup", "gidNumber: 5001"),
            // In a circle with one another, around one of the others.
            group(
                "x-ring-a",
                "groupOfNames",
                &format!("member: cn=x-unique,{groups}\nmember: cn=nobody,{groups}"),
            ),
            group(
                "x-ring-b",
                "groupOfNames",
                &format!("member: cn=x-ring-a,{groups}"),
            ),
            format!(
                "dn: cn=x-ring-a,{groups}\nchangetype: modify\nadd: member\nmember: cn=x-ring-b,{groups}\n"
            ),
        ]
        .concat(),
    );
    let (source, mut ldap) = openldap(&up);
    ldap.groups.method = GroupMethod::Member;
    ldap.groups.filter =
        "(|(objectClass=groupOfNames)(objectClass=groupOfUniqueNames)(objectClass=posixGroup))"
            .to_owned();
    let mut tray = Tray::default();
    let all = request(&["uid"], GroupNeed::All);
    let report = fetch((source, ldap), &all, &mut tray);
    assert_eq!(shortfalls(&report), []);
    let of = |uid: &str| {
        let mut names = groups_of(&tray, uid);
        names.retain(|name| name.starts_with("x-"));
        names
    };
    assert_eq!(of("u000031"), ["x-ring-a", "x-ring-b", "x-unique"]);
    assert_eq!(of("u000032"), ["x-posix"]);
    assert_eq!(of("u000033"), ["x-primary"]);
    assert_eq!(of("u000034"), ["x-bits"]);
    assert_eq!(of("x#'01'B"), ["x-bits", "x-both"]);
    assert_eq!(of("u000036"), Vec::<String>::new());
}

#[test]
fn a_primary_group_of_active_directory_counts_with_everything_above_it() {
    let up = SambaAd::start(60);
    let groups = &up.groups_base;
    // Somebody whose name ldapsearch does not have to encode.
    let (login, person) = (30..60)
        .map(|n| format!("u{n:06}"))
        .find_map(|login| {
            let dn = up.dn_line(&login).strip_prefix("dn: ")?.to_owned();
            Some((login, dn))
        })
        .expect("a plain name");
    let group = |name: &str, member: &str| {
        format!(
            "dn: CN={name},{groups}\nchangetype: add\nobjectClass: group\nsAMAccountName: {name}\nmember: {member}\n\n"
        )
    };
    up.modify(&group("x-first", &person));
    up.modify(&group("x-above", &format!("CN=x-first,{groups}")));
    up.modify(&group("x-top", &format!("CN=x-above,{groups}")));
    // A circle.
    up.modify(&format!(
        "dn: CN=x-above,{groups}\nchangetype: modify\nadd: member\nmember: CN=x-top,{groups}\n"
    ));
    let found = up.search(&["(cn=x-first)", "primaryGroupToken"]);
    let token = found
        .lines()
        .find_map(|line| line.strip_prefix("primaryGroupToken: "))
        .unwrap_or_else(|| panic!("{found}"));
    up.modify(&format!(
        "dn: {person}\nchangetype: modify\nreplace: primaryGroupID\nprimaryGroupID: {token}\n"
    ));
    let member = up.search(&["(cn=x-first)", "member"]);
    assert!(!member.contains(&person), "{member}");
    for method in [GroupMethod::MemberOf, GroupMethod::Member] {
        let (source, mut ldap) = samba(&up);
        ldap.groups.method = method;
        let mut tray = Tray::default();
        let all = request(&["samaccountname"], GroupNeed::All);
        let report = fetch((source, ldap), &all, &mut tray);
        assert_eq!(shortfalls(&report), []);
        let mut names = groups_of(&tray, &login);
        names.retain(|name| name.starts_with("x-"));
        assert_eq!(names, ["x-above", "x-first", "x-top"], "{method:?}");
    }
}
