//! The real servers start, hold what the other tests rely on, and end.

use serde_json::json;

use crate::support::{Cert, Ds389, OpenLdap, OpenLdapOptions, SambaAd, ScimKind, ScimServer};

/// How many entries an LDIF text has.
fn entries(ldif: &str) -> usize {
    ldif.lines().filter(|l| l.starts_with("dn:")).count()
}

#[test]
fn openldap_holds_the_company_takes_changes_and_comes_back_after_a_crash() {
    let mut ldap = OpenLdap::start(100);
    let people = ["-E", "pr=50/noprompt", "(objectClass=inetOrgPerson)", "uid"];
    assert_eq!(entries(&ldap.search(&people)), 100);
    ldap.churn(20, 1);
    assert_eq!(
        entries(&ldap.search(&people)),
        101,
        "one in twenty changes is a joiner"
    );
    ldap.modify(&format!(
        "dn: uid=u000030,{}\nchangetype: modify\nreplace: title\ntitle: Chef\n",
        ldap.people_base
    ));
    ldap.limits("size.soft=5 size.hard=10 size.prtotal=10");
    ldap.kill();
    ldap.revive();
    assert!(
        ldap.search(&["(uid=u000030)", "title"])
            .contains("title: Chef\n")
    );
}

#[test]
fn ds389_holds_the_company_takes_changes_and_comes_back_after_a_crash() {
    let mut ds = Ds389::start(100);
    let people = ["-E", "pr=50/noprompt", "(objectClass=inetOrgPerson)", "uid"];
    assert_eq!(entries(&ds.search(&people)), 100);
    ds.churn(20, 1);
    assert_eq!(
        entries(&ds.search(&people)),
        101,
        "one in twenty changes is a joiner"
    );
    ds.kill();
    ds.revive();
    assert_eq!(entries(&ds.search(&people)), 101);
}

#[test]
fn openldap_shows_the_certificate_it_was_told_to() {
    let ldap = OpenLdap::start_with(OpenLdapOptions {
        people: 20,
        cert: Cert::Expired,
        require_tls: true,
        ..OpenLdapOptions::default()
    });
    assert_eq!(entries(&ldap.search(&["(uid=u000000)", "cn"])), 1);
}

#[test]
fn samba_holds_the_company() {
    let ad = SambaAd::shared();
    let found = ad.search(&[
        "-E",
        "pr=500/noprompt",
        "-b",
        &ad.people_base,
        "(objectClass=user)",
        "objectGUID",
    ]);
    assert_eq!(entries(&found), 1000);
    assert_eq!(found.matches("objectGUID:").count(), 1000);
}

#[test]
fn several_domain_controllers_run_side_by_side() {
    let (mut one, other) = (SambaAd::start(30), SambaAd::start(30));
    let people = ["(&(objectClass=user)(employeeNumber=*))", "cn"];
    let before = entries(&one.search(&people));
    one.churn(20, 1);
    one.modify(&format!(
        "dn: CN=sync,OU=Services,{}\nchangetype: modify\nreplace: title\ntitle: Robot\n",
        one.base
    ));
    one.kill();
    one.revive();
    assert_eq!(entries(&one.search(&people)), before + 1);
    assert_eq!(entries(&one.search(&["(title=Robot)", "cn"])), 1);
    assert_eq!(entries(&other.search(&people)), before);
    assert_eq!(entries(&other.search(&["(title=Robot)", "cn"])), 0);
}

#[test]
fn every_scim_server_stores_a_user_and_a_group() {
    for kind in ScimKind::ALL {
        let scim = ScimServer::start(kind);
        assert_eq!(scim.users().len(), 0, "{kind:?}");
        let user = json!({"schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"], "userName": "anna@example.test",
            "externalId": "1", "name": {"givenName": "Anna", "familyName": "Žák", "formatted": "Anna Žák"},
            "displayName": "Anna", "active": true, "emails": [{"value": "anna@example.test", "type": "work", "primary": true}]});
        let (status, made) = scim.request("POST", "/Users", Some(&user));
        assert_eq!(status, 201, "{kind:?}: {made}");
        let group = json!({"schemas": ["urn:ietf:params:scim:schemas:core:2.0:Group"], "displayName": "Sales",
            "members": [{"value": made["id"]}]});
        let (status, answer) = scim.request("POST", "/Groups", Some(&group));
        assert_eq!(status, 201, "{kind:?}: {answer}");
        let (users, groups) = (scim.users(), scim.groups());
        assert_eq!(users.len(), 1, "{kind:?}");
        assert_eq!(users[0]["userName"], "anna@example.test", "{kind:?}");
        assert_eq!(
            groups[0]["members"][0]["value"], made["id"],
            "{kind:?}: {}",
            groups[0]
        );
    }
}
