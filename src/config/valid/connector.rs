//! How targets are spoken to: SCIM, profiles, and the practice application.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::Duration;

use super::common::{self, values};
use super::suspend;
use super::{Outside, auth, http_app, worklist};
use crate::config::keys;
use crate::config::raw::Section;
use crate::config::suggest;
use crate::model::{How, Problem};
use crate::reconcile::mapping::Mapping;
use crate::target::http::{Meter, Spent};
use crate::target::sandbox::check_faults;
use crate::target::settings::{ConnectorSettings, HttpSettings, SandboxSettings, ScimSettings};

/// The types of target.
#[derive(Clone, Copy)]
pub enum Type {
    /// SCIM 2.0.
    Scim,
    /// An application that a profile describes.
    Http,
    /// The practice application.
    Sandbox,
    /// A list of tasks for an administrator.
    WorkList,
}

/// Their names.
pub const TYPES: [(&str, Type); 4] = [
    ("scim", Type::Scim),
    ("http", Type::Http),
    ("sandbox", Type::Sandbox),
    ("worklist", Type::WorkList),
];

/// What the kind of target can do.
#[derive(Clone)]
pub struct Can {
    /// It is more than practice.
    pub real: bool,
    /// It has an active flag.
    pub deactivate: bool,
    /// It has a login switch.
    pub block_login: bool,
    /// It can delete.
    pub delete: bool,
    /// It can set passwords.
    pub set_password: bool,
    /// It can demand another password at the next login.
    pub force_change: bool,
    /// It can end sessions.
    pub revoke_sessions: bool,
    /// It has groups, roles or licences.
    pub entitlements: bool,
    /// The kinds of work that it can reassign.
    pub reassign: BTreeSet<String>,
    /// Nothing is known about it, so nothing is held against it.
    pub unknown: bool,
    /// For what a profile describes: the capabilities that it switches by its settings, with the expression.
    pub profile: Option<BTreeMap<String, String>>,
}

impl Can {
    /// What to do where a capability is missing, for a profile that describes it by this operation.
    pub fn advice(&self, capability: &str, table: &str) -> Option<String> {
        let switches = self.profile.as_ref()?;
        Some(match switches.get(capability) {
            Some(switch) => format!(
                "the profile switches it on by `{switch}`: set that in [target.settings] once you have seen it work"
            ),
            None => format!("describe it in the profile as {table}"),
        })
    }

    /// Whether it can do a step of a suspension.
    pub fn does(&self, step: &How) -> bool {
        if self.unknown {
            return true;
        }
        match step {
            How::Deactivate => self.deactivate,
            How::BlockLogin => self.block_login,
            How::FuzzPassword => self.set_password,
            How::RemoveEntitlements => self.entitlements,
            How::RevokeSessions => self.revoke_sessions,
            How::Reassign(kind) => self.reassign.contains(kind),
        }
    }
}

/// Reads the keys of a target's connector.
pub fn read(
    section: &Section<'_>,
    kind: Type,
    mapping: Option<&Mapping>,
    outside: &dyn Outside,
) -> (Can, Option<ConnectorSettings>) {
    match kind {
        Type::Scim => {
            let can = Can {
                real: true,
                deactivate: true,
                block_login: false,
                delete: true,
                set_password: section.flag("passwords", false),
                force_change: false,
                revoke_sessions: false,
                entitlements: true,
                reassign: BTreeSet::new(),
                unknown: false,
                profile: None,
            };
            (
                can,
                scim(section, mapping, outside).map(ConnectorSettings::Scim),
            )
        }
        Type::WorkList => {
            let can = Can {
                real: true,
                deactivate: true,
                block_login: false,
                delete: true,
                set_password: false,
                force_change: false,
                revoke_sessions: false,
                entitlements: false,
                reassign: BTreeSet::new(),
                unknown: false,
                profile: None,
            };
            let read = worklist::read(section, mapping, outside);
            (can, read.map(ConnectorSettings::WorkList))
        }
        Type::Http => http_app::read(section, mapping, outside),
        Type::Sandbox => {
            let path = section.required(
                "path",
                "the file that holds the practice accounts, relative to this file",
            );
            let path = path.map(|path| outside.resolve(&path.value));
            let named = path.is_some();
            let sandbox = sandbox(section, path.unwrap_or_default(), mapping);
            let can = Can {
                real: false,
                deactivate: sandbox.deactivate,
                block_login: sandbox.block_login,
                delete: sandbox.delete,
                set_password: sandbox.set_password,
                force_change: sandbox.force_change,
                revoke_sessions: sandbox.revoke_sessions,
                entitlements: sandbox.entitlements,
                reassign: sandbox.reassign.clone(),
                unknown: false,
                profile: None,
            };
            (can, named.then_some(ConnectorSettings::Sandbox(sandbox)))
        }
    }
}

fn scim(
    section: &Section<'_>,
    mapping: Option<&Mapping>,
    outside: &dyn Outside,
) -> Option<ScimSettings> {
    let http = http(section, outside);
    let patch = [("auto", None), ("true", Some(true)), ("false", Some(false))];
    let rules = mapping.map_or(&[][..], Mapping::rules);
    let create_groups = section.flag("create-groups", false);
    Some(ScimSettings {
        patch: section.choice("patch", &patch).unwrap_or(None),
        bulk: section.flag("bulk", true),
        page_size: section.number("page-size", 1..=10_000).unwrap_or(100),
        members_per_request: section
            .number("members-per-request", 1..=10_000)
            .unwrap_or(100) as usize,
        create_groups,
        attributes: rules.iter().map(|rule| rule.name.clone()).collect(),
        unique: rules
            .iter()
            .filter(|rule| rule.unique)
            .map(|rule| rule.name.clone())
            .collect(),
        allow_delete: section.has("delete"),
        passwords: section.flag("passwords", false),
        quirks: quirks(section),
        http: http?,
    })
}

fn http(section: &Section<'_>, outside: &dyn Outside) -> Option<HttpSettings> {
    let danger_plain = section.flag("danger-plain-text", false);
    if danger_plain {
        let message = "http:// is allowed without protection";
        section.warning(
            "danger-plain-text",
            message,
            "everybody on the way can read and change accounts and credentials",
        );
    }
    let base = section
        .required(
            "url",
            "the application's SCIM base, such as \"https://crm.example.com/scim/v2\"",
        )
        .and_then(|url| common::http_url(section, &url, danger_plain));
    let proxy = section
        .text("proxy")
        .and_then(|url| common::http_url(section, &url, true));
    let auth = auth::read(section, danger_plain, outside);
    let ca_pem = common::certificates(section, outside);
    Some(HttpSettings {
        ca_pem,
        proxy,
        connect_timeout: common::timeout(section, "connect-timeout", Duration::from_secs(10)),
        request_timeout: common::timeout(section, "request-timeout", Duration::from_secs(30)),
        body_limit: section
            .size("body-limit", 64 << 10..=256 << 20)
            .unwrap_or(16 << 20),
        requests_per_second: section.number("requests-per-second", 1..=10_000),
        budgets: Vec::new(),
        spent: Spent::default(),
        parallelism: section.number("parallelism", 1..=64).unwrap_or(4) as usize,
        danger_plain,
        base: base?,
        auth: auth?,
        meter: Meter::default(),
    })
}

/// Refusals that this application words in its own way: a piece of the text, and what it means.
fn quirks(section: &Section<'_>) -> BTreeMap<String, String> {
    let classes = [
        "conflict",
        "not-found",
        "rejected",
        "transient",
        "unauthorised",
    ];
    let options = classes.map(|class| (class, class));
    let Some(table) = section.any_table("quirks") else {
        return BTreeMap::new();
    };
    let mut quirks = BTreeMap::new();
    for piece in table.keys() {
        if let Some(class) = table.choice(piece, &options) {
            quirks.insert(piece.to_owned(), class.to_owned());
        }
    }
    quirks
}

/// A practice target.
fn sandbox(section: &Section<'_>, path: PathBuf, mapping: Option<&Mapping>) -> SandboxSettings {
    let declared = section.table("capabilities", &keys::CAPABILITIES);
    let flag = |key: &str, default: bool| {
        declared
            .as_ref()
            .map_or(default, |table| table.flag(key, default))
    };
    let faults: Vec<String> = values(section.texts("faults"));
    if let Err(why) = check_faults(&faults) {
        section.findings().error(section.problem("faults", why));
    }
    SandboxSettings {
        set_password: flag("set-password", false),
        force_change: flag("force-change", false),
        refuse_used: flag("refuse-used-passwords", false),
        revoke_sessions: flag("revoke-sessions", false),
        reassign: declared
            .as_ref()
            .map(|table| suspend::kinds(table, "reassign"))
            .unwrap_or_default(),
        ledger: section.flag("ledger", false),
        path,
        deactivate: flag("deactivate", true),
        block_login: flag("block-login", false),
        delete: flag("delete", true),
        list_inactive: flag("list-inactive", true),
        entitlements: flag("entitlements", true),
        unique: mapped(section, "unique", mapping),
        required: mapped(section, "required", mapping),
        faults,
    }
}

/// Names of account attributes, which only make sense if the mapping has them.
fn mapped(section: &Section<'_>, key: &str, mapping: Option<&Mapping>) -> Vec<String> {
    let names = section.texts(key);
    for name in &names {
        let Some(mapping) = mapping else { break };
        let known = mapping.rules().iter().map(|rule| rule.name.as_str());
        if known.clone().any(|rule| rule == name.value) {
            continue;
        }
        let help = match suggest::nearest(&name.value, known) {
            Some(rule) => format!("did you mean \"{rule}\"?"),
            None => "name attributes as the mapping does".to_owned(),
        };
        let message = "the mapping has no such attribute";
        let problem = Problem::new(Some(name.span.clone()), &name.field, message).help(help);
        section.findings().error(problem);
    }
    values(names)
}
