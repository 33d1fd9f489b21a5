//! Reaching a server and being let in: certificates, credentials, fail-over.

use provost::source::{GroupNeed, SourceError};

use super::{Tray, fetch, openldap, request, samba, server, try_fetch};
use crate::support::{Cert, OpenLdap, OpenLdapOptions, SambaAd};

#[test]
fn certificates_are_verified_and_nothing_falls_back() {
    let good = OpenLdap::start(20);
    let refused = |settings, why: &str| {
        let mut tray = Tray::default();
        let error = try_fetch(settings, &request(&[], GroupNeed::None), &mut tray);
        let text = error.map(|_| ()).unwrap_err().to_string();
        assert!(text.contains(why), "{text}");
        assert!(tray.people.is_empty());
    };
    let (source, mut ldap) = openldap(&good);
    ldap.ca_pem = Some(rcgen_ca());
    refused((source, ldap), "certificate authority");
    for (cert, why) in [
        (Cert::Expired, "needs a new certificate"),
        (Cert::Wrong, "use the name that"),
    ] {
        let up = OpenLdap::start_with(OpenLdapOptions {
            people: 20,
            cert,
            ..OpenLdapOptions::default()
        });
        refused(openldap(&up), why);
        let (source, mut ldap) = openldap(&up);
        ldap.servers = vec![server(&up.ldap_url, true)];
        refused((source, ldap), why);
    }
}

pub(super) fn rcgen_ca() -> Vec<u8> {
    let mut params = rcgen::CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let key = rcgen::KeyPair::generate().unwrap();
    params.self_signed(&key).unwrap().pem().into_bytes()
}

#[test]
fn refused_credentials_end_the_attempt_and_an_absent_server_does_not() {
    let up = OpenLdap::start(20);
    let nobody = server(
        &format!("ldaps://localhost:{}", crate::support::ports::free()),
        false,
    );
    let people = request(&[], GroupNeed::None);
    let (source, mut ldap) = openldap(&up);
    ldap.servers.insert(0, nobody.clone());
    let report = fetch(
        (source.clone(), ldap.clone()),
        &people,
        &mut Tray::default(),
    );
    assert!(report.server.starts_with("ldaps://localhost:"));

    ldap.bind_password = "wrong".to_owned().into();
    let error = try_fetch(
        (source.clone(), ldap.clone()),
        &people,
        &mut Tray::default(),
    );
    assert!(matches!(error, Err(SourceError::Refused { .. })));
    ldap.bind_password = String::new().into();
    let error = try_fetch(
        (source.clone(), ldap.clone()),
        &people,
        &mut Tray::default(),
    );
    assert!(matches!(error, Err(SourceError::Refused { why, .. }) if why.contains("empty")));
    ldap.servers = vec![nobody];
    ldap.bind_password = up.password.clone().into();
    let error = try_fetch((source, ldap), &people, &mut Tray::default());
    assert!(matches!(error, Err(SourceError::Unreachable { .. })));

    let ad = SambaAd::shared();
    let (source, mut ldap) = samba(ad);
    ldap.bind_password = "wrong".to_owned().into();
    let error = try_fetch((source, ldap), &people, &mut Tray::default());
    assert!(
        matches!(error, Err(SourceError::Refused { why, .. }) if why.contains("wrong password"))
    );
}
