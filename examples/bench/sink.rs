//! The application of the benchmark: a SCIM 2.0 server in memory, so small that both clients wait for themselves.
//!
//! It stores what it is sent and gives it back by id, by `eq` filter and as a list, so that a client that verifies its
//! writes finds them. PATCH knows what the two clients send: values by attribute, whole objects, members.
//! Users' PATCH answers with the user, groups' with nothing, as large applications do. Bulk creates users and says where
//! they are.

use std::{
    collections::{HashMap, HashSet},
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    sync::{Arc, Mutex, PoisonError},
    thread,
};

use serde_json::{Map, Value, json};

/// For `Authorization: Bearer`.
pub const TOKEN: &str = "test-token";

#[derive(Default)]
struct Shelf {
    rows: HashMap<String, Value>,
    order: Vec<String>,
    /// From the text of each attribute that can be searched for, as `name=value` in lower case, to the id.
    index: HashMap<String, String>,
}

/// As an application would have it: what identifies a resource is found without looking at all of them.
const INDEXED: [&str; 3] = ["userName", "displayName", "externalId"];

fn index_key(kind: &str, attribute: &str, value: &str) -> Option<String> {
    // People share display names; groups do not.
    let indexed = INDEXED.contains(&attribute) && (kind == "Groups" || attribute != "displayName");
    indexed.then(|| format!("{attribute}={}", value.to_lowercase()))
}

impl Shelf {
    fn keep(&mut self, kind: &str, id: &str, row: &Value) {
        for attribute in INDEXED {
            if let Some(value) = row[attribute].as_str()
                && let Some(key) = index_key(kind, attribute, value)
            {
                self.index.insert(key, id.to_owned());
            }
        }
    }
}

#[derive(Default)]
struct Sink {
    users: Shelf,
    groups: Shelf,
    requests: HashMap<String, u64>,
}

/// Serves until the process is ended; prints the base URL first.
pub fn serve() -> std::io::Result<()> {
    // Each connection has a thread, and each thread would have 2 MiB cleared for it at a time: that would be a good part of
    // what both clients are made to wait for.
    nix::sys::prctl::set_thp_disable(true)?;
    let listener = TcpListener::bind("127.0.0.1:0")?;
    println!("http://{}/scim/v2", listener.local_addr()?);
    let sink = Arc::new(Mutex::new(Sink::default()));
    for stream in listener.incoming() {
        let (stream, sink) = (stream?, Arc::clone(&sink));
        // A client that went away is no news.
        thread::spawn(move || drop(connection(&stream, &sink)));
    }
    Ok(())
}

fn connection(stream: &TcpStream, sink: &Mutex<Sink>) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let (mut reader, mut out) = (BufReader::with_capacity(1 << 16, stream), stream);
    let (mut line, mut body) = (String::new(), Vec::new());
    loop {
        line.clear();
        if reader.read_line(&mut line)? == 0 {
            return Ok(());
        }
        let (method, target) = line.split_once(' ').unwrap_or_default();
        let (method, target) = (
            method.to_owned(),
            target.split(' ').next().unwrap_or_default().to_owned(),
        );
        let (mut length, mut trusted, mut last) = (0, false, false);
        loop {
            line.clear();
            reader.read_line(&mut line)?;
            let Some((name, value)) = line.trim_end().split_once(':') else {
                break;
            };
            if name.eq_ignore_ascii_case("content-length") {
                length = value.trim().parse().unwrap_or(0);
            } else if name.eq_ignore_ascii_case("authorization") {
                trusted = value.trim().strip_prefix("Bearer ") == Some(TOKEN);
            } else if name.eq_ignore_ascii_case("connection") {
                last = value.trim().eq_ignore_ascii_case("close");
            }
        }
        body.resize(length, 0);
        reader.read_exact(&mut body)?;
        let (status, answer) = if trusted {
            answer(sink, &method, &target, &body)
        } else {
            (401, error(401))
        };
        let text = if answer.is_null() {
            String::new()
        } else {
            answer.to_string()
        };
        let head = format!(
            "HTTP/1.1 {status} X\r\nContent-Type: application/scim+json\r\nContent-Length: {}\r\n\r\n{text}",
            text.len()
        );
        out.write_all(head.as_bytes())?;
        if last {
            return Ok(());
        }
    }
}

fn error(status: u16) -> Value {
    json!({"schemas": ["urn:ietf:params:scim:api:messages:2.0:Error"], "status": status.to_string()})
}

fn list(resources: &[Value], total: usize, start: usize) -> Value {
    json!({"schemas": ["urn:ietf:params:scim:api:messages:2.0:ListResponse"], "totalResults": total,
        "startIndex": start, "itemsPerPage": resources.len(), "Resources": resources})
}

fn answer(sink: &Mutex<Sink>, method: &str, target: &str, body: &[u8]) -> (u16, Value) {
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let mut parts = path.trim_start_matches("/scim/v2/").split('/');
    let (kind, id) = (parts.next().unwrap_or_default(), parts.next());
    // Parsed before the lock is taken: connections wait for each other only while something is stored.
    let body = if body.is_empty() {
        Value::Null
    } else {
        serde_json::from_slice(body).unwrap_or(Value::Null)
    };
    let mut sink = sink.lock().unwrap_or_else(PoisonError::into_inner);
    *sink.requests.entry(format!("{method} {kind}")).or_default() += 1;
    let (shelf, key) = match kind {
        "Users" => (&mut sink.users, "userName"),
        "Groups" => (&mut sink.groups, "displayName"),
        "Bulk" => return (200, bulk(&mut sink.users, body)),
        // How the benchmark counts requests; no SCIM.
        "requests" => return (200, json!(std::mem::take(&mut sink.requests))),
        _ => return discovery(kind),
    };
    match (method, id) {
        ("GET", Some(id)) => shelf
            .rows
            .get(id)
            .map_or_else(|| (404, error(404)), |row| (200, row.clone())),
        ("GET", None) => (200, find(shelf, kind, query)),
        ("POST", None) => create(shelf, key, kind, body),
        ("PUT" | "PATCH", Some(id)) => change(shelf, kind, id, method, body),
        ("DELETE", Some(id)) => (
            if shelf.rows.remove(id).is_some() {
                204
            } else {
                404
            },
            Value::Null,
        ),
        _ => (405, error(405)),
    }
}

fn discovery(kind: &str) -> (u16, Value) {
    let not = json!({"supported": false});
    match kind {
        "ServiceProviderConfig" => (
            200,
            json!({"schemas": ["urn:ietf:params:scim:schemas:core:2.0:ServiceProviderConfig"],
                "patch": {"supported": true},
                "bulk": {"supported": true, "maxOperations": 1000, "maxPayloadSize": 1_048_576},
                "filter": {"supported": true, "maxResults": 1000}, "changePassword": not, "sort": not, "etag": not,
                "authenticationSchemes": []}),
        ),
        _ => (404, error(404)),
    }
}

/// New users, several at once.
fn bulk(users: &mut Shelf, mut body: Value) -> Value {
    let operations = body["Operations"].as_array_mut();
    let results: Vec<Value> = operations
        .into_iter()
        .flatten()
        .map(|operation| {
            let user = operation["data"].take();
            let made = keep(users, "userName", "Users", user);
            let status = if made.is_some() { "201" } else { "409" };
            let location = made.map(|id| format!("/scim/v2/Users/{id}"));
            json!({"method": "POST", "bulkId": operation["bulkId"], "status": status, "location": location})
        })
        .collect();
    json!({"schemas": ["urn:ietf:params:scim:api:messages:2.0:BulkResponse"], "Operations": results})
}

fn create(shelf: &mut Shelf, key: &str, kind: &str, row: Value) -> (u16, Value) {
    let made = keep(shelf, key, kind, row).and_then(|id| shelf.rows.get(&id));
    made.map_or_else(|| (409, error(409)), |row| (201, row.clone()))
}

/// Keeps a new resource, unless its name is taken. Returns its id.
fn keep(shelf: &mut Shelf, key: &str, kind: &str, mut row: Value) -> Option<String> {
    let name = row[key].as_str().unwrap_or_default();
    if index_key(kind, key, name).is_some_and(|key| shelf.index.contains_key(&key)) {
        return None;
    }
    let id = format!("{:08x}", shelf.order.len() + 1);
    row["id"] = json!(id);
    row["meta"] = json!({"resourceType": kind.trim_end_matches('s')});
    shelf.keep(kind, &id, &row);
    shelf.order.push(id.clone());
    shelf.rows.insert(id.clone(), row);
    Some(id)
}

fn change(shelf: &mut Shelf, kind: &str, id: &str, method: &str, body: Value) -> (u16, Value) {
    let Some(row) = shelf.rows.get_mut(id) else {
        return (404, error(404));
    };
    if method == "PUT" {
        let meta = row["meta"].take();
        *row = body;
        (row["id"], row["meta"]) = (json!(id), meta);
    } else {
        for operation in body["Operations"].as_array().into_iter().flatten() {
            patch(row, operation);
        }
    }
    let row = row.clone();
    shelf.keep(kind, id, &row);
    if kind == "Groups" {
        (204, Value::Null)
    } else {
        (200, row)
    }
}

fn patch(row: &mut Value, operation: &Value) {
    let op = operation["op"].as_str().unwrap_or_default().to_lowercase();
    let (path, value) = (
        operation["path"].as_str().unwrap_or_default(),
        &operation["value"],
    );
    if path.is_empty() {
        if let (Some(row), Some(values)) = (row.as_object_mut(), value.as_object()) {
            row.extend(values.iter().map(|(k, v)| (k.clone(), v.clone())));
        }
    } else if path.starts_with("members") {
        patch_members(row, &op, path, value);
    } else if let Some((attribute, rest)) = path.split_once('[') {
        // attribute[type eq "work"].value: the one value there is
        let sub = rest.rsplit_once("].").map_or("value", |(_, sub)| sub);
        row[attribute] = json!([{"type": "work", sub: value}]);
    } else {
        // urn:…:User:department and name.givenName are one step down
        let (outer, inner) = path
            .rsplit_once(if path.starts_with("urn:") { ':' } else { '.' })
            .unzip();
        let place = match (outer, inner) {
            (Some(outer), Some(inner)) => &mut row[outer][inner],
            _ => &mut row[path],
        };
        *place = if op == "remove" {
            Value::Null
        } else {
            value.clone()
        };
    }
}

fn patch_members(row: &mut Value, op: &str, path: &str, value: &Value) {
    if !row["members"].is_array() {
        row["members"] = json!([]);
    }
    let Some(members) = row["members"].as_array_mut() else {
        return;
    };
    let named: Vec<&Value> = value.as_array().into_iter().flatten().collect();
    match op {
        "remove" if path.contains('[') => {
            members.retain(|m| !path.contains(m["value"].as_str().unwrap_or("\0")));
        }
        "remove" => members.retain(|m| !named.iter().any(|n| n["value"] == m["value"])),
        "replace" => *members = named.into_iter().cloned().collect(),
        _ => members.extend(named.into_iter().cloned()),
    }
}

fn find(shelf: &Shelf, kind: &str, query: &str) -> Value {
    let query: HashMap<_, _> = url::form_urlencoded::parse(query.as_bytes()).collect();
    if let Some((attribute, value)) = query.get("filter").and_then(|f| f.split_once(" eq ")) {
        let value = value.trim_matches('"');
        let hits: Vec<Value> = if let Some(key) = index_key(kind, attribute, value) {
            let id = shelf.index.get(&key);
            // A value that was changed since leaves its old key behind.
            let row = id
                .and_then(|id| shelf.rows.get(id))
                .filter(|row| same(&row[attribute], value));
            row.into_iter().cloned().collect()
        } else {
            let rows = shelf
                .rows
                .values()
                .filter(|row| same(&row[attribute], value));
            rows.cloned().collect()
        };
        return list(&hits, hits.len(), 1);
    }
    let number = |name: &str, otherwise| {
        query
            .get(name)
            .and_then(|n| n.parse().ok())
            .unwrap_or(otherwise)
    };
    let (start, count) = (
        usize::max(number("startIndex", 1), 1),
        usize::min(number("count", 100), 1000),
    );
    let page = shelf.order.iter().skip(start - 1).take(count);
    let rows: Vec<Value> = page.filter_map(|id| shelf.rows.get(id)).cloned().collect();
    list(&rows, shelf.order.len(), start)
}

fn same(held: &Value, wanted: &str) -> bool {
    held.as_str()
        .is_some_and(|held| held.to_lowercase() == wanted.to_lowercase())
}

/// What a plain look at the sink needs: how many users and groups, users not active, and memberships of the active.
pub fn tally(users: &[Value], groups: &[Value]) -> Map<String, Value> {
    let inactive: HashSet<&Value> = users
        .iter()
        .filter(|user| user["active"] == false)
        .map(|user| &user["id"])
        .collect();
    let members = groups
        .iter()
        .flat_map(|group| group["members"].as_array().into_iter().flatten());
    let counts = [
        ("users", users.len()),
        ("inactive", inactive.len()),
        ("groups", groups.len()),
        (
            "memberships",
            members
                .filter(|member| !inactive.contains(&member["value"]))
                .count(),
        ),
    ];
    counts
        .into_iter()
        .map(|(name, n)| (name.to_owned(), json!(n)))
        .collect()
}
