//! 389 Directory Server with the made-up company of `tests/support/people.py`.

use super::{
    Cert,
    directory::{Directory, Make, is_a_directory},
};

/// A running 389 Directory Server, with its memberOf and referential integrity plug-ins.
#[derive(Debug)]
pub struct Ds389 {
    directory: Directory,
}

is_a_directory!(Ds389);

impl Ds389 {
    /// With this many people and a good certificate. Its limits are the bind account's: `nsSizeLimit=50`.
    pub fn start(people: u32) -> Self {
        Self::start_with(people, Cert::Good)
    }

    /// With this many people and this certificate.
    pub fn start_with(people: u32, cert: Cert) -> Self {
        let make = || Make {
            script: "389ds",
            base: "dc=example,dc=test",
            reader: "uid=sync,ou=services,dc=example,dc=test",
            admin: "cn=Directory Manager".to_owned(),
            always: "dc=example,dc=test".to_owned(),
            people: "ou=people",
            groups: "ou=groups",
        };
        let directory = Directory::start(
            people,
            &|command| {
                command.env("DS_CERT", cert.word());
            },
            &make,
        );
        Self { directory }
    }
}
