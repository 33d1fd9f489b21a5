//! Sessions and tokens: fetched once however many wait, renewed once when refused, rotated durably, given back at the end.

use std::sync::atomic::{AtomicUsize, Ordering};

use provost::model::AccountId;
use provost::target::{AccountReader, AccountWriter, ConnectorError};
use serde_json::json;

use super::hostile::{ada, connect, one, profile, reply};
use super::settings;
use crate::http::stub::{Request, Stub, answer};

const PAGE: &str = r#"{ type = "page", parameter = "page", total-pages = "answer.pages" }"#;

const SESSION: &str = r#"
[settings.user]
type = "text"
default = "provost"
[settings.password]
type = "secret"
[[auth]]
type = "sign-in"
login = { method = "POST", path = "auth", json = { username = "{{ settings.user }}", password = "{{ secret.password }}" } }
token = "cookie.SID or answer.data.authToken"
cookie = "SID"
logout = { method = "DELETE", path = "auth", body = "none" }
"#;

fn count(stub: &Stub, call: &str) -> usize {
    stub.calls()
        .iter()
        .filter(|made| made.starts_with(call))
        .count()
}

/// Which session a request came with.
fn session(request: &Request) -> Option<usize> {
    let rest = request.head.split("cookie: sid=s").nth(1)?;
    rest.split(['\r', '\n', ';']).next()?.trim().parse().ok()
}

#[tokio::test]
async fn a_session_is_opened_once_renewed_once_and_given_back() {
    for (expired, headers, body) in [
        (401, "", ""),
        (200, "Content-Type: text/html\r\n", "<html>sign in"),
        (302, "Location: /login\r\n", ""),
    ] {
        let logins = AtomicUsize::new(0);
        let stub = Stub::start(move |request| {
            if request.is("POST", "/scim/auth") {
                let n = logins.fetch_add(1, Ordering::Relaxed);
                assert_eq!(
                    request.json(),
                    json!({"username": "provost", "password": "s3cr3t"})
                );
                let cookie = format!(
                    "Set-Cookie: SID=s{n}; Path=/; HttpOnly\r\nContent-Type: application/json\r\n"
                );
                return answer(
                    200,
                    &cookie,
                    &json!({"data": {"authenticated": true}}).to_string(),
                );
            }
            if request.is("DELETE", "/scim/auth") {
                return answer(204, "", "");
            }
            // The first session ends after a while; the second one lasts.
            match session(request) {
                Some(0) if !request.target.ends_with("/1") => answer(expired, headers, body),
                Some(_) => reply(
                    200,
                    &json!({"id": request.target.rsplit('/').next(), "active": true}),
                ),
                None => answer(500, "", ""),
            }
        })
        .await;
        let text = format!("{SESSION}\n[[error]]\nstatus = 302\nclass = \"unauthorised\"\n");
        let app = connect(settings(
            &stub.base,
            &profile(PAGE, &text),
            &[],
            &[("password", "s3cr3t")],
        ))
        .await;
        assert_eq!(
            count(&stub, "POST auth"),
            0,
            "nothing is opened before it is needed"
        );
        assert!(app.get(&one()).await.unwrap().is_some());
        let others: Vec<AccountId> = (2..10).map(|n| AccountId(n.to_string())).collect();
        let reads = futures_util::future::join_all(others.iter().map(|id| app.get(id))).await;
        assert!(
            reads.iter().all(|read| matches!(read, Ok(Some(_)))),
            "{expired}: {reads:?}"
        );
        assert_eq!(
            count(&stub, "POST auth"),
            2,
            "eight refusals lead to one new session"
        );
        app.close().await;
        assert_eq!(count(&stub, "DELETE auth"), 1);
        let last = stub.requests().pop().unwrap();
        assert_eq!(
            session(&last),
            Some(1),
            "the session that is open is the one that is ended"
        );
        assert!(!format!("{app:?}").contains("s3cr3t"));
    }
}

#[tokio::test]
async fn refused_credentials_are_told_without_showing_them() {
    let stub = Stub::start(|request| {
        let said = json!({"messages": {"error": ["bad password: s3cr3t"]}});
        assert!(request.is("POST", "/scim/auth"));
        reply(403, &said)
    })
    .await;
    let app = connect(settings(
        &stub.base,
        &profile(PAGE, SESSION),
        &[],
        &[("password", "s3cr3t")],
    ))
    .await;
    for error in [app.list().await.err(), app.create(&ada()).await.err()] {
        let error = error.unwrap();
        assert!(
            matches!(error, ConnectorError::Unauthorised(_)),
            "{error:?}"
        );
        assert!(!error.to_string().contains("s3cr3t"), "{error}");
    }
}

#[tokio::test]
async fn a_session_that_is_refused_at_once_again_stops() {
    let stub = Stub::start(|request| match request.is("POST", "/scim/auth") {
        true => reply(200, &json!({"data": {"authToken": "s1"}})),
        false => answer(401, "", ""),
    })
    .await;
    let app = connect(settings(
        &stub.base,
        &profile(PAGE, SESSION),
        &[],
        &[("password", "x")],
    ))
    .await;
    let read = app.get(&one()).await;
    assert!(
        matches!(read, Err(ConnectorError::Unauthorised(_))),
        "{read:?}"
    );
    assert!(count(&stub, "POST auth") <= 3, "no endless signing in");
}

const OAUTH: &str = r#"
[settings.refresh]
type = "secret"
[[auth]]
type = "oauth"
grant = "refresh-token"
token-path = "oauth2/token"
client-id = "provost"
refresh-token = "{{ secret.refresh }}"
"#;

#[tokio::test]
async fn a_rotated_refresh_token_survives_the_process() {
    let folder = tempfile::tempdir().unwrap();
    let stub = Stub::start(|request| {
        if request.is("POST", "/scim/oauth2/token") {
            let form = String::from_utf8_lossy(&request.body).into_owned();
            // Each token is good once.
            let token = form.split("refresh_token=r").nth(1).and_then(|rest| rest.split('&').next());
            let next: usize = token.unwrap().parse::<usize>().unwrap() + 1;
            return reply(200, &json!({"access_token": format!("a{next}"), "refresh_token": format!("r{next}"), "expires_in": 3600}));
        }
        match request.head.contains("authorization: bearer a") {
            true => reply(200, &json!({"id": 1, "active": true})),
            false => answer(401, "", ""),
        }
    })
    .await;
    let text = profile(PAGE, OAUTH);
    let at = |configured: &'static str| {
        let mut settings = settings(&stub.base, &text, &[], &[("refresh", configured)]);
        settings.token_file = folder.path().join("tokens/crm");
        settings
    };
    for _ in 0..3 {
        let app = connect(at("r10")).await;
        assert!(app.get(&one()).await.unwrap().is_some());
    }
    let used: Vec<String> = stub
        .requests()
        .iter()
        .filter(|r| r.method == "POST")
        .map(|r| String::from_utf8_lossy(&r.body).into_owned())
        .collect();
    for (form, token) in used.iter().zip(["r10", "r11", "r12"]) {
        assert!(form.contains(&format!("refresh_token={token}")), "{form}");
    }
    let mode = std::os::unix::fs::PermissionsExt::mode(
        &std::fs::metadata(folder.path().join("tokens/crm"))
            .unwrap()
            .permissions(),
    );
    assert_eq!(mode & 0o777, 0o600);
    // A newly configured token is used instead of what descends from the old one.
    let app = connect(at("r50")).await;
    assert!(app.get(&one()).await.unwrap().is_some());
    let last = stub
        .requests()
        .into_iter()
        .rfind(|r| r.method == "POST")
        .unwrap();
    assert!(String::from_utf8_lossy(&last.body).contains("refresh_token=r50"));
}

#[tokio::test]
async fn a_token_with_a_lifetime_goes_with_a_key_for_the_integrator() {
    let text = r#"
[settings.key]
type = "secret"
[http]
headers = { X-Key = "{{ secret.key }}" }
json-type = "application/vnd.api+json"
[[auth]]
type = "sign-in"
login = { path = "authenticate", json = { username = "u" } }
token = "answer.token"
lifetime = "10m"
"#;
    let stub = Stub::start(|request| {
        assert!(request.head.contains("x-key: key1"), "on every request");
        match request.is("POST", "/scim/authenticate") {
            true => reply(200, &json!({"token": "t1"})),
            false if request.head.contains("authorization: bearer t1") => {
                reply(200, &json!({"id": 1, "active": true}))
            }
            false => answer(401, "", ""),
        }
    })
    .await;
    let app = connect(settings(
        &stub.base,
        &profile(PAGE, text),
        &[],
        &[("key", "key1")],
    ))
    .await;
    for _ in 0..3 {
        assert!(app.get(&one()).await.unwrap().is_some());
    }
    assert_eq!(count(&stub, "POST authenticate"), 1);
}
