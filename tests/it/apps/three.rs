//! SecurityTrax, SmarterTrack and Salestrekker: companies connected to their simulators by the shipped profiles and mappings.

use std::collections::BTreeMap;

use super::company::{Company, Person};
use super::story::{App, Shown};
use crate::support::sim::salestrekker::{self, Salestrekker};
use crate::support::sim::securitytrax::{self, Securitytrax};
use crate::support::sim::smartertrack::{self, Smartertrack};
use crate::support::sim::{Application, Setting, Sim};

const KEY: &str = "4f1d9c02a7b86e3550c9d1e8f7a6b4c3920d5e6f8a1b2c3d4e5f60718293a4b5";

pub(super) fn text(pairs: &[(&str, String)]) -> Shown {
    pairs
        .iter()
        .map(|(key, value)| ((*key).to_owned(), value.clone()))
        .collect()
}

pub(super) fn yes(flag: bool) -> String {
    if flag { "yes" } else { "no" }.to_owned()
}

/// A company of so many people, with a key for passwords.
fn company<A: Application>(
    sim: &Sim<A>,
    (name, path): (&str, &str),
    people: usize,
    group: &'static str,
    rules: &str,
) -> Company {
    let mut company = Company::new(people, &["North", "South"], &[group]);
    company.target = format!(
        "type = \"http\"\nprofile = \"mappings/{name}.profile.toml\"\nmapping = \"mappings/{name}.toml\"\n\
         url = \"{}{path}\"\nrequest-timeout = \"5s\"\nprotected-accounts = [\"1\"]\n{rules}",
        sim.base
    );
    let key = company.secret("vault.key", KEY);
    company.tables = format!("\n[secrets]\nkey = \"{key}\"\n");
    company
}

/// The order in which a leaver of SecurityTrax loses access.
pub(super) const SECURITYTRAX: &str = "credentials = \"managed\"\nsuspend = { access-window = [\"block-login\"], default = [\"block-login\", \"deactivate\"], leaver = [\"block-login\", \"fuzz-password\", \"deactivate\"] }\n";
/// That of SmarterTrack: the roles first, because a password may stop nobody.
pub(super) const SMARTERTRACK: &str = "credentials = \"reset\"\nsuspend = { default = [\"deactivate\"], leaver = [\"deactivate\", \"fuzz-password\"] }\n";
/// That of Salestrekker: what the account has goes to the heir when it is deleted.
pub(super) const SALESTREKKER: &str = "suspend = { default = [\"deactivate\"], leaver = [\"deactivate\", \"remove-entitlements\"] }\n";

pub(super) fn securitytrax(setting: &Setting, people: usize) -> App<Securitytrax> {
    let sim = Sim::start(Securitytrax::new(setting.clone()));
    let name = ("securitytrax", "/acme/user/v1");
    let mut company = company(&sim, name, people, "SecurityTrax Users", SECURITYTRAX);
    for number in (0..people).step_by(3) {
        company
            .person(number)
            .groups
            .insert("SecurityTrax Technicians");
    }
    company.target += &format!(
        "\n[target.settings]\nuser = \"{}\"\nuser-password = \"{}\"\nintegrator-key = \"{}\"\n\
         update = \"{}\"\npassword = \"{}\"\npaging = \"{}\"\nleave-reason = \"Left the company\"\n",
        securitytrax::SERVICE.0,
        company.secret("password", securitytrax::SERVICE.1),
        company.secret("key", securitytrax::KEY),
        setting.get("update"),
        setting.get("password"),
        setting.get("paging"),
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
        let contractor = |person: &&Person| person.groups.contains("Contractors");
        let one = |person: &Person| {
            let location = if person.office == "North" { "1" } else { "2" };
            let groups = ["SecurityTrax Technicians", "SecurityTrax Sales"];
            let held = (1..)
                .zip(groups)
                .filter(|(_, group)| person.groups.contains(group));
            let roles: Vec<String> = held.map(|(id, _)| format!("{id}@{location}")).collect();
            let wanted = text(&[
                ("active", yes(true)),
                ("login", yes(true)),
                ("first", person.given.clone()),
                ("last", person.sn.clone()),
                ("roles", roles.join("+")),
            ]);
            (person.anchor(), wanted)
        };
        let people = company.people.iter();
        people
            .filter(|person| !contractor(person))
            .map(one)
            .collect()
    };
    App {
        sim,
        company,
        shown,
        wanted,
        creates: "POST users",
        changes: "PATCH users",
        lists: "GET users",
    }
}

pub(super) fn smartertrack(setting: &Setting, people: usize) -> App<Smartertrack> {
    let sim = Sim::start(Smartertrack::new(setting.clone()));
    let name = ("smartertrack", "");
    let mut company = company(&sim, name, people, "SmarterTrack Users", SMARTERTRACK);
    let accounts = if setting.is("list", "GetAllUsers") {
        "users"
    } else {
        "agents"
    };
    company.target += &format!(
        "\n[target.settings]\naccounts = \"{accounts}\"\npassword = \"property\"\nuser = \"{}\"\nuser-password = \"{}\"\n",
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
    App {
        sim,
        company,
        shown,
        wanted,
        creates: "CreateUser",
        changes: "SetUsersProperties",
        lists: "GetAllUsers",
    }
}

pub(super) fn salestrekker(setting: &Setting, people: usize) -> App<Salestrekker> {
    let sim = Sim::start(Salestrekker::new(setting.clone()));
    let name = ("salestrekker", "");
    let mut company = company(&sim, name, people, "Salestrekker Users", SALESTREKKER);
    company.target += &format!(
        "\n[target.settings]\napi-key = \"{}\"\nlists-disabled = {}\n",
        company.secret("key", salestrekker::KEY),
        setting.is("lists-disabled", "yes"),
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
