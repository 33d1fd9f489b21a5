//! Hostile answers by form: SOAP, GraphQL, and "later".

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use provost::model::Value;
use provost::target::{AccountReader, AccountWriter, ConnectorError};
use serde_json::json;

use super::{PAGE, XML, ada, connect, one, plain, reply, settings, user};
use crate::http::stub::{Reply, Stub, answer, raw};

const SOAP: &str = r#"
version = 1
application = "Soap"
evidence = "observed"
[settings.user]
type = "text"
default = "admin"
[settings.password]
type = "secret"
[soap]
namespace = "http://example.com/Users"
[[auth]]
type = "parameters"
parameters = { authUser = "{{ settings.user }}", authPassword = "{{ secret.password }}" }
[answer]
success = "answer.Result == 'true'"
message = "answer.Message"
[account]
id = "item.ID"
[field.userName]
name = "UserName"
[[operation.list]]
path = "svc.asmx"
soap = { method = "GetAll" }
items = "answer.Agents.AgentInfo"
[[operation.create]]
path = "svc.asmx"
soap = { method = "CreateUser", parameters = { username = "{{ account.userName }}", tags = { string = ["a", "b"] } } }
capture = { id = "answer.ID" }
[[operation.delete]]
path = "svc.asmx"
soap = { method = "DeleteUser", parameters = { id = "{{ id }}" } }
[describe.wsdl]
path = "svc.asmx"
query = { WSDL = "" }
"#;

fn soap_answer(method: &str, inner: &str) -> Reply {
    let body = format!(
        "<?xml version=\"1.0\"?><soap:Envelope xmlns:soap=\"http://schemas.xmlsoap.org/soap/envelope/\"><soap:Body>\
         <{method}Response xmlns=\"http://example.com/Users\"><{method}Result>{inner}</{method}Result></{method}Response></soap:Body></soap:Envelope>"
    );
    answer(200, XML, &body)
}

#[tokio::test]
async fn soap_is_judged_by_its_body_and_what_the_wsdl_lacks_is_off() {
    let failing = Mutex::new(false);
    let stub = Stub::start(move |request| {
        let body = String::from_utf8_lossy(&request.body).into_owned();
        let mut failing = failing.lock().unwrap();
        if request.target.contains("WSDL") {
            return answer(200, XML, "<definitions><portType><operation name=\"GetAll\"/><operation name=\"CreateUser\"/></portType></definitions>");
        }
        if body.contains("<GetAll") {
            return soap_answer("GetAll", "<Result>true</Result><Agents><AgentInfo><ID>7</ID><UserName>a &amp; b</UserName></AgentInfo></Agents>");
        }
        if !*failing {
            *failing = true;
            return soap_answer("CreateUser", "<Result>false</Result><Message>Name is taken, Pa&lt;ss</Message>");
        }
        answer(500, XML, "<e:Envelope xmlns:e=\"http://schemas.xmlsoap.org/soap/envelope/\"><e:Body><e:Fault><faultcode>x</faultcode><faultstring>no such thing</faultstring></e:Fault></e:Body></e:Envelope>")
    })
    .await;
    let app = connect(settings(&stub.base, SOAP, &[], &[("password", "Pa<ss")])).await;
    assert!(!app.capabilities().delete, "the WSDL has no DeleteUser");
    let list = app.list().await.unwrap();
    assert_eq!(list[0].id.0, "7");
    assert_eq!(
        list[0].attributes["userName"],
        Value::Text("a & b".to_owned())
    );
    let mut draft = ada();
    draft.attributes.insert(
        "userName".to_owned(),
        Value::Text("</username><x>".to_owned()),
    );
    let refused = app.create(&draft).await.unwrap_err();
    assert!(
        matches!(&refused, ConnectorError::Rejected(why) if why.contains("Name is taken") && !why.contains("Pa<ss")),
        "{refused:?}"
    );
    let fault = app.create(&draft).await.unwrap_err();
    assert!(
        matches!(&fault, ConnectorError::Rejected(why) if why.contains("no such thing")),
        "{fault:?}"
    );
    let sent = String::from_utf8(stub.requests().last().unwrap().body.clone()).unwrap();
    assert!(sent.contains("<authUser>admin</authUser><authPassword>Pa&lt;ss</authPassword><username>&lt;/username&gt;&lt;x&gt;</username><tags><string>a</string><string>b</string></tags>"), "{sent}");
    assert!(
        stub.requests()
            .last()
            .unwrap()
            .head
            .contains("soapaction: \"http://example.com/users/createuser\"")
    );
}

#[tokio::test]
async fn graphql_errors_are_failures_whatever_the_status() {
    let text = r#"
version = 1
application = "Graph"
evidence = "observed"
[[auth]]
type = "none"
[account]
id = "item.id"
[field.userName]
name = "email"
[[operation.list]]
path = "graphql"
graphql = { query = "query($after: String) { accounts(after: $after) { nodes { id email } next } }" }
items = "answer.accounts.nodes"
paging = { type = "cursor", parameter = "after", next = "answer.accounts.next", in = "body" }
[[operation.create]]
path = "graphql"
graphql = { query = "mutation($a: AccountInput!) { accountCreate(account: $a) { id } }", variables = { a = "{{ fields }}" } }
capture = { id = "answer.accountCreate.id" }
needs = ["Mutation.accountCreate"]
[[operation.delete]]
path = "graphql"
graphql = { query = "mutation($id: ID!) { accountDelete(id: $id) }", variables = { id = "{{ id }}" } }
needs = ["Mutation.accountDelete"]
[describe.graphql]
path = "graphql"
[[error]]
matches = "already exists"
class = "conflict"
"#;
    let stub = Stub::start(|request| {
        let body = request.json();
        let query = body["query"].as_str().unwrap();
        if query.contains("__schema") {
            return reply(200, &json!({"data": {"__schema": {"queryType": {"name": "Q"}, "mutationType": {"name": "M"},
                "types": [{"name": "M", "fields": [{"name": "accountCreate"}]}]}}}));
        }
        if query.contains("accountCreate") {
            return reply(200, &json!({"data": null, "errors": [{"message": "a \"quoted\" name already exists", "extensions": {"code": "BAD"}}]}));
        }
        match body["variables"]["after"].as_str() {
            None => reply(200, &json!({"data": {"accounts": {"nodes": [{"id": "a", "email": "x"}], "next": "c1"}}})),
            Some("c1") => reply(200, &json!({"data": {"accounts": {"nodes": [{"id": "b", "email": "y"}], "next": null}}})),
            Some(_) => reply(400, &json!({})),
        }
    })
    .await;
    let app = connect(settings(&stub.base, text, &[], &[])).await;
    assert!(
        !app.capabilities().delete,
        "the schema has no accountDelete"
    );
    assert_eq!(app.list().await.unwrap().len(), 2);
    let hostile = "\"}) { evil }";
    let mut draft = ada();
    draft
        .attributes
        .insert("userName".to_owned(), Value::Text(hostile.to_owned()));
    let error = app.create(&draft).await.unwrap_err();
    assert!(matches!(error, ConnectorError::Conflict(_)), "{error:?}");
    assert_eq!(
        stub.requests().last().unwrap().json()["variables"]["a"]["email"],
        hostile
    );
}

#[tokio::test]
async fn later_is_waited_for_and_a_long_pause_is_told() {
    let seen = AtomicUsize::new(0);
    let stub = Stub::start(move |_| match seen.fetch_add(1, Ordering::Relaxed) {
        0 => answer(429, "Retry-After: 1\r\n", ""),
        1 => reply(201, &json!({"id": 1})),
        2 => reply(200, &user(1)),
        _ => Reply::Send(raw(429, "Retry-After: 3600\r\n", b"")),
    })
    .await;
    let app = connect(settings(&stub.base, &plain(PAGE), &[], &[])).await;
    assert_eq!(app.create(&ada()).await.unwrap().id, one());
    for _ in 0..2 {
        let throttled = app.get(&one()).await;
        assert!(
            matches!(throttled, Err(ConnectorError::Throttled { .. })),
            "{throttled:?}"
        );
    }
    assert_eq!(stub.requests().len(), 4, "the last one is not even sent");
}
