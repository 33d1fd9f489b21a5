//! Facts about ServiceTrade that its simulator keeps to.

use serde_json::{Value, json};

use super::{body, call};
use crate::support::sim::Label::{Assumed, HelpPage, Observed, Vendor};
use crate::support::sim::servicetrade::{CLIENT, SERVICE, SWITCHES, Servicetrade, Work};
use crate::support::sim::{Answer, Application as _, Setting, fact};

/// Somebody who is signed in.
struct Client {
    app: Servicetrade,
    cookie: String,
}

impl Client {
    fn new(switches: &[(&str, &str)]) -> Self {
        let mut setting = Setting::first(SWITCHES);
        for (name, option) in switches {
            setting = setting.with(name, option);
        }
        let mut client = Self {
            app: Servicetrade::new(setting),
            cookie: String::new(),
        };
        client.sign_in();
        client
    }

    fn sign_in(&mut self) {
        let answer = self.login(SERVICE.2);
        let token = body(&answer)["data"]["authToken"]
            .as_str()
            .unwrap()
            .to_owned();
        self.cookie = format!("PHPSESSID={token}");
    }

    fn login(&mut self, password: &str) -> Answer {
        let words = json!({"username": SERVICE.1, "password": password}).to_string();
        self.app.answer(&call("POST", "/api/auth", &[], &words))
    }

    fn ask(&mut self, method: &str, target: &str, sent: &Value) -> Answer {
        let words = if sent.is_null() {
            String::new()
        } else {
            sent.to_string()
        };
        let cookie = self.cookie.clone();
        let headers: &[(&'static str, &str)] = &[("cookie", &cookie)];
        self.app
            .answer(&call(method, &format!("/api/{target}"), headers, &words))
    }

    fn get(&mut self, target: &str) -> Value {
        body(&self.ask("GET", target, &Value::Null))
    }

    fn create(&mut self, name: &str, more: &Value) -> Answer {
        let office = self.app.setting.get("office");
        let mut user = json!({"username": name, "firstName": "Ada", "lastName": name,
            "email": format!("{name}@example.com"), office: 51});
        for (key, value) in more.as_object().into_iter().flatten() {
            user[key] = value.clone();
        }
        self.ask("POST", "user", &user)
    }

    fn made(&mut self, name: &str, more: &Value) -> i64 {
        let answer = self.create(name, more);
        assert_eq!(answer.status, 200, "{}", super::words(&answer));
        body(&answer)["data"]["id"].as_i64().unwrap()
    }
}

#[test]
fn signing_in() {
    let mut client = Client::new(&[]);
    fact(
        Vendor,
        "bad credentials give 403; a missing field gives 400",
    );
    assert_eq!(client.login("wrong").status, 403);
    assert_eq!(
        client
            .app
            .answer(&call("POST", "/api/auth", &[], "{}"))
            .status,
        400
    );
    fact(Observed, "login works form-encoded as well");
    let form = format!("username={}&password={}", SERVICE.1, "Test-Passw0rd%21");
    let answer = client.app.answer(&call("POST", "/api/auth", &[], &form));
    assert_eq!(answer.status, 200);
    fact(
        Vendor,
        "the session is a cookie PHPSESSID with the value of authToken",
    );
    let token = body(&answer)["data"]["authToken"]
        .as_str()
        .unwrap()
        .to_owned();
    let cookie = answer
        .headers
        .iter()
        .find(|(name, _)| *name == "set-cookie")
        .unwrap();
    assert!(cookie.1.starts_with(&format!("PHPSESSID={token};")));
    fact(
        Vendor,
        "GET /auth says who is signed in; without a session it is 404",
    );
    assert_eq!(client.get("auth")["data"]["authenticated"], true);
    fact(
        Vendor,
        "DELETE /auth ends the session; what is already gone is 404",
    );
    assert_eq!(client.ask("DELETE", "auth", &Value::Null).status, 200);
    assert_eq!(client.ask("DELETE", "auth", &Value::Null).status, 404);
    assert_eq!(client.ask("GET", "auth", &Value::Null).status, 404);
    fact(Vendor, "without a session every other path is 401");
    assert_eq!(client.ask("GET", "user", &Value::Null).status, 401);
}

#[test]
fn a_limited_pool_of_sessions_drops_the_oldest() {
    fact(
        Vendor,
        "the server keeps a limited number of sessions and drops the oldest",
    );
    let mut client = Client::new(&[("pool", "1"), ("expired", "404"), ("deleted", "204")]);
    let first = client.cookie.clone();
    client.sign_in();
    let second = std::mem::replace(&mut client.cookie, first);
    assert_eq!(client.ask("GET", "user", &Value::Null).status, 404);
    client.cookie = second;
    assert_eq!(client.ask("GET", "user", &Value::Null).status, 200);
    assert_eq!(client.ask("DELETE", "auth", &Value::Null).status, 204);
}

#[test]
fn refresh_tokens_are_good_once() {
    fact(
        Vendor,
        "a refresh token comes even for client credentials and is rotated on use",
    );
    let mut app = Servicetrade::plain();
    let mut ask = |sent: Value| {
        let answer = app.answer(&call("POST", "/api/oauth2/token", &[], &sent.to_string()));
        (answer.status, body(&answer))
    };
    let (id, secret) = CLIENT;
    let (_, first) =
        ask(json!({"grant_type": "client_credentials", "client_id": id, "client_secret": secret}));
    let refresh = json!({"grant_type": "refresh_token", "client_id": id, "refresh_token": first["refresh_token"]});
    let (status, second) = ask(refresh.clone());
    assert_eq!(status, 200);
    assert_ne!(first["refresh_token"], second["refresh_token"]);
    let (status, refused) = ask(refresh);
    assert_eq!(
        (status, refused["error"].as_str()),
        (401, Some("invalid_grant"))
    );
    fact(Vendor, "access tokens end");
    let bearer = format!("Bearer {}", second["access_token"].as_str().unwrap());
    let list = call("GET", "/api/user", &[("authorization", &bearer)], "");
    assert_eq!(app.answer(&list).status, 200);
    app.ledger.now += 3601;
    assert_eq!(app.answer(&list).status, 401);
}

#[test]
fn lists_show_active_users_unless_asked() {
    let mut client = Client::new(&[]);
    let id = client.made("gone", &json!({"status": "inactive"}));
    fact(Observed, "the status filter is active by default");
    assert_eq!(
        client.get("user")["data"]["users"]
            .as_array()
            .unwrap()
            .len(),
        1
    );
    let inactive = client.get("user?status=inactive");
    assert_eq!(inactive["data"]["users"][0]["id"], id);
    fact(Vendor, "lists come in pages with totalPages");
    client.app.page = 2;
    for n in 0..4 {
        client.made(&format!("many{n}"), &Value::Null);
    }
    let page = client.get("user?page=3&limit=2000");
    assert_eq!(page["data"]["users"].as_array().unwrap().len(), 1);
    assert_eq!(page["data"]["totalPages"], 3);
    fact(Observed, "ids are as large as 2.7e15");
    assert!(id > 2_600_000_000_000_000);
}

#[test]
fn required_unique_and_unchangeable() {
    let mut client = Client::new(&[("messages", "map")]);
    fact(HelpPage, "all required fields must be complete");
    let answer = client.create("ada", &json!({"lastName": ""}));
    assert_eq!(answer.status, 400);
    assert_eq!(
        body(&answer)["messages"]["validation"]["lastName"],
        "lastName is required"
    );
    let id = client.made("ada", &Value::Null);
    fact(
        HelpPage,
        "user names are unique across the whole product, also against users nobody can see",
    );
    client.app.strangers.insert("grace".to_owned());
    for name in ["ADA", "grace"] {
        let refused = body(&client.create(name, &json!({"email": "x@example.com"})));
        assert_eq!(
            refused["messages"]["validation"]["username"],
            "username is unavailable"
        );
    }
    fact(Vendor, "one user per mail address");
    assert_eq!(
        client
            .create("ada2", &json!({"email": "ada@example.com"}))
            .status,
        400
    );
    fact(HelpPage, "a customer cannot change a user name");
    assert_eq!(
        client
            .ask("PUT", &format!("user/{id}"), &json!({"username": "x"}))
            .status,
        400
    );
    fact(Vendor, "PUT is partial");
    let changed = client.ask("PUT", &format!("user/{id}"), &json!({"phone": "1"}));
    assert_eq!(body(&changed)["data"]["firstName"], "Ada");
    assert_eq!(
        client.app.ledger.about("ada").last().unwrap(),
        "set phone=1"
    );
}

#[test]
fn conflicts_come_in_four_forms() {
    fact(
        Assumed,
        "how the interface says that a name is taken, nobody knows",
    );
    for (form, status) in [
        ("400-validation", 400),
        ("400-error", 400),
        ("403", 403),
        ("409", 409),
    ] {
        for messages in ["array", "text", "map", "bare"] {
            let mut client = Client::new(&[("conflict", form), ("messages", messages)]);
            client.made("ada", &Value::Null);
            let refused = client.create("ada", &json!({"email": "b@example.com"}));
            assert_eq!(refused.status, status);
            assert!(
                super::words(&refused).contains("username is unavailable"),
                "{form} {messages}"
            );
        }
    }
}

#[test]
fn technicians_get_a_role_by_themselves() {
    fact(
        Vendor,
        "a new technician gets the newest role with the activity of performing jobs",
    );
    let mut client = Client::new(&[]);
    client.made("tech", &json!({"isTech": true, "roleIds": [103]}));
    let roles = ["Account Scheduler", "Custom Field Tech"].map(str::to_owned);
    assert_eq!(client.app.role_names("tech"), roles.into());
    assert_eq!(client.app.ledger.count("automatic-role"), 1);
    let mut client = Client::new(&[("role", "sub-resource")]);
    let id = client.made("tech", &json!({"isTech": true, "roleIds": [103]}));
    assert_eq!(
        client.app.role_names("tech"),
        ["Custom Field Tech".to_owned()].into()
    );
    assert_eq!(
        client
            .ask("POST", &format!("user/{id}/role"), &json!({"roleId": 105}))
            .status,
        200
    );
    assert_eq!(
        client
            .ask("DELETE", &format!("user/{id}/role/109"), &Value::Null)
            .status,
        200
    );
    assert_eq!(
        client.app.role_names("tech"),
        ["Account Tech".to_owned()].into()
    );
    fact(
        Vendor,
        "a helper cannot be a technician, and holds the helper's role only",
    );
    assert_eq!(
        client
            .create("helper", &json!({"isTech": true, "isHelper": true}))
            .status,
        400
    );
}

#[test]
fn passwords_are_accepted_ignored_or_refused() {
    for (way, status, noted) in [
        ("accepted", 200, 1),
        ("ignored", 200, 0),
        ("refused", 400, 0),
    ] {
        fact(if way == "accepted" { HelpPage } else { Assumed }, way);
        let mut client = Client::new(&[("password", way)]);
        let id = client.made("ada", &Value::Null);
        let answer = client.ask("PUT", &format!("user/{id}"), &json!({"password": "x"}));
        assert_eq!(answer.status, status);
        assert_eq!(client.app.ledger.count("password"), noted);
        assert!(
            !super::words(&answer).contains("\"password\":"),
            "never read back"
        );
    }
}

#[test]
fn references_and_roles_are_read_in_two_forms() {
    let mut client = Client::new(&[("office", "officeId")]);
    let id = client.made("ada", &json!({"roleIds": [105], "serviceLineIds": [31]}));
    let user = client.get(&format!("user/{id}"))["data"].clone();
    assert_eq!(user["office"], json!({"id": 51, "name": "North"}));
    assert_eq!(user["roles"], json!([{"id": 105, "name": "Account Tech"}]));
    client.app.setting = client.app.setting.clone().with("reference", "id");
    let user = client.get(&format!("user/{id}"))["data"].clone();
    assert_eq!(
        (&user["officeId"], &user["roleIds"]),
        (&json!(51), &json!([105]))
    );
}

#[test]
fn external_ids() {
    fact(
        Observed,
        "user is a valid entity of external ids; an empty value removes",
    );
    let mut client = Client::new(&[]);
    let id = client.made("ada", &Value::Null);
    let target = format!("externalid/user/{id}/provost");
    client.ask("POST", &target, &json!({"value": "anchor/1"}));
    assert_eq!(
        client.get(&format!("externalid/user/{id}"))["data"]["values"]["provost"],
        "anchor/1"
    );
    assert_eq!(
        client.get("externalid/user/provost/anchor%2F1")["data"]["id"],
        id
    );
    client.ask("PUT", &target, &json!({"value": ""}));
    assert_eq!(
        client
            .ask("GET", "externalid/user/provost/anchor%2F1", &Value::Null)
            .status,
        404
    );
}

#[test]
fn a_leavers_work_is_found_and_moved() {
    let mut client = Client::new(&[]);
    let (old, new) = (
        client.made("old", &Value::Null),
        client.made("new", &Value::Null),
    );
    let work = |status: &str| Work {
        owner: Some(old),
        status: status.to_owned(),
        ..Work::default()
    };
    let job = client.app.add_work("job", work("scheduled"));
    client.app.add_work("job", work("completed"));
    client.app.add_work("job", work("new"));
    fact(
        Observed,
        "GET /job shows scheduled jobs only unless a status is named",
    );
    let all = |value: &Value| value["data"]["jobs"].as_array().unwrap().len();
    assert_eq!(all(&client.get("job")), 1);
    assert_eq!(all(&client.get("job?status=scheduled,new")), 2);
    fact(Assumed, "a filter that is not understood is ignored");
    assert_eq!(all(&client.get(&format!("job?ownerId={new}"))), 1);
    assert_eq!(all(&client.get(&format!("job?owner_id={new}"))), 0);
    fact(Vendor, "ownerId is what a job's owner is called on writing");
    client.ask("PUT", &format!("job/{job}"), &json!({"ownerId": new}));
    assert_eq!(client.app.open_work(old), 1);
    assert_eq!(
        client.app.ledger.about(&format!("job {job}")),
        [format!("reassign {old}>{new}")]
    );
    fact(
        Observed,
        "the compound shape has ids and lists beside the job",
    );
    client.app.setting = client.app.setting.clone().with("shape", "compound");
    assert_eq!(
        client.get(&format!("job/{job}"))["data"]["job"]["ownerId"],
        new
    );
}
