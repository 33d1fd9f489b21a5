//! Facts about Salestrekker that its simulator keeps to.

use serde_json::{Value, json};

use super::{body, call};
use crate::support::sim::Label::{Assumed, HelpPage, Observed, Vendor};
use crate::support::sim::salestrekker::{KEY, SERVICE, SWITCHES, Salestrekker};
use crate::support::sim::{Answer, Application as _, Setting, fact};

struct Client {
    app: Salestrekker,
    token: String,
}

impl Client {
    fn new(switches: &[(&str, &str)]) -> Self {
        let mut setting = Setting::first(SWITCHES);
        for (name, option) in switches {
            setting = setting.with(name, option);
        }
        let mut client = Self {
            app: Salestrekker::new(setting),
            token: String::new(),
        };
        let answer = if client.app.setting.is("sign-in", "api-key") {
            client.ask(
                "mutation($apiKey:String!){authenticate(apiKey:$apiKey){token}}",
                &json!({"apiKey": KEY}),
            )
        } else {
            let (email, password) = SERVICE;
            let query = format!(
                "mutation{{authenticate(email:\"{email}\",password:\"{password}\"){{token}}}}"
            );
            client.ask(&query, &json!({}))
        };
        client.token = body(&answer)["data"]["authenticate"]["token"]
            .as_str()
            .unwrap()
            .to_owned();
        client
    }

    fn ask(&mut self, query: &str, variables: &Value) -> Answer {
        let bearer = format!("Bearer {}", self.token);
        let sent = json!({"query": query, "variables": variables}).to_string();
        let headers: &[(&'static str, &str)] = &[("authorization", &bearer)];
        self.app.answer(&call("POST", "/graphql", headers, &sent))
    }

    fn create(&mut self, email: &str) -> Value {
        let query =
            "mutation($account:AccountInput!){accountCreate(account:$account){id email isActive}}";
        let account =
            json!({"account": {"email": email, "firstName": "Ada", "familyName": "Byron"}});
        body(&self.ask(query, &account))
    }

    fn made(&mut self, email: &str) -> String {
        self.create(email)["data"]["accountCreate"]["id"]
            .as_str()
            .unwrap()
            .to_owned()
    }

    fn on(&mut self, mutation: &str, id: &str) -> Value {
        let query = format!("mutation($id:ID!){{{mutation}(id:$id){{id isActive}}}}");
        body(&self.ask(&query, &json!({"id": id})))
    }
}

#[test]
fn a_token_for_fourteen_days_and_one_organisation() {
    for way in ["api-key", "password"] {
        fact(
            Observed,
            "authenticate takes an API key, or e-mail and password",
        );
        let mut client = Client::new(&[("sign-in", way)]);
        let list = "query{organizations{id organization{name}}}";
        let found = body(&client.ask(list, &json!({})));
        assert_eq!(
            found["data"]["organizations"][0],
            json!({"id": "1", "organization": {"name": "Example Brokers"}})
        );
        fact(Vendor, "the token is valid for 14 days");
        client.app.ledger.now += 1_209_599;
        assert!(body(&client.ask(list, &json!({})))["errors"].is_null());
        client.app.ledger.now += 2;
        assert_eq!(
            body(&client.ask(list, &json!({})))["errors"][0]["message"],
            "Not authenticated"
        );
    }
}

#[test]
fn errors_come_with_status_200_or_400() {
    fact(Assumed, "errors are GraphQL errors[] with HTTP 200");
    for (way, status) in [("200", 200), ("400", 400)] {
        let mut client = Client::new(&[("errors", way)]);
        let answer = client.ask("query{nothing{id}}", &json!({}));
        assert_eq!(answer.status, status);
        assert!(body(&answer)["errors"].is_array());
        let answer = client.ask("mutation($id:ID!){accountDisable(id:$id){id}}", &json!({}));
        assert!(super::words(&answer).contains("variable $id has no value"));
    }
}

#[test]
fn creating_invites_and_roles_come_after() {
    let mut client = Client::new(&[]);
    fact(
        HelpPage,
        "a new user is mailed an invitation with a temporary password",
    );
    let id = client.made("ada@example.com");
    assert_eq!(
        client.app.ledger.about("ada@example.com"),
        ["create Ada Byron", "mail invitation"]
    );
    fact(HelpPage, "roles are set after creation");
    let query = "mutation($account:AccountInput!){accountCreate(account:$account){id}}";
    let early = json!({"account": {"email": "b@example.com", "firstName": "B", "familyName": "B", "isBroker": true}});
    assert!(body(&client.ask(query, &early))["errors"].is_array());
    let query = "mutation($account:AccountInput!){accountUpdate(account:$account){id isBroker isAdministrator}}";
    let both = json!({"account": {"id": id, "isBroker": true, "isAdministrator": true}});
    fact(HelpPage, "broker and administrator may both be on");
    assert_eq!(
        body(&client.ask(query, &both))["data"]["accountUpdate"]["isBroker"],
        true
    );
    fact(Assumed, "a mail address that is taken is refused");
    assert!(client.create("ADA@example.com")["errors"].is_array());
}

#[test]
fn disabled_users_are_billed_and_deleting_needs_an_heir() {
    let mut client = Client::new(&[]);
    let (ada, heir) = (
        client.made("ada@example.com"),
        client.made("heir@example.com"),
    );
    client
        .app
        .belongings
        .insert("deal-1".to_owned(), ("deal", ada.clone()));
    fact(
        HelpPage,
        "disabling keeps the data and can be undone; only deleting stops billing",
    );
    assert_eq!(
        client.on("accountDisable", &ada)["data"]["accountDisable"]["isActive"],
        false
    );
    assert_eq!(client.app.billed(), 3);
    assert_eq!(
        client.on("accountEnable", &ada)["data"]["accountEnable"]["isActive"],
        true
    );
    fact(
        HelpPage,
        "deleting demands an heir, who gets deals, contacts, tasks and notes",
    );
    assert!(client.on("accountDelete", &ada)["errors"].is_array());
    let query =
        "mutation($id:ID!,$idNewOwner:ID!){accountDelete(id:$id,idNewOwner:$idNewOwner){id}}";
    client.ask(query, &json!({"id": ada, "idNewOwner": heir}));
    assert_eq!(client.app.belongings["deal-1"].1, heir);
    assert_eq!(client.app.billed(), 2);
    fact(
        HelpPage,
        "only owners of the organisation may add or remove users",
    );
    client.app.setting = client.app.setting.clone().with("rights", "too-low");
    assert_eq!(
        client.on("accountDisable", &heir)["errors"][0]["message"],
        "Insufficient permissions"
    );
}

#[test]
fn workflows_have_members() {
    fact(Observed, "workflow.idTeamMembers is the membership");
    let mut client = Client::new(&[("lists-disabled", "no"), ("paging", "offset")]);
    let ada = client.made("ada@example.com");
    let list = body(&client.ask("{workflows{id name idTeamMembers}}", &json!({})));
    let workflow = list["data"]["workflows"][0]["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let query =
        "mutation($workflow:WorkflowInput!){workflowUpdate(workflow:$workflow){idTeamMembers}}";
    client.ask(
        query,
        &json!({"workflow": {"id": workflow, "idTeamMembers": [ada]}}),
    );
    assert_eq!(client.app.workflows_of(&ada).len(), 1);
    fact(
        Assumed,
        "a list may leave out the disabled, and may come in pieces",
    );
    let list = "query($offset:Int,$limit:Int){accounts(offset:$offset,limit:$limit){id email}}";
    let count = |client: &mut Client, offset: usize| {
        let found = body(&client.ask(list, &json!({"offset": offset, "limit": 1})));
        found["data"]["accounts"].as_array().unwrap().len()
    };
    assert_eq!((count(&mut client, 1), count(&mut client, 2)), (1, 0));
    client.on("accountDisable", &ada);
    assert_eq!(count(&mut client, 1), 0);
}

#[test]
fn introspection_can_be_off() {
    for (way, allowed) in [("on", true), ("off", false)] {
        let mut client = Client::new(&[("introspection", way)]);
        let found = body(&client.ask("{__schema{types{name fields{name}}}}", &json!({})));
        assert_eq!(found["errors"].is_null(), allowed, "{way}");
    }
}
