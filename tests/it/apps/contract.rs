//! What every connector promises, for every shipped profile, over every pair of the simulators' switches.

use std::collections::{BTreeMap, BTreeSet};

use provost::model::{
    Account, AccountDraft, AccountId, AccountPatch, Cause, MembershipChange, SuspendReason, Value,
};
use provost::target::{AccountWriter, ConnectorError};

use super::company::Company;
use crate::contract::access::keeps_its_word;
use crate::support::sim::{
    Application, Setting, Sim, salestrekker, securitytrax, servicetrade, smartertrack,
};

/// What is tried at one application.
struct Trial<'a> {
    target: &'a dyn AccountWriter,
    what: String,
    /// The attributes of an account of this name.
    draft: fn(&str) -> Vec<(&'static str, String)>,
    unique: &'static str,
    change: (&'static str, &'static str),
    entitlement: &'static str,
}

const HOSTILE: &str = "O'Brien \"x\" <b>&amp;</b> {{ 7 }} %2f $x \\ ;,=";

impl Trial<'_> {
    fn draft(&self, name: &str, more: &[(&'static str, String)]) -> AccountDraft {
        let pairs = (self.draft)(name).into_iter().chain(more.iter().cloned());
        let value = |text: String| match text.as_str() {
            "yes" => Value::Bool(true),
            "no" => Value::Bool(false),
            _ => Value::Text(text),
        };
        let attributes = pairs.map(|(name, text)| (name.to_owned(), value(text)));
        AccountDraft {
            attributes: attributes.collect(),
        }
    }

    async fn find(&self, name: &str) -> Vec<Account> {
        let wanted = self.draft(name, &[]).attributes[self.unique].clone();
        let found = self.target.find(self.unique, &wanted).await;
        found.unwrap_or_else(|e| panic!("{}: find {name}: {e}", self.what))
    }

    /// Creates; where the application does not say which one it made, it is looked for, as after a lost answer.
    async fn make(&self, name: &str, more: &[(&'static str, String)]) -> AccountId {
        match self.target.create(&self.draft(name, more)).await {
            Ok(account) => account.id,
            Err(ConnectorError::Ambiguous(_)) => {
                let found = self.find(name).await;
                assert_eq!(found.len(), 1, "{}: {name}", self.what);
                found[0].id.clone()
            }
            Err(error) => panic!("{}: create {name}: {error}", self.what),
        }
    }

    async fn listed(&self, id: &AccountId) -> Account {
        let list = self.target.list().await;
        let list = list.unwrap_or_else(|e| panic!("{}: list: {e}", self.what));
        let mut found = list.into_iter().filter(|account| account.id == *id);
        let first = found
            .next()
            .unwrap_or_else(|| panic!("{}: {id} is not listed", self.what));
        assert!(
            found.next().is_none(),
            "{}: {id} is listed twice",
            self.what
        );
        first
    }

    async fn run(&self) {
        let what = &self.what;
        let id = self.make("ada", &[]).await;
        for number in 0..5 {
            self.make(&format!("more{number}"), &[]).await;
        }
        assert_eq!(self.listed(&id).await.id, id);
        assert_eq!(self.find("ada").await.len(), 1, "{what}");
        assert_eq!(self.find("nobody").await.len(), 0, "{what}");
        let again = self.target.create(&self.draft("ada", &[])).await;
        assert!(
            matches!(again, Err(ConnectorError::Conflict(_))),
            "{what}: {again:?}"
        );

        self.change(&id).await;
        let nobody = AccountId("999999999".to_owned());
        assert_eq!(self.target.get(&nobody).await, Ok(None), "{what}");

        self.entitle(&id).await;
        self.switch(&id).await;
        let other = self.find("more0").await[0].id.clone();
        keeps_its_word(self.target, &id, &other, what).await;
    }

    async fn change(&self, id: &AccountId) {
        let what = &self.what;
        let (attribute, value) = self.change;
        for text in [value, HOSTILE] {
            let wanted = Value::Text(text.to_owned());
            let patch = AccountPatch {
                attributes: BTreeMap::from([(attribute.to_owned(), Some(wanted.clone()))]),
                ..AccountPatch::default()
            };
            let after = self.target.update(id, &patch).await;
            let after = after.unwrap_or_else(|e| panic!("{what}: update: {e}"));
            assert_eq!(after.attributes.get(attribute), Some(&wanted), "{what}");
            assert_eq!(
                self.listed(id).await.attributes.get(attribute),
                Some(&wanted),
                "{what}"
            );
        }
    }

    /// A name that only the application knows to be taken.
    async fn collides(&self, name: &str) {
        let refused = self.target.create(&self.draft(name, &[])).await;
        let conflict = matches!(refused, Err(ConnectorError::Conflict(_)));
        assert!(conflict, "{}: {refused:?}", self.what);
        assert_eq!(self.find(name).await.len(), 0, "{}", self.what);
    }

    async fn switch(&self, id: &AccountId) {
        let what = &self.what;
        for active in [false, false, true] {
            let patch = AccountPatch {
                active: Some(active),
                ..AccountPatch::default()
            };
            let after = self.target.update(id, &patch).await;
            let after = after.unwrap_or_else(|e| panic!("{what}: active={active}: {e}"));
            assert_eq!(after.active, Some(active), "{what}");
            let seen = self.target.get(id).await.unwrap().unwrap();
            assert_eq!(seen.active, Some(active), "{what}");
            if self.target.capabilities().list_inactive {
                assert_eq!(self.listed(id).await.active, Some(active), "{what}");
            }
        }
    }

    async fn entitle(&self, id: &AccountId) {
        for give in [true, true, false, false, true] {
            let one = BTreeSet::from([id.clone()]);
            let (add, remove) = if give {
                (one, BTreeSet::new())
            } else {
                (BTreeSet::new(), one)
            };
            let entitlement = self.entitlement.to_owned();
            let change = MembershipChange {
                entitlement,
                add,
                remove,
            };
            let done = self.target.set_members(&change).await;
            assert_eq!(done, Ok(()), "{}: {} {give}", self.what, self.entitlement);
            let held = self.listed(id).await.entitlements.unwrap();
            assert_eq!(
                held.contains(self.entitlement),
                give,
                "{}: {held:?}",
                self.what
            );
        }
    }
}

/// A company that is only a configuration.
fn connected<A: Application>(sim: &Sim<A>, name: &str, path: &str, settings: &str) -> Company {
    let mut company = Company::new(0, &["North"], &[]);
    company.target = format!(
        "type = \"http\"\nprofile = \"mappings/{name}.profile.toml\"\nmapping = \"mappings/{name}.toml\"\n\
         url = \"{}{path}\"\nprotected-accounts = [\"provost\"]\n\n[target.settings]\n{settings}",
        sim.base
    );
    company
}

fn common(name: &str) -> Vec<(&'static str, String)> {
    vec![
        ("anchor", format!("anchor-{name}")),
        ("username", name.to_owned()),
        ("email", format!("{name}@example.com")),
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn servicetrade_keeps_the_contract() {
    for setting in Setting::pairwise(servicetrade::SWITCHES) {
        let app = super::servicetrade::app(&setting, 0);
        app.sim.within(|app| app.page = 3);
        let target = app.company.connect().await;
        let office = setting.get("office");
        let trial = Trial {
            target: &*target,
            what: setting.to_string(),
            draft: match office {
                "officeId" => |name| with(name, "officeId"),
                "locationId" => |name| with(name, "locationId"),
                _default => |name| with(name, "defaultOfficeId"),
            },
            unique: "username",
            change: ("firstName", "Countess"),
            entitlement: "Account Scheduler",
        };
        trial.run().await;
    }
}

fn with(name: &str, office: &'static str) -> Vec<(&'static str, String)> {
    let mut all = common(name);
    all.extend([
        ("firstName", "Ada".to_owned()),
        ("lastName", name.to_owned()),
        (office, "51".to_owned()),
    ]);
    all
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn securitytrax_keeps_the_contract() {
    for setting in Setting::pairwise(securitytrax::SWITCHES) {
        let sim = Sim::start(securitytrax::Securitytrax::new(setting.clone()));
        sim.within(|app| app.page = 50);
        let mut company = connected(&sim, "securitytrax", "/acme/user/v1", "");
        let way = if setting.is("token", "personal") {
            "personal-token"
        } else {
            "password"
        };
        company.target += &format!(
            "user = \"{}\"\nuser-password = \"{}\"\nintegrator-key = \"{}\"\npersonal-token = \"{}\"\n\
             sign-in = \"{way}\"\nupdate = \"{}\"\npaging = \"{}\"\npassword = \"{}\"\n",
            securitytrax::SERVICE.0,
            company.secret("password", securitytrax::SERVICE.1),
            company.secret("key", securitytrax::KEY),
            company.secret("token", securitytrax::PERSONAL),
            setting.get("update"),
            setting.get("paging"),
            setting.get("password"),
        );
        let target = company.connect().await;
        let trial = Trial {
            target: &*target,
            what: setting.to_string(),
            draft: |name| {
                vec![
                    ("payroll_identifier", format!("anchor-{name}")),
                    ("username", name.to_owned()),
                    ("fname", "Ada".to_owned()),
                    ("lname", name.to_owned()),
                    ("email", format!("{name}@example.com")),
                ]
            },
            unique: "username",
            change: ("fname", "Countess"),
            entitlement: "1@2",
        };
        trial.run().await;
        let id = trial.find("ada").await[0].id.clone();
        let count = |what: &str| sim.ledger(|ledger| ledger.count(what));
        let (before, passwords) = (count("mail"), count("password"));
        let password = secrecy::SecretString::from("Random-1234567890");
        let then = provost::target::AfterLogin::Keep;
        assert_eq!(
            target.set_password(&id, &password, then).await,
            Ok(()),
            "{setting}"
        );
        sim.ledger(|ledger| {
            assert_eq!(ledger.count("password"), passwords + 1, "{setting}");
            assert_eq!(
                ledger.count("mail"),
                before,
                "a fuzz mails nobody: {setting}"
            );
            assert_eq!(ledger.count("delete"), 0);
        });
        leaves_and_collides(&sim, &trial).await;
    }
}

/// A leaver's reason and day are written with the switch, whatever the method; a name that only the application knows is a
/// conflict, and nobody is made.
async fn leaves_and_collides(sim: &Sim<securitytrax::Securitytrax>, trial: &Trial<'_>) {
    let what = &trial.what;
    let id = trial.find("more1").await[0].id.clone();
    for (reason, day) in [
        (SuspendReason::SourceDisabled, ""),
        (SuspendReason::Leaver, "2031-12-24"),
    ] {
        let cause = Some(Cause {
            reason,
            day: jiff::civil::date(2031, 12, 24),
        });
        for active in [true, false] {
            let patch = AccountPatch {
                active: Some(active),
                cause: cause.filter(|_| !active),
                ..AccountPatch::default()
            };
            let changed = trial.target.update(&id, &patch).await;
            assert_eq!(changed.unwrap().active, Some(active), "{what}");
        }
        sim.within(|app| {
            let user = app.named("more1").unwrap().1;
            assert_eq!(user.text("last_day"), day, "{reason}: {what}");
        });
    }
    sim.within(|app| app.strangers.insert("stranger".to_owned()));
    trial.collides("stranger").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn smartertrack_keeps_the_contract() {
    let mut whole = 0;
    for setting in Setting::pairwise(smartertrack::SWITCHES) {
        let sim = Sim::start(smartertrack::Smartertrack::new(setting.clone()));
        let mut company = connected(&sim, "smartertrack", "", "");
        let accounts = if setting.is("list", "GetAllUsers") {
            "users"
        } else {
            "agents"
        };
        company.target += &format!(
            "user = \"{}\"\nuser-password = \"{}\"\naccounts = \"{accounts}\"\npassword = \"{}\"\n",
            smartertrack::SERVICE.0,
            company.secret("password", smartertrack::SERVICE.1),
            setting.get("password").replace("absent", "off"),
        );
        let target = company.connect().await;
        let can = target.capabilities().clone();
        // What the WSDL lacks is off, and nothing that rests on it is tried.
        assert_eq!(can.deactivate, setting.is("roles", "methods"), "{setting}");
        if setting.is("roles", "absent")
            || (setting.is("new-id", "nowhere") && accounts == "agents")
        {
            continue;
        }
        whole += 1;
        let trial = Trial {
            target: &*target,
            what: setting.to_string(),
            draft: |name| {
                let mut all = common(name);
                all.push(("displayName", name.to_owned()));
                all
            },
            unique: "username",
            change: ("displayName", "Countess"),
            entitlement: "Manager",
        };
        trial.run().await;
        sim.within(|app| app.strangers.insert("stranger".to_owned()));
        trial.collides("stranger").await;
        if !setting.is("password", "property") {
            continue;
        }
        // Whose password Active Directory checks gets none here.
        let id = trial.find("ada").await[0].id.clone();
        sim.within(|app| {
            let known = app.users.values_mut().filter(|user| user.username == "ada");
            known.for_each(|user| user.by_directory = true);
        });
        let before = sim.ledger(|ledger| ledger.count("password"));
        let password = secrecy::SecretString::from("Random-1234567890");
        let then = provost::target::AfterLogin::Keep;
        let set = target.set_password(&id, &password, then).await;
        assert!(
            matches!(set, Err(ConnectorError::Idle(_))),
            "{set:?}: {setting}"
        );
        assert_eq!(sim.ledger(|ledger| ledger.count("password")), before);
    }
    assert!(whole >= 4);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn salestrekker_keeps_the_contract() {
    for setting in Setting::pairwise(salestrekker::SWITCHES) {
        let sim = Sim::start(salestrekker::Salestrekker::new(setting.clone()));
        let mut company = connected(&sim, "salestrekker", "", "");
        company.target += &format!(
            "sign-in = \"{}\"\napi-key = \"{}\"\nuser = \"{}\"\nuser-password = \"{}\"\npaging = \"{}\"\nlists-disabled = {}\n",
            setting.get("sign-in"),
            company.secret("key", salestrekker::KEY),
            salestrekker::SERVICE.0,
            company.secret("password", salestrekker::SERVICE.1),
            setting.get("paging"),
            setting.is("lists-disabled", "yes"),
        );
        let target = company.connect().await;
        let trial = Trial {
            target: &*target,
            what: setting.to_string(),
            draft: |name| {
                vec![
                    ("email", format!("{name}@example.com")),
                    ("firstName", "Ada".to_owned()),
                    ("familyName", name.to_owned()),
                    ("isBroker", "yes".to_owned()),
                ]
            },
            unique: "email",
            change: ("firstName", "Countess"),
            entitlement: "workflow:Settlements",
        };
        if setting.is("rights", "too-low") {
            let refused = target.create(&trial.draft("ada", &[])).await;
            assert!(
                matches!(refused, Err(ConnectorError::Rejected(_))),
                "{refused:?}"
            );
            continue;
        }
        trial.run().await;
        sim.within(|app| app.strangers.insert("stranger@example.com".to_owned()));
        trial.collides("stranger").await;
        sim.ledger(|ledger| assert_eq!(ledger.count("mail"), 6, "one invitation each"));
    }
}
