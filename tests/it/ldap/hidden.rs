//! Attributes that decide about people, and that the bind account may not read: on real servers, with their own access
//! control. What cannot be seen must hold or be told, and never mean "everybody may work".

use provost::source::{self, GroupNeed, Line, Sound};

use super::absent::{House, held};
use super::ds389::ds389;
use super::{Tray, fetch, openldap, request, samba, shortfalls, wait};
use crate::support::{Ds389, OpenLdap, SambaAd};

/// `userAccountControl` in the schema of Active Directory.
const CONTROL: &str = "bf967a68-0de6-11d0-a285-00aa003049e2";
/// `accountExpires`.
const EXPIRES: &str = "bf967915-0de6-11d0-a285-00aa003049e2";

/// What `check --online` says of one thing.
fn looked(
    (mut source, ldap): (
        source::settings::SourceSettings,
        source::settings::LdapSettings,
    ),
    attributes: &[&str],
    what: &str,
) -> Line {
    source.kind = source::settings::SourceKind::Ldap(ldap);
    let lines = wait(source::probe(
        &source,
        &request(attributes, GroupNeed::None),
    ));
    let line = lines.iter().find(|line| line.what.starts_with(what));
    line.unwrap_or_else(|| panic!("nothing about {what}: {lines:#?}"))
        .clone()
}

#[test]
fn who_may_be_disabled_unseen_is_held_and_the_check_says_so() {
    let up = SambaAd::start(60);
    let house = House::of_domain(&up, std::slice::from_ref(&up.people_base));
    let stopped = house.stopped();
    let everybody = "(&(objectCategory=person)(sAMAccountName=u0*))";
    let logins = up.search(&["-b", &up.people_base, everybody, "sAMAccountName"]);
    let logins: Vec<&str> = logins
        .lines()
        .filter_map(|line| line.strip_prefix("sAMAccountName: "))
        .collect();
    let enabled = logins
        .into_iter()
        // The last ones: it is the first who are looked at.
        .rev()
        .filter(|login| !stopped.contains(&(*login).to_owned()));
    let lines = enabled.map(|login| up.dn_line(login));
    let hidden: Vec<String> = lines
        .filter_map(|line| line.strip_prefix("dn: ").map(str::to_owned))
        .take(2)
        .collect();
    // One is disabled at the same moment: nobody can see it, so nothing may be said of either.
    for dn in &hidden {
        up.deny_reading(dn, CONTROL, "");
    }
    up.modify(&format!(
        "dn: {}\nchangetype: modify\nreplace: userAccountControl\nuserAccountControl: 514\n",
        hidden[0]
    ));
    let report = house.run(&["sync"], 13);
    assert_eq!(held(&report), ["unreadable"; 2], "{report}");
    assert!(report.to_string().contains("let the bind account read it"));
    assert_eq!(
        house.stopped(),
        stopped,
        "and nobody is believed to be enabled"
    );

    let what = "people below";
    assert_eq!(looked(samba(&up), &["cn"], what).sound, Sound::Good);
    assert_eq!(
        looked(samba(&up), &["cn"], "accountExpires").sound,
        Sound::Good
    );
    up.deny_reading(&up.people_base, EXPIRES, "CIIO");
    let expires = looked(samba(&up), &["cn"], "accountExpires");
    assert_eq!(expires.sound, Sound::Doubtful, "{expires:?}");
    up.deny_reading(&up.people_base, CONTROL, "CIIO");
    let people = looked(samba(&up), &["cn"], what);
    assert_eq!(people.sound, Sound::Bad);
    assert!(people.found.contains("userAccountControl"), "{people:?}");
    let mut tray = Tray::default();
    let report = fetch(samba(&up), &request(&["cn"], GroupNeed::None), &mut tray);
    assert_eq!(shortfalls(&report), []);
    assert_eq!((tray.people.len(), tray.problems.len()), (0, 60));
}

#[test]
fn a_lock_that_openldap_hides_is_doubted() {
    let up = OpenLdap::start(60);
    let what = "who is locked";
    let seen = looked(openldap(&up), &["cn"], what);
    assert_eq!(seen.sound, Sound::Good, "{seen:?}");
    up.hide("pwdAccountLockedTime");
    let unseen = looked(openldap(&up), &["cn"], what);
    assert_eq!(unseen.sound, Sound::Doubtful);
    assert!(unseen.found.contains("keeps access"), "{unseen:?}");
    // What a mapping uses is looked at as well, hidden or misspelt.
    let mapped = "attributes of the mappings";
    assert_eq!(looked(openldap(&up), &["cn"], mapped).sound, Sound::Good);
    up.hide("title");
    let mapped = looked(openldap(&up), &["cn", "title", "departmnet"], mapped);
    assert_eq!(mapped.sound, Sound::Doubtful);
    assert!(mapped.found.contains("departmnet, title"), "{mapped:?}");
    let (source, mut ldap) = openldap(&up);
    ldap.end_attribute = Some("leaveDate".to_owned());
    let end = looked((source, ldap), &["cn"], "leaveDate");
    assert_eq!(end.sound, Sound::Doubtful);
}

#[test]
fn a_lock_that_389_hides_is_doubted() {
    let up = Ds389::start(60);
    let what = "who is locked";
    up.modify(&format!(
        "dn: uid=u000031,{}\nchangetype: modify\nreplace: nsAccountLock\nnsAccountLock: true\n",
        up.people_base
    ));
    let seen = looked(ds389(&up), &["cn"], what);
    assert_eq!(seen.sound, Sound::Good, "{seen:?}");
    up.modify(&format!(
        "dn: {}\nchangetype: modify\nadd: aci\naci: (targetattr = \"nsAccountLock\")(version 3.0; acl \"hidden\"; \
         deny (read, search, compare) userdn = \"ldap:///{}\";)\n",
        up.people_base, up.bind_dn
    ));
    let unseen = looked(ds389(&up), &["cn"], what);
    assert_eq!(unseen.sound, Sound::Doubtful, "{unseen:?}");
}

/// The shape of answers that the reading of long lists of members relies on, from a server that nobody here wrote. Samba
/// gives ranges to whoever asks for one, and never of its own accord.
#[test]
fn samba_gives_members_in_the_ranges_that_are_asked_for() {
    let up = SambaAd::shared();
    let group =
        |attribute: &str| up.search(&["-b", &up.groups_base, "(cn=project-00000)", attribute]);
    let whole = group("member");
    let count = whole.matches("\nmember:").count();
    assert!(count > 4, "{whole}");
    let first = group("member;range=0-1");
    assert_eq!(first.matches("\nmember;range=0-1:").count(), 2, "{first}");
    let rest = group("member;range=2-*");
    let rest = rest.matches("\nmember;range=2-*:").count();
    assert_eq!(rest, count - 2);
}
