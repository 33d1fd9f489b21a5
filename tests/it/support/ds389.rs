//! 389 Directory Server with the made-up company of `tests/support/people.py`.

use std::{path::PathBuf, time::Duration};

use super::{
    Cert, PASSWORD,
    ldap_client::LdapClient,
    ports,
    process::{Server, run, script, state_dir},
    tls,
};

/// A running 389 Directory Server, with its memberOf and referential integrity plug-ins.
#[derive(Debug)]
pub struct Ds389 {
    server: Server,
    state: PathBuf,
    admin: LdapClient,
    /// `ldap://localhost:PORT`; StartTLS works.
    pub ldap_url: String,
    /// `ldaps://localhost:PORT`.
    pub ldaps_url: String,
    /// The CA of its certificate.
    pub ca_pem: PathBuf,
    /// May read everything but passwords.
    pub bind_dn: String,
    /// Of `bind_dn` and of the administrator.
    pub password: String,
    /// The naming context.
    pub base: String,
    /// `ou=people` below it: `inetOrgPerson` entries with `memberOf`.
    pub people_base: String,
    /// `ou=groups` below it: `groupOfNames` entries.
    pub groups_base: String,
}

impl Ds389 {
    /// With this many people and a good certificate.
    pub fn start(people: u32) -> Self {
        Self::start_with(people, Cert::Good)
    }

    /// With this many people and this certificate.
    pub fn start_with(people: u32, cert: Cert) -> Self {
        let mut failed = String::new();
        for _ in 0..3 {
            match Self::try_start(people, cert) {
                Ok(up) => return up,
                Err(log) => failed = log, // most likely somebody took the port; another one then
            }
        }
        panic!("ns-slapd does not start:\n{failed}")
    }

    fn try_start(people: u32, cert: Cert) -> Result<Self, String> {
        let dir = state_dir("389ds");
        let state = dir.path().to_owned();
        run(script("389ds", &state)
            .arg("make")
            .arg(people.to_string())
            .env("DS_CERT", cert.word()));
        let (port, tls_port) = (ports::free(), ports::free());
        let mut serve = script("389ds", &state);
        serve
            .arg("serve")
            .arg(port.to_string())
            .arg(tls_port.to_string());
        let base = "dc=example,dc=test".to_owned();
        let ldaps_url = format!("ldaps://localhost:{tls_port}");
        let mut up = Self {
            server: Server::start(&serve, dir, &[]),
            state,
            admin: LdapClient {
                url: ldaps_url.clone(),
                bind: "cn=Directory Manager".to_owned(),
                password: PASSWORD.to_owned(),
                base: base.clone(),
            },
            ldap_url: format!("ldap://localhost:{port}"),
            ldaps_url,
            ca_pem: tls::ca_pem(),
            bind_dn: format!("uid=sync,ou=services,{base}"),
            password: PASSWORD.to_owned(),
            people_base: format!("ou=people,{base}"),
            groups_base: format!("ou=groups,{base}"),
            base,
        };
        up.wait()?;
        Ok(up)
    }

    fn wait(&mut self) -> Result<(), String> {
        let admin = self.admin.clone();
        self.server
            .wait_until(Duration::from_secs(90), || admin.answers(&admin.base))
    }

    /// Applies LDIF changes (`changetype:` …) as the administrator.
    pub fn modify(&self, ldif: &str) {
        self.admin.modify(ldif);
    }

    /// About `k` changes to the people loaded: mostly titles; one in 20 joins, and leaves in the next round.
    ///
    /// Rounds count from 1, with the same `k` each.
    pub fn churn(&self, k: u32, round: u32) {
        run(script("389ds", &self.state)
            .arg("churn")
            .arg(k.to_string())
            .arg(round.to_string()));
    }

    /// What `ldapsearch -LLL` prints, asked as the administrator, from the whole tree unless the arguments say otherwise.
    pub fn search(&self, args: &[&str]) -> String {
        self.admin.search(args)
    }

    /// Sets one of the bind account's limits in the running server: `nsSizeLimit=50`.
    pub fn limits(&self, limit: &str) {
        run(script("389ds", &self.state).arg("limits").arg(limit));
    }

    /// Ends the server as a crash would.
    pub fn kill(&mut self) {
        self.server.kill();
    }

    /// Starts it again, on the same ports.
    pub fn revive(&mut self) {
        self.server.revive();
        self.wait()
            .unwrap_or_else(|log| panic!("ns-slapd does not start again:\n{log}"));
    }
}
