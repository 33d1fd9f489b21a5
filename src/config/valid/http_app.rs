//! Targets that a profile describes: the profile, the values of its settings, and what the configuration overrides.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value as Json;
use toml::de::DeValue;

use super::Outside;
use super::common::{self, values};
use super::connector::Can;
use crate::config::raw::{Located, Section};
use crate::config::{suggest, units};
use crate::model::Problem;
use crate::reconcile::mapping::Mapping;
use crate::target::http::{Meter, Spent};
use crate::target::profile::{Given, Op, Profile, Setting, SettingType, accepts};
use crate::target::settings::{Auth, ConnectorSettings, HttpAppSettings, HttpSettings};

/// Reads the keys of such a target.
pub fn read(
    section: &Section<'_>,
    mapping: Option<&Mapping>,
    outside: &dyn Outside,
) -> (Can, Option<ConnectorSettings>) {
    let Some(profile) = profile(section, outside) else {
        // Nothing is known about it, so nothing can be held against the rest of the file.
        let anything = Can {
            real: true,
            deactivate: true,
            block_login: true,
            delete: true,
            set_password: true,
            force_change: true,
            revoke_sessions: true,
            entitlements: true,
            reassign: BTreeSet::new(),
            unknown: true,
            profile: None,
        };
        return (anything, None);
    };
    let given = settings(section, &profile, outside);
    let deletes = section.has("delete");
    let can = able(section, &profile, given.as_ref());
    fields(section, &profile, mapping);
    let confirmed = confirmed(section, &profile);
    let http = http(section, &profile, outside);
    let rules = mapping.map_or(&[][..], Mapping::rules);
    let compared = mapping.map(Mapping::account_attributes).unwrap_or_default();
    let settings = || {
        Some(HttpAppSettings {
            attributes: compared.iter().map(|name| (*name).to_owned()).collect(),
            unique: rules
                .iter()
                .filter(|rule| rule.unique)
                .map(|rule| rule.name.clone())
                .collect(),
            allow_delete: deletes,
            confirmed,
            token_file: PathBuf::new(),
            given: given?,
            http: http?,
            profile,
        })
    };
    (can, settings().map(ConnectorSettings::Http))
}

fn profile(section: &Section<'_>, outside: &dyn Outside) -> Option<Arc<Profile>> {
    let help = "the profile of the application, relative to this file, such as \"mappings/crm.profile.toml\"";
    let file = outside.resolve(&section.required("profile", help)?.value);
    outside.profile(&file).unwrap_or_else(|why| {
        section.error(
            "profile",
            why,
            "relative paths begin at the folder of this file",
        );
        None
    })
}

/// What can be said before the application is asked.
fn able(section: &Section<'_>, profile: &Profile, given: Option<&Given>) -> Can {
    let scope = given.map(Given::scope).unwrap_or_default();
    let told = |name: &str, described: bool| {
        profile.can(name, described, &scope).unwrap_or_else(|why| {
            let message = format!("the profile's capability \"{name}\" cannot be told: {why}");
            section.error("profile", message, "correct [capability] of the profile");
            described
        })
    };
    let can = |name: &str, op: Op| told(name, !profile.calls(op).is_empty());
    let set_password = can("set-password", Op::SetPassword);
    let forced = profile.capabilities.contains_key("force-change");
    let reassigns = told("reassign", !profile.reassign.is_empty());
    Can {
        real: true,
        deactivate: can("deactivate", Op::Deactivate),
        block_login: can("block-login", Op::BlockLogin),
        delete: can("delete", Op::Delete),
        set_password,
        force_change: told("force-change", forced && set_password),
        revoke_sessions: can("revoke-sessions", Op::RevokeSessions),
        entitlements: told("entitlements", !profile.entitlements.is_empty()),
        reassign: profile
            .reassign
            .keys()
            .filter(|_| reassigns)
            .cloned()
            .collect(),
        unknown: false,
        profile: Some(
            profile
                .capabilities
                .iter()
                .map(|(name, switch)| (name.clone(), switch.source().to_owned()))
                .collect(),
        ),
    }
}

/// What the mapping sets, the profile must know.
fn fields(section: &Section<'_>, profile: &Profile, mapping: Option<&Mapping>) {
    let Some(mapping) = mapping else { return };
    for name in mapping.account_attributes() {
        if profile.fields.contains_key(name) {
            continue;
        }
        let known = profile.fields.keys().map(String::as_str);
        let help = match suggest::nearest(name, known.clone()) {
            Some(near) => format!("did you mean \"{near}\"?"),
            None => format!("its fields are {}", known.collect::<Vec<_>>().join(", ")),
        };
        let message =
            format!("the mapping sets \"{name}\", for which the profile has no [field.*]");
        section.error("mapping", message, help);
    }
}

fn confirmed(section: &Section<'_>, profile: &Profile) -> BTreeSet<String> {
    let names = section.texts("confirmed");
    let known = profile.fact_names();
    for name in &names {
        if known.contains(&name.value) {
            continue;
        }
        let help = match suggest::nearest(&name.value, known.iter().map(String::as_str)) {
            Some(near) => format!("did you mean \"{near}\"?"),
            None => "`provost probe` names the facts".to_owned(),
        };
        let message = "the profile claims no such fact";
        let problem = Problem::new(Some(name.span.clone()), &name.field, message).help(help);
        section.findings().error(problem);
    }
    values(names)
}

fn http(section: &Section<'_>, profile: &Profile, outside: &dyn Outside) -> Option<HttpSettings> {
    let danger_plain = section.flag("danger-plain-text", false);
    if danger_plain {
        section.warning(
            "danger-plain-text",
            "http:// is allowed without protection",
            "everybody on the way can read and change accounts and credentials",
        );
    }
    let base =
        address(section, profile).and_then(|url| common::http_url(section, &url, danger_plain));
    let proxy = section
        .text("proxy")
        .and_then(|url| common::http_url(section, &url, true));
    let ca_pem = common::certificates(section, outside);
    let rules = &profile.http;
    let time = |key: &str, said: Option<&String>, usual: u64| {
        let said = said.and_then(|text| units::duration(text).ok());
        common::timeout(section, key, said.unwrap_or(Duration::from_secs(usual)))
    };
    let limit = rules.body_limit.as_ref();
    let limit = limit.and_then(|text| units::size(text).ok());
    let limit = limit.and_then(|size| usize::try_from(size).ok());
    let (seconds, longer): (Vec<_>, Vec<_>) = rules
        .budgets
        .iter()
        .copied()
        .partition(|(window, _)| *window == Duration::from_secs(1));
    let said = seconds
        .first()
        .and_then(|(_, most)| u32::try_from(*most).ok());
    let parallelism = section.number("parallelism", 1..=64);
    Some(HttpSettings {
        ca_pem,
        proxy,
        connect_timeout: time("connect-timeout", rules.connect_timeout.as_ref(), 10),
        request_timeout: time("request-timeout", rules.request_timeout.as_ref(), 30),
        body_limit: section
            .size("body-limit", 64 << 10..=256 << 20)
            .or(limit)
            .unwrap_or(16 << 20),
        requests_per_second: section.number("requests-per-second", 1..=10_000).or(said),
        budgets: longer,
        spent: Spent::default(),
        parallelism: parallelism.map_or(rules.parallelism, |number| number as usize),
        auth: Auth::None,
        meter: Meter::default(),
        danger_plain,
        base: base?,
    })
}

/// The application's address: the configuration's, else the profile's.
fn address(section: &Section<'_>, profile: &Profile) -> Option<Located<String>> {
    let help = "the application's address, such as \"https://crm.example.com/api\"";
    match (&profile.url, section.has("url")) {
        (Some(url), false) => Some(Located {
            value: url.clone(),
            span: section.span(),
            field: section.field("url"),
        }),
        (Some(_) | None, _) => section.required("url", help),
    }
}

/// The values of the profile's settings. `None` only if errors were recorded.
fn settings(section: &Section<'_>, profile: &Profile, outside: &dyn Outside) -> Option<Given> {
    let table = section.any_table("settings");
    let mut given = Given::default();
    let mut sound = true;
    if let Some(table) = &table {
        for key in table.keys() {
            if !profile.settings.contains_key(key) {
                sound = false;
                let known = profile.settings.keys().map(String::as_str);
                let help = match suggest::nearest(key, known.clone()) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None if profile.settings.is_empty() => "it has none".to_owned(),
                    None => format!("its settings are {}", known.collect::<Vec<_>>().join(", ")),
                };
                table.error(key, "the profile has no such setting", help);
            }
        }
    }
    for (name, setting) in &profile.settings {
        let there = table.as_ref().filter(|table| table.has(name));
        let read = match there {
            Some(table) => one(table, name, setting, outside, &mut given),
            None => left(section, name, setting, &mut given),
        };
        sound &= read.is_some();
    }
    sound.then_some(given)
}

/// A setting that is not given.
fn left(section: &Section<'_>, name: &str, setting: &Setting, given: &mut Given) -> Option<()> {
    match &setting.default {
        Some(default) => {
            given.values.insert(name.to_owned(), default.clone());
            given.defaulted.push(name.to_owned());
        }
        None if setting.optional => {}
        None => {
            let what = setting.comment.clone().unwrap_or_default();
            let help = format!("add `{name}` to [target.settings]: {what}");
            section.error("settings", format!("the setting `{name}` is missing"), help);
            return None;
        }
    }
    Some(())
}

fn one(
    table: &Section<'_>,
    name: &str,
    setting: &Setting,
    outside: &dyn Outside,
    given: &mut Given,
) -> Option<()> {
    if setting.kind == SettingType::Secret {
        let secret = common::secret(table, name, outside)?;
        given.secrets.insert(name.to_owned(), secret);
        return Some(());
    }
    let value = table.value(name)?;
    let found = json(value);
    if let Err(why) = accepts(&setting.kind, &found) {
        let help = setting.comment.clone().unwrap_or_default();
        table.error(name, why, help);
        return None;
    }
    given.values.insert(name.to_owned(), found);
    Some(())
}

fn json(value: &DeValue<'_>) -> Json {
    match value {
        DeValue::String(text) => Json::from(text.as_ref()),
        DeValue::Integer(number) => {
            i64::from_str_radix(number.as_str(), number.radix()).map_or(Json::Null, Json::from)
        }
        DeValue::Boolean(flag) => Json::from(*flag),
        DeValue::Array(items) => items.iter().map(|item| json(item.get_ref())).collect(),
        DeValue::Float(_) | DeValue::Datetime(_) | DeValue::Table(_) => Json::Null,
    }
}
