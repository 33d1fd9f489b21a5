//! Business rules as files: `tests/scenarios/NN-what-must-hold/` through the pure core.
//!
//! `given.toml` (time, rules, mapping, what we remember), `source.ldif` (the directory), `accounts.toml` (the application)
//! go in; the plan exactly as a dry run prints it, without colour and 100 columns wide, must come out as `expected.plan`.
//! `BLESS=1 tests/run scenarios` writes the expected files anew: read the difference before committing it.

mod absent;
mod clock;
mod given;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use provost::model::{Account, Basis, Capabilities, EntryProblem, Fingerprint, Identity, Sieve};
use provost::reconcile::guard::{self, Approval, GuardContext};
use provost::reconcile::mapping::Mapping;
use provost::reconcile::{Live, Person, Presence, Register, Situation, names_of, reconcile};
use provost::report::{self, Look};
use provost::source::settings::{
    AnchorRule, Flavour, GroupMethod, GroupSettings, LdifSettings, SourceKind, SourceSettings,
};
use provost::source::{self, FetchRequest, GroupNeed};

use given::Given;
use provost::reconcile::access::{Access, AccessRules};

/// Every identity of an LDIF file.
#[derive(Default)]
struct Everybody {
    people: Vec<Identity>,
    unreadable: Vec<EntryProblem>,
}

impl Sieve for Everybody {
    fn is_unchanged(&mut self, _: &provost::model::Anchor, _: Fingerprint) -> bool {
        false
    }
    fn accept(&mut self, identity: Identity, _: Fingerprint) {
        self.people.push(identity);
    }
    fn reject(&mut self, problem: EntryProblem) {
        self.unreadable.push(problem);
    }
}

async fn directory(
    path: &Path,
    mapping: &Mapping,
    access: &AccessRules,
    flavour: Flavour,
) -> Everybody {
    let groups = GroupSettings {
        bases: Vec::new(),
        filter: "(|(objectClass=groupOfNames)(objectClass=group))".to_owned(),
        method: GroupMethod::Member,
        nested: true,
    };
    let settings = SourceSettings {
        name: "directory".to_owned(),
        kind: SourceKind::Ldif(LdifSettings {
            path: path.to_owned(),
            flavour,
            bases: Vec::new(),
            filter: "(|(objectClass=inetOrgPerson)(objectClass=user))".to_owned(),
            groups,
            binary: BTreeSet::new(),
            start_attribute: None,
            end_attribute: None,
        }),
        anchor: AnchorRule::EntryUuid,
        allow_empty: true,
        sentinels: Vec::new(),
    };
    let mut attributes = mapping.source_attributes().clone();
    attributes.extend(access.source_attributes());
    attributes.extend(["displayname".to_owned(), "cn".to_owned()]);
    let request = FetchRequest {
        attributes,
        groups: GroupNeed::All,
    };
    let mut everybody = Everybody::default();
    source::connect(&settings)
        .fetch(&request, &mut everybody)
        .await
        .expect("the LDIF file is read");
    everybody
}

/// The plan as text, for one scenario folder.
pub(crate) async fn plan_of(folder: &Path) -> String {
    let given = Given::read(folder);
    let mapping = Mapping::compile(&given.mapping)
        .unwrap_or_else(|problems| panic!("{}: mapping: {problems:?}", folder.display()));
    let access = clock::rules(&given.access, folder);
    let directory = directory(
        &folder.join("source.ldif"),
        &mapping,
        &access,
        given.flavour,
    )
    .await;
    let rules = given.rules();
    let capabilities = given.capabilities();
    let people = clock::people(&given, &access, directory.people);
    let situation = situation(&given, &mapping, &rules, &capabilities, people, folder);
    let decided = reconcile(&situation);
    let context = GuardContext {
        now: given.now,
        reviewed_before: given.reviewed_before,
        recent_destructive: given.recent_destructive,
        created: BTreeSet::new(),
        approval: match &given.released {
            Some(text) => Approval::Staged {
                named: text.clone(),
                at: given.now,
            },
            None => Approval::None,
        },
    };
    let verdict = guard::review(&decided.plan, &rules, &context);
    let look = Look::plain();
    report::text::plan(&decided.plan, &report::Review::of(&verdict, &[]), look)
}

fn situation<'a>(
    given: &Given,
    mapping: &'a Mapping,
    rules: &'a provost::reconcile::TargetRules,
    capabilities: &'a Capabilities,
    mut people: Vec<Person>,
    folder: &Path,
) -> Situation<'a> {
    let people_read = people.len() as u64;
    for shadow in given.shadows() {
        if !people.iter().any(|person| person.anchor == shadow.anchor) {
            people.push(Person {
                anchor: shadow.anchor.clone(),
                presence: Presence::Unproven,
                shadow: Some(shadow),
                imposed: BTreeSet::new(),
                imposed_until: None,
                access: Access::default(),
                foretold: false,
            });
        }
    }
    for person in &mut people {
        if let Some(presence) = given.presence(&person.anchor) {
            person.presence = presence;
        }
        person.imposed.extend(given.imposed(&person.anchor));
    }
    let mut shortfalls = given.shortfalls.clone();
    for (anchor, outcome) in given.absences() {
        for person in people.iter_mut().filter(|person| person.anchor == anchor) {
            person.presence = outcome.presence.clone();
        }
        shortfalls.extend(outcome.contradicted.map(|why| why.to_string()));
    }
    let accounts = given::accounts(&folder.join("accounts.toml"));
    let register = register(given, mapping);
    let references = given.references();
    Situation {
        now: given.now,
        rules,
        mapping,
        capabilities,
        basis: Basis {
            now: given.now,
            read_at: given.read_at.unwrap_or(given.now),
            people: people_read,
            shortfalls,
            config: "0".repeat(64),
            live: given.live,
        },
        people,
        live: live(given, accounts),
        register,
        references,
        heirs: given.heirs(),
        untouched: 0,
    }
}

fn live(given: &Given, accounts: Vec<Account>) -> Live {
    let gone = given
        .gone_accounts
        .iter()
        .map(|id| provost::model::AccountId(id.clone()))
        .collect();
    Live {
        accounts,
        complete: given.live,
        gone,
        taken: given.refused.iter().cloned().collect(),
    }
}

fn register(given: &Given, mapping: &Mapping) -> Register {
    let mut register = Register::default();
    for shadow in given.shadows() {
        let Some(account) = &shadow.account else {
            continue;
        };
        register.managed += 1;
        register
            .owners
            .insert(account.clone(), shadow.anchor.clone());
        let unique = mapping
            .rules()
            .iter()
            .filter(|r| r.unique)
            .map(|r| r.name.as_str());
        for name in names_of(unique, &shadow.attributes) {
            register.names.insert(name, shadow.anchor.clone());
        }
    }
    register.managed = register.managed.max(given.managed);
    register
}

fn folders() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scenarios");
    let mut folders: Vec<PathBuf> = fs::read_dir(root)
        .expect("the scenarios are there")
        .map(|entry| entry.expect("readable").path())
        .filter(|path| path.is_dir())
        .collect();
    folders.sort();
    folders
}

#[tokio::test(flavor = "multi_thread")]
async fn every_scenario_plans_as_expected() {
    #[expect(clippy::disallowed_methods, reason = "the one switch of this test")]
    let bless = std::env::var_os("BLESS").is_some();
    let mut wrong = Vec::new();
    let folders = folders();
    assert!(
        folders.len() >= 25,
        "there are only {} scenarios",
        folders.len()
    );
    for folder in folders {
        let plan = plan_of(&folder).await;
        let path = folder.join("expected.plan");
        if bless {
            fs::write(&path, &plan).expect("the expected plan is written");
            continue;
        }
        let expected = fs::read_to_string(&path).unwrap_or_default();
        if plan != expected {
            let difference = similar::TextDiff::from_lines(&expected, &plan);
            let name = folder
                .file_name()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned();
            wrong.push(format!("── {name}\n{}", difference.unified_diff()));
        }
    }
    assert!(
        wrong.is_empty(),
        "{} scenarios differ:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}
