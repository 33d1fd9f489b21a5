//! Groups on services that misbehave: nobody may lose a membership by accident, and no success may be claimed.

use std::sync::Mutex;

use provost::model::{AccountId, MembershipChange};
use provost::target::{AccountReader, AccountWriter, ConnectorError};
use serde_json::{Value as Json, json};

use super::{connect, missing, one, page, start, user};
use crate::http::stub::{Reply, Request, Stub, answer, json as reply};

/// Applies membership operations as a service does that removes everybody when it does not understand who.
fn careless(members: &mut Vec<String>, request: &Request) -> Reply {
    for operation in request.json()["Operations"].as_array().unwrap() {
        match (
            operation["op"].as_str().unwrap(),
            operation["path"].as_str().unwrap(),
        ) {
            ("remove", "members") => members.clear(),
            ("remove", _) => return reply(400, &json!({"scimType": "invalidPath"})),
            (_, _) => {
                let values = operation["value"].as_array().unwrap();
                members.extend(
                    values
                        .iter()
                        .map(|v| v["value"].as_str().unwrap().to_owned()),
                );
            }
        }
    }
    reply(204, &Json::Null)
}

fn group(members: &[String]) -> Json {
    let members: Vec<Json> = members.iter().map(|m| json!({"value": m})).collect();
    json!({"id": "g", "displayName": "Staff", "members": members})
}

#[tokio::test]
async fn members_who_were_not_named_are_put_back() {
    let members = Mutex::new(vec!["a".to_owned(), "b".to_owned(), "c".to_owned()]);
    let here = Stub::start(move |request| {
        let mut members = members.lock().unwrap();
        match request.method.as_str() {
            "PATCH" => careless(&mut members, request),
            "GET" if request.target == "/scim/Groups/g" => reply(200, &group(&members)),
            "GET" if request.is("GET", "/scim/Groups?") && start(request) == 1 => {
                page(1, &[group(&members)])
            }
            "GET" if request.is("GET", "/scim/Groups?") => page(1, &[]),
            _ => missing(),
        }
    })
    .await;
    let change = MembershipChange {
        entitlement: "Staff".to_owned(),
        remove: [AccountId("a".to_owned())].into(),
        ..MembershipChange::default()
    };
    let done = connect(&here).await.set_members(&change).await;
    assert!(
        matches!(&done, Err(ConnectorError::Protocol(why)) if why.contains("put back")),
        "{done:?}"
    );
    let last = here
        .requests()
        .into_iter()
        .rfind(|r| r.method == "PATCH")
        .unwrap();
    assert_eq!(
        last.json()["Operations"],
        json!([{"op": "add", "path": "members", "value": [{"value": "b"}, {"value": "c"}]}])
    );
}

#[tokio::test]
async fn a_group_change_without_effect_is_not_a_success() {
    let here = Stub::start(|request| match request.method.as_str() {
        "PATCH" => answer(204, "", ""),
        "GET" if request.target == "/scim/Groups/g" => reply(200, &group(&["a".to_owned()])),
        "GET" if request.is("GET", "/scim/Groups?") && start(request) == 1 => {
            page(1, &[group(&[])])
        }
        "GET" if request.is("GET", "/scim/Groups?") => page(1, &[]),
        _ => missing(),
    })
    .await;
    let target = connect(&here).await;
    let mut change = MembershipChange {
        entitlement: "Staff".to_owned(),
        add: [AccountId("b".to_owned())].into(),
        ..MembershipChange::default()
    };
    let done = target.set_members(&change).await;
    assert!(matches!(done, Err(ConnectorError::Rejected(_))), "{done:?}");
    // Who is a member already is not sent again.
    change.add = [AccountId("a".to_owned())].into();
    let before = here.calls().len();
    assert_eq!(target.set_members(&change).await, Ok(()));
    assert!(
        here.calls()[before..]
            .iter()
            .all(|call| call.starts_with("GET"))
    );
}

#[tokio::test]
async fn where_members_are_never_listed_nothing_is_claimed() {
    let bare = json!({"id": "g", "displayName": "Staff"});
    let here = Stub::start(move |request| match request.method.as_str() {
        "PATCH" => answer(204, "", ""),
        "GET" if request.target == "/scim/Groups/g" => reply(200, &bare),
        "GET" if request.is("GET", "/scim/Groups?") && start(request) == 1 => {
            page(1, std::slice::from_ref(&bare))
        }
        "GET" if request.is("GET", "/scim/Users?") && start(request) == 1 => {
            page(1, &[user("1", "ada")])
        }
        "GET" if request.target.contains("startIndex") => page(1, &[]),
        _ => missing(),
    })
    .await;
    let target = connect(&here).await;
    assert_eq!(target.list().await.unwrap()[0].entitlements, None);
    let change = MembershipChange {
        entitlement: "Staff".to_owned(),
        add: [one()].into(),
        ..MembershipChange::default()
    };
    assert_eq!(target.set_members(&change).await, Ok(()));
}
