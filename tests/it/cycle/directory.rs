//! The directories, each changed and read by its own tools.

use std::collections::BTreeMap;

use crate::support::{Ds389, OpenLdap, SambaAd};

/// A running directory.
pub(super) enum Directory {
    OpenLdap(OpenLdap),
    Ds389(Ds389),
    Samba(SambaAd),
}

impl Directory {
    pub(super) fn openldap(people: u32) -> Self {
        Self::OpenLdap(OpenLdap::start(people))
    }

    pub(super) fn ds389(people: u32) -> Self {
        Self::Ds389(Ds389::start(people))
    }

    pub(super) fn samba(people: u32) -> Self {
        Self::Samba(SambaAd::start(people))
    }

    pub(super) fn is_ad(&self) -> bool {
        matches!(self, Self::Samba(_))
    }

    pub(super) fn password(&self) -> String {
        match self {
            Self::OpenLdap(server) => server.password.clone(),
            Self::Ds389(server) => server.password.clone(),
            Self::Samba(server) => server.password.clone(),
        }
    }

    /// The `[[source]]` keys that differ. OpenLDAP and 389 are read by StartTLS, Active Directory by LDAPS.
    pub(super) fn source(&self) -> String {
        let (kind, url, ca, bind, base) = match self {
            Self::OpenLdap(s) => ("ldap", &s.ldap_url, &s.ca_pem, &s.bind_dn, &s.people_base),
            Self::Ds389(s) => (
                "ldap\"\nanchor = \"nsUniqueId",
                &s.ldap_url,
                &s.ca_pem,
                &s.bind_dn,
                &s.people_base,
            ),
            Self::Samba(s) => (
                "active-directory",
                &s.ldaps_url,
                &s.ca_pem,
                &s.bind_dn,
                &s.people_base,
            ),
        };
        format!(
            "type = \"{kind}\"\nurls = [\"{url}\"]\nca-file = \"{}\"\nbind-name = \"{bind}\"\nbases = [\"{base}\"]",
            ca.display()
        )
    }

    pub(super) fn groups(&self) -> String {
        let base = self.groups_base();
        format!("[source.groups]\nbases = [\"{base}\"]\nmethod = \"member-of\"")
    }

    fn groups_base(&self) -> &str {
        match self {
            Self::OpenLdap(server) => &server.groups_base,
            Self::Ds389(server) => &server.groups_base,
            Self::Samba(server) => &server.groups_base,
        }
    }

    pub(super) fn churn(&self, k: u32, round: u32) {
        match self {
            Self::OpenLdap(server) => server.churn(k, round),
            Self::Ds389(server) => server.churn(k, round),
            Self::Samba(server) => server.churn(k, round),
        }
    }

    /// Person n leaves: the entry is moved out of the base, which keeps its anchor.
    pub(super) fn leave(&self, n: u32) {
        let (dn, rdn) = self.dn(n, "people");
        self.modify(&self.moved(&dn, &rdn, "services"));
    }

    /// Person n comes back.
    pub(super) fn come_back(&self, n: u32) {
        let (dn, rdn) = self.dn(n, "services");
        self.modify(&self.moved(&dn, &rdn, "people"));
    }

    /// Person n joins a group that is an entitlement.
    pub(super) fn join_group(&self, n: u32) {
        let (dn, _) = self.dn(n, "people");
        let group = format!("cn=project-00001,{}", self.groups_base());
        self.modify(&format!(
            "dn: {group}\nchangetype: modify\nadd: member\nmember: {dn}\n"
        ));
    }

    fn moved(&self, dn: &str, rdn: &str, to: &str) -> String {
        let base = self.base();
        format!(
            "dn: {dn}\nchangetype: modrdn\nnewrdn: {rdn}\ndeleteoldrdn: 1\nnewsuperior: ou={to},{base}\n"
        )
    }

    fn base(&self) -> &str {
        match self {
            Self::OpenLdap(server) => &server.base,
            Self::Ds389(server) => &server.base,
            Self::Samba(server) => &server.base,
        }
    }

    /// The DN of person n below `ou`, asked for by login, and its first part.
    fn dn(&self, n: u32, ou: &str) -> (String, String) {
        let login = if self.is_ad() {
            "sAMAccountName"
        } else {
            "uid"
        };
        let base = format!("ou={ou},{}", self.base());
        let found = self.search(&["-b", &base, &format!("({login}=u{n:06})"), "dn"]);
        let dn = found
            .first()
            .and_then(|entry| entry.get("dn"))
            .and_then(|dn| dn.first())
            .unwrap_or_else(|| panic!("person {n} is not below {base}"))
            .clone();
        let rdn = dn.split(',').next().unwrap_or_default().to_owned();
        (dn, rdn)
    }

    fn modify(&self, ldif: &str) {
        match self {
            Self::OpenLdap(server) => server.modify(ldif),
            Self::Ds389(server) => server.modify(ldif),
            Self::Samba(server) => server.modify(ldif),
        }
    }

    /// Everybody below the people's base, by `ldapsearch`.
    pub(super) fn people(&self) -> Vec<BTreeMap<String, Vec<String>>> {
        let base = format!("ou=people,{}", self.base());
        let filter = if self.is_ad() {
            "(&(objectCategory=person)(objectClass=user))"
        } else {
            "(objectClass=inetOrgPerson)"
        };
        self.search(&["-E", "pr=500/noprompt", "-b", &base, filter])
    }

    fn search(&self, args: &[&str]) -> Vec<BTreeMap<String, Vec<String>>> {
        let mut all = vec!["-LLL", "-o", "ldif-wrap=no"];
        all.extend(args);
        // Operational attributes hold the anchor of OpenLDAP and the memberships.
        if args.last().is_some_and(|last| last.starts_with('(')) {
            all.extend(["*", "+"]);
        }
        let text = match self {
            Self::OpenLdap(server) => server.search(&all),
            Self::Ds389(server) => server.search(&all),
            Self::Samba(server) => server.search(&all),
        };
        entries(&text)
    }
}

/// Unwrapped LDIF as `ldapsearch` prints it, names in lower case; values that are not text are left out.
pub(crate) fn entries(text: &str) -> Vec<BTreeMap<String, Vec<String>>> {
    use base64::Engine as _;
    let mut all = Vec::new();
    for block in text.split("\n\n") {
        let mut entry: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for line in block.lines().filter(|line| !line.starts_with('#')) {
            let Some((name, value)) = line.split_once(':') else {
                continue;
            };
            let value = match value.strip_prefix(':') {
                Some(coded) => base64::engine::general_purpose::STANDARD
                    .decode(coded.trim())
                    .ok()
                    .and_then(|bytes| String::from_utf8(bytes).ok()),
                None => Some(value.trim_start().to_owned()),
            };
            if let Some(value) = value {
                entry
                    .entry(name.to_ascii_lowercase())
                    .or_default()
                    .push(value);
            }
        }
        if entry.contains_key("dn") {
            all.push(entry);
        }
    }
    all
}
