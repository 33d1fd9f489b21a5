//! Samba as an Active Directory domain controller, with the made-up company of `tests/support/people.py`.

use std::{process::Command, sync::OnceLock};

use super::{
    Cert,
    directory::{Directory, Make, is_a_directory},
    process::{Server, run, script, state_dir},
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

/// A running domain controller, in a network of its own, reachable at free ports. Who binds is a plain user, by the user
/// principal name.
#[derive(Debug)]
pub struct SambaAd {
    directory: Directory,
    /// The global catalogue over TLS.
    pub gc_url: String,
    /// The domain's administrator, by its user principal name.
    pub admin_dn: String,
}

is_a_directory!(SambaAd);

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
        let admin_dn = "administrator@example.test";
        let make = Make {
            script: "samba",
            base: "DC=example,DC=test",
            reader: "sync@example.test",
            admin: admin_dn.to_owned(),
            always: "DC=example,DC=test".to_owned(),
            people: "OU=People",
            groups: "OU=Groups",
        };
        let directory = Directory::of(make, server, state, (port, tls_port))
            .unwrap_or_else(|log| panic!("samba does not start:\n{log}"));
        Self {
            directory,
            gc_url: format!("ldaps://localhost:{gc_port}"),
            admin_dn: admin_dn.to_owned(),
        }
    }

    /// The line of LDIF with somebody's DN, in whichever coding.
    pub fn dn_line(&self, login: &str) -> String {
        let found = self.search(&[&format!("(sAMAccountName={login})"), "dn"]);
        let line = found.lines().find(|line| line.starts_with("dn:"));
        line.unwrap_or_else(|| panic!("nobody is {login}: {found}"))
            .to_owned()
    }

    /// Denies everybody who signs in to read an attribute of this entry, named by its GUID in the schema; with the flags
    /// `CIIO`, of every entry below.
    pub fn deny_reading(&self, dn: &str, attribute: &str, flags: &str) {
        let state = self.state.display();
        run(Command::new("samba-tool")
            .args(["dsacl", "set", "--action=deny"])
            .arg(format!("--configfile={state}/etc/smb.conf"))
            .arg(format!("--URL={state}/private/sam.ldb"))
            .arg(format!("--objectdn={dn}"))
            .arg(format!("--sddl=(OD;{flags};RP;{attribute};;AU)")));
    }

    /// Sets one of the domain's LDAP policy limits (`MaxQueryDuration=1`), then starts the server again.
    pub fn limits(&mut self, limit: &str) {
        self.directory.limits(limit);
        self.kill();
        self.revive();
    }
}
