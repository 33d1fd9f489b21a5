//! Applications that a profile describes: real servers that nobody here wrote, and servers that misbehave.

mod chat;
mod crash;
mod hostile;
mod office;
mod passwords;
mod redmine;
mod session;
mod synapse;
mod ways;

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use provost::target::http::{Meter, Spent};
use provost::target::profile::{Given, Profile};
use provost::target::settings::{Auth, HttpAppSettings, HttpSettings};
use secrecy::SecretString;
use serde_json::Value as Json;

/// Settings for an application on this machine. Settings of the profile that are not given have their default.
pub fn settings(
    base: &str,
    profile: &str,
    values: &[(&str, Json)],
    secrets: &[(&str, &str)],
) -> HttpAppSettings {
    let profile = Profile::compile(profile).unwrap_or_else(|problems| panic!("{problems:#?}"));
    let mut given = Given::default();
    for (name, setting) in &profile.settings {
        if let Some(default) = &setting.default {
            given.values.insert(name.clone(), default.clone());
        }
    }
    for (name, value) in values {
        given.values.insert((*name).to_owned(), value.clone());
    }
    for (name, secret) in secrets {
        given
            .secrets
            .insert((*name).to_owned(), SecretString::from(*secret));
    }
    HttpAppSettings {
        http: HttpSettings {
            base: base.parse().unwrap(),
            ca_pem: None,
            proxy: None,
            connect_timeout: Duration::from_secs(5),
            request_timeout: Duration::from_secs(30),
            body_limit: 16 << 20,
            requests_per_second: None,
            budgets: Vec::new(),
            spent: Spent::default(),
            parallelism: 8,
            auth: Auth::None,
            meter: Meter::default(),
            danger_plain: false,
        },
        attributes: profile.fields.keys().cloned().collect(),
        unique: Vec::new(),
        allow_delete: true,
        confirmed: BTreeSet::new(),
        token_file: PathBuf::from("/nonexistent/provost-test/token"),
        given,
        profile: Arc::new(profile),
    }
}

/// The SCIM protocol as a profile, for the contract.
pub fn scim_by_profile(base: &str, token: &str) -> HttpAppSettings {
    settings(
        base,
        include_str!("http_app/scim.profile.toml"),
        &[],
        &[("token", token)],
    )
}
