//! The service between a directory and an application that nobody here wrote: OpenLDAP and SCIMMY.

use std::fs;
use std::path::Path;

use super::Service;
use crate::support::{OpenLdap, ScimServer};

/// Both servers, and a folder with a configuration.
pub(super) struct Between {
    pub ldap: OpenLdap,
    pub scim: ScimServer,
    folder: tempfile::TempDir,
}

impl Between {
    /// A company of this size, nobody with an account, and nothing configured.
    pub(super) fn people(people: u32) -> Self {
        Self {
            ldap: OpenLdap::start(people),
            scim: ScimServer::roomy(),
            folder: tempfile::tempdir().unwrap(),
        }
    }

    pub(super) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Writes the configuration: when to sync, more lines of the target, and more tables of the target and of the file.
    pub(super) fn configure(&self, sync: &str, target: &str, tables: &str) {
        let mapping = include_str!("../cycle/mapping.toml");
        let (mapping, _groups) = mapping.split_once("[[entitlement]]").unwrap();
        fs::write(self.folder().join("crm.toml"), mapping).unwrap();
        let (ldap, scim) = (&self.ldap, &self.scim);
        let text = format!(
            r#"version = 1
state-dir = "state"

[schedule]
sync = "{sync}"
reconcile = "never"
jitter = "0s"

[[source]]
name = "directory"
type = "ldap"
urls = ["{url}"]
ca-file = "{ca}"
bind-name = "{bind}"
bind-password = "env:DIRECTORY_PASSWORD"
bases = ["{people}"]

[source.groups]
bases = ["{groups}"]
method = "member-of"

[[target]]
name = "crm"
type = "scim"
source = "directory"
mapping = "crm.toml"
policy = "sync"
url = "{scim}"
review-first-run = false
{target}

[target.auth]
type = "bearer"
token = "env:CRM_TOKEN"

{tables}"#,
            url = ldap.ldap_url,
            ca = ldap.ca_pem.display(),
            bind = ldap.bind_dn,
            people = ldap.people_base,
            groups = ldap.groups_base,
            scim = scim.base_url,
        );
        fs::write(self.folder().join("provost.toml"), text).unwrap();
    }

    /// Starts the service at this time.
    pub(super) fn service(&self, now: &str) -> Service {
        let (password, token) = (&self.ldap.password, &self.scim.token);
        Service::start_in(self.folder(), now, |command| {
            command
                .env("DIRECTORY_PASSWORD", password)
                .env("CRM_TOKEN", token)
        })
    }
}
