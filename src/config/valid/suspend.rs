//! How access is taken away and given back: `suspend-with`, `[target.suspend]`, `credentials`, `[target.heir]`.
//! What could not work, or could lock people out for good, is refused here.

use std::collections::BTreeMap;

use super::common::{self, values};
use super::connector::Can;
use super::{DeliverySpec, TargetSpec, VaultSpec};
use crate::config::keys;
use crate::config::raw::{Located, Section, not_an_option};
use crate::model::{AccountId, CredentialMode, How, LetterKind, Problem, SuspendReason};
use crate::reconcile::{HeirRule, Procedures};

const EXAMPLE: &str = "such as [\"deactivate\"] or [\"fuzz-password\", \"revoke-sessions\", \"reassign:quotes\", \"deactivate\"]";

/// Reads the procedures of a target: the same for every reason, or one per reason.
pub fn procedures(section: &Section<'_>) -> Procedures {
    let Some(table) = section
        .has("suspend")
        .then(|| section.table("suspend", &keys::SUSPEND))
        .flatten()
    else {
        let simple = section.has("suspend-with");
        let steps = simple.then(|| steps(section, "suspend-with"));
        return Procedures::always(steps.unwrap_or_else(|| vec![How::Deactivate]));
    };
    if section.has("suspend-with") {
        section.error(
            "suspend-with",
            "`suspend-with` and [target.suspend] are both given",
            "write `default` in [target.suspend] instead",
        );
    }
    if !table.has("default") {
        table.missing("default", EXAMPLE);
    }
    let mut by_reason = BTreeMap::new();
    for reason in SuspendReason::ALL {
        if table.has(reason.as_str()) {
            by_reason.insert(reason, steps(&table, reason.as_str()));
        }
    }
    Procedures {
        default: steps(&table, "default"),
        by_reason,
    }
}

fn steps(section: &Section<'_>, key: &str) -> Vec<How> {
    let mut steps = Vec::new();
    for word in section.texts(key) {
        match How::named(&word.value) {
            Some(step) if steps.contains(&step) => {
                problem(section, &word, "is named twice", "each step is done once");
            }
            Some(step) => steps.push(step),
            None if word.value.starts_with("reassign") => {
                let help = "the kind of work follows a colon, as in \"reassign:quotes\"";
                problem(section, &word, "names no kind of work", help);
            }
            None => section.findings().error(not_an_option(&word, &How::PLAIN)),
        }
    }
    steps
}

fn problem(section: &Section<'_>, word: &Located<String>, message: &str, help: &str) {
    let problem = Problem::new(Some(word.span.clone()), &word.field, message).help(help);
    section.findings().error(problem);
}

/// Whose business the passwords are.
pub fn credentials(section: &Section<'_>) -> CredentialMode {
    section
        .choice("credentials", &CredentialMode::ALL)
        .unwrap_or_default()
}

/// Who gets the work of people whose access is taken away.
pub fn heir(section: &Section<'_>) -> HeirRule {
    let mut rule = HeirRule::default();
    if let Some(table) = section.table("heir", &keys::HEIR) {
        if let Some(attribute) = table.text("attribute") {
            rule.attribute = attribute.value.to_ascii_lowercase();
        }
        rule.fallback = table.text("account").map(|id| AccountId(id.value));
    }
    rule
}

/// Refuses procedures that the target cannot carry out, or that leave people their access.
pub fn possible(section: &Section<'_>, procedures: &Procedures, mode: CredentialMode, can: &Can) {
    let fuzz = can.set_password && mode != CredentialMode::None;
    if !can.deactivate && !can.block_login && !fuzz {
        let message = "this target can neither deactivate nor block the login, and fuzzing passwords is not possible: its leavers could not be stopped";
        section.error("capabilities", message, "declare `deactivate`, `block-login`, or `set-password` with `credentials`; or choose policy \"upsert-only\" and stop leavers by hand");
        return;
    }
    for (reason, steps) in procedures.each() {
        let place = place(section, reason);
        let (table, key) = (&place.0, place.1);
        if steps.is_empty() {
            table.error(
                key,
                "must not be empty: these people could not be stopped",
                "write [\"deactivate\"], or choose policy \"upsert-only\"",
            );
            continue;
        }
        one(table, key, reason, steps, mode, can);
    }
}

/// Where a procedure is written.
fn place<'a>(section: &Section<'a>, reason: Option<SuspendReason>) -> (Section<'a>, &'static str) {
    match section.any_table_quietly("suspend") {
        Some(table) => (table, reason.map_or("default", SuspendReason::as_str)),
        None => (section.clone(), "suspend-with"),
    }
}

fn one(
    table: &Section<'_>,
    key: &str,
    reason: Option<SuspendReason>,
    steps: &[How],
    mode: CredentialMode,
    can: &Can,
) {
    for step in steps {
        if *step == How::FuzzPassword && mode == CredentialMode::None {
            table.error(
                key,
                "passwords are none of Provost's business here: credentials = \"none\"",
                "choose credentials = \"managed\", \"reset\" or \"sso\", or take another step",
            );
        } else if !can.does(step) {
            let help = unable(step, can);
            table.error(key, format!("this target cannot do \"{step}\""), help);
        }
    }
    let Some(stops) = steps.iter().position(How::stops_access) else {
        table.error(
            key,
            "none of these steps takes the access away",
            "add \"deactivate\", \"block-login\" or \"fuzz-password\", and put it first",
        );
        return;
    };
    if steps
        .iter()
        .take(stops)
        .any(|step| matches!(step, How::Reassign(_)))
    {
        table.warning(
            key,
            "work is reassigned before the access is taken away",
            "put the step that takes the access away first: a step that fails holds the later ones",
        );
    }
    fuzzes(table, key, reason, steps, mode);
}

/// What to do about a step that the target cannot do.
fn unable(step: &How, can: &Can) -> String {
    let of_profile = match step {
        How::FuzzPassword => can.advice("set-password", "[[operation.set-password]]"),
        How::RevokeSessions => can.advice("revoke-sessions", "[[operation.revoke-sessions]]"),
        How::Reassign(kind) if can.reassign.is_empty() => {
            can.advice("reassign", &format!("[reassign.{kind}]"))
        }
        How::Reassign(_) | How::Deactivate | How::BlockLogin | How::RemoveEntitlements => None,
    };
    if let Some(advice) = of_profile {
        return advice;
    }
    let kinds: Vec<&str> = can.reassign.iter().map(String::as_str).collect();
    match step {
        How::Deactivate if can.block_login => "write \"block-login\" instead".to_owned(),
        How::BlockLogin if can.deactivate => "write \"deactivate\" instead".to_owned(),
        How::FuzzPassword => "the target must be able to set passwords".to_owned(),
        How::Reassign(_) if !kinds.is_empty() => {
            format!(
                "the kinds of work that it can reassign: {}",
                kinds.join(", ")
            )
        }
        How::Reassign(_) => "name a kind of work that the target can reassign".to_owned(),
        How::Deactivate | How::BlockLogin | How::RemoveEntitlements | How::RevokeSessions => {
            "leave this step out".to_owned()
        }
    }
}

/// What is special about fuzzed passwords.
fn fuzzes(
    table: &Section<'_>,
    key: &str,
    reason: Option<SuspendReason>,
    steps: &[How],
    mode: CredentialMode,
) {
    if !steps.contains(&How::FuzzPassword) {
        return;
    }
    let ends = |step: &How| match step {
        How::Deactivate | How::BlockLogin | How::RevokeSessions => true,
        How::FuzzPassword | How::RemoveEntitlements | How::Reassign(_) => false,
    };
    if mode == CredentialMode::Sso {
        if reason == Some(SuspendReason::AccessWindow) {
            table.error(
                key,
                "with credentials = \"sso\" an access window cannot work by fuzzing: another system checks passwords, so the fuzz shuts nobody out, and nothing sets the old password again",
                "give access-window another step in [target.suspend]",
            );
        } else if !steps
            .iter()
            .any(|step| step.stops_access() && *step != How::FuzzPassword)
        {
            table.warning(
                key,
                "another system checks passwords here: fuzzing the local one stops nobody whom that system lets in",
                "add \"deactivate\" or \"block-login\" if the target can do it",
            );
        }
        return;
    }
    let other = |step: &How| step.stops_access() && *step != How::FuzzPassword;
    if !steps.iter().any(other) {
        table.warning(
            key,
            "only a password keeps these people out, and that it was changed is the application's word: it cannot be tried from here",
            "add \"deactivate\" or \"block-login\" if the target can do it; if not, suspend somebody for a trial and see that the old password signs nobody in",
        );
    }
    if !steps.iter().any(ends) {
        table.warning(
            key,
            "a fuzzed password ends no session: who is logged in stays so, and tokens keep working",
            "add \"revoke-sessions\" if the target can do it",
        );
    }
}

/// What the rest of the file must have for the passwords of a target.
pub fn needs(
    sections: &[Section<'_>],
    targets: &[Option<TargetSpec>],
    vault: Option<&Option<VaultSpec>>,
    delivery: Option<&Option<DeliverySpec>>,
) {
    // After errors in [secrets] nothing is known about the key.
    let Some(vault) = vault else { return };
    for (section, target) in sections.iter().zip(targets) {
        let Some(target) = target else { continue };
        let rules = &target.rules;
        let mode = rules.credentials;
        let fuzzes = rules.suspend.any(|step| *step == How::FuzzPassword);
        let seals = mode.is_ours() || (fuzzes && mode != CredentialMode::None);
        if seals && vault.is_none() {
            section.error(
                "credentials",
                format!("with credentials = \"{mode}\" passwords are sealed, and there is no key for that"),
                "add [secrets] with `key`",
            );
        }
        // After errors in [delivery] nothing is known about its letters.
        if let Some(delivery) = delivery {
            let letters = delivery.as_ref().map(|delivery| &delivery.letters);
            let tells =
                |kind| letters.is_some_and(|letters| letters.rule(kind, &target.name).is_some());
            told(section, target, &tells);
        }
    }
}

/// Whether people are told the passwords that they need. Where a window alone would lock them out, it is refused.
fn told(section: &Section<'_>, target: &TargetSpec, tells: &dyn Fn(LetterKind) -> bool) {
    let (procedures, mode) = (&target.rules.suspend, target.rules.credentials);
    if !mode.is_ours() {
        return;
    }
    if !tells(LetterKind::Welcome) {
        section.warning(
            "credentials",
            format!(
                "with credentials = \"{mode}\" new accounts get a password that nobody is told"
            ),
            "add [delivery] with [delivery.welcome] for this target",
        );
    }
    if tells(LetterKind::Reset) {
        return;
    }
    let own = procedures
        .by_reason
        .contains_key(&SuspendReason::AccessWindow);
    let (table, key) = place(section, own.then_some(SuspendReason::AccessWindow));
    let window = procedures.of(SuspendReason::AccessWindow);
    let adopts = target.mapping.match_rules().iter().any(|rule| rule.adopt);
    if !window.contains(&How::FuzzPassword) {
        if procedures.any(|step| *step == How::FuzzPassword) {
            section.warning(
                "credentials",
                format!("with credentials = \"{mode}\" whoever comes back after a fuzzed password may need another one, and nothing delivers it"),
                "add [delivery] with [delivery.reset] for this target",
            );
        }
    } else if mode == CredentialMode::Reset {
        table.error(
            key,
            "with credentials = \"reset\" a window that opens sets a temporary password, and nothing delivers it: people would be locked out for good",
            "add [delivery] with [delivery.reset] for this target, choose credentials = \"managed\", or give access-window another step in [target.suspend]",
        );
    } else if adopts && !target.access.is_empty() {
        table.error(
            key,
            "with credentials = \"managed\" a window that opens gives accounts that existed before a password that nobody was told, and nothing delivers it: their people would be locked out for good",
            "add [delivery] with [delivery.reset] for this target, give access-window another step in [target.suspend], or match with adopt = false",
        );
    }
}

/// Remarks on the credential mode itself.
pub fn mode(section: &Section<'_>, mode: CredentialMode, can: &Can) {
    if mode.is_ours() && !can.set_password {
        section.error(
            "credentials",
            format!("with credentials = \"{mode}\" this target must be able to set passwords"),
            can.advice("set-password", "[[operation.set-password]]")
                .map_or_else(
                    || "declare that it can, or choose \"sso\" or \"none\"".to_owned(),
                    |advice| format!("{advice}, or choose \"sso\" or \"none\""),
                ),
        );
    } else if mode == CredentialMode::Reset && !can.force_change {
        section.warning(
            "credentials",
            "this target cannot demand another password at the next login: who gets a temporary one may keep it",
            "tell people to change it",
        );
    }
}

/// The kinds of work that a target declares.
pub fn kinds(section: &Section<'_>, key: &str) -> std::collections::BTreeSet<String> {
    let kinds = section.texts(key);
    for kind in &kinds {
        common::check(section, kind, |text| {
            let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
            if text.chars().all(plain) {
                Ok(())
            } else {
                Err("must have letters, digits, - and _ only".to_owned())
            }
        });
    }
    values(kinds)
}
