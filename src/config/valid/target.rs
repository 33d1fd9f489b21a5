//! Targets: what was decided for an application. How it is spoken to is read in `connector`.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use jiff::SignedDuration;

use super::common::{self, values};
use super::connector::{self, Can, TYPES, Type};
use super::suspend;
use super::{Outside, Schedule, TargetSpec, access, limits, password};
use crate::config::keys;
use crate::config::raw::Section;
use crate::config::syntax;
use crate::reconcile::access::{AccessRules, Named};
use crate::reconcile::mapping::Mapping;
use crate::reconcile::{DriftPolicy, SyncPolicy, TargetRules};

const DAY: Duration = Duration::from_secs(86_400);

const POLICIES: [(&str, SyncPolicy); 3] = [
    ("sync", SyncPolicy::Sync),
    ("upsert-only", SyncPolicy::UpsertOnly),
    ("create-only", SyncPolicy::CreateOnly),
];

/// Reads one `[[target]]`.
pub fn read(
    section: &Section<'_>,
    shared: &access::Shared,
    outside: &dyn Outside,
) -> Option<TargetSpec> {
    let name = common::name(section);
    if !section.has("type") {
        section.missing("type", "\"scim\", \"http\", \"worklist\" or \"sandbox\"");
    }
    let kind = section.choice("type", &TYPES)?;
    section.expect(match kind {
        Type::Scim => &keys::TARGET_SCIM,
        Type::Http => &keys::TARGET_HTTP,
        Type::Sandbox => &keys::TARGET_SANDBOX,
        Type::WorkList => &keys::TARGET_WORKLIST,
    });
    let source = section.required(
        "source",
        "the name of the [[source]] whose people get accounts here",
    );
    let mapping = mapping(section, outside);
    let compiled = mapping
        .as_ref()
        .and_then(|(_, compiled)| compiled.as_deref());
    let rules = rules(section, name.clone());
    let (can, connector) = connector::read(section, kind, compiled, outside);
    let mut access = access::of_target(section, name.as_deref().unwrap_or_default(), shared);
    if let Some(rules) = &rules {
        possible(section, rules, &can);
        access::sensible(section, &access, rules, can.real);
        let protected = rules.protected_people.iter().map(String::as_str);
        access.protected = Arc::new(Named::of(protected));
    }
    let confirm_absence_reads = section.number("confirm-absence-reads", 2..=10).unwrap_or(2);
    let password = password::read(section);
    let (mapping_file, mapping) = mapping?;
    Some(TargetSpec {
        name: name?,
        source: source?.value,
        mapping: mapping?,
        mapping_file,
        rules: rules?,
        start_early: start_early(section, &access),
        access: Arc::new(access),
        confirm_absence_reads,
        password,
        connector: connector?,
        schedule: Schedule::none(),
    })
}

fn start_early(section: &Section<'_>, access: &AccessRules) -> bool {
    let early = section.flag("start-early", false);
    if early && access.is_empty() {
        let help = "remove it, or name the policies in `access`";
        section.warning(
            "start-early",
            "no access policy holds for this target",
            help,
        );
    }
    early
}

/// The mapping with its file; no mapping if it has problems, which are recorded.
fn mapping(
    section: &Section<'_>,
    outside: &dyn Outside,
) -> Option<(PathBuf, Option<Arc<Mapping>>)> {
    let help = "the mapping file, relative to this file, such as \"mappings/crm.toml\"";
    let file = outside.resolve(&section.required("mapping", help)?.value);
    let mapping = outside.mapping(&file).unwrap_or_else(|why| {
        section.error(
            "mapping",
            why,
            "relative paths begin at the folder of this file",
        );
        None
    });
    Some((file, mapping))
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
        suspend: suspend::procedures(section),
        credentials: suspend::credentials(section),
        heir: suspend::heir(section),
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

/// Refuses rules that the target cannot follow.
fn possible(section: &Section<'_>, rules: &TargetRules, can: &Can) {
    let stops = match rules.policy {
        SyncPolicy::Sync => true,
        SyncPolicy::UpsertOnly | SyncPolicy::CreateOnly => false,
    };
    if stops {
        suspend::possible(section, &rules.suspend, rules.credentials, can);
    }
    suspend::mode(section, rules.credentials, can);
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
            can.advice("delete", "[[operation.delete]]").map_or_else(
                || "remove `delete`, or declare it in [target.capabilities]".to_owned(),
                |advice| format!("remove `delete`, or {advice}"),
            ),
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
