//! Reading people from a real 389 Directory Server.

use provost::model::{Anchor, Shortfall};
use provost::source::settings::{AnchorRule, GroupMethod, LdapSettings, SourceSettings};
use provost::source::{AnchorRead, GroupNeed};

use super::{Tray, fetch, printed, read_anchor, request, server, settings, shortfalls, texts};
use crate::support::Ds389;

pub(super) fn ds389(up: &Ds389) -> (SourceSettings, LdapSettings) {
    let ca = std::fs::read(&up.ca_pem).unwrap();
    let (mut source, mut ldap) = settings(vec![server(&up.ldaps_url, false)], Some(ca));
    source.anchor = AnchorRule::NsUniqueId;
    ldap.bind_name = up.bind_dn.clone();
    ldap.bind_password = up.password.clone().into();
    ldap.bases = vec![up.people_base.clone()];
    ldap.groups.bases = vec![up.groups_base.clone()];
    (source, ldap)
}

#[test]
fn everybody_is_read_from_389_over_ldaps_and_start_tls() {
    let up = Ds389::start(1000);
    let request = request(&["uid", "mail", "jpegphoto"], GroupNeed::All);
    let mut tray = Tray::default();
    let report = fetch(ds389(&up), &request, &mut tray);
    assert_eq!(shortfalls(&report), []);
    assert_eq!(report.bases[0].entries, 1000);
    assert_eq!(tray.problems, []);
    let everybody = ["-E", "pr=500/noprompt", "(objectClass=inetOrgPerson)"];
    let asked = |name: &str| {
        let mut args = everybody.to_vec();
        args.push(name);
        printed(&up.search(&args), name)
    };
    let anchors: Vec<String> = tray.people.keys().map(ToString::to_string).collect();
    assert_eq!(anchors, asked("nsUniqueId"));
    assert_eq!(texts(&tray, "uid"), asked("uid"));
    assert_eq!(texts(&tray, "mail"), asked("mail"));
    let disabled = tray.people.values().filter(|p| p.state.disabled).count();
    assert_eq!(disabled, asked("nsAccountLock").len());
    assert!(disabled > 5, "the company has disabled people");

    // The plug-in's memberOf goes up through nested groups; resolving the groups here finds the same.
    let (source, mut ldap) = ds389(&up);
    ldap.servers = vec![server(&up.ldap_url, true)];
    ldap.groups.method = GroupMethod::Member;
    let report = fetch((source, ldap), &request, &mut tray);
    assert_eq!(shortfalls(&report), []);
    assert_eq!(tray.unchanged, 1000, "both methods find the same groups");
}

#[test]
fn a_person_of_389_keeps_the_anchor_through_rename_and_move_until_deleted() {
    let up = Ds389::start(30);
    let people = request(&["uid"], GroupNeed::All);
    let anchor = printed(&up.search(&["(uid=u000025)", "nsUniqueId"]), "nsUniqueId");
    let anchor = Anchor::new(&anchor[0]).unwrap();
    let read = || read_anchor(ds389(&up), &anchor, &people);
    let AnchorRead::Present(before) = read() else {
        panic!("not present")
    };
    assert!(!before.groups.is_empty());
    up.modify(&format!(
        "dn: {}\nchangetype: modrdn\nnewrdn: uid=U000025-Married\ndeleteoldrdn: 1\n",
        before.dn
    ));
    let AnchorRead::Present(renamed) = read() else {
        panic!("a rename is no departure")
    };
    assert_eq!(renamed.anchor, before.anchor);
    assert_eq!(renamed.attributes.text("uid"), Some("U000025-Married"));
    assert_eq!(
        renamed.groups, before.groups,
        "groups follow their member's name"
    );
    up.modify(&format!(
        "dn: {}\nchangetype: modrdn\nnewrdn: uid=U000025-Married\ndeleteoldrdn: 0\nnewsuperior: ou=services,{}\n",
        renamed.dn, up.base
    ));
    let AnchorRead::Elsewhere(dn) = read() else {
        panic!("moved out of the base")
    };
    assert!(dn.to_lowercase().contains("ou=services"), "{dn}");
    up.modify(&format!("dn: {dn}\nchangetype: delete\n"));
    assert_eq!(read(), AnchorRead::Gone);
}

#[test]
fn size_limits_of_389_make_a_read_partial_unless_pages_are_smaller() {
    let up = Ds389::start(300);
    let people = request(&["uid"], GroupNeed::None);
    up.limits("nsSizeLimit=50");
    let mut tray = Tray::default();
    let report = fetch(ds389(&up), &people, &mut tray);
    let why = shortfalls(&report);
    assert!(
        matches!(why, [Shortfall::Result { code: 4, .. }]),
        "{why:?}"
    );
    assert!(tray.people.len() < 300);
    // The limit is of a page there.
    let (source, mut ldap) = ds389(&up);
    ldap.page_size = 40;
    let report = fetch((source, ldap), &people, &mut tray);
    assert_eq!(shortfalls(&report), []);
    assert_eq!(tray.people.len(), 300);
}

/// 389's older way of inactivation: a role, from which the server computes the lock.
#[test]
fn a_lock_that_389_computes_from_a_role_counts_as_disabled() {
    let up = Ds389::start(30);
    let base = &up.base;
    up.modify(&format!(
        "dn: cn=disabled,{base}\nchangetype: add\nobjectClass: LDAPsubentry\nobjectClass: nsRoleDefinition\n\
         objectClass: nsSimpleRoleDefinition\nobjectClass: nsManagedRoleDefinition\ncn: disabled\n\n\
         dn: cn=locks,{base}\nchangetype: add\nobjectClass: nsContainer\ncn: locks\n\n\
         dn: cn=\"cn=disabled,{base}\",cn=locks,{base}\nchangetype: add\nobjectClass: extensibleObject\n\
         objectClass: cosTemplate\nobjectClass: LDAPsubentry\nnsAccountLock: true\ncosPriority: 1\n\n\
         dn: cn=lock,{base}\nchangetype: add\nobjectClass: LDAPsubentry\nobjectClass: cosSuperDefinition\n\
         objectClass: cosClassicDefinition\ncn: lock\ncosTemplateDn: cn=locks,{base}\ncosSpecifier: nsRole\n\
         cosAttribute: nsAccountLock operational\n"
    ));
    let state = || {
        let mut tray = Tray::default();
        let report = fetch(ds389(&up), &request(&["uid"], GroupNeed::None), &mut tray);
        assert_eq!(shortfalls(&report), []);
        let named = |uid: &str| {
            let mut people = tray.people.values();
            let person = people.find(|p| p.attributes.text("uid") == Some(uid));
            person.unwrap_or_else(|| panic!("no {uid}")).state.disabled
        };
        (named("u000000"), named("u000001"))
    };
    assert_eq!(state(), (false, false));
    up.modify(&format!(
        "dn: uid=u000000,{}\nchangetype: modify\nadd: nsRoleDN\nnsRoleDN: cn=disabled,{base}\n",
        up.people_base
    ));
    assert_eq!(state(), (true, false));
}
