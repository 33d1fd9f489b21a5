//! Bulk requests against services that answer them badly.

use provost::model::{Account, AccountDraft};
use provost::target::scim::ScimConnector;
use provost::target::{AccountWriter, ConnectorError};
use serde_json::{Value as Json, json};

use super::text;
use crate::contract::scim;
use crate::http::stub::{Reply, Request, Stub, json as reply};

type Created = Result<Account, ConnectorError>;

/// A service that takes three operations at a time, and answers them so.
async fn service(bulk: impl Fn(&Request) -> Reply + Send + Sync + 'static) -> Stub {
    Stub::start(move |request| {
        if request.target.contains("ServiceProviderConfig") {
            let offer = json!({"supported": true, "maxOperations": 3, "maxPayloadSize": 4096});
            reply(200, &json!({ "bulk": offer }))
        } else if request.is("POST", "/scim/Bulk") {
            bulk(request)
        } else if request.is("POST", "/scim/Users") {
            let mut user = request.json();
            user["id"] = user["userName"].clone();
            reply(201, &user)
        } else {
            reply(404, &json!({"status": "404"}))
        }
    })
    .await
}

async fn connect(stub: &Stub, bulk: bool) -> ScimConnector {
    let mut settings = scim(&stub.base, "t");
    settings.bulk = bulk;
    ScimConnector::connect(settings).await.unwrap()
}

async fn create(target: &ScimConnector, names: &[&str]) -> Vec<Created> {
    let drafts: Vec<AccountDraft> = names
        .iter()
        .map(|name| AccountDraft {
            attributes: [("userName".to_owned(), text(name))].into(),
        })
        .collect();
    target.create_together(drafts).await
}

/// Each operation ends as its user's name says.
fn as_named(request: &Request) -> Reply {
    let operations = request.json()["Operations"].as_array().unwrap().clone();
    assert!(operations.len() <= 3);
    let result = |operation: &Json| {
        let name = operation["data"]["userName"].as_str().unwrap();
        let mut result = json!({"method": "POST", "bulkId": operation["bulkId"]});
        let (status, more) = match name {
            "silent" => return None,
            "located" => (json!("201"), json!({"location": "/scim/Users/l1"})),
            "nowhere" => (json!("201"), json!({})),
            "elsewhere" => (
                json!("201"),
                json!({"location": "https://evil.example/scim/Users/1"}),
            ),
            "whole" => (
                json!({"code": "201"}),
                json!({"response": {"id": "w1", "userName": "WHOLE", "active": true}}),
            ),
            "taken" => (
                json!(409),
                json!({"response": {"scimType": "uniqueness", "detail": "taken"}}),
            ),
            "failed" => (json!("500"), json!({})),
            "later" => (json!("429"), json!({})),
            other => (json!(other), json!({})),
        };
        result["status"] = status;
        let object = result.as_object_mut().unwrap();
        object.extend(more.as_object().unwrap().clone());
        Some(result)
    };
    // In another order than they were asked for.
    let results: Vec<Json> = operations.iter().rev().filter_map(result).collect();
    reply(200, &json!({ "Operations": results }))
}

#[tokio::test]
async fn every_operation_is_judged_by_its_own_status() {
    let stub = service(as_named).await;
    let target = connect(&stub, true).await;
    assert_eq!(target.creates_together(), 3);
    let names = [
        "located",
        "whole",
        "taken",
        "silent",
        "failed",
        "later",
        "nowhere",
        "elsewhere",
        "400",
        "401",
    ];
    let answers = create(&target, &names).await;
    assert_eq!(stub.calls(), ["POST Bulk"; 4]);
    let located = answers[0].as_ref().unwrap();
    assert_eq!((located.id.0.as_str(), located.active), ("l1", Some(true)));
    assert_eq!(located.attributes["userName"], text("located"));
    let whole = answers[1].as_ref().unwrap();
    assert_eq!(whole.id.0, "w1");
    assert_eq!(whole.attributes["userName"], text("WHOLE"));
    for (at, name) in names.iter().enumerate().skip(2) {
        let error = answers[at].as_ref().unwrap_err();
        let right = match *name {
            "taken" => matches!(error, ConnectorError::Conflict(_)),
            "later" => matches!(error, ConnectorError::Throttled { .. }),
            "400" => matches!(error, ConnectorError::Rejected(_)),
            "401" => matches!(error, ConnectorError::Unauthorised(_)),
            _ => matches!(error, ConnectorError::Ambiguous(_)),
        };
        assert!(right, "{name}: {error:?}");
    }
}

#[tokio::test]
async fn a_bulk_request_that_broke_off_leaves_every_account_in_doubt() {
    for broken in [
        (|_: &Request| Reply::Hang) as fn(&Request) -> Reply,
        |_| Reply::Send(b"HTTP/1.1 200 X\r\nContent-Length: 900\r\n\r\n{\"Oper".to_vec()),
        |_| reply(200, &json!({"Operations": "none"})),
        |_| reply(500, &json!({"detail": "oops"})),
    ] {
        let stub = service(broken).await;
        let answers = create(&connect(&stub, true).await, &["a", "b", "c"]).await;
        assert_eq!(stub.calls(), ["POST Bulk"]);
        assert_eq!(answers.len(), 3);
        for answer in answers {
            assert!(
                matches!(answer, Err(ConnectorError::Ambiguous(_))),
                "{answer:?}"
            );
        }
    }
}

#[tokio::test]
async fn a_service_that_offers_bulk_and_refuses_it_is_asked_one_by_one() {
    for status in [400, 404, 405, 413, 501] {
        let refusal = move |_: &Request| reply(status, &json!({"status": status.to_string()}));
        let stub = service(refusal).await;
        let target = connect(&stub, true).await;
        for answer in create(&target, &["a", "b"]).await {
            assert!(answer.is_ok(), "{status}: {answer:?}");
        }
        assert_eq!(stub.calls(), ["POST Bulk", "POST Users", "POST Users"]);
        assert_eq!(target.creates_together(), 1, "{status}");
    }
}

#[tokio::test]
async fn what_is_too_large_or_unwanted_goes_alone() {
    let stub = service(as_named).await;
    let target = connect(&stub, true).await;
    let large = "x".repeat(5000);
    let answers = create(&target, &["located", &large, "whole"]).await;
    assert!(answers.iter().all(Result::is_ok), "{answers:?}");
    assert_eq!(stub.calls(), ["POST Users", "POST Bulk"]);
    let stub = service(as_named).await;
    let target = connect(&stub, false).await;
    assert_eq!(target.creates_together(), 1);
    let answers = create(&target, &["a", "b"]).await;
    assert!(answers.iter().all(Result::is_ok), "{answers:?}");
    assert_eq!(stub.calls(), ["POST Users"; 2]);
}
