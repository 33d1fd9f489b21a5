//! ServiceTrade: the shipped profile and mapping against its simulator.

use std::collections::{BTreeMap, BTreeSet};

use provost::model::AccountId;

use super::company::Company;
use super::story::{App, PEOPLE, Shown};
use crate::support::sim::servicetrade::{CLIENT, SERVICE, SWITCHES, Servicetrade, User, Work};
use crate::support::sim::{Harm, Setting, Sim};

fn text(pairs: &[(&str, &str)]) -> Shown {
    pairs
        .iter()
        .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
        .collect()
}

/// By the anchor that the user carries.
fn shown(app: &mut Servicetrade) -> BTreeMap<String, Shown> {
    let users = app.users.iter().filter(|(id, _)| **id != SERVICE.0);
    users
        .map(|(_, user)| {
            let roles: BTreeSet<&str> =
                user.roles.iter().map(|id| app.roles[id].as_str()).collect();
            let roles: Vec<&str> = roles.into_iter().collect();
            let office = user.fields["officeId"].to_string();
            let shown = text(&[
                ("active", if user.active() { "yes" } else { "no" }),
                ("first", user.text("firstName")),
                ("mail", user.text("email")),
                ("office", &office),
                ("phone", user.text("phone")),
                ("roles", &roles.join("+")),
            ]);
            (
                user.external.get("provost").cloned().unwrap_or_default(),
                shown,
            )
        })
        .collect()
}

fn wanted(company: &Company) -> BTreeMap<String, Shown> {
    let people = company.people.iter();
    people
        .map(|person| {
            let office = match person.office {
                "North" => "51",
                "South" => "52",
                _west => "53",
            };
            let mut roles = Vec::new();
            if person.groups.contains("ServiceTrade Schedulers") {
                roles.push("Account Scheduler");
            }
            if person.groups.contains("ServiceTrade Technicians") {
                roles.push("Account Tech");
            }
            let usual = format!("+1555{:04}", person.number);
            let phone = person
                .more
                .get("telephoneNumber")
                .map_or(usual, |phone| phone.replace(' ', ""));
            let shown = text(&[
                ("active", "yes"),
                ("first", &person.given),
                ("mail", &person.mail()),
                ("office", office),
                ("phone", &phone),
                ("roles", &roles.join("+")),
            ]);
            (person.anchor(), shown)
        })
        .collect()
}

/// A company connected to a simulator with these switches.
pub(super) fn app(setting: &Setting, people: usize) -> App<Servicetrade> {
    let sim = Sim::start(Servicetrade::new(setting.clone()));
    sim.within(|app| app.page = 60);
    let mut company = Company::new(people, &["North", "South"], &["ServiceTrade Users"]);
    for number in (0..people).step_by(3) {
        let person = company.person(number);
        person.groups.insert("ServiceTrade Technicians");
        person.title = "Sprinkler Technician";
    }
    for number in (1..people).step_by(4) {
        company
            .person(number)
            .groups
            .insert("ServiceTrade Schedulers");
    }
    let secret = company.secret("password", SERVICE.2);
    company.target = format!(
        "type = \"http\"\nprofile = \"mappings/servicetrade.profile.toml\"\nmapping = \"mappings/servicetrade.toml\"\n\
         url = \"{}/api\"\nrequest-timeout = \"5s\"\nprotected-accounts = [\"provost\"]\n\n[target.settings]\n\
         user = \"{}\"\nuser-password = \"{secret}\"\nroles = \"{}\"\njob-owner-filter = \"{}\"\nquote-owner = \"{}\"\n",
        sim.base,
        SERVICE.1,
        setting.get("role"),
        setting.get("owner-filter"),
        setting.get("quote-owner"),
    );
    company.edit(
        "mappings/servicetrade.toml",
        "attributes.officeId",
        &format!("attributes.{}", setting.get("office")),
    );
    company.edit(
        "mappings/servicetrade.toml",
        "\nofficeId = \"51\"",
        &format!("\n{} = \"51\"", setting.get("office")),
    );
    company.edit(
        "mappings/servicetrade.toml",
        "hold = \"officeId\"",
        &format!("hold = \"{}\"", setting.get("office")),
    );
    if setting.is("password", "accepted") {
        company.target += "password = \"accepted\"\n";
    }
    App {
        sim,
        company,
        shown,
        wanted,
        creates: "POST user",
        changes: "PUT user",
        lists: "GET user",
    }
}

#[test]
fn a_company_lives_with_servicetrade() {
    let app = app(&Setting::first(SWITCHES), PEOPLE);
    let app = lives(app);
    // Every session was given back, however it ended.
    assert_eq!(app.sim.within(|app| app.open_sessions()), 0);
}

/// The same by OAuth, with one session for everybody, roles as a resource of their own and the rarer forms of answers.
#[test]
fn a_company_lives_with_servicetrade_by_oauth() {
    let setting = Setting::first(SWITCHES)
        .with("shape", "compound")
        .with("reference", "id")
        .with("messages", "bare")
        .with("role", "sub-resource")
        .with("conflict", "403")
        .with("pool", "1")
        .with("deleted", "204")
        .with("expired", "404")
        .with("unknown-field", "refused");
    let mut app = app(&setting, PEOPLE);
    by_oauth(&mut app);
    let app = lives(app);
    assert_eq!(app.sim.within(|app| app.open_sessions()), 0);
}

fn by_oauth(app: &mut App<Servicetrade>) {
    let (client, secret) = CLIENT;
    let secret = app.company.secret("client", secret);
    app.company.target +=
        &format!("sign-in = \"oauth\"\nclient-id = \"{client}\"\nclient-secret = \"{secret}\"\n");
}

fn lives(mut app: App<Servicetrade>) -> App<Servicetrade> {
    app.join();
    app.rest();

    // Movers: another office, another role; a new family name; a new address, which must not touch the user name.
    app.company.person(3).office = "West";
    app.company
        .person(4)
        .groups
        .insert("ServiceTrade Technicians");
    app.company.person(5).given = "Petra".to_owned();
    app.company
        .person(6)
        .more
        .insert("mail", "new-name@example.org".to_owned());
    app.settle("movers", 3);
    assert!(
        app.sim
            .within(|app| app.named("p006@example.org").is_some())
    );

    // Another customer of the vendor holds the name of a newcomer: the next alternative, and nobody else waits.
    app.sim
        .within(|app| app.strangers.insert("p500@example.org".to_owned()));
    app.company.join(500, 1);
    app.company.join(501, 1);
    app.settle("collision", 2);
    app.sim.within(|app| {
        assert!(app.named("example-p500@example.org").is_some());
        assert!(app.named("p501@example.org").is_some());
    });

    app.fail_in_part();
    app.leave_and_return(9);
    app.shut_and_open(|wanted| {
        wanted.insert("active".to_owned(), "no".to_owned());
    });
    assert_eq!(app.count("mail"), 0, "ServiceTrade tells nobody");
    assert_eq!(app.count("password"), 0, "the status is the gate");
    app
}

/// One session for everybody: whoever signs in elsewhere ends ours. It goes on with a new one, not with many.
#[test]
fn a_session_taken_by_others_is_opened_again_once() {
    let mut app = app(&Setting::first(SWITCHES).with("pool", "1"), 24);
    app.sim.fault("POST user", 6, 1, Harm::Expire);
    app.sim.fault("GET externalid", 12, 1, Harm::Expire);
    app.settle("joiners", 3);
    assert!(app.sim.faults_are_over());
    assert_eq!(app.count("create"), 24);
    let logins = app.sim.within(|app| app.logins);
    app.company.person(1).office = "West";
    app.sim.fault("PUT user", 0, 1, Harm::Expire);
    app.company.sync(&[0]);
    app.sim.within(|app| {
        assert_eq!(
            app.logins,
            logins + 2,
            "one for the run, one after the session was taken"
        );
        assert_eq!(app.open_sessions(), 0);
    });
}

/// Setting passwords is a guess: as long as nobody tried it, no procedure may rest on it.
#[test]
fn a_fuzz_is_refused_until_somebody_tried_it() {
    let setting = Setting::first(SWITCHES).with("password", "ignored");
    let mut app = app(&setting, 4);
    app.company.target.insert_str(
        0,
        "credentials = \"reset\"\nsuspend = { default = [\"fuzz-password\", \"deactivate\"] }\n",
    );
    app.company.publish();
    let refused = app.company.provost(&["check"]);
    let told = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert_eq!(refused.status.code(), Some(78), "{told}");
    assert!(told.contains("fuzz-password"), "{told}");
}

/// Whatever the answer looks like: a name that somebody elsewhere has is never taken over, and the next one is tried.
#[test]
fn a_name_that_is_taken_elsewhere_gets_the_next_alternative_or_is_reported() {
    for kind in ["400-validation", "400-error", "403", "409"] {
        for messages in ["array", "text", "map", "bare"] {
            taken_elsewhere(kind, messages);
        }
    }
}

fn taken_elsewhere(kind: &'static str, messages: &'static str) {
    let what = format!("{kind}, {messages}");
    let setting = Setting::first(SWITCHES)
        .with("conflict", kind)
        .with("messages", messages);
    let mut app = app(&setting, 4);
    app.sim.within(|app| {
        let taken = ["p001", "example-p001", "p002", "example-p002"];
        let names = taken.map(|name| format!("{name}@example.org"));
        app.strangers.extend(names);
        for n in 2..=9 {
            app.strangers.insert(format!("example{n}-p002@example.org"));
        }
    });
    let said = app.company.sync(&[11]);
    assert!(
        said.contains("refused username = p001@example.org as taken"),
        "{what}: {said}"
    );
    assert!(said.contains("p002@example.org"), "{what}: {said}");
    app.sim.within(|app| {
        assert!(app.named("example2-p001@example.org").is_some(), "{what}");
        assert_eq!(app.ledger.count("create"), 3, "{what}");
    });
    // Nobody else was touched, and what is not free any more is not asked for again by who has a name.
    let said = app.company.sync(&[11]);
    assert!(!said.contains("p001"), "{what}: {said}");
    assert_eq!(app.count("create"), 3, "{what}");

    // An address in use is no name in use: it is reported, and no name is tried for it.
    app.company.leave(2);
    app.company.join(700, 3);
    app.company
        .person(700)
        .more
        .insert("mail", "P001@example.org".to_owned());
    let said = app.company.sync(&[11, 13]);
    assert!(!said.contains("as taken"), "{what}: {said}");
    assert_eq!(app.count("create"), 3, "{what}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_leavers_work_goes_to_the_heir() {
    for setting in Setting::pairwise(SWITCHES) {
        let app = app(&setting, 0);
        let target = app.company.connect().await;
        let (leaver, heir, other) = app.sim.within(|app| {
            let user = |app: &mut Servicetrade| {
                let id = app.fresh();
                let fields = serde_json::json!({"status": "active", "username": id.to_string(), "officeId": 51});
                let fields = fields.as_object().cloned().unwrap();
                app.users.insert(id, User { fields, ..User::default() });
                id
            };
            (user(app), user(app), user(app))
        });
        let jobs = app.sim.within(|app| {
            let both = BTreeSet::from([leaver, other]);
            let owned = |owner: i64, status: &str| Work {
                owner: Some(owner),
                status: status.to_owned(),
                ..Work::default()
            };
            let teamed = |status: &str| Work {
                techs: both.clone(),
                status: status.to_owned(),
                ..Work::default()
            };
            for status in ["scheduled", "new", "completed"] {
                app.add_work("job", owned(leaver, status));
            }
            let jobs = app.add_work("job", owned(other, "scheduled"));
            app.add_work("quote", owned(leaver, "open"));
            app.add_work("quote", owned(other, "open"));
            app.add_work("appointment", teamed("scheduled"));
            app.add_work("servicerequest", teamed("open"));
            jobs
        });
        let (from, to) = (AccountId(leaver.to_string()), AccountId(heir.to_string()));
        for kind in ["quotes", "jobs", "appointments", "preferred-services"] {
            for _ in 0..2 {
                let moved = target.reassign(&from, kind, &to).await;
                assert_eq!(moved, Ok(()), "{kind}: {setting}");
            }
        }
        app.sim.within(|app| {
            assert_eq!(app.open_work(leaver), 0, "{setting}");
            assert_eq!(app.open_work(heir), 5, "{setting}");
            assert_eq!(app.work["job"][&jobs].owner, Some(other), "{setting}");
            assert_eq!(app.open_work(other), 4, "{setting}");
            assert_eq!(app.ledger.count("reassign"), 5, "{setting}");
        });
    }
}

/// The role that comes by itself is gone before the next run begins, however roles are given and shown.
#[test]
fn a_new_technicians_role_that_nobody_gave_is_taken_away_at_once() {
    for role in ["field", "sub-resource"] {
        for reference in ["object", "id"] {
            let what = format!("{role}, {reference}");
            let setting = Setting::first(SWITCHES)
                .with("role", role)
                .with("reference", reference);
            let mut app = app(&setting, 4);
            app.company
                .person(1)
                .groups
                .insert("ServiceTrade Schedulers");
            app.company.sync(&[0]);
            let roles = |number: usize| {
                let name = format!("p{number:03}@example.org");
                let roles = app.sim.within(|app| app.role_names(&name));
                roles.into_iter().collect::<Vec<_>>().join("+")
            };
            assert_eq!(app.count("automatic-role"), 2, "{what}");
            assert_eq!(roles(0), "Account Tech", "{what}");
            assert_eq!(roles(1), "Account Scheduler", "{what}");
            // Somebody becomes a technician: what they had stays.
            app.company
                .person(1)
                .groups
                .insert("ServiceTrade Technicians");
            app.company.sync(&[0]);
            let roles = app.sim.within(|app| app.role_names("p001@example.org"));
            assert_eq!(app.count("automatic-role"), 3, "{what}");
            let roles: Vec<&str> = roles.iter().map(String::as_str).collect();
            assert_eq!(roles, ["Account Scheduler", "Account Tech"], "{what}");
        }
    }
}

#[test]
fn oauth_works_as_well() {
    let mut app = app(&Setting::first(SWITCHES), 5);
    by_oauth(&mut app);
    app.settle("joiners", 3);
    app.sim.advance(4000);
    app.company.person(1).office = "West";
    app.settle("movers", 3);
}
