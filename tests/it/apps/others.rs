//! SecurityTrax, SmarterTrack and Salestrekker: the shipped profiles and mappings against their simulators.

use std::collections::BTreeMap;

use super::company::{Company, Person};
use super::ldap::Ldap;
use super::story::{App, PEOPLE, Shown};
use crate::support::sim::salestrekker::{self, Salestrekker};
use crate::support::sim::securitytrax::{self, Securitytrax};
use crate::support::sim::smartertrack::{self, Smartertrack};
use crate::support::sim::{Application, Setting, Sim};

fn text(pairs: &[(&str, String)]) -> Shown {
    pairs
        .iter()
        .map(|(key, value)| ((*key).to_owned(), value.clone()))
        .collect()
}

fn yes(flag: bool) -> String {
    if flag { "yes" } else { "no" }.to_owned()
}

fn company<A: Application>(
    sim: &Sim<A>,
    name: &str,
    path: &str,
    groups: &[&'static str],
) -> Company {
    let mut company = Company::new(PEOPLE, &["North", "South"], groups);
    company.target = format!(
        "type = \"http\"\nprofile = \"mappings/{name}.profile.toml\"\nmapping = \"mappings/{name}.toml\"\n\
         url = \"{}{path}\"\nrequest-timeout = \"2s\"\nprotected-accounts = [\"1\"]\n",
        sim.base
    );
    company
}

/// The story that all of them share.
fn live<A: Application>(mut app: App<A>, extra: &'static str, shut: fn(&mut Shown)) {
    app.join();
    app.rest();
    app.company.person(3).office = "South";
    app.company.person(4).groups.insert(extra);
    app.company.person(5).given = "Petra".to_owned();
    app.company.person(6).sn = "Neumann-O'Hara".to_owned();
    app.settle("movers", 4);
    app.fail_in_part();
    app.leave_and_return(9);
    app.shut_and_open(shut);
}

fn off(shown: &mut Shown) {
    shown.insert("active".to_owned(), yes(false));
}

#[test]
fn a_company_lives_with_securitytrax() {
    let sim = Sim::start(Securitytrax::new(Setting::first(securitytrax::SWITCHES)));
    let mut company = company(
        &sim,
        "securitytrax",
        "/acme/user/v1",
        &["SecurityTrax Users"],
    );
    for number in (0..PEOPLE).step_by(3) {
        company
            .person(number)
            .groups
            .insert("SecurityTrax Technicians");
    }
    company.target += &format!(
        "suspend = {{ access-window = [\"block-login\"], default = [\"block-login\", \"deactivate\"] }}\n\n[target.settings]\nuser = \"{}\"\nuser-password = \"{}\"\nintegrator-key = \"{}\"\n",
        securitytrax::SERVICE.0,
        company.secret("password", securitytrax::SERVICE.1),
        company.secret("key", securitytrax::KEY),
    );
    let shown = |app: &mut Securitytrax| {
        let users = app.users.iter().filter(|(id, _)| **id != 1);
        let one = |user: &securitytrax::User| {
            let groups = user
                .groups
                .iter()
                .map(|(location, group)| format!("{group}@{location}"));
            let shown = text(&[
                ("active", yes(user.flag("active"))),
                ("login", yes(user.flag("can_login"))),
                ("first", user.text("fname").to_owned()),
                ("last", user.text("lname").to_owned()),
                ("roles", groups.collect::<Vec<_>>().join("+")),
            ]);
            (user.text("payroll_identifier").to_owned(), shown)
        };
        users.map(|(_, user)| one(user)).collect::<BTreeMap<_, _>>()
    };
    let wanted = |company: &Company| {
        let location = |person: &Person| if person.office == "North" { "1" } else { "2" };
        let one = |person: &Person| {
            let mut roles = Vec::new();
            if person.groups.contains("SecurityTrax Technicians") {
                roles.push(format!("1@{}", location(person)));
            }
            if person.groups.contains("SecurityTrax Sales") {
                roles.push(format!("2@{}", location(person)));
            }
            let wanted = text(&[
                ("active", yes(true)),
                ("login", yes(true)),
                ("first", person.given.clone()),
                ("last", person.sn.clone()),
                ("roles", roles.join("+")),
            ]);
            (person.anchor(), wanted)
        };
        company.people.iter().map(one).collect()
    };
    let app = App {
        sim,
        company,
        shown,
        wanted,
        creates: "POST users",
        changes: "PATCH users",
        lists: "GET users",
    };
    // A shut window takes the right to log in and nothing else.
    live(app, "SecurityTrax Sales", |shown| {
        shown.insert("login".to_owned(), yes(false));
    });
}

#[test]
fn a_company_lives_with_smartertrack() {
    let sim = Sim::start(Smartertrack::new(Setting::first(smartertrack::SWITCHES)));
    let mut company = company(&sim, "smartertrack", "", &["SmarterTrack Users"]);
    company.target += &format!(
        "\n[target.settings]\naccounts = \"users\"\nuser = \"{}\"\nuser-password = \"{}\"\n",
        smartertrack::SERVICE.0,
        company.secret("password", smartertrack::SERVICE.1),
    );
    let shown = |app: &mut Smartertrack| {
        let users = app.users.iter().filter(|(id, _)| **id != 1);
        let one = |user: &smartertrack::User| {
            let roles: Vec<String> = user.roles.iter().cloned().collect();
            let shown = text(&[
                ("active", yes(!roles.is_empty())),
                ("name", user.display_name.clone()),
                ("roles", roles.join("+")),
            ]);
            (
                user.properties
                    .get("EmployeeID")
                    .cloned()
                    .unwrap_or_default(),
                shown,
            )
        };
        users.map(|(_, user)| one(user)).collect::<BTreeMap<_, _>>()
    };
    let wanted = |company: &Company| {
        let one = |person: &Person| {
            let manager = person.groups.contains("SmarterTrack Managers");
            let wanted = text(&[
                ("active", yes(true)),
                ("name", format!("{} {}", person.given, person.sn)),
                (
                    "roles",
                    if manager { "Agent+Manager" } else { "Agent" }.to_owned(),
                ),
            ]);
            (person.anchor(), wanted)
        };
        company.people.iter().map(one).collect()
    };
    let app = App {
        sim,
        company,
        shown,
        wanted,
        creates: "CreateUser",
        changes: "SetUsersProperties",
        lists: "GetAllUsers",
    };
    live(app, "SmarterTrack Managers", |shown| {
        off(shown);
        shown.insert("roles".to_owned(), String::new());
    });
}

#[test]
fn a_company_lives_with_salestrekker() {
    live(salestrekker(), "Salestrekker Brokers", off);
}

/// The same life, with everybody in a real OpenLDAP.
#[test]
fn a_company_in_openldap_lives_with_salestrekker() {
    let mut app = salestrekker();
    app.company.ldap = Some(Ldap::start());
    live(app, "Salestrekker Brokers", off);
}

pub(super) fn salestrekker() -> App<Salestrekker> {
    let sim = Sim::start(Salestrekker::new(Setting::first(salestrekker::SWITCHES)));
    let mut company = company(&sim, "salestrekker", "", &["Salestrekker Users"]);
    company.target += &format!(
        "\n[target.settings]\napi-key = \"{}\"\n",
        company.secret("key", salestrekker::KEY)
    );
    let shown = |app: &mut Salestrekker| {
        let ids: Vec<String> = app.users.keys().cloned().collect();
        let one = |id: &String| {
            let user = &app.users[id];
            let workflows: Vec<&str> = app.workflows_of(id).into_iter().collect();
            let shown = text(&[
                ("active", yes(user.enabled)),
                ("first", user.text("firstName").to_owned()),
                ("last", user.text("familyName").to_owned()),
                ("broker", user.fields["isBroker"].to_string()),
                ("roles", workflows.join("+")),
            ]);
            (user.text("email").to_owned(), shown)
        };
        let all = ids.iter().map(one);
        all.filter(|(mail, _)| mail != salestrekker::SERVICE.0)
            .collect::<BTreeMap<_, _>>()
    };
    let wanted = |company: &Company| {
        let one = |person: &Person| {
            let broker = person.groups.contains("Salestrekker Brokers");
            let mut workflows = Vec::new();
            if broker {
                workflows.push("Home Loans");
            }
            if person.office == "South" {
                workflows.push("Settlements");
            }
            let wanted = text(&[
                ("active", yes(true)),
                ("first", person.given.clone()),
                ("last", person.sn.clone()),
                ("broker", broker.to_string()),
                ("roles", workflows.join("+")),
            ]);
            (person.mail(), wanted)
        };
        company.people.iter().map(one).collect()
    };
    App {
        sim,
        company,
        shown,
        wanted,
        creates: "accountCreate",
        changes: "accountUpdate",
        lists: "accounts",
    }
}
