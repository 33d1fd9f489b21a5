//! A running directory server with the made-up company of `tests/support/people.py`, of whatever make.

use std::{path::PathBuf, time::Duration};

use super::{
    PASSWORD,
    ldap_client::LdapClient,
    ports,
    process::{Server, run, script, state_dir},
    tls,
};

/// What tests know and do of any of them.
#[derive(Debug)]
pub struct Directory {
    pub(super) server: Server,
    pub(super) state: PathBuf,
    pub(super) admin: LdapClient,
    /// Its script in `tests/support`.
    script: &'static str,
    /// What an administrator can always read.
    always: String,
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
    /// Below it: the people.
    pub people_base: String,
    /// Below it: the groups.
    pub groups_base: String,
}

/// What tells one make from another.
pub(super) struct Make {
    pub script: &'static str,
    pub base: &'static str,
    /// Who binds for reading.
    pub reader: &'static str,
    pub admin: String,
    pub always: String,
    pub people: &'static str,
    pub groups: &'static str,
}

impl Directory {
    /// Around a server that was just started, once it answers.
    ///
    /// # Errors
    /// Its log, if it does not.
    pub(super) fn of(
        make: Make,
        server: Server,
        state: PathBuf,
        ports: (u16, u16),
    ) -> Result<Self, String> {
        let ldaps_url = format!("ldaps://localhost:{}", ports.1);
        let base = make.base;
        let mut up = Self {
            server,
            state,
            admin: LdapClient {
                url: ldaps_url.clone(),
                bind: make.admin,
                password: PASSWORD.to_owned(),
                base: base.to_owned(),
            },
            script: make.script,
            always: make.always,
            ldap_url: format!("ldap://localhost:{}", ports.0),
            ldaps_url,
            ca_pem: tls::ca_pem(),
            bind_dn: make.reader.to_owned(),
            password: PASSWORD.to_owned(),
            people_base: format!("{},{base}", make.people),
            groups_base: format!("{},{base}", make.groups),
            base: base.to_owned(),
        };
        up.wait()?;
        Ok(up)
    }

    /// Starts a server that is made by its script, on free ports. Another one may take a port in between, so it is tried again.
    pub(super) fn start(
        people: u32,
        edit: &dyn Fn(&mut std::process::Command),
        make: &dyn Fn() -> Make,
    ) -> Self {
        let name = make().script;
        let mut failed = String::new();
        for _ in 0..3 {
            let dir = state_dir(name);
            let state = dir.path().to_owned();
            let mut making = script(name, &state);
            making.arg("make").arg(people.to_string());
            edit(&mut making);
            run(&mut making);
            let ports = (ports::free(), ports::free());
            let mut serve = script(name, &state);
            serve
                .arg("serve")
                .arg(ports.0.to_string())
                .arg(ports.1.to_string());
            match Self::of(make(), Server::start(&serve, dir, &[]), state, ports) {
                Ok(up) => return up,
                Err(log) => failed = log,
            }
        }
        panic!("{name} does not start:\n{failed}")
    }

    fn wait(&mut self) -> Result<(), String> {
        let (admin, always) = (self.admin.clone(), self.always.clone());
        self.server
            .wait_until(Duration::from_secs(90), || admin.answers(&always))
    }

    /// Applies LDIF changes (`changetype:` …) as the administrator.
    pub fn modify(&self, ldif: &str) {
        self.admin.modify(ldif);
    }

    /// About `k` changes to the people loaded: mostly titles; one in 20 joins, and leaves in the next round.
    ///
    /// Rounds count from 1, with the same `k` each.
    pub fn churn(&self, k: u32, round: u32) {
        run(script(self.script, &self.state)
            .arg("churn")
            .arg(k.to_string())
            .arg(round.to_string()));
    }

    /// What `ldapsearch -LLL` prints, asked as the administrator, from the whole tree unless the arguments say otherwise.
    pub fn search(&self, args: &[&str]) -> String {
        self.admin.search(args)
    }

    /// Sets limits, in the words of its script.
    pub fn limits(&self, limits: &str) {
        run(script(self.script, &self.state).arg("limits").arg(limits));
    }

    /// Ends the server as a crash would.
    pub fn kill(&mut self) {
        self.server.kill();
    }

    /// Starts it again, on the same ports.
    pub fn revive(&mut self) {
        self.server.revive();
        let name = self.script;
        self.wait()
            .unwrap_or_else(|log| panic!("{name} does not start again:\n{log}"));
    }

    /// The process itself, for what else can happen to it.
    pub const fn process(&mut self) -> &mut Server {
        &mut self.server
    }
}

/// Lets one make of server be used as any.
macro_rules! is_a_directory {
    ($name:ty) => {
        impl std::ops::Deref for $name {
            type Target = crate::support::directory::Directory;
            fn deref(&self) -> &Self::Target {
                &self.directory
            }
        }
        impl std::ops::DerefMut for $name {
            fn deref_mut(&mut self) -> &mut Self::Target {
                &mut self.directory
            }
        }
    };
}
pub(super) use is_a_directory;
