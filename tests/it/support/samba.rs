//! Samba as an Active Directory domain controller, with the made-up company of `tests/support/people.py`.

use std::{path::PathBuf, sync::OnceLock, time::Duration};

use super::{
    Cert, PASSWORD,
    ldap_client::LdapClient,
    process::{Server, run, script, state_dir},
    tls,
};

/// How the domain controller is to be.
#[derive(Clone, Copy, Debug, Default)]
pub struct SambaOptions {
    /// How many people are in it.
    pub people: u32,
    /// The certificate it shows.
    pub cert: Cert,
    /// Whether it allows a simple bind over a clear connection (hardened AD does not).
    pub allow_plain: bool,
}

/// A running domain controller, in a network of its own, reachable at free ports.
#[derive(Debug)]
pub struct SambaAd {
    server: Server,
    state: PathBuf,
    admin: LdapClient,
    /// `ldap://localhost:PORT`; StartTLS works.
    pub ldap_url: String,
    /// `ldaps://localhost:PORT`.
    pub ldaps_url: String,
    /// The global catalogue over TLS.
    pub gc_url: String,
    /// The CA of its certificate.
    pub ca_pem: PathBuf,
    /// A plain user, by its user principal name.
    pub bind_dn: String,
    /// Of `bind_dn` and of `admin_dn`.
    pub password: String,
    /// The domain's administrator, by its user principal name.
    pub admin_dn: String,
    /// The domain's naming context.
    pub base: String,
    /// `OU=People` below it.
    pub people_base: String,
    /// `OU=Groups` below it.
    pub groups_base: String,
}

impl SambaAd {
    /// A domain of 1,000 people that tests share: for reading only. It ends with the process.
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<SambaAd> = OnceLock::new();
        SHARED.get_or_init(|| Self::start(1000))
    }

    /// With this many people and a good certificate. The first domain of a size takes about 5 s per 1,000 people.
    pub fn start(people: u32) -> Self {
        Self::start_with(SambaOptions {
            people,
            ..SambaOptions::default()
        })
    }

    /// As the options say.
    pub fn start_with(options: SambaOptions) -> Self {
        let dir = state_dir("samba");
        let state = dir.path().to_owned();
        let mut make = script("samba", &state);
        make.arg("make")
            .arg(options.people.to_string())
            .env("AD_CERT", options.cert.word());
        if options.allow_plain {
            make.env("AD_PLAIN", "1");
        }
        run(&mut make);
        let server = Server::start(script("samba", &state).arg("serve"), dir, &[389, 636, 3269]);
        let [(_, port), (_, tls_port), (_, gc_port)] = server.forwarded[..] else {
            panic!("three ports were asked for, got {:?}", server.forwarded)
        };
        let base = "DC=example,DC=test";
        let ldaps_url = format!("ldaps://localhost:{tls_port}");
        let admin_dn = "administrator@example.test".to_owned();
        let mut up = Self {
            server,
            state,
            admin: LdapClient {
                url: ldaps_url.clone(),
                bind: admin_dn.clone(),
                password: PASSWORD.to_owned(),
                base: base.to_owned(),
            },
            ldap_url: format!("ldap://localhost:{port}"),
            ldaps_url,
            gc_url: format!("ldaps://localhost:{gc_port}"),
            ca_pem: tls::ca_pem(),
            bind_dn: "sync@example.test".to_owned(),
            password: PASSWORD.to_owned(),
            admin_dn,
            base: base.to_owned(),
            people_base: format!("OU=People,{base}"),
            groups_base: format!("OU=Groups,{base}"),
        };
        up.wait();
        up
    }

    fn wait(&mut self) {
        let admin = self.admin.clone();
        let up = self
            .server
            .wait_until(Duration::from_secs(90), || admin.answers(&admin.base));
        up.unwrap_or_else(|log| panic!("samba does not start:\n{log}"));
    }

    /// Applies LDIF changes (`changetype:` …) as the administrator.
    pub fn modify(&self, ldif: &str) {
        self.admin.modify(ldif);
    }

    /// `k` changes to the people loaded: titles, disabled or not; one in 20 joins, and leaves in the next round.
    pub fn churn(&self, k: u32, round: u32) {
        run(script("samba", &self.state)
            .arg("churn")
            .arg(k.to_string())
            .arg(round.to_string()));
    }

    /// What `ldapsearch -LLL` prints, asked as the administrator, from the whole domain unless the arguments say otherwise.
    pub fn search(&self, args: &[&str]) -> String {
        self.admin.search(args)
    }

    /// Sets one of the domain's LDAP policy limits (`MaxQueryDuration=1`), then starts the server again.
    pub fn limits(&mut self, limit: &str) {
        run(script("samba", &self.state).arg("limits").arg(limit));
        self.kill();
        self.revive();
    }

    /// Ends the server as a crash would.
    pub fn kill(&mut self) {
        self.server.kill();
    }

    /// Starts it again, on the same ports.
    pub fn revive(&mut self) {
        self.server.revive();
        self.wait();
    }

    /// The process itself, for what else can happen to it.
    pub const fn process(&mut self) -> &mut Server {
        &mut self.server
    }
}
