//! Facts about SecurityTrax that its simulator keeps to.

use serde_json::{Value, json};

use super::{body, call};
use crate::support::sim::Label::{Assumed, HelpPage, Observed, Vendor};
use crate::support::sim::securitytrax::{KEY, PERSONAL, SERVICE, SWITCHES, Securitytrax};
use crate::support::sim::{Answer, Application as _, Setting, fact};

struct Client {
    app: Securitytrax,
    token: String,
}

const MEDIA: &str = "application/vnd.api+json";

impl Client {
    fn new(switches: &[(&str, &str)]) -> Self {
        let mut setting = Setting::first(SWITCHES);
        for (name, option) in switches {
            setting = setting.with(name, option);
        }
        let mut app = Securitytrax::new(setting);
        let sent = json!({"username": SERVICE.0, "password": SERVICE.1}).to_string();
        let key = [("x-securitytrax-integratorkey", KEY)];
        let answer = app.answer(&call("POST", "/acme/user/v1/authenticate", &key, &sent));
        let token = body(&answer)["token"].as_str().unwrap().to_owned();
        Self { app, token }
    }

    fn ask(&mut self, method: &str, target: &str, sent: &Value) -> Answer {
        let words = if sent.is_null() {
            String::new()
        } else {
            sent.to_string()
        };
        let bearer = format!("Bearer {}", self.token);
        let headers: &[(&'static str, &str)] = &[
            ("x-securitytrax-integratorkey", KEY),
            ("authorization", &bearer),
            ("content-type", MEDIA),
        ];
        self.app.answer(&call(
            method,
            &format!("/acme/user/v1/{target}"),
            headers,
            &words,
        ))
    }

    fn create(&mut self, name: &str, more: &Value) -> Answer {
        let mut attributes = json!({"username": name, "fname": "Ada", "lname": name, "email": format!("{name}@example.com")});
        for (key, value) in more.as_object().into_iter().flatten() {
            attributes[key] = value.clone();
        }
        self.ask(
            "POST",
            "users",
            &json!({"data": {"type": "users", "attributes": attributes}}),
        )
    }

    fn made(&mut self, name: &str, more: &Value) -> String {
        let answer = self.create(name, more);
        assert_eq!(answer.status, 201, "{}", super::words(&answer));
        body(&answer)["data"]["id"].as_str().unwrap().to_owned()
    }

    fn update(&mut self, id: &str, attributes: &Value) -> Answer {
        let method = self.app.setting.get("update");
        let document = json!({"data": {"type": "users", "id": id, "attributes": attributes}});
        self.ask(method, &format!("users/{id}"), &document)
    }
}

#[test]
fn a_key_and_a_token_for_ten_minutes() {
    let mut client = Client::new(&[]);
    fact(
        Vendor,
        "the integrator key is needed on every request, and its case counts",
    );
    let bearer = format!("Bearer {}", client.token);
    for key in ["", "integrator-key-1"] {
        let headers = [
            ("authorization", bearer.as_str()),
            ("x-securitytrax-integratorkey", key),
        ];
        let refused = client
            .app
            .answer(&call("GET", "/acme/user/v1/users", &headers, ""));
        assert_eq!(refused.status, 401);
    }
    assert_eq!(client.ask("GET", "users", &Value::Null).status, 200);
    fact(Vendor, "a token ends after ten minutes");
    client.app.ledger.now += 601;
    assert_eq!(client.ask("GET", "users", &Value::Null).status, 401);
    fact(Vendor, "a personal access token does not");
    client.app.setting = client.app.setting.clone().with("token", "personal");
    client.token = PERSONAL.to_owned();
    assert_eq!(client.ask("GET", "users", &Value::Null).status, 200);
}

#[test]
fn documents_are_json_api() {
    fact(Vendor, "the content type is that of JSON:API");
    let mut client = Client::new(&[]);
    let bearer = format!("Bearer {}", client.token);
    let headers = [
        ("authorization", bearer.as_str()),
        ("x-securitytrax-integratorkey", KEY),
        ("content-type", "application/json"),
    ];
    assert_eq!(
        client
            .app
            .answer(&call("POST", "/acme/user/v1/users", &headers, "{}"))
            .status,
        415
    );
    let id = client.made("ada", &Value::Null);
    fact(Vendor, "the filter language has comparisons joined by AND");
    client.made("it's", &Value::Null);
    let list = client.ask(
        "GET",
        "users?filter=(username+%3D+%27it%27%27s%27+AND+active+%3D+true)",
        &Value::Null,
    );
    assert_eq!(body(&list)["data"][0]["attributes"]["username"], "it's");
    assert_eq!(
        client.ask("GET", "users?filter=%28", &Value::Null).status,
        400
    );
    fact(Assumed, "either PATCH or PUT updates; the other is refused");
    let document = json!({"data": {"type": "users", "id": id, "attributes": {"fname": "Eve"}}});
    assert_eq!(
        client.ask("PUT", &format!("users/{id}"), &document).status,
        405
    );
    assert_eq!(
        client
            .ask("PATCH", &format!("users/{id}"), &document)
            .status,
        200
    );
    assert_eq!(
        client.app.named("ada").unwrap().1.text("email"),
        "ada@example.com"
    );
}

#[test]
fn lists_are_paged_in_three_ways() {
    fact(
        Assumed,
        "paging parameters are not known; the user interface pages by 50",
    );
    for (way, second) in [
        ("page-number", "users?page[number]=2&page[size]=2"),
        ("page-offset", "users?page[offset]=2&page[limit]=2"),
    ] {
        let mut client = Client::new(&[("paging", way)]);
        for n in 0..3 {
            client.made(&format!("u{n}"), &Value::Null);
        }
        let page = body(&client.ask("GET", second, &Value::Null));
        assert_eq!(page["data"].as_array().unwrap().len(), 2, "{way}");
        assert_eq!(page["meta"]["total"], 4);
    }
}

#[test]
fn active_and_can_login_are_two_switches() {
    fact(Vendor, "Active and Can Login are independent");
    let mut client = Client::new(&[("lists-inactive", "on-request")]);
    let id = client.made("ada", &Value::Null);
    client.update(&id, &json!({"can_login": false}));
    let (_, user) = client.app.named("ada").unwrap();
    assert_eq!((user.flag("active"), user.flag("can_login")), (true, false));
    client.update(&id, &json!({"active": false}));
    let list = |client: &mut Client, target: &str| {
        body(&client.ask("GET", target, &Value::Null))["meta"]["total"].clone()
    };
    assert_eq!(list(&mut client, "users"), 1);
    assert_eq!(list(&mut client, "users?filter=(active+%3D+false)"), 1);
}

#[test]
fn the_flags_around_a_password_are_separate() {
    let mut client = Client::new(&[]);
    let id = client.made("ada", &Value::Null);
    fact(
        HelpPage,
        "Change Password must be set when a password is supplied",
    );
    client.update(&id, &json!({"password": "x", "confirm_password": "x"}));
    assert_eq!(client.app.ledger.count("password"), 0);
    fact(
        HelpPage,
        "a supplied password does not mail anybody if Notification Email is off",
    );
    let set = json!({"change_password": true, "password": "x", "confirm_password": "x", "notification_email": false});
    client.update(&id, &set);
    assert_eq!(
        (
            client.app.ledger.count("password"),
            client.app.ledger.count("mail")
        ),
        (1, 0)
    );
    fact(
        HelpPage,
        "Generate Random Password forces Change Password and Notification Email on",
    );
    client.update(
        &id,
        &json!({"generate_random_password": true, "notification_email": false}),
    );
    assert_eq!(
        (
            client.app.ledger.count("password"),
            client.app.ledger.count("mail")
        ),
        (2, 1)
    );
    fact(HelpPage, "what is not said may be ticked");
    client.update(
        &id,
        &json!({"change_password": true, "password": "y", "confirm_password": "y"}),
    );
    assert_eq!(client.app.ledger.count("mail"), 2);
}

#[test]
fn groups_belong_to_office_locations_and_come_after_the_first_save() {
    let mut client = Client::new(&[]);
    fact(
        HelpPage,
        "the permissions group is assigned per office location, after the first save",
    );
    let groups = json!({"data": {"type": "users", "attributes": {"username": "x", "fname": "x", "lname": "x", "email": "x"},
        "relationships": {"groups": {"data": [{"type": "groups", "id": "1"}]}}}});
    assert_eq!(client.ask("POST", "users", &groups).status, 422);
    let id = client.made("ada", &Value::Null);
    let pair = json!({"data": [{"type": "groups", "id": "1", "meta": {"office_location": "2"}}]});
    let target = format!("users/{id}/relationships/groups");
    assert_eq!(client.ask("POST", &target, &pair).status, 204);
    assert_eq!(client.ask("POST", &target, &pair).status, 204);
    assert_eq!(client.ask("DELETE", &target, &pair).status, 204);
    assert_eq!(
        client.app.ledger.about("ada")[1..],
        ["grant Technicians@South", "revoke Technicians@South"]
    );
    fact(
        Observed,
        "attribute names have underscores; one that is not known is refused",
    );
    assert_eq!(client.update(&id, &json!({"firstName": "x"})).status, 422);
}
