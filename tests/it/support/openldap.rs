//! OpenLDAP with the made-up company of `tests/support/people.py`.

use super::{
    Cert,
    directory::{Directory, Make, is_a_directory},
    ldap_client::LdapClient,
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
    directory: Directory,
    /// May do everything.
    pub admin_dn: String,
}

is_a_directory!(OpenLdap);

impl OpenLdap {
    /// With this many people and a good certificate. Its limits are the bind account's:
    /// `size.hard=50 size.prtotal=unlimited` (`slapd.conf(5)`).
    pub fn start(people: u32) -> Self {
        Self::start_with(OpenLdapOptions {
            people,
            ..OpenLdapOptions::default()
        })
    }

    /// As the options say.
    pub fn start_with(options: OpenLdapOptions) -> Self {
        let admin_dn = "cn=admin,dc=example,dc=test";
        let make = || Make {
            script: "openldap",
            base: "dc=example,dc=test",
            reader: "uid=sync,ou=services,dc=example,dc=test",
            admin: admin_dn.to_owned(),
            always: String::new(),
            people: "ou=people",
            groups: "ou=groups",
        };
        let directory = Directory::start(
            options.people,
            &|command| {
                command.env("LDAP_CERT", options.cert.word());
                if options.teams {
                    command.arg("teams");
                }
                if options.require_tls {
                    command.env("LDAP_REQUIRE_TLS", "1");
                }
            },
            &make,
        );
        Self {
            directory,
            admin_dn: admin_dn.to_owned(),
        }
    }

    /// Hides an attribute of everybody from the bind account, in the running server.
    pub fn hide(&self, attribute: &str) {
        self.hide_what(&format!("attrs={attribute}"));
    }

    /// Hides an attribute of one entry.
    pub fn hide_of(&self, dn: &str, attribute: &str) {
        self.hide_what(&format!("dn.base=\"{dn}\" attrs={attribute}"));
    }

    fn hide_what(&self, what: &str) {
        let configuration = LdapClient {
            bind: "cn=config".to_owned(),
            ..self.admin.clone()
        };
        configuration.modify(&format!(
            "dn: olcDatabase={{1}}mdb,cn=config\nchangetype: modify\nadd: olcAccess\n\
             olcAccess: {{0}}to {what} by dn.exact=\"{}\" none by * break\n",
            self.bind_dn
        ));
    }
}
