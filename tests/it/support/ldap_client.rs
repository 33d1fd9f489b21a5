//! OpenLDAP's own command-line clients, bound as a directory's administrator, whatever certificate the server shows.

use std::process::{Command, Stdio};

use super::process::{run, run_with};

/// Where to go, and as whom.
#[derive(Clone, Debug)]
pub struct LdapClient {
    /// `ldaps://localhost:PORT`.
    pub url: String,
    /// The administrator.
    pub bind: String,
    /// Of the administrator.
    pub password: String,
    /// Where searches begin unless they say otherwise.
    pub base: String,
}

impl LdapClient {
    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command
            .env("LDAPTLS_REQCERT", "never")
            .args(["-x", "-H", &self.url, "-D", &self.bind])
            .args(["-w", &self.password]);
        command
    }

    /// Whether an entry can be read.
    pub fn answers(&self, dn: &str) -> bool {
        self.command("ldapsearch")
            .args(["-s", "base", "-b", dn, "(objectClass=*)"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .is_ok_and(|status| status.success())
    }

    /// Applies LDIF changes (`changetype:` …).
    pub fn modify(&self, ldif: &str) {
        run_with(&mut self.command("ldapmodify"), ldif);
    }

    /// What `ldapsearch -LLL` prints.
    pub fn search(&self, args: &[&str]) -> String {
        run(self
            .command("ldapsearch")
            .args(["-LLL", "-o", "ldif-wrap=no", "-b", &self.base])
            .args(args))
    }
}
