//! Servers that repeat what they are told: simulators of the worst that a real one could do.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use base64::Engine as _;
use serde_json::{Value as Json, json};

use crate::http::stub::{Reply, Request, Stub, answer, is_discovery, json as json_answer};

/// What the application with sessions gives out.
pub const SESSION: &str = "cAnAry-session.Zz9_cookie~6";

static CALLS: AtomicUsize = AtomicUsize::new(0);

/// What was sent, repeated: in plain, as base64, hexadecimal or escaped once more, behind more or less of other text, so
/// that a text that is cut at some length is cut in the middle of a secret.
fn echo(request: &Request) -> String {
    let call = CALLS.fetch_add(1, Ordering::Relaxed);
    let secret = ["authorization", "cookie"].iter().find_map(|name| {
        let mut lines = request.exact.lines();
        let line = lines.find(|line| line.to_lowercase().starts_with(&format!("{name}: ")))?;
        Some(line.split_once(": ")?.1.to_owned())
    });
    let body = String::from_utf8_lossy(&request.body).into_owned();
    // The values of the body come first: what is shown of an error is short.
    let values = serde_json::from_slice(&request.body).map_or(body, |json: Json| strings(&json));
    let told = if call.is_multiple_of(2) {
        format!("{} {values}", secret.unwrap_or_default())
    } else {
        format!("{values} {}", secret.unwrap_or_default())
    };
    let told = match call / 2 % 4 {
        0 => told,
        1 => base64::engine::general_purpose::STANDARD.encode(&told),
        2 => told.bytes().map(|byte| format!("{byte:02x}")).collect(),
        _escaped => serde_json::to_string(&told).unwrap(),
    };
    let filler = "x".repeat([0, 120, 150, 170, 180, 186, 190][call % 7]);
    format!("{filler}{told}")
}

/// Every text of a document, passwords first.
fn strings(json: &Json) -> String {
    match json {
        Json::String(text) => text.clone(),
        Json::Array(all) => all.iter().map(strings).collect::<Vec<_>>().join(" "),
        Json::Object(all) => {
            let mut keys: Vec<&String> = all.keys().collect();
            keys.sort_by_key(|key| (*key != "password", (*key).clone()));
            let texts = keys.iter().map(|key| strings(&all[*key]));
            texts.collect::<Vec<_>>().join(" ")
        }
        Json::Null | Json::Bool(_) | Json::Number(_) => String::new(),
    }
}

fn refused(request: &Request) -> Reply {
    let call = CALLS.load(Ordering::Relaxed);
    let status = [400, 403, 409, 422, 400, 400][call % 6];
    json_answer(
        status,
        &json!({"status": status.to_string(), "detail": echo(request), "error": "no", "message": echo(request)}),
    )
}

/// An application that says no to everything.
pub async fn refuses_all() -> Stub {
    Stub::start(|request| {
        if request.target.ends_with("/token") {
            return json_answer(
                400,
                &json!({"error": "invalid_client", "error_description": echo(request)}),
            );
        }
        if is_discovery(request) {
            return answer(404, "", "");
        }
        refused(request)
    })
    .await
}

type People = Mutex<Vec<Json>>;

fn person(people: &People, request: &Request) -> Option<Json> {
    let id = request
        .target
        .split("/Users/")
        .nth(1)?
        .split(['/', '?'])
        .next()?;
    let people = people.lock().unwrap();
    people.iter().find(|one| one["id"] == *id).cloned()
}

/// Accounts can be made and read; passwords are refused, and everything else too.
fn accounts(people: &People, request: &Request, made: u16) -> Option<Reply> {
    if request.is("POST", "/scim/Users") {
        let mut new = request.json();
        let mut people = people.lock().unwrap();
        new["id"] = json!(format!("u{}", people.len() + 1));
        new["active"] = json!(true);
        people.push(new.clone());
        return Some(json_answer(made, &new));
    }
    if request.method != "GET" {
        return None;
    }
    if let Some(found) = person(people, request) {
        return Some(json_answer(200, &found));
    }
    let people = people.lock().unwrap();
    Some(json_answer(
        200,
        &json!({"schemas": ["urn:ietf:params:scim:api:messages:2.0:ListResponse"], "totalResults": people.len(),
            "startIndex": 1, "itemsPerPage": people.len(), "Resources": *people}),
    ))
}

/// A SCIM service that makes accounts and refuses every password that it is given, naming it.
pub async fn takes_all_but_passwords() -> Stub {
    let people = People::default();
    Stub::start(move |request| {
        if is_discovery(request) {
            return answer(404, "", "");
        }
        accounts(&people, request, 201).unwrap_or_else(|| refused(request))
    })
    .await
}

/// An application with sessions, whose refusals have a good status.
pub async fn signs_in() -> Stub {
    let people = People::default();
    Stub::start(move |request| {
        if request.is("POST", "/scim/auth") {
            let cookie = format!(
                "Set-Cookie: SID={SESSION}; Path=/; HttpOnly\r\nContent-Type: application/json\r\n"
            );
            return answer(200, &cookie, "{}");
        }
        let good = accounts(&people, request, 200);
        good.unwrap_or_else(|| json_answer(200, &json!({"broken": true, "detail": echo(request)})))
    })
    .await
}

/// An application with OAuth tokens that are good once. Every token that it gives out is written down in `issued`; every
/// third time it asks for one it refuses, and every other request too, saying what it was told.
pub async fn rotates(issued: Arc<Mutex<Vec<String>>>) -> Stub {
    let (people, asked) = (People::default(), AtomicUsize::new(0));
    Stub::start(move |request| {
        let number = asked.fetch_add(1, Ordering::Relaxed);
        if request.is("POST", "/scim/token") {
            let mut issued = issued.lock().unwrap();
            let next = issued.len();
            let [access, refresh] =
                ["access", "refresh"].map(|kind| format!("cAnAry-{kind}.{next:03}~Zy9-qW4_pL7"));
            issued.extend([access.clone(), refresh.clone()]);
            // The refresh token is in the refusal.
            if next % 6 == 4 {
                return refused(request);
            }
            return json_answer(
                200,
                &json!({"access_token": access, "refresh_token": refresh, "expires_in": 3600}),
            );
        }
        if number.is_multiple_of(3) {
            return json_answer(401, &json!({"detail": echo(request)}));
        }
        accounts(&people, request, 201).unwrap_or_else(|| refused(request))
    })
    .await
}

/// A webhook that refuses every other letter for now and every other one for good, and repeats it with its headers.
pub async fn webhook() -> Stub {
    Stub::start(|request| {
        let status = [503, 422][CALLS.load(Ordering::Relaxed) % 2];
        let told = format!("{} {}", echo(request), request.exact);
        json_answer(status, &json!({"error": told}))
    })
    .await
}

/// A directory that refuses every bind, and says with which password it was tried.
pub struct Directory {
    pub port: u16,
}

impl Directory {
    pub fn start() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let Ok(mut stream) = stream else { return };
                let mut bytes = [0; 1024];
                let read = stream.read(&mut bytes).unwrap_or(0);
                let text = String::from_utf8_lossy(&bytes[..read]).into_owned();
                let said = text
                    .split("cAnAry")
                    .nth(1)
                    .map_or(text.clone(), |rest| format!("cAnAry{rest}"));
                let said = [b"no such password: ", said.as_bytes()].concat();
                let result = [element(10, &[49]), element(4, b""), element(4, &said)].concat();
                let inner = [element(2, &[bytes[4]]), element(0x61, &result)].concat();
                stream.write_all(&element(0x30, &inner)).ok();
            }
        });
        Self { port }
    }
}

fn element(tag: u8, body: &[u8]) -> Vec<u8> {
    let length = u16::try_from(body.len()).unwrap().to_be_bytes();
    [&[tag, 0x82], &length[..], body].concat()
}
