//! Servers that misbehave as applications do: login pages with 200, faults, endless pages, links elsewhere, other people's accounts.

mod forms;

use std::sync::atomic::{AtomicUsize, Ordering};

use provost::model::{AccountDraft, AccountId, AccountPatch, Value};
use provost::target::http_app::HttpApp;
use provost::target::settings::HttpAppSettings;
use provost::target::{AccountReader, AccountWriter, ConnectorError};
use serde_json::{Value as Json, json};

use super::settings;
use crate::http::stub::{Reply, Request, Stub, answer};

const JSON: &str = "Content-Type: application/json\r\n";
const XML: &str = "Content-Type: text/xml; charset=utf-8\r\n";

/// The smallest useful profile, with one piece in the middle.
pub fn profile(paging: &str, more: &str) -> String {
    format!(
        r#"
version = 1
application = "Stub"
evidence = "observed"
{more}
[account]
id = "item.id"
active = "item.active"
[field.userName]
name = "login"
[field.title]
[[operation.list]]
path = "users"
items = "answer.users"
paging = {paging}
[[operation.get]]
path = "users/{{{{ id }}}}"
item = "answer"
[[operation.create]]
path = "users"
json = "{{{{ fields }}}}"
capture = {{ id = "answer.id" }}
[[operation.update]]
method = "PATCH"
path = "users/{{{{ id }}}}"
json = "{{{{ fields }}}}"
[[operation.deactivate]]
method = "PATCH"
path = "users/{{{{ id }}}}"
json = {{ active = false }}
[[operation.reactivate]]
method = "PATCH"
path = "users/{{{{ id }}}}"
json = {{ active = true }}
"#
    )
}

pub const OPEN: &str = "[[auth]]\ntype = \"none\"\n";

fn plain(paging: &str) -> String {
    profile(paging, OPEN)
}

pub async fn connect(settings: HttpAppSettings) -> HttpApp {
    HttpApp::connect(settings).await.unwrap()
}

pub fn reply(status: u16, body: &Json) -> Reply {
    answer(status, JSON, &body.to_string())
}

pub fn one() -> AccountId {
    AccountId("1".to_owned())
}

pub fn ada() -> AccountDraft {
    AccountDraft {
        attributes: [("userName".to_owned(), Value::Text("ada".to_owned()))].into(),
    }
}

pub fn deactivate() -> AccountPatch {
    AccountPatch {
        active: Some(false),
        ..AccountPatch::default()
    }
}

fn user(id: usize) -> Json {
    json!({"id": id, "login": format!("u{id}"), "active": true})
}

/// A parameter of a request's query.
fn number(request: &Request, name: &str) -> Option<usize> {
    let query = request.target.split_once('?')?.1;
    let pair = query
        .split('&')
        .find_map(|pair| pair.strip_prefix(&format!("{name}=")))?;
    pair.parse().ok()
}

/// The list through this paging from a server that answers pages so.
async fn listed(
    paging: &str,
    page: impl Fn(&Request) -> Json + Send + Sync + 'static,
) -> Result<usize, ConnectorError> {
    let stub = Stub::start(move |request| reply(200, &page(request))).await;
    let app = connect(settings(&stub.base, &plain(paging), &[], &[])).await;
    app.list().await.map(|list| list.len())
}

const PAGE: &str = r#"{ type = "page", parameter = "page", size-parameter = "limit", size = 2, total-pages = "answer.pages" }"#;
const BARE_PAGE: &str =
    r#"{ type = "page", parameter = "page", size-parameter = "limit", size = 2 }"#;
const OFFSET: &str = r#"{ type = "offset", parameter = "from", size-parameter = "limit", size = 2, total = "answer.total" }"#;
const CURSOR: &str =
    r#"{ type = "cursor", parameter = "after", next = "answer.next", total = "answer.total" }"#;

fn users(ids: std::ops::Range<usize>) -> Vec<Json> {
    ids.map(user).collect()
}

#[tokio::test]
async fn a_list_is_whole_or_an_error() {
    let pages = |request: &Request| {
        let page = number(request, "page").unwrap();
        json!({"users": users((page - 1) * 2..(page * 2).min(5)), "pages": 3})
    };
    assert_eq!(listed(PAGE, pages).await, Ok(5));
    assert_eq!(
        listed(BARE_PAGE, |r| json!({"users": users((number(r, "page").unwrap() - 1) * 2..5.min(number(r, "page").unwrap() * 2))})).await,
        Ok(5)
    );
    let offset = |r: &Request| json!({"users": users(number(r, "from").unwrap()..5.min(number(r, "from").unwrap() + 2)), "total": 5});
    assert_eq!(listed(OFFSET, offset).await, Ok(5));
    let cursor = |r: &Request| match number(r, "after") {
        None => json!({"users": users(0..2), "next": 2, "total": 4}),
        Some(_) => json!({"users": users(2..4), "total": 4}),
    };
    assert_eq!(listed(CURSOR, cursor).await, Ok(4));
    assert_eq!(
        listed(r#"{ type = "none" }"#, |_| json!({"users": users(0..3)})).await,
        Ok(3)
    );
}

#[tokio::test]
async fn a_list_without_a_proven_end_is_an_error() {
    type Page = fn(&Request) -> Json;
    let cases: [(&str, &str, Page); 9] = [
        (
            "the same page for ever",
            PAGE,
            |_| json!({"users": users(0..2), "pages": 9}),
        ),
        (
            "the same page for ever, no number of pages",
            BARE_PAGE,
            |_| json!({"users": users(0..2)}),
        ),
        ("overlapping pages", OFFSET, |r| {
            let from = number(r, "from").unwrap().saturating_sub(1);
            json!({"users": users(from..from + 2), "total": 6})
        }),
        (
            "short",
            OFFSET,
            |r| json!({"users": users(number(r, "from").unwrap()..3.min(number(r, "from").unwrap() + 2)), "total": 9}),
        ),
        ("the same cursor for ever", CURSOR, |r| {
            let from = if r.target.contains("after") { 2 } else { 0 };
            json!({"users": users(from..from + 2), "next": 7, "total": 99})
        }),
        ("no list", PAGE, |_| json!({"users": "none", "pages": 1})),
        ("another shape", PAGE, |_| json!({"data": [], "pages": 1})),
        (
            "an account without an id",
            PAGE,
            |_| json!({"users": [{"login": "x"}], "pages": 1}),
        ),
        (
            "a number of pages that is none",
            PAGE,
            |_| json!({"users": users(0..1), "pages": "many"}),
        ),
    ];
    for (name, paging, page) in cases {
        let list = listed(paging, page).await;
        assert!(
            matches!(list, Err(ConnectorError::Protocol(_))),
            "{name}: {list:?}"
        );
    }
    let limit = listed(
        r#"{ type = "none", limit = 3 }"#,
        |_| json!({"users": users(0..3)}),
    )
    .await;
    assert!(
        matches!(limit, Err(ConnectorError::Protocol(_))),
        "it may have been cut: {limit:?}"
    );
    let endless = r#"{ type = "page", parameter = "page", max-pages = 20 }"#;
    let count = AtomicUsize::new(0);
    let list = listed(endless, move |_| {
        let n = count.fetch_add(1, Ordering::Relaxed);
        json!({"users": users(n..n + 1)})
    })
    .await;
    assert!(
        matches!(&list, Err(ConnectorError::Protocol(why)) if why.contains("max-pages")),
        "{list:?}"
    );
}

#[tokio::test]
async fn links_are_followed_within_the_origin_only() {
    let paging = r#"{ type = "link", next = "answer.next" }"#;
    let other = Stub::start(|_| reply(200, &json!({"users": users(2..4)}))).await;
    for (link, good) in [
        (format!("{}/users?page=2", other.base), false),
        ("//evil.example/users".to_owned(), false),
        ("users?page=2".to_owned(), true),
    ] {
        let list = listed(paging, move |request| {
            match request.target.contains("page=2") {
                true => json!({"users": users(2..4)}),
                false => json!({"users": users(0..2), "next": link}),
            }
        })
        .await;
        assert_eq!(list.is_ok(), good, "{list:?}");
    }
    assert_eq!(other.requests().len(), 0, "nothing was sent elsewhere");
}

#[tokio::test]
async fn a_web_page_is_no_answer() {
    let page = "<!doctype html><title>Please sign in</title>";
    for headers in ["Content-Type: text/html\r\n", JSON] {
        let stub = Stub::start(move |_| answer(200, headers, page)).await;
        let app = connect(settings(&stub.base, &plain(PAGE), &[], &[])).await;
        for error in [
            app.list().await.err(),
            app.get(&one()).await.err(),
            app.create(&ada()).await.err(),
        ] {
            assert!(
                matches!(error, Some(ConnectorError::Protocol(_))),
                "{error:?}"
            );
        }
    }
}

#[tokio::test]
async fn another_account_than_asked_for_is_an_error() {
    let stub = Stub::start(|_| reply(200, &user(2))).await;
    let app = connect(settings(&stub.base, &plain(PAGE), &[], &[])).await;
    let read = app.get(&one()).await;
    assert!(matches!(read, Err(ConnectorError::Protocol(_))), "{read:?}");
    let write = app.update(&one(), &deactivate()).await;
    assert!(
        matches!(write, Err(ConnectorError::Protocol(_))),
        "{write:?}"
    );
    assert!(
        stub.requests().iter().all(|r| r.method == "GET"),
        "nothing was written"
    );
}

#[tokio::test]
async fn a_switch_that_does_not_move_is_not_a_success() {
    let stub = Stub::start(|_| reply(200, &user(1))).await;
    let app = connect(settings(&stub.base, &plain(PAGE), &[], &[])).await;
    let after = app.update(&one(), &deactivate()).await;
    assert!(
        matches!(&after, Err(ConnectorError::Rejected(why)) if why.contains("still active")),
        "{after:?}"
    );
}

#[tokio::test]
async fn absence_must_be_said_by_the_application() {
    let stub = Stub::start(|_| answer(404, "Content-Type: text/html\r\n", "<html>")).await;
    let app = connect(settings(&stub.base, &plain(PAGE), &[], &[])).await;
    let read = app.get(&one()).await;
    assert!(matches!(read, Err(ConnectorError::Protocol(_))), "{read:?}");
    let stub = Stub::start(|_| reply(404, &json!({}))).await;
    let app = connect(settings(&stub.base, &plain(PAGE), &[], &[])).await;
    let read = app.get(&one()).await;
    assert!(
        matches!(read, Err(ConnectorError::Protocol(_))),
        "not even the list exists: {read:?}"
    );
    let stub = Stub::start(|request| match request.target.contains("users/") {
        true => reply(404, &json!({"error": "no such user"})),
        false => reply(200, &json!({"users": [], "pages": 1})),
    })
    .await;
    let app = connect(settings(&stub.base, &plain(PAGE), &[], &[])).await;
    assert_eq!(app.get(&one()).await, Ok(None));
    let write = app.update(&one(), &deactivate()).await;
    assert!(
        matches!(write, Err(ConnectorError::NotFound(_))),
        "{write:?}"
    );
}

/// Whether an error is what it should be.
type Fits = fn(&ConnectorError) -> bool;

#[tokio::test]
async fn what_a_refusal_means_is_read_from_status_and_body() {
    use ConnectorError::{Ambiguous, Conflict, Exhausted, Rejected, Transient, Unauthorised};
    let rules = r#"
[[auth]]
type = "none"
[answer]
success = "answer.ok != false"
message = "answer.why"
[[error]]
matches = "already (taken|in use)"
class = "conflict"
[[error]]
matches = "no seats"
class = "licence-exhausted"
[[error]]
status = 418
class = "transient"
"#;
    let cases: [(u16, Json, Fits); 8] = [
        (200, json!({"ok": false, "why": "odd"}), |e| {
            matches!(e, Rejected(_))
        }),
        (
            200,
            json!({"ok": false, "why": "The name is ALREADY taken"}),
            |e| matches!(e, Conflict(_)),
        ),
        (400, json!({"why": "already in use"}), |e| {
            matches!(e, Conflict(_))
        }),
        (
            400,
            json!({"why": "no seats"}),
            |e| matches!(e, Exhausted(why) if why.contains("no seats")),
        ),
        (403, json!({"why": "not you"}), |e| matches!(e, Rejected(_))),
        (418, json!({}), |e| matches!(e, Transient(_))),
        (401, json!({}), |e| matches!(e, Unauthorised(_))),
        (500, json!({"why": "boom"}), |e| matches!(e, Ambiguous(_))),
    ];
    for (status, body, fits) in cases {
        let shown = body.to_string();
        let stub = Stub::start(move |_| reply(status, &body)).await;
        let app = connect(settings(&stub.base, &profile(PAGE, rules), &[], &[])).await;
        let error = app.create(&ada()).await.unwrap_err();
        assert!(fits(&error), "{status} {shown}: {error:?}");
        assert_eq!(stub.requests().len(), 1, "a write is not repeated");
    }
}

#[tokio::test]
async fn a_create_that_breaks_in_the_middle_is_for_reading() {
    let text = profile(PAGE, OPEN).replace(
        "[[operation.update]]",
        "[[operation.create]]\nmethod = \"PUT\"\npath = \"users/{{ id }}/title\"\nattributes = [\"title\"]\njson = \"{{ fields }}\"\n\n[[operation.update]]",
    );
    let stub = Stub::start(|request| match request.method.as_str() {
        "PUT" => reply(400, &json!({"error": "no"})),
        _ => reply(201, &json!({"id": 1})),
    })
    .await;
    let app = connect(settings(&stub.base, &text, &[], &[])).await;
    let mut draft = ada();
    draft
        .attributes
        .insert("title".to_owned(), Value::Text("x".to_owned()));
    let made = app.create(&draft).await;
    assert!(
        matches!(&made, Err(ConnectorError::Ambiguous(why)) if why.contains("account 1 was created")),
        "{made:?}"
    );
    let calls = stub.requests();
    assert_eq!(
        calls[0].json(),
        json!({"login": "ada"}),
        "the claimed field goes by its own call"
    );
    assert_eq!(calls[1].json(), json!({"title": "x"}));
    assert!(calls[1].target.ends_with("/users/1/title"));
}

#[tokio::test]
async fn what_cannot_be_read_of_a_new_account_is_no_reason_to_create_it_again() {
    let odd = profile(PAGE, OPEN).replace(
        "capture = { id = \"answer.id\" }",
        "capture = { id = \"answer.id | int\" }\nitem = \"answer\"",
    );
    for (text, body) in [
        (&odd, json!({"id": "seven"})),
        (&odd, json!({"id": {"a": 1}})),
        (&plain(PAGE), json!({})),
        (&plain(PAGE), json!({"id": [1]})),
    ] {
        let shown = body.to_string();
        let stub = Stub::start(move |_| reply(201, &body)).await;
        let app = connect(settings(&stub.base, text, &[], &[])).await;
        let made = app.create(&ada()).await;
        assert!(
            matches!(made, Err(ConnectorError::Ambiguous(_))),
            "{shown}: {made:?}"
        );
    }
}
