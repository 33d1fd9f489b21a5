//! The SCIM connector against services that misbehave as applications: they ignore, forget, repeat and miscount.

mod bulk;
mod created;
mod enterprise;
mod groups;
mod modes;
mod passwords;

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use provost::model::{AccountDraft, AccountId, AccountPatch, Value};
use provost::target::scim::ScimConnector;
use provost::target::{AccountReader, AccountWriter, ConnectorError};
use serde_json::{Value as Json, json};

use crate::contract::scim;
use crate::http::stub::{Reply, Request, Stub, answer, json as reply};

/// A page of a list, from all users and the start asked for (0-based).
type Page = fn(&[Json], usize) -> Reply;
/// The answer to a search, from all users and the query.
type Filter = fn(&[Json], &str) -> Reply;

async fn connect(stub: &Stub) -> ScimConnector {
    let mut settings = scim(&stub.base, "t");
    settings.page_size = 2;
    ScimConnector::connect(settings).await.unwrap()
}

fn missing() -> Reply {
    reply(404, &json!({"status": "404"}))
}

fn page(total: usize, resources: &[Json]) -> Reply {
    reply(200, &json!({"totalResults": total, "Resources": resources}))
}

fn user(id: &str, name: &str) -> Json {
    json!({"id": id, "userName": name, "active": true})
}

fn one() -> AccountId {
    AccountId("1".to_owned())
}

fn text(value: &str) -> Value {
    Value::Text(value.to_owned())
}

fn ada() -> AccountDraft {
    AccountDraft {
        attributes: [("userName".to_owned(), text("ada"))].into(),
    }
}

fn deactivate() -> AccountPatch {
    AccountPatch {
        active: Some(false),
        ..AccountPatch::default()
    }
}

fn start(request: &Request) -> usize {
    let query = request.target.split("startIndex=").nth(1).unwrap_or("1");
    query.split('&').next().unwrap().parse().unwrap()
}

#[tokio::test]
async fn a_list_is_whole_or_an_error() {
    let users: Vec<Json> = (1..=5).map(|i| user(&i.to_string(), "x")).collect();
    let all = users.clone();
    let cases: [(&str, Page, Option<usize>); 8] = [
        (
            "honest",
            |all, from| page(5, &all[from..all.len().min(from + 2)]),
            Some(5),
        ),
        (
            "silent cap",
            |all, from| page(5, &all[from..all.len().min(from + 1)]),
            Some(5),
        ),
        (
            "total is a page",
            |all, from| {
                let part = &all[from..all.len().min(from + 2)];
                page(part.len(), part)
            },
            Some(5),
        ),
        ("everything at once", |all, _| page(5, all), Some(5)),
        ("the same page for ever", |all, _| page(5, &all[..2]), None),
        (
            "short",
            |all, from| page(9, &all[from..all.len().min(from + 2)]),
            None,
        ),
        (
            "overlapping pages",
            |all, from| page(5, &all[from.saturating_sub(1)..all.len().min(from + 1)]),
            None,
        ),
        (
            "without ids",
            |_, _| page(1, &[json!({"userName": "x"})]),
            None,
        ),
    ];
    for (name, give, expected) in cases {
        let all = all.clone();
        let here = Stub::start(move |request| {
            if request.is("GET", "/scim/Users?") {
                give(&all, (start(request) - 1).min(all.len()))
            } else {
                missing()
            }
        })
        .await;
        let list = connect(&here).await.list().await;
        match expected {
            Some(number) => assert_eq!(list.unwrap().len(), number, "{name}"),
            None => assert!(
                matches!(list, Err(ConnectorError::Protocol(_))),
                "{name}: {list:?}"
            ),
        }
    }
}

#[tokio::test]
async fn a_service_need_not_describe_itself() {
    for (status, connects) in [
        (404, true),
        (403, false),
        (500, true),
        (501, true),
        (503, false),
    ] {
        let here = Stub::start(move |_| reply(status, &json!({}))).await;
        let target = ScimConnector::connect(scim(&here.base, "t")).await;
        assert_eq!(target.is_ok(), connects, "{status}: {target:?}");
    }
}

#[tokio::test]
async fn cursors_do_not_loop() {
    let seen = AtomicUsize::new(0);
    let here = Stub::start(move |request| {
        if request.target.contains("ServiceProviderConfig") {
            return reply(200, &json!({"pagination": {"cursor": true}}));
        }
        if !request.is("GET", "/scim/Users") {
            return missing();
        }
        let nth = seen.fetch_add(1, Ordering::Relaxed);
        let fresh = user(&nth.to_string(), "x");
        reply(
            200,
            &json!({"totalResults": 9, "nextCursor": "again", "Resources": [fresh]}),
        )
    })
    .await;
    let list = connect(&here).await.list().await;
    assert!(matches!(list, Err(ConnectorError::Protocol(_))), "{list:?}");
    assert_eq!(here.calls().len(), 2);
}

#[tokio::test]
async fn a_search_is_checked_against_the_question() {
    let all = [user("1", "ada"), user("2", "bo"), user("3", "Cy")];
    let cases: [(&str, Filter); 4] = [
        ("ignored", |all, _| page(3, &all[..2])),
        ("refused", |_, _| {
            reply(400, &json!({"scimType": "invalidFilter"}))
        }),
        ("finds nothing", |_, _| page(0, &[])),
        ("exact", |all, query| {
            let hits = all
                .iter()
                .filter(|u| query.contains(&format!("%22{}%22", u["userName"].as_str().unwrap())));
            page(1, &hits.cloned().collect::<Vec<_>>())
        }),
    ];
    for (name, filter) in cases {
        let all = all.clone();
        let here = Stub::start(move |request| {
            if !request.is("GET", "/scim/Users?") {
                missing()
            } else if request.target.contains("filter=") {
                filter(&all, &request.target)
            } else {
                let from = (start(request) - 1).min(all.len());
                page(3, &all[from..all.len().min(from + 2)])
            }
        })
        .await;
        let target = connect(&here).await;
        for (wanted, id) in [("ada", "1"), ("Cy", "3")] {
            let found = target.find("userName", &text(wanted)).await.unwrap();
            assert_eq!(found.len(), 1, "{name}: {wanted}");
            assert_eq!(found[0].id.0, id, "{name}");
        }
        let nobody = target.find("userName", &text("nobody")).await.unwrap();
        assert_eq!(nobody, [], "{name}");
    }
}

#[tokio::test]
async fn an_active_flag_that_does_not_change_is_not_a_success() {
    for put_works in [true, false] {
        let active = Mutex::new(true);
        let here = Stub::start(move |request| {
            let mut active = active.lock().unwrap();
            if request.is("PUT", "/scim/Users/1") && put_works {
                *active = request.json()["active"] == json!(true);
            }
            match request.method.as_str() {
                // The answer of PATCH and PUT says what was asked for, not what is.
                "PATCH" | "PUT" => {
                    reply(200, &json!({"id": "1", "userName": "ada", "active": false}))
                }
                "GET" if request.target == "/scim/Users/1" => reply(
                    200,
                    &json!({"id": "1", "userName": "ada", "active": *active}),
                ),
                _ => missing(),
            }
        })
        .await;
        let target = connect(&here).await;
        let after = target.update(&one(), &deactivate()).await;
        if put_works {
            assert_eq!(after.unwrap().active, Some(false));
        } else {
            assert!(
                matches!(&after, Err(ConnectorError::Rejected(why)) if why.contains("still active")),
                "{after:?}"
            );
        }
        let calls = here.calls();
        assert!(
            calls.contains(&"PATCH Users/1".to_owned())
                && calls.contains(&"PUT Users/1".to_owned())
        );
    }
}

#[tokio::test]
async fn patch_that_does_not_exist_is_replaced_by_put_and_remembered() {
    for status in [404, 405, 501] {
        let held = Mutex::new(user("1", "ada"));
        let here = Stub::start(move |request| {
            let mut held = held.lock().unwrap();
            match request.method.as_str() {
                "PATCH" => reply(status, &json!({})),
                "PUT" => {
                    let mut new = request.json();
                    assert!(
                        new.get("id").is_none(),
                        "read-only attributes are not sent back"
                    );
                    new["id"] = json!("1");
                    *held = new;
                    reply(200, &held)
                }
                "GET" if request.target == "/scim/Users/1" => reply(200, &held),
                _ => missing(),
            }
        })
        .await;
        let target = connect(&here).await;
        for active in [false, true] {
            let patch = AccountPatch {
                active: Some(active),
                ..AccountPatch::default()
            };
            let after = target.update(&one(), &patch).await.unwrap();
            assert_eq!(after.active, Some(active));
        }
        let patches = here
            .calls()
            .iter()
            .filter(|c| c.starts_with("PATCH"))
            .count();
        assert_eq!(patches, 1, "{status}");
    }
}

#[tokio::test]
async fn a_change_in_between_is_read_and_made_again() {
    let version = AtomicUsize::new(1);
    let here = Stub::start(move |request| {
        let now = version.load(Ordering::Relaxed);
        match request.method.as_str() {
            "GET" if request.target.contains("ServiceProviderConfig") => reply(
                200,
                &json!({"patch": {"supported": true}, "etag": {"supported": true}}),
            ),
            "GET" if request.target == "/scim/Users/1" => {
                let mut body = user("1", "ada");
                body["meta"] = json!({"version": format!("W/\"{now}\"")});
                reply(200, &body)
            }
            "PATCH" if request.head.contains("if-match: w/\"2\"") => {
                reply(200, &json!({"id": "1", "userName": "ada", "title": "x"}))
            }
            "PATCH" => {
                version.store(2, Ordering::Relaxed);
                reply(412, &json!({}))
            }
            _ => missing(),
        }
    })
    .await;
    let patch = AccountPatch {
        attributes: [("title".to_owned(), Some(text("x")))].into(),
        ..AccountPatch::default()
    };
    let after = connect(&here).await.update(&one(), &patch).await.unwrap();
    assert_eq!(after.attributes.get("title"), Some(&text("x")));
    assert_eq!(
        here.calls(),
        [
            "GET Users/1",
            "PATCH Users/1",
            "GET Users/1",
            "PATCH Users/1"
        ]
    );
}

#[tokio::test]
async fn another_account_than_asked_for_is_an_error() {
    let here = Stub::start(|request| match request.method.as_str() {
        "GET" | "PATCH" if request.target == "/scim/Users/1" => reply(200, &user("2", "bo")),
        _ => missing(),
    })
    .await;
    let target = connect(&here).await;
    let read = target.get(&one()).await;
    assert!(matches!(read, Err(ConnectorError::Protocol(_))), "{read:?}");
    let write = target.update(&one(), &deactivate()).await;
    assert!(
        matches!(write, Err(ConnectorError::Protocol(_))),
        "{write:?}"
    );
}

#[tokio::test]
async fn absence_must_be_said_by_the_application() {
    // A proxy answers 404 to everything.
    let here = Stub::start(|_| answer(404, "Content-Type: text/html\r\n", "<html>")).await;
    let target = connect(&here).await;
    let read = target.get(&one()).await;
    assert!(matches!(read, Err(ConnectorError::Protocol(_))), "{read:?}");
    assert!(target.delete(&one()).await.is_err());
    let made = target.create(&ada()).await;
    assert!(matches!(made, Err(ConnectorError::Protocol(_))), "{made:?}");
    // An application that answers 404 without a word, but has a list.
    let here = Stub::start(|request| match request.is("GET", "/scim/Users?") {
        true => page(0, &[]),
        false => answer(404, "", ""),
    })
    .await;
    let target = connect(&here).await;
    assert_eq!(target.get(&one()).await, Ok(None));
    assert_eq!(target.delete(&one()).await, Ok(()));
}

#[tokio::test]
async fn a_created_account_is_found_whatever_the_answer_lacks() {
    let location = "Location: /scim/Users/1\r\n";
    for (headers, body) in [
        ("", String::new()),
        (location, String::new()),
        ("", json!({"id": "1"}).to_string()),
        ("", json!({"userName": "ada"}).to_string()),
    ] {
        let here = Stub::start(move |request| match request.method.as_str() {
            "POST" => answer(201, headers, &body),
            "GET" if request.target == "/scim/Users/1" => reply(200, &user("1", "ada")),
            "GET" if request.target.contains("filter=userName") => page(1, &[user("1", "ada")]),
            _ => missing(),
        })
        .await;
        let made = connect(&here).await.create(&ada()).await.unwrap();
        assert_eq!((made.id, made.active), (one(), Some(true)));
    }
}

#[tokio::test]
async fn what_the_application_dropped_is_not_claimed() {
    let here = Stub::start(|request| match request.method.as_str() {
        "POST" => reply(201, &json!({"id": 7, "userName": "ADA", "active": "False"})),
        _ => missing(),
    })
    .await;
    let mut draft = ada();
    draft
        .attributes
        .insert("title".to_owned(), text("Countess"));
    let made = connect(&here).await.create(&draft).await.unwrap();
    assert_eq!(made.id.0, "7");
    assert_eq!(made.active, Some(false));
    assert_eq!(
        made.attributes,
        [("userName".to_owned(), text("ADA"))].into()
    );
    assert_eq!(
        here.calls(),
        ["POST Users"],
        "a whole answer needs no further request"
    );
}

#[tokio::test]
async fn deleting_again_succeeds_even_where_it_fails() {
    let here = Stub::start(|request| match request.method.as_str() {
        "DELETE" => reply(500, &json!({})),
        _ => missing(),
    })
    .await;
    assert_eq!(connect(&here).await.delete(&one()).await, Ok(()));
}

#[tokio::test]
async fn the_probe_tells_which_attributes_will_be_refused() {
    let here = Stub::start(|request| match request.method.as_str() {
        "GET" if request.target.contains("Schemas") => page(
            1,
            &[json!({
                "id": "urn:ietf:params:scim:schemas:core:2.0:User",
                "attributes": [{"name": "userName", "type": "string"}],
            })],
        ),
        "GET" if request.target.contains("Users") => page(3, &[]),
        _ => missing(),
    })
    .await;
    let findings = connect(&here).await.probe().await.unwrap();
    let of = |what: &str| findings.iter().find(|f| f.what == what).unwrap();
    assert!(of("accounts").found.contains("3 accounts"));
    assert!(of("attribute userName").ok);
    assert!(!of("attribute title").ok);
    assert!(of("groups").found.contains("none"));
}
