//! Groups on services that misbehave: nobody may lose a membership by accident, and no success may be claimed.

use std::sync::Mutex;

use provost::model::{AccountId, MembershipChange};
use provost::target::scim::ScimConnector;
use provost::target::{AccountReader, AccountWriter, ConnectorError};
use serde_json::{Value as Json, json};

use super::{connect, missing, one, page, start, user};
use crate::contract::scim;
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

/// How a service answers a search for groups by name.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Searching {
    Honest,
    /// The filter is ignored: a page of all groups.
    Ignored,
    /// Nobody is ever found.
    Blind,
    /// 400.
    Refused,
}

const NAMES: [(&str, &str); 4] = [
    ("1", "Staff"),
    ("2", "staff"),
    ("3", "Twice"),
    ("4", "Twice"),
];

/// A service with these groups, and one with a quotation mark in its name.
async fn searched(how: Searching) -> Stub {
    let all: Vec<Json> = NAMES
        .iter()
        .chain(&[("5", "The \"A\" team")])
        .map(|(id, name)| json!({"id": id, "displayName": name, "members": []}))
        .collect();
    Stub::start(move |request| {
        let by_id = all.iter().find(|group| {
            request.target == format!("/scim/Groups/{}", group["id"].as_str().unwrap())
        });
        match request.method.as_str() {
            "POST" => reply(201, &json!({"id": "9", "displayName": "made"})),
            "PATCH" => reply(204, &Json::Null),
            "GET" if request.target.starts_with("/scim/Groups?filter=") => match how {
                Searching::Honest => {
                    let hits: Vec<Json> = all
                        .iter()
                        .filter(|group| asks_for(request, group["displayName"].as_str().unwrap()))
                        .cloned()
                        .collect();
                    page(hits.len(), &hits)
                }
                Searching::Ignored => page(all.len(), &all[..2]),
                Searching::Blind => page(0, &[]),
                Searching::Refused => reply(400, &json!({"scimType": "invalidFilter"})),
            },
            "GET" if request.is("GET", "/scim/Groups?") && start(request) == 1 => {
                page(all.len(), &all)
            }
            "GET" if request.is("GET", "/scim/Groups?") => page(all.len(), &[]),
            "GET" => by_id.map_or_else(missing, |group| reply(200, group)),
            _ => missing(),
        }
    })
    .await
}

/// Whether the filter of a search names this group, compared as RFC 7643 has it for `displayName`: without case.
fn asks_for(request: &Request, name: &str) -> bool {
    let url = url::Url::parse(&format!("http://x{}", request.target)).unwrap();
    let filter = url
        .query_pairs()
        .find(|(key, _)| key == "filter")
        .unwrap()
        .1;
    let wanted = format!("displayName eq {}", json!(name));
    filter.eq_ignore_ascii_case(&wanted)
}

fn joins(name: &str) -> MembershipChange {
    MembershipChange {
        entitlement: name.to_owned(),
        add: [AccountId("a".to_owned())].into(),
        ..MembershipChange::default()
    }
}

#[tokio::test]
async fn a_group_that_a_search_finds_needs_no_list() {
    let here = searched(Searching::Honest).await;
    let target = connect(&here).await;
    assert_eq!(target.set_members(&joins("The \"A\" team")).await, Ok(()));
    assert_eq!(target.set_members(&joins("The \"A\" team")).await, Ok(()));
    let lists = |call: &String| call.starts_with("GET Groups?") && !call.contains("filter=");
    let searches = |call: &String| call.contains("filter=");
    let calls = here.calls();
    assert_eq!(
        calls.iter().filter(|call| lists(call)).count(),
        0,
        "{calls:?}"
    );
    assert_eq!(
        calls.iter().filter(|call| searches(call)).count(),
        1,
        "{calls:?}"
    );
    assert!(
        calls.iter().any(|call| call == "PATCH Groups/5"),
        "{calls:?}"
    );
}

#[tokio::test]
async fn whatever_a_search_says_no_group_is_mistaken_or_made_twice() {
    for how in [
        Searching::Honest,
        Searching::Ignored,
        Searching::Blind,
        Searching::Refused,
    ] {
        let here = searched(how).await;
        let target = connect(&here).await;
        for (id, name) in [("1", "Staff"), ("2", "staff"), ("5", "The \"A\" team")] {
            assert_eq!(
                target.set_members(&joins(name)).await,
                Ok(()),
                "{how:?} {name}"
            );
            let patched = here
                .calls()
                .into_iter()
                .rfind(|call| call.starts_with("PATCH"));
            assert_eq!(
                patched,
                Some(format!("PATCH Groups/{id}")),
                "{how:?} {name}"
            );
        }
        let twice = target.set_members(&joins("Twice")).await;
        assert!(
            matches!(&twice, Err(ConnectorError::Rejected(why)) if why.contains("several groups")),
            "{how:?} {twice:?}"
        );
        let made = || {
            here.calls()
                .iter()
                .filter(|call| call.starts_with("POST"))
                .count()
        };
        assert_eq!(made(), 0, "{how:?}");
        // The service cannot show what it made; that it was made is all that counts here.
        drop(target.set_members(&joins("Nobody's")).await);
        assert_eq!(made(), 1, "{how:?}");
    }
}

#[tokio::test]
async fn a_group_whose_creation_was_answered_badly_is_not_created_again() {
    let made = Mutex::new(Vec::<Json>::new());
    let blind = Mutex::new(false);
    let here = Stub::start(move |request| {
        let mut made = made.lock().unwrap();
        let mut blind = blind.lock().unwrap();
        match request.method.as_str() {
            "POST" => {
                made.push(json!({"id": "g", "displayName": "Staff", "members": []}));
                *blind = true;
                answer(
                    201,
                    "Location: https://elsewhere.example/Groups/g\r\n",
                    "<html>",
                )
            }
            // Right after the creation the list cannot be read, once.
            "GET" if std::mem::take(&mut *blind) => reply(403, &json!({})),
            "GET" if request.is("GET", "/scim/Groups?") && start(request) == 1 => {
                page(made.len(), &made)
            }
            "GET" if request.is("GET", "/scim/Groups?") => page(made.len(), &[]),
            "GET" if request.is("GET", "/scim/Groups/g") => reply(200, &group(&["b".to_owned()])),
            "PATCH" => answer(204, "", ""),
            _ => missing(),
        }
    })
    .await;
    let mut settings = scim(&here.base, "t");
    settings.create_groups = true;
    let target = ScimConnector::connect(settings).await.unwrap();
    let change = MembershipChange {
        entitlement: "Staff".to_owned(),
        add: [AccountId("b".to_owned())].into(),
        ..MembershipChange::default()
    };
    assert!(target.set_members(&change).await.is_err());
    assert_eq!(target.set_members(&change).await, Ok(()));
    let posts = here
        .calls()
        .into_iter()
        .filter(|call| call.starts_with("POST"));
    assert_eq!(posts.count(), 1);
}

#[tokio::test]
async fn members_go_in_portions_that_the_service_takes() {
    let members = Mutex::new(Vec::<String>::new());
    let here = Stub::start(move |request| {
        let mut members = members.lock().unwrap();
        match request.method.as_str() {
            "PATCH" => careless(&mut members, request),
            "GET" if request.target.starts_with("/scim/Groups/g") => reply(200, &group(&members)),
            "GET" if request.is("GET", "/scim/Groups?") && start(request) == 1 => {
                page(1, &[group(&members)])
            }
            "GET" if request.is("GET", "/scim/Groups?") => page(1, &[]),
            _ => missing(),
        }
    })
    .await;
    let mut settings = scim(&here.base, "t");
    settings.members_per_request = 2;
    let target = ScimConnector::connect(settings).await.unwrap();
    let change = MembershipChange {
        entitlement: "Staff".to_owned(),
        add: ["a", "b", "c", "d", "e"]
            .map(|id| AccountId(id.to_owned()))
            .into(),
        ..MembershipChange::default()
    };
    assert_eq!(target.set_members(&change).await, Ok(()));
    let portions: Vec<usize> = here
        .requests()
        .iter()
        .filter(|request| request.method == "PATCH")
        .map(|request| {
            request.json()["Operations"][0]["value"]
                .as_array()
                .unwrap()
                .len()
        })
        .collect();
    assert_eq!(portions, [2, 2, 1]);
}
