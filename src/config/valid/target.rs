//! Targets: what was decided for an application, and how it is spoken to.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::Duration;

use jiff::SignedDuration;

use super::common::{self, values};
use super::{Outside, TargetSpec, auth, limits};
use crate::config::keys;
use crate::config::raw::{Section, not_an_option};
use crate::config::{suggest, syntax};
use crate::model::{How, Problem};
use crate::reconcile::mapping::Mapping;
use crate::reconcile::{DriftPolicy, SyncPolicy, TargetRules};
use crate::target::sandbox::check_faults;
use crate::target::settings::{ConnectorSettings, HttpSettings, SandboxSettings, ScimSettings};

const DAY: Duration = Duration::from_secs(86_400);

#[derive(Clone, Copy)]
enum Type {
    Scim,
    Sandbox,
}

const TYPES: [(&str, Type); 2] = [("scim", Type::Scim), ("sandbox", Type::Sandbox)];

const POLICIES: [(&str, SyncPolicy); 3] = [
    ("sync", SyncPolicy::Sync),
    ("upsert-only", SyncPolicy::UpsertOnly),
    ("create-only", SyncPolicy::CreateOnly),
];

const HOWS: [(&str, How); 2] = [
    ("deactivate", How::Deactivate),
    ("block-login", How::BlockLogin),
];

/// Reads one `[[target]]`.
pub fn read(section: &Section<'_>, outside: &dyn Outside) -> Option<TargetSpec> {
    let name = common::name(section);
    if !section.has("type") {
        section.missing("type", "\"scim\" or \"sandbox\"");
    }
    let kind = section.choice("type", &TYPES)?;
    section.expect(match kind {
        Type::Scim => &keys::TARGET_SCIM,
        Type::Sandbox => &keys::TARGET_SANDBOX,
    });
    let source = section.required(
        "source",
        "the name of the [[source]] whose people get accounts here",
    );
    let file = section.required(
        "mapping",
        "the mapping file, relative to this file, such as \"mappings/crm.toml\"",
    );
    let file = file.map(|file| outside.resolve(&file.value));
    let mapping = file.as_ref().and_then(|file| {
        let read = outside.mapping(file);
        read.unwrap_or_else(|why| {
            section.error(
                "mapping",
                why,
                "relative paths begin at the folder of this file",
            );
            None
        })
    });
    let rules = rules(section, name.clone());
    let (can, connector) = match kind {
        Type::Scim => {
            let can = Can {
                real: true,
                deactivate: true,
                block_login: false,
                delete: true,
            };
            (
                can,
                scim(section, mapping.as_deref(), outside).map(ConnectorSettings::Scim),
            )
        }
        Type::Sandbox => {
            let path = section.required(
                "path",
                "the file that holds the practice accounts, relative to this file",
            );
            let path = path.map(|path| outside.resolve(&path.value));
            let named = path.is_some();
            let sandbox = sandbox(section, path.unwrap_or_default(), mapping.as_deref());
            let can = Can {
                real: false,
                deactivate: sandbox.deactivate,
                block_login: sandbox.block_login,
                delete: sandbox.delete,
            };
            (can, named.then_some(ConnectorSettings::Sandbox(sandbox)))
        }
    };
    if let Some(rules) = &rules {
        possible(section, rules, can);
    }
    let confirm_absence_reads = section.number("confirm-absence-reads", 2..=10).unwrap_or(2);
    Some(TargetSpec {
        name: name?,
        source: source?.value,
        mapping: mapping?,
        mapping_file: file?,
        rules: rules?,
        confirm_absence_reads,
        connector: connector?,
    })
}

fn rules(section: &Section<'_>, name: Option<String>) -> Option<TargetRules> {
    if !section.has("policy") {
        section.missing("policy", "\"sync\" keeps accounts in step, \"upsert-only\" never suspends, \"create-only\" only creates");
    }
    let policy = section.choice("policy", &POLICIES);
    let drifts = [
        ("repair", DriftPolicy::Repair),
        ("report", DriftPolicy::Report),
    ];
    // There is one choice only: it is a key so that the file says it, and so that another can be added without surprise.
    let _ours = section.choice("reactivate", &[("ours", ())]);
    let staleness = section.duration("max-staleness-open", Duration::from_secs(60)..=30 * DAY);
    let rules = TargetRules {
        name: name.unwrap_or_default(),
        policy: policy.unwrap_or(SyncPolicy::Sync),
        suspend_with: suspend_with(section),
        delete_after: delete_after(section),
        suspend_out_of_scope: section.flag("suspend-out-of-scope", true),
        review_first_run: section.flag("review-first-run", true),
        max_staleness_open: signed(staleness.unwrap_or(DAY / 2)),
        drift: section
            .choice("on-drift", &drifts)
            .unwrap_or(DriftPolicy::Repair),
        protected_accounts: values(section.texts("protected-accounts")),
        protected_people: people(section),
        limits: limits::target(section),
    };
    policy.map(|_written| rules)
}

/// Anchors and DNs; what has an equals sign is meant as a DN.
fn people(section: &Section<'_>) -> BTreeSet<String> {
    let people = section.texts("protected-people");
    for person in people.iter().filter(|person| person.value.contains('=')) {
        common::check(section, person, syntax::dn);
    }
    values(people)
}

fn signed(duration: Duration) -> SignedDuration {
    // Durations that come here are bounded to years by their ranges.
    SignedDuration::try_from(duration).unwrap_or(SignedDuration::ZERO)
}

fn suspend_with(section: &Section<'_>) -> BTreeSet<How> {
    if !section.has("suspend-with") {
        return BTreeSet::from([How::Deactivate]);
    }
    let mut hows = BTreeSet::new();
    for word in section.texts("suspend-with") {
        match HOWS.iter().find(|(name, _)| *name == word.value) {
            Some((_, how)) => {
                hows.insert(*how);
            }
            None => section.findings().error(not_an_option(&word, &HOWS)),
        }
    }
    hows
}

/// How long after its suspension an account is deleted. Never before 30 days: until then a mistake can be undone.
fn delete_after(section: &Section<'_>) -> Option<SignedDuration> {
    let delete = section.table("delete", &keys::DELETE)?;
    if !delete.has("after") {
        delete.missing(
            "after",
            "such as { after = \"90d\" }, counted from the suspension",
        );
    }
    delete.duration("after", 30 * DAY..=3650 * DAY).map(signed)
}

/// What the kind of target can do.
#[derive(Clone, Copy)]
struct Can {
    real: bool,
    deactivate: bool,
    block_login: bool,
    delete: bool,
}

/// Refuses rules that the target cannot follow.
fn possible(section: &Section<'_>, rules: &TargetRules, can: Can) {
    let stops = match rules.policy {
        SyncPolicy::Sync => true,
        SyncPolicy::UpsertOnly | SyncPolicy::CreateOnly => false,
    };
    if stops && !can.deactivate && !can.block_login {
        let message = "this target can neither deactivate nor block the login: its leavers could not be stopped";
        section.error("capabilities", message, "declare `deactivate` or `block-login`, or choose policy \"upsert-only\" and stop leavers by hand");
    } else if stops && section.is_empty_list("suspend-with") {
        section.error(
            "suspend-with",
            "must not be empty: its leavers could not be stopped",
            "write [\"deactivate\"], or choose policy \"upsert-only\"",
        );
    } else if stops {
        for how in &rules.suspend_with {
            let able = match how {
                How::Deactivate => can.deactivate,
                How::BlockLogin => can.block_login,
            };
            if !able {
                let help = match how {
                    How::Deactivate => "write suspend-with = [\"block-login\"]",
                    How::BlockLogin => "write suspend-with = [\"deactivate\"]",
                };
                section.error(
                    "suspend-with",
                    format!("this target cannot do \"{how}\""),
                    help,
                );
            }
        }
    }
    if stops && rules.protected_accounts.is_empty() && can.real {
        let message = "no account of this target is protected";
        section.warning(
            "protected-accounts",
            message,
            "name your emergency administrator and the account that Provost itself uses",
        );
    }
    if rules.delete_after.is_none() {
        return;
    }
    if !can.delete {
        section.error(
            "delete",
            "this target cannot delete accounts",
            "remove `delete`, or declare it in [target.capabilities]",
        );
    } else if !stops {
        section.warning(
            "delete",
            format!("policy \"{}\" never deletes", rules.policy),
            "remove `delete`, or choose policy \"sync\"",
        );
    } else if rules.limits.delete.count == 0 && rules.limits.delete.percent <= 0.0 {
        section.warning(
            "delete",
            "the limit on deletions is 0, so each waits for `provost release`",
            "raise `delete` in [target.limits] if that is not meant",
        );
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
        parallelism: section.number("parallelism", 1..=64).unwrap_or(4) as usize,
        danger_plain,
        base: base?,
        auth: auth?,
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
