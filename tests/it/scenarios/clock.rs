//! Windows and overrides of a scenario: read as a configuration file is, and judged as a run judges.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use provost::config::{Secrets, load};
use provost::model::{Anchor, Identity, Override};
use provost::reconcile::access::AccessRules;
use provost::reconcile::{Person, Presence};

use super::given::Given;

/// The rules of the scenario's target. Files are found in the scenario's folder.
pub(super) fn rules(access: &str, folder: &Path) -> AccessRules {
    if access.is_empty() {
        return AccessRules::none("crm");
    }
    let (policies, target) = access.split_once("[target]").unwrap_or((access, ""));
    let place = tempfile::tempdir().expect("a folder");
    for file in fs::read_dir(folder).expect("the scenario is there") {
        let file = file.expect("readable");
        fs::copy(file.path(), place.path().join(file.file_name())).expect("copied");
    }
    let mapping = folder.with_file_name("mapping.toml");
    fs::copy(mapping, place.path().join("mapping.toml")).expect("copied");
    let text = format!(
        "version = 1\nstate-dir = 's'\n{policies}\n[[source]]\nname = 'd'\ntype = 'ldif'\npath = 'source.ldif'\n\
         [[target]]\nname = 'crm'\ntype = 'sandbox'\npath = 'c'\nsource = 'd'\nmapping = 'mapping.toml'\npolicy = 'sync'\n{target}\n"
    );
    let path = place.path().join("provost.toml");
    fs::write(&path, text).expect("written");
    let loaded = load(&path, Secrets::CheckFormOnly)
        .unwrap_or_else(|problems| panic!("{}: {problems}", folder.display()));
    AccessRules::clone(&loaded.config.targets[0].access)
}

/// Everybody in the directory, with what windows and overrides say about them.
pub(super) fn people(given: &Given, rules: &AccessRules, found: Vec<Identity>) -> Vec<Person> {
    let overrides: Vec<Override> = given
        .overrides
        .iter()
        .zip(1..)
        .map(|(order, number)| Override {
            id: format!("o{number}"),
            anchor: Anchor::new(&order.anchor).expect("an anchor"),
            label: "somebody".to_owned(),
            target: None,
            effect: order.effect,
            from: order.from,
            until: order.until,
            reason: "as the scenario says".to_owned(),
            by: "operator".to_owned(),
            at: order.at.unwrap_or(order.from),
        })
        .collect();
    let mut judge = rules.at(given.now);
    found
        .into_iter()
        .map(|identity| {
            let now = judge.judge(&identity, &overrides);
            let early = given.early.get(identity.anchor.as_str());
            let before =
                early.and_then(|at| rules.at(*at).before_time(&now, &identity, &overrides));
            let access = before.unwrap_or(now);
            Person {
                anchor: identity.anchor.clone(),
                shadow: given.shadow(&identity.anchor),
                imposed: access.reasons.clone(),
                imposed_until: None,
                access,
                foretold: given.foretold.contains(identity.anchor.as_str()),
                presence: Presence::Present(Arc::new(identity)),
            }
        })
        .collect()
}
