//! OpenLDAP with the made-up company of `tests/support/people.py`.

use std::{path::PathBuf, time::Duration};

use super::{
    Cert, PASSWORD,
    ldap_client::LdapClient,
    ports,
    process::{Server, run, script, state_dir},
    tls,
};

/// How the server is to be.
#[derive(Clone, Copy, Debug, Default)]
pub struct OpenLdapOptions {
    /// How many people are in it.
    pub people: u32,
    /// The certificate it shows.
    pub cert: Cert,
    /// Whether it refuses to bind over a clear connection.
    pub require_tls: bool,
    /// Whether it has one team of 100 per 50 people instead of the company's groups (for the benchmark).
    pub teams: bool,
}

/// A running OpenLDAP server.
#[derive(Debug)]
pub struct OpenLdap {
    server: Server,
    state: PathBuf,
    admin: LdapClient,
    /// `ldap://localhost:PORT`; StartTLS works.
    pub ldap_url: String,
    /// `ldaps://localhost:PORT`.
    pub ldaps_url: String,
    /// The CA of its certificate.
    pub ca_pem: PathBuf,
    /// May read everything but passwords; its searches are limited, see [`OpenLdap::limits`].
    pub bind_dn: String,
    /// Of `bind_dn` and of `admin_dn`.
    pub password: String,
    /// May do everything.
    pub admin_dn: String,
    /// The naming context.
    pub base: String,
    /// `ou=people` below it: `inetOrgPerson` entries with `memberOf`.
    pub people_base: String,
    /// `ou=groups` below it: `groupOfNames` entries.
    pub groups_base: String,
}

impl OpenLdap {
    /// With this many people and a good certificate.
    pub fn start(people: u32) -> Self {
        Self::start_with(OpenLdapOptions {
            people,
            ..OpenLdapOptions::default()
        })
    }

    /// As the options say.
    pub fn start_with(options: OpenLdapOptions) -> Self {
        let mut failed = String::new();
        for _ in 0..3 {
            match Self::try_start(options) {
                Ok(up) => return up,
                Err(log) => failed = log, // most likely somebody took the port; another one then
            }
        }
        panic!("slapd does not start:\n{failed}")
    }

    fn try_start(options: OpenLdapOptions) -> Result<Self, String> {
        let dir = state_dir("openldap");
        let state = dir.path().to_owned();
        let mut make = script("openldap", &state);
        make.arg("make")
            .arg(options.people.to_string())
            .env("LDAP_CERT", options.cert.word());
        if options.teams {
            make.arg("teams");
        }
        if options.require_tls {
            make.env("LDAP_REQUIRE_TLS", "1");
        }
        run(&mut make);
        let (port, tls_port) = (ports::free(), ports::free());
        let mut serve = script("openldap", &state);
        serve
            .arg("serve")
            .arg(port.to_string())
            .arg(tls_port.to_string());
        let base = "dc=example,dc=test";
        let ldaps_url = format!("ldaps://localhost:{tls_port}");
        let admin_dn = format!("cn=admin,{base}");
        let mut up = Self {
            server: Server::start(&serve, dir, &[]),
            state,
            admin: LdapClient {
                url: ldaps_url.clone(),
                bind: admin_dn.clone(),
                password: PASSWORD.to_owned(),
                base: base.to_owned(),
            },
            ldap_url: format!("ldap://localhost:{port}"),
            ldaps_url,
            ca_pem: tls::ca_pem(),
            bind_dn: format!("uid=sync,ou=services,{base}"),
            password: PASSWORD.to_owned(),
            admin_dn,
            base: base.to_owned(),
            people_base: format!("ou=people,{base}"),
            groups_base: format!("ou=groups,{base}"),
        };
        up.wait()?;
        Ok(up)
    }

    fn wait(&mut self) -> Result<(), String> {
        let admin = self.admin.clone();
        self.server
            .wait_until(Duration::from_secs(60), || admin.answers(""))
    }

    /// Applies LDIF changes (`changetype:` …) as the administrator.
    pub fn modify(&self, ldif: &str) {
        self.admin.modify(ldif);
    }

    /// About `k` changes to the people loaded: mostly titles; one in 20 joins, and leaves in the next round.
    ///
    /// Rounds count from 1, with the same `k` each.
    pub fn churn(&self, k: u32, round: u32) {
        run(script("openldap", &self.state)
            .arg("churn")
            .arg(k.to_string())
            .arg(round.to_string()));
    }

    /// What `ldapsearch -LLL` prints, asked as the administrator, from the whole tree unless the arguments say otherwise.
    pub fn search(&self, args: &[&str]) -> String {
        self.admin.search(args)
    }

    /// Sets the bind account's limits in the running server: `size.hard=50 size.prtotal=unlimited` (`slapd.conf(5)`).
    pub fn limits(&self, limits: &str) {
        run(script("openldap", &self.state).arg("limits").arg(limits));
    }

    /// Ends the server as a crash would.
    pub fn kill(&mut self) {
        self.server.kill();
    }

    /// Starts it again, on the same ports.
    pub fn revive(&mut self) {
        self.server.revive();
        self.wait()
            .unwrap_or_else(|log| panic!("slapd does not start again:\n{log}"));
    }

    /// The process itself, for what else can happen to it.
    pub const fn process(&mut self) -> &mut Server {
        &mut self.server
    }
}
