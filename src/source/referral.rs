//! Which continuation references may be passed by.

use super::settings::{Flavour, LdapSettings};
use crate::model::Dn;

/// Partitions that every AD domain refers to and that hold no people, by their first RDN.
const AD_PARTITIONS: [&str; 4] = [
    "cn=configuration",
    "cn=schema",
    "dc=domaindnszones",
    "dc=forestdnszones",
];

/// Whether a reference leads to nothing that this source should have read.
///
/// AD's own partitions count as outside even if they lie below the domain's DN, unless a base was configured inside them.
pub(super) fn is_ignorable(url: &str, settings: &LdapSettings) -> bool {
    let listed = |known: &String| {
        !known.is_empty()
            && url
                .get(..known.len())
                .is_some_and(|start| start.eq_ignore_ascii_case(known))
    };
    if settings.ignore_referrals.iter().any(listed) {
        return true;
    }
    let Some(dn) = dn_of(url) else {
        return false;
    };
    let inside = settings
        .bases
        .iter()
        .chain(&settings.groups.bases)
        .filter_map(|base| Dn::parse(base))
        .any(|base| base.is_below(&dn));
    let partition = dn.rdn().is_some_and(|rdn| AD_PARTITIONS.contains(&rdn));
    settings.flavour == Flavour::ActiveDirectory && partition && !inside
}

/// The DN in an LDAP URL (RFC 4516).
fn dn_of(url: &str) -> Option<Dn> {
    let (_, rest) = url.split_once("://")?;
    let (_, path) = rest.split_once('/')?;
    let path = path.split('?').next()?;
    let mut bytes = Vec::with_capacity(path.len());
    let mut rest = path.bytes();
    while let Some(byte) = rest.next() {
        if byte == b'%' {
            let mut digit = || rest.next().and_then(|d| char::from(d).to_digit(16));
            let code = digit()? << 4 | digit()?;
            bytes.push(u8::try_from(code).ok()?);
        } else {
            bytes.push(byte);
        }
    }
    Dn::parse(&String::from_utf8(bytes).ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::settings::{GroupMethod, GroupSettings};
    use std::time::Duration;

    fn settings(flavour: Flavour, base: &str) -> LdapSettings {
        LdapSettings {
            flavour,
            servers: Vec::new(),
            ca_pem: None,
            bind_name: String::new(),
            bind_password: String::new().into(),
            bases: vec![base.to_owned()],
            filter: String::new(),
            page_size: 1,
            connect_timeout: Duration::ZERO,
            read_timeout: Duration::ZERO,
            message_limit: 0,
            groups: GroupSettings {
                bases: Vec::new(),
                filter: String::new(),
                method: GroupMethod::Member,
                nested: false,
            },
            binary: std::collections::BTreeSet::new(),
            ignore_referrals: vec!["ldap://old.test/".to_owned()],
            start_attribute: None,
            end_attribute: None,
        }
    }

    #[test]
    fn only_known_references_are_passed_by() {
        let configuration = "ldap://lab.test/CN=Configuration,DC=lab,DC=test";
        let zones = "ldap://DomainDnsZones.lab.test/DC=DomainDnsZones%2cDC=lab,DC=test??base";
        let child = "ldap://child.lab.test/DC=child,DC=lab,DC=test";
        let ad = settings(Flavour::ActiveDirectory, "DC=lab,DC=test");
        assert!(is_ignorable(configuration, &ad) && is_ignorable(zones, &ad));
        assert!(!is_ignorable(child, &ad));
        assert!(is_ignorable("LDAP://old.test/x", &ad));
        for odd in ["", "ldap://", "ldap://x/%4", "ldap://x/%zz", "x"] {
            assert!(!is_ignorable(odd, &ad), "{odd}");
        }
        assert!(!is_ignorable(
            configuration,
            &settings(Flavour::Ldap, "DC=lab,DC=test")
        ));
        let inside = settings(
            Flavour::ActiveDirectory,
            "CN=Sites,CN=Configuration,DC=lab,DC=test",
        );
        assert!(!is_ignorable(configuration, &inside));
    }
}
