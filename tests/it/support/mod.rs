//! Real servers for the tests: OpenLDAP, 389 Directory Server, Samba as Active Directory, SCIM servers, Synapse and
//! Redmine, which nobody here wrote.
//!
//! Each value is one running server with files and ports of its own; dropping it ends the server, and so does the end
//! of the test process, whatever ended it (`tests/support/leash.py`).
//! The scripts in `tests/support/` do the work; what they need, `tests/support/install` installs.
//! A server that cannot be started fails the test: nothing here skips.
#![allow(
    dead_code,
    unused_imports,
    reason = "support for tests of several areas; not each function has a user at all times"
)]

pub mod container;
pub mod directory;
pub mod ds389;
pub mod gateway;
pub mod killer;
pub mod ldap_client;
pub mod openldap;
pub mod ports;
pub mod process;
pub mod redmine;
pub mod relay;
pub mod samba;
pub mod scim_servers;
pub mod secrets;
pub mod sim;
pub mod small;
pub mod smtp;
pub mod synapse;
pub mod tls;

pub use ds389::Ds389;
pub use openldap::{OpenLdap, OpenLdapOptions};
pub use samba::{SambaAd, SambaOptions};
pub use scim_servers::{ScimKind, ScimServer};
pub use smtp::Smtp;
pub use tls::Cert;

/// The password of every made-up account, of the bind accounts and of the administrators.
pub const PASSWORD: &str = "Test-Passw0rd!";
