//! The HTTP client against servers that misbehave below the application: each failure must become the right error, and
//! nothing may leave the origin.

pub mod stub;
mod tls;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use provost::model::{AccountDraft, AccountId, Value};
use provost::target::http::{Class, Meter};
use provost::target::scim::ScimConnector;
use provost::target::settings::{Auth, ScimSettings};
use provost::target::{AccountReader, AccountWriter, ConnectorError};
use secrecy::SecretString;
use serde_json::json;

use self::stub::{Reply, Request, Stub, answer, is_discovery, raw};
use crate::contract::scim;

const JSON: &str = "Content-Type: application/scim+json\r\n";
const ADA: &str = r#"{"id":"1","userName":"ada","active":true}"#;

async fn connect(stub: &Stub) -> ScimConnector {
    connect_with(stub, |_| {}).await
}

async fn connect_with(stub: &Stub, edit: impl FnOnce(&mut ScimSettings)) -> ScimConnector {
    let mut settings = scim(&stub.base, "s3cr3t-token");
    edit(&mut settings);
    ScimConnector::connect(settings).await.unwrap()
}

/// A stub whose discovery endpoints do not exist and whose others answer so.
async fn stub(reply: impl Fn(&Request) -> Reply + Send + Sync + 'static) -> Stub {
    Stub::start(move |request| {
        if is_discovery(request) {
            answer(404, JSON, "{}")
        } else {
            reply(request)
        }
    })
    .await
}

fn one() -> AccountId {
    AccountId("1".to_owned())
}

fn ada() -> AccountDraft {
    let name = ("userName".to_owned(), Value::Text("ada".to_owned()));
    AccountDraft {
        attributes: [name].into(),
    }
}

#[tokio::test]
async fn redirects_are_refused_and_nobody_else_is_called() {
    let other = stub(|_| answer(200, JSON, ADA)).await;
    for status in [301, 302, 303, 307, 308] {
        let location = format!("Location: {}/Users/1\r\n", other.base);
        let here = stub(move |_| answer(status, &location, "")).await;
        let target = connect(&here).await;
        let read = target.get(&one()).await;
        assert!(matches!(read, Err(ConnectorError::Protocol(_))), "{read:?}");
        let write = target.create(&ada()).await;
        // 303 says that the answer is elsewhere, so it may have been done (RFC 9110 §15.4.4); the others, to ask elsewhere.
        let right = match status {
            303 => matches!(write, Err(ConnectorError::Ambiguous(_))),
            _ => matches!(write, Err(ConnectorError::Protocol(_))),
        };
        assert!(right, "{status}: {write:?}");
    }
    assert_eq!(other.calls(), Vec::<String>::new());
}

#[tokio::test]
async fn a_location_elsewhere_is_not_followed_and_leaves_doubt() {
    let other = stub(|_| answer(200, JSON, ADA)).await;
    let location = format!("Location: {}/Users/1\r\n", other.base);
    let here = stub(move |_| answer(201, &location, "")).await;
    let made = connect(&here).await.create(&ada()).await;
    assert!(
        matches!(made, Err(ConnectorError::Ambiguous(_))),
        "{made:?}"
    );
    assert_eq!(other.calls(), Vec::<String>::new());
}

/// A gzip stream of so many times 258 zero bytes: one literal, then "repeat the last byte 258 times" again and again.
fn bomb(times: usize) -> Vec<u8> {
    let mut out = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3];
    let (mut byte, mut filled) = (0_u8, 0);
    let mut put = |bits: &str| {
        for bit in bits.bytes() {
            byte |= u8::from(bit == b'1') << filled;
            filled += 1;
            if filled == 8 {
                out.push(byte);
                (byte, filled) = (0, 0);
            }
        }
    };
    put("1"); // the last block
    put("10"); // of fixed codes
    put("00110000"); // the byte 0
    for _ in 0..times {
        put("1100010100000"); // length 258, distance 1
    }
    put("0000000");
    put("0000000");
    out
}

#[tokio::test]
async fn a_bomb_is_cut_off_at_the_limit() {
    let big = bomb(1_000_000);
    let here = stub(move |_| {
        Reply::Send(raw(
            200,
            "Content-Encoding: gzip\r\nContent-Type: application/json\r\n",
            &big,
        ))
    })
    .await;
    let target = connect_with(&here, |s| s.http.body_limit = 1 << 20).await;
    let started = Instant::now();
    let read = target.get(&one()).await;
    assert!(
        matches!(&read, Err(ConnectorError::Protocol(why)) if why.contains("larger than 1048576")),
        "{read:?}"
    );
    assert!(started.elapsed() < Duration::from_secs(2));
    let write = target.create(&ada()).await;
    assert!(
        matches!(write, Err(ConnectorError::Ambiguous(_))),
        "{write:?}"
    );
}

#[tokio::test]
async fn an_answer_that_trickles_ends_at_the_deadline() {
    let here =
        stub(|_| Reply::Stall(b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{".to_vec())).await;
    let short = |s: &mut ScimSettings| s.http.request_timeout = Duration::from_millis(200);
    let target = connect_with(&here, short).await;
    let read = target.get(&one()).await;
    assert!(
        matches!(read, Err(ConnectorError::Transient(_))),
        "{read:?}"
    );
    let write = target.create(&ada()).await;
    assert!(
        matches!(write, Err(ConnectorError::Ambiguous(_))),
        "{write:?}"
    );
}

#[tokio::test]
async fn what_is_not_sound_json_is_no_success() {
    let html = "Content-Type: text/html\r\n";
    for (headers, body) in [
        (html, "<!doctype html><title>Please sign in</title>"),
        (JSON, " <html>"),
        (JSON, "{\"id\":\"1\",\"userName\":\"ad"),
        (JSON, "{\"id\":\"1\",\"active\":true,\"active\":false}"),
        (JSON, "\u{feff}{\"id\":\"1\"}"),
        (JSON, "{\"id\":\"1\",\"x\":NaN}"),
        (JSON, "{\"id\":\"1\",\"x\":1e400}"),
    ] {
        let here = stub(move |_| answer(200, headers, body)).await;
        let target = connect(&here).await;
        let read = target.get(&one()).await;
        let right = matches!(read, Err(ConnectorError::Protocol(_)));
        assert!(right, "{body}: {read:?}");
        let write = target.create(&ada()).await;
        let right = matches!(write, Err(ConnectorError::Ambiguous(_)));
        assert!(right, "{body}: {write:?}");
    }
}

#[tokio::test]
async fn a_broken_write_is_ambiguous_and_a_broken_read_is_not() {
    let short = || raw(200, JSON, ADA.as_bytes());
    let longer = String::from_utf8(short())
        .unwrap()
        .replace("Content-Length: 4", "Content-Length: 9");
    for reply in [Vec::new(), b"HTTP/1.1 2".to_vec(), longer.into_bytes()] {
        let here = stub(move |_| match reply.is_empty() {
            true => Reply::Hang,
            false => Reply::Send(reply.clone()),
        })
        .await;
        let target = connect(&here).await;
        let write = target.create(&ada()).await;
        assert!(
            matches!(write, Err(ConnectorError::Ambiguous(_))),
            "{write:?}"
        );
        assert_eq!(here.calls().len(), 1, "a write is not repeated");
        let read = target.get(&one()).await;
        assert!(
            matches!(read, Err(ConnectorError::Transient(_))),
            "{read:?}"
        );
    }
}

#[tokio::test]
async fn a_write_that_never_left_is_not_ambiguous() {
    let gone = {
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0))
            .await
            .unwrap();
        listener.local_addr().unwrap()
    };
    let error = ScimConnector::connect(scim(&format!("http://{gone}/scim"), "t")).await;
    assert!(
        matches!(error, Err(ConnectorError::Transient(_))),
        "{error:?}"
    );
}

#[tokio::test]
async fn failures_of_the_server_are_retried_for_reads_only() {
    for status in [500, 502, 503, 504] {
        let seen = AtomicUsize::new(0);
        let here = stub(move |request| {
            let nth = seen.fetch_add(1, Ordering::Relaxed);
            if request.method == "GET" && nth == 2 {
                return answer(200, JSON, ADA);
            }
            answer(status, JSON, "{}")
        })
        .await;
        let target = connect(&here).await;
        assert!(
            target.get(&one()).await.unwrap().is_some(),
            "the third time"
        );
        let write = target.create(&ada()).await;
        assert!(
            matches!(write, Err(ConnectorError::Ambiguous(_))),
            "{write:?}"
        );
        assert_eq!(here.calls().len(), 4);
    }
}

#[tokio::test]
async fn later_is_waited_for_and_tried_again() {
    let date =
        "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\nRetry-After: Sun, 06 Nov 1994 08:49:38 GMT\r\n";
    for (status, headers) in [
        (429, "Retry-After: 1\r\n"),
        (503, "Retry-After: 1\r\n"),
        (429, date),
    ] {
        let seen = AtomicUsize::new(0);
        let here = stub(move |_| match seen.fetch_add(1, Ordering::Relaxed) {
            0 => answer(status, headers, ""),
            _ => answer(201, JSON, ADA),
        })
        .await;
        let meter = Meter::default();
        let target = connect_with(&here, |settings| settings.http.meter = meter.clone()).await;
        let started = Instant::now();
        assert_eq!(target.create(&ada()).await.unwrap().id, one());
        assert!(
            started.elapsed() >= Duration::from_secs(1),
            "it waits as long as it was asked to"
        );
        assert_eq!(here.calls().len(), 2);
        // And it is counted: what was asked at first does not exist there.
        let counted: Vec<(Class, u64)> = meter
            .counted()
            .iter()
            .filter(|one| one.count > 0 && one.class != Class::Refused)
            .map(|one| (one.class, one.count))
            .collect();
        assert_eq!(counted, [(Class::Success, 1), (Class::Throttled, 1)]);
        let (waits, seconds) = meter.waits();
        assert!(waits == 1 && seconds > 0.9, "{waits} waits, {seconds} s");
    }
}

#[tokio::test]
async fn a_long_pause_is_told_and_holds_for_every_request() {
    let here = stub(|_| answer(429, "Retry-After: 3600\r\n", "")).await;
    let target = connect(&here).await;
    for _ in 0..3 {
        let Err(ConnectorError::Throttled { retry_after }) = target.get(&one()).await else {
            panic!("it must be told to wait");
        };
        assert!(retry_after.unwrap() > Duration::from_secs(3590));
    }
    assert_eq!(here.calls().len(), 1, "the others are not even sent");
}

#[tokio::test]
async fn refused_credentials_stop_and_never_show() {
    let echo = "the header was: authorization: Bearer s3cr3t-token";
    for status in [400, 401, 403, 409, 500] {
        let body = json!({"detail": echo}).to_string();
        let here = stub(move |_| answer(status, JSON, &body)).await;
        let target = connect(&here).await;
        let read = target.get(&one()).await;
        let write = target.create(&ada()).await;
        let shown = format!(
            "{read:?} {write:?} {target:?} {}",
            write.as_ref().unwrap_err()
        );
        assert!(!shown.contains("s3cr3t"), "{shown}");
        let refused = matches!(write, Err(ConnectorError::Unauthorised(_)));
        assert_eq!(refused, status == 401, "{write:?}");
    }
}

#[tokio::test]
async fn refused_credentials_are_noticed_while_connecting() {
    for status in [401, 403] {
        let here = Stub::start(move |_| answer(status, JSON, "{}")).await;
        let error = ScimConnector::connect(scim(&here.base, "wrong")).await;
        assert!(
            matches!(error, Err(ConnectorError::Unauthorised(_))),
            "{error:?}"
        );
    }
}

#[tokio::test]
async fn a_token_is_fetched_once_and_renewed_once() {
    let tokens = AtomicUsize::new(0);
    let here = Stub::start(move |request| {
        if request.target.ends_with("/token") {
            let nth = tokens.fetch_add(1, Ordering::Relaxed);
            let body = json!({"access_token": format!("t{nth}"), "expires_in": 3600});
            return stub::json(200, &body);
        }
        match request {
            r if r.head.contains("bearer t0") && !r.target.ends_with("/old") => {
                stub::json(404, &json!({}))
            }
            r if r.head.contains("bearer t1") => stub::json(404, &json!({})),
            _ => answer(401, JSON, "{}"),
        }
    })
    .await;
    let token_url = format!("{}/token", here.base).parse().unwrap();
    let target = connect_with(&here, |s| {
        s.http.parallelism = 8;
        s.http.auth = Auth::ClientCredentials {
            token_url,
            client_id: "id".to_owned(),
            client_secret: SecretString::from("s3cr3t"),
            scope: Some("scim".to_owned()),
            in_body: true,
        };
    })
    .await;
    let fetched = |stub: &Stub| stub.calls().iter().filter(|c| c.ends_with("token")).count();
    assert_eq!(fetched(&here), 1);
    let old = AccountId("old".to_owned());
    let reads = futures_util::future::join_all((0..8).map(|_| target.get(&old))).await;
    assert!(reads.iter().all(|read| *read == Ok(None)), "{reads:?}");
    assert_eq!(fetched(&here), 2, "eight refusals lead to one new token");
    let form = String::from_utf8(here.requests()[0].body.clone()).unwrap();
    assert!(form.contains("grant_type=client_credentials") && form.contains("scope=scim"));
}
