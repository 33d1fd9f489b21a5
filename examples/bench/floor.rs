//! The least that any client must do for a first load: the same requests, over as many kept-alive connections, from texts
//! that are ready beforehand. It reads no directory, decides nothing, and believes every answer that begins well.

use std::{
    io::{BufRead, BufReader, Error, Read, Write},
    net::TcpStream,
    process::Command,
    thread,
};

use crate::{
    measure::{Measured, Output, run},
    provost_side::{Sink, alias},
    sink,
};

const WORKERS: usize = 16;
/// Members of one group, and accounts of one bulk request.
const TOGETHER: usize = 100;

/// Sends the requests of a first load to an empty application, in a process of its own.
pub fn load(people: u32, sink: &Sink, bulk: bool) -> Measured {
    let dir = tempfile::tempdir().expect("the temporary folder is writable");
    let mut command = Command::new(alias(dir.path(), "floor"));
    command.args([&sink.base_url, &people.to_string(), &bulk.to_string()]);
    run(&command, Output::Dropped, None)
}

/// What the process does: `floor BASE_URL PEOPLE BULK`.
pub fn serve(mut words: impl Iterator<Item = String>) -> std::io::Result<()> {
    let mut word = || words.next().ok_or_else(|| Error::other("too few words"));
    let (base, people, bulk) = (word()?, word()?, word()?);
    let (host, path) = base
        .strip_prefix("http://")
        .and_then(|rest| rest.split_once('/'))
        .ok_or_else(|| Error::other("no URL"))?;
    let people: usize = people.parse().map_err(Error::other)?;
    let head = format!(
        "Host: {host}\r\nAuthorization: Bearer {}\r\nContent-Type: application/scim+json",
        sink::TOKEN
    );
    let request = |method: &str, place: &str, body: &str| {
        format!(
            "{method} /{path}/{place} HTTP/1.1\r\n{head}\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        )
    };
    let users: Vec<String> = if bulk == "true" {
        let all: Vec<usize> = (0..people).collect();
        all.chunks(TOGETHER)
            .map(|some| request("POST", "Bulk", &several(some)))
            .collect()
    } else {
        (0..people)
            .map(|n| request("POST", "Users", &user(n)))
            .collect()
    };
    let groups = people / 50;
    let made: Vec<String> = (0..groups)
        .map(|n| {
            request(
                "POST",
                "Groups",
                &format!("{{\"displayName\":\"team-{n:04}\"}}"),
            )
        })
        .collect();
    let members: Vec<String> = (0..groups)
        .map(|n| {
            request(
                "PATCH",
                &format!("Groups/{:08x}", n + 1),
                &joining(n, people),
            )
        })
        .collect();
    for requests in [users, made, members] {
        send(host, &requests)?;
    }
    Ok(())
}

fn user(n: usize) -> String {
    format!(
        r#"{{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User","urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"],"userName":"user{n:06}","externalId":"3f0e4c1a-9f5b-4d7e-8a51-{n:012}","name":{{"givenName":"Given{n}","familyName":"Family{n}"}},"displayName":"Given{n} Family{n}","title":"Engineer","active":true,"emails":[{{"value":"user{n:06}@example.test","type":"work","primary":true}}],"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User":{{"employeeNumber":"{n}","department":"Engineering"}}}}"#
    )
}

fn several(some: &[usize]) -> String {
    let operations: Vec<String> = some
        .iter()
        .map(|n| {
            let data = user(*n);
            format!(r#"{{"method":"POST","path":"/Users","bulkId":"{n}","data":{data}}}"#)
        })
        .collect();
    format!(
        r#"{{"schemas":["urn:ietf:params:scim:api:messages:2.0:BulkRequest"],"Operations":[{}]}}"#,
        operations.join(",")
    )
}

/// A hundred members for a group; who they are makes no difference.
fn joining(group: usize, people: usize) -> String {
    let ids = (0..TOGETHER).map(|k| (group * 50 + k) % people + 1);
    let members: Vec<String> = ids.map(|id| format!(r#"{{"value":"{id:08x}"}}"#)).collect();
    let members = members.join(",");
    format!(
        r#"{{"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[{{"op":"add","path":"members","value":[{members}]}}]}}"#
    )
}

/// Sends requests over as many connections as there are workers, and waits for every answer.
fn send(host: &str, requests: &[String]) -> std::io::Result<()> {
    let share = requests.len().div_ceil(WORKERS).max(1);
    thread::scope(|scope| {
        let workers: Vec<_> = requests
            .chunks(share)
            .map(|mine| scope.spawn(move || worker(host, mine)))
            .collect();
        workers.into_iter().try_for_each(|worker| {
            worker
                .join()
                .unwrap_or_else(|_panic| Err(Error::other("a worker panicked")))
        })
    })
}

fn worker(host: &str, requests: &[String]) -> std::io::Result<()> {
    let stream = TcpStream::connect(host)?;
    stream.set_nodelay(true)?;
    let (mut reader, mut out) = (BufReader::with_capacity(1 << 16, &stream), &stream);
    let (mut line, mut body) = (String::new(), Vec::new());
    for request in requests {
        out.write_all(request.as_bytes())?;
        let mut length = 0;
        for number in 0.. {
            line.clear();
            reader.read_line(&mut line)?;
            if number == 0 && !line.starts_with("HTTP/1.1 2") {
                return Err(Error::other(format!("refused: {line}")));
            }
            let Some((name, value)) = line.trim_end().split_once(':') else {
                if number == 0 {
                    continue;
                }
                break;
            };
            if name.eq_ignore_ascii_case("content-length") {
                length = value.trim().parse().map_err(Error::other)?;
            }
        }
        body.resize(length, 0);
        reader.read_exact(&mut body)?;
    }
    Ok(())
}
