//! Other ways to prove who we are: basic, headers, parameters and client credentials; and SOAP 1.2 on the wire.

use std::sync::atomic::{AtomicUsize, Ordering};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use provost::model::AccountId;
use provost::target::{AccountReader, AccountWriter, ConnectorError};
use serde_json::json;

use super::hostile::{ada, connect, one, profile, reply};
use super::settings;
use crate::http::stub::{Reply, Request, Stub, answer};

const PAGE: &str = r#"{ type = "none" }"#;
/// With what would leave its place if it were pasted.
const SECRET: &str = "s3cr3t&\"<ü";

/// What was sent for reading one account, signed in as the profile says.
async fn read_once(auth: &str) -> Request {
    let stub = Stub::start(|_| reply(200, &json!({"id": 1, "active": true}))).await;
    let text = profile(
        PAGE,
        &format!("[settings.secret]\ntype = \"secret\"\n{auth}"),
    );
    let app = connect(settings(&stub.base, &text, &[], &[("secret", SECRET)])).await;
    assert!(app.get(&one()).await.unwrap().is_some());
    assert!(!format!("{app:?}").contains("s3cr3t"));
    stub.requests().pop().unwrap()
}

/// A header of `Basic`; heads are kept in lower case.
fn basic(user: &str, password: &str) -> String {
    let encoded = STANDARD.encode(format!("{user}:{password}"));
    format!("authorization: basic {}", encoded.to_lowercase())
}

#[tokio::test]
async fn basic_credentials_and_keys_go_with_every_request() {
    let sent = read_once(
        "[[auth]]\ntype = \"basic\"\nuser = \"provost\"\npassword = \"{{ secret.secret }}\"\n",
    )
    .await;
    assert!(
        sent.head.contains(&basic("provost", SECRET)),
        "{}",
        sent.head
    );

    let sent = read_once(
        "[[auth]]\ntype = \"header\"\nheaders = { X-Api-Key = \"key {{ secret.secret | length }}\", X-App = \"provost\" }\n",
    )
    .await;
    assert!(sent.head.contains("x-api-key: key 10"), "{}", sent.head);
    assert!(sent.head.contains("x-app: provost"), "{}", sent.head);

    let sent = read_once(
        "[[auth]]\ntype = \"parameters\"\nin = \"query\"\nparameters = { user = \"provost\", key = \"{{ secret.secret }}\" }\n",
    )
    .await;
    let query = sent.target.split_once('?').unwrap().1.to_owned();
    let pairs: Vec<(String, String)> = url::form_urlencoded::parse(query.as_bytes())
        .into_owned()
        .collect();
    let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    assert_eq!(pairs, [pair("user", "provost"), pair("key", SECRET)]);
}

fn client(send: &str, place: &str) -> String {
    format!(
        "[settings.secret]\ntype = \"secret\"\n[[auth]]\ntype = \"oauth\"\ngrant = \"client-credentials\"\n\
         token-path = \"oauth2/token\"\nclient-id = \"pro vost\"\nclient-secret = \"{{{{ secret.secret }}}}\"\n\
         scope = \"users:write\"\nsend = \"{send}\"\nclient = \"{place}\"\n"
    )
}

/// The parameters of a request for a token, from a form or JSON.
fn parameters(request: &Request) -> Vec<(String, String)> {
    let mut pairs: Vec<(String, String)> =
        if request.head.contains("content-type: application/json") {
            let body = request.json();
            let object = body.as_object().unwrap();
            let text =
                |(k, v): (&String, &serde_json::Value)| (k.clone(), v.as_str().unwrap().to_owned());
            object.iter().map(text).collect()
        } else {
            url::form_urlencoded::parse(&request.body)
                .into_owned()
                .collect()
        };
    pairs.sort();
    pairs
}

fn is_token(request: &Request) -> bool {
    request.is("POST", "/scim/oauth2/token")
}

#[tokio::test]
async fn client_credentials_are_sent_as_the_profile_says() {
    for (send, place) in [("form", "body"), ("json", "body"), ("form", "basic")] {
        let stub = Stub::start(|request| match is_token(request) {
            true => reply(
                200,
                &json!({"access_token": "t", "token_type": "Bearer", "expires_in": 3600}),
            ),
            false => reply(200, &json!({"id": 1, "active": true})),
        })
        .await;
        let text = profile(PAGE, &client(send, place));
        let app = connect(settings(&stub.base, &text, &[], &[("secret", SECRET)])).await;
        let ids: Vec<AccountId> = (0..8).map(|n| AccountId(n.to_string())).collect();
        let reads = futures_util::future::join_all(ids.iter().map(|id| app.get(id))).await;
        assert_eq!(reads.len(), 8);
        let requests = stub.requests();
        let tokens: Vec<&Request> = requests.iter().filter(|r| is_token(r)).collect();
        assert_eq!(
            tokens.len(),
            1,
            "{send}, {place}: one token however many wait"
        );
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let mut expected = vec![
            pair("grant_type", "client_credentials"),
            pair("scope", "users:write"),
        ];
        if place == "body" {
            expected.push(pair("client_id", "pro vost"));
            expected.push(pair("client_secret", SECRET));
        } else {
            // Encoded first, then joined (RFC 6749 §2.3.1).
            let encode = |text: &str| {
                url::form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>()
            };
            let header = basic(&encode("pro vost"), &encode(SECRET));
            assert!(tokens[0].head.contains(&header), "{}", tokens[0].head);
        }
        expected.sort();
        assert_eq!(parameters(tokens[0]), expected, "{send}, {place}");
        let others = requests.iter().filter(|r| !is_token(r));
        assert!(
            others
                .clone()
                .all(|r| r.head.contains("authorization: bearer t\r\n"))
        );
        assert_eq!(others.count(), 8);
    }
}

#[tokio::test]
async fn a_used_up_refresh_token_is_no_end_while_there_is_a_secret() {
    let asked = AtomicUsize::new(0);
    let stub = Stub::start(move |request| {
        if !is_token(request) {
            // Every token ends at once, but for the last one.
            return match request.head.contains("authorization: bearer t3") {
                true => reply(200, &json!({"id": 1, "active": true})),
                false => answer(401, "", ""),
            };
        }
        let grant = parameters(request)
            .into_iter()
            .find(|(name, _)| name == "grant_type")
            .unwrap()
            .1;
        let n = asked.fetch_add(1, Ordering::Relaxed) + 1;
        match (n, grant.as_str()) {
            (1, "client_credentials") => {
                reply(200, &json!({"access_token": "t1", "refresh_token": "r1"}))
            }
            (2, "refresh_token") => reply(
                401,
                &json!({"error": "invalid_grant", "error_description": "used up"}),
            ),
            (3, "client_credentials") => reply(200, &json!({"access_token": "t3"})),
            other => panic!("{other:?}"),
        }
    })
    .await;
    let text = profile(PAGE, &client("form", "body"));
    let app = connect(settings(&stub.base, &text, &[], &[("secret", SECRET)])).await;
    assert!(app.get(&one()).await.unwrap().is_some());
}

#[tokio::test]
async fn a_refused_client_is_told_without_its_secret() {
    let stub = Stub::start(|_| {
        reply(
            401,
            &json!({"error": "invalid_client", "error_description": format!("bad {SECRET}")}),
        )
    })
    .await;
    let text = profile(PAGE, &client("form", "body"));
    let app = connect(settings(&stub.base, &text, &[], &[("secret", SECRET)])).await;
    let error = app.list().await.unwrap_err();
    assert!(
        matches!(error, ConnectorError::Unauthorised(_)),
        "{error:?}"
    );
    assert!(!error.to_string().contains("s3cr3t"), "{error}");
}

const SOAP: &str = r#"
version = 1
application = "Soap"
evidence = "observed"
[soap]
namespace = "http://example.com/Users"
version = "1.2"
[[auth]]
type = "none"
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
items = "answer.Users.User | as_list"
[[operation.create]]
path = "svc.asmx"
soap = { method = "CreateUser", parameters = { username = "{{ account.userName }}" } }
capture = { id = "answer.ID" }
"#;
const ENVELOPE: &str = "http://www.w3.org/2003/05/soap-envelope";

fn soap(status: u16, inner: &str) -> Reply {
    let body = format!("<e:Envelope xmlns:e=\"{ENVELOPE}\"><e:Body>{inner}</e:Body></e:Envelope>");
    answer(
        status,
        "Content-Type: application/soap+xml; charset=utf-8\r\n",
        &body,
    )
}

#[tokio::test]
async fn soap_1_2_has_its_own_envelope_type_and_faults() {
    let stub = Stub::start(|request| {
        if String::from_utf8_lossy(&request.body).contains("GetAll") {
            return soap(200, "<GetAllResponse xmlns=\"http://example.com/Users\"><GetAllResult><Result>true</Result>\
                <Users><User><ID>7</ID><UserName>ada</UserName></User></Users></GetAllResult></GetAllResponse>");
        }
        soap(500, "<e:Fault><e:Code><e:Value>e:Sender</e:Value></e:Code><e:Reason><e:Text xml:lang=\"en\">no such method</e:Text></e:Reason></e:Fault>")
    })
    .await;
    let app = connect(settings(&stub.base, SOAP, &[], &[])).await;
    let list = app.list().await.unwrap();
    assert_eq!(list[0].id.0, "7");
    let sent = stub.requests().pop().unwrap();
    let kind = "content-type: application/soap+xml; charset=utf-8; action=\"http://example.com/users/getall\"";
    assert!(sent.head.contains(kind), "{}", sent.head);
    assert!(
        !sent.head.contains("soapaction:"),
        "that is version 1.1: {}",
        sent.head
    );
    let body = String::from_utf8(sent.body).unwrap();
    assert!(body.contains(ENVELOPE), "{body}");
    let fault = app.create(&ada()).await.unwrap_err();
    assert!(
        matches!(&fault, ConnectorError::Rejected(why) if why.contains("no such method")),
        "{fault:?}"
    );
}
