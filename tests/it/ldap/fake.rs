//! A scripted LDAP server for what no real server does on demand, and reads against it.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use provost::model::Shortfall;
use provost::source::settings::{GroupMethod, LdapSettings, Protection, Server, SourceSettings};
use provost::source::{GroupNeed, SourceError};

use super::{Tray, fetch, request, settings, shortfalls, try_fetch};

const BIND: u8 = 0x60;
pub(super) const SEARCH: u8 = 0x63;
const DN: &[u8] = b"uid=a,ou=people,dc=t";
const ID: &[u8] = b"00112233-4455-6677-8899-aabbccddeeff";
/// The anchor of somebody else.
pub(super) const OTHER_TEXT: &str = "11112233-4455-6677-8899-aabbccddeeff";

pub(super) fn element(tag: u8, body: &[u8]) -> Vec<u8> {
    let mut out = vec![tag];
    match body.len() {
        n @ 0..0x80 => out.push(u8::try_from(n).unwrap()),
        n => {
            out.push(0x84);
            out.extend(u32::try_from(n).unwrap().to_be_bytes());
        }
    }
    out.extend_from_slice(body);
    out
}

pub(super) fn message(id: u8, operation: u8, body: &[u8]) -> Vec<u8> {
    let inner = [element(2, &[id]), element(operation, body)].concat();
    element(0x30, &inner)
}

pub(super) fn result(code: u8, text: &str) -> Vec<u8> {
    [
        element(10, &[code]),
        element(4, b""),
        element(4, text.as_bytes()),
    ]
    .concat()
}

pub(super) fn entry(id: u8, dn: &[u8], attributes: &[(&str, &[&[u8]])]) -> Vec<u8> {
    let attribute = |(name, values): &(&str, &[&[u8]])| {
        let set: Vec<u8> = values.iter().flat_map(|v| element(4, v)).collect();
        element(
            0x30,
            &[element(4, name.as_bytes()), element(0x31, &set)].concat(),
        )
    };
    let list: Vec<u8> = attributes.iter().flat_map(attribute).collect();
    message(id, 0x64, &[element(4, dn), element(0x30, &list)].concat())
}

pub(super) fn done(id: u8) -> Vec<u8> {
    message(id, 0x65, &result(0, ""))
}

/// The end of a search that did not go well.
pub(super) fn refusal(id: u8, code: u8) -> Vec<u8> {
    message(id, 0x65, &result(code, ""))
}

/// The end of a page, with the cookie for the next one.
fn page_end(id: u8, cookie: &[u8]) -> Vec<u8> {
    let value = element(0x30, &[element(2, &[0]), element(4, cookie)].concat());
    let control = [element(4, b"1.2.840.113556.1.4.319"), element(4, &value)].concat();
    let controls = element(0xA0, &element(0x30, &control));
    let inner = [element(2, &[id]), element(0x65, &result(0, "")), controls].concat();
    element(0x30, &inner)
}

/// One request: its id, operation and whether the bytes of its body hold some text.
pub(super) struct Asked<'a> {
    pub(super) id: u8,
    pub(super) operation: u8,
    pub(super) body: &'a [u8],
}

impl Asked<'_> {
    pub(super) fn names(&self, text: &str) -> bool {
        self.body
            .windows(text.len())
            .any(|w| w.eq_ignore_ascii_case(text.as_bytes()))
    }

    /// A polite answer: the bind succeeds, searches find nothing.
    pub(super) fn politely(&self) -> Vec<u8> {
        match self.operation {
            BIND => message(self.id, 0x61, &result(0, "")),
            SEARCH if self.names("supportedControl") => {
                let root = entry(self.id, b"", &[("vendorName", &[b"fake"])]);
                [root, done(self.id)].concat()
            }
            SEARCH => done(self.id),
            // "Who am I?" and what else there is.
            0x77 => message(self.id, 0x78, &result(2, "unknown")),
            _ => Vec::new(),
        }
    }
}

/// Serves connections one after the other until the process ends.
pub(super) fn serve(mut script: impl FnMut(Asked<'_>) -> Vec<u8> + Send + 'static) -> Server {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut buffer = Vec::new();
            let mut chunk = [0; 4096];
            while let Ok(n @ 1..) = stream.read(&mut chunk) {
                buffer.extend_from_slice(&chunk[..n]);
                // The client's messages are short: one length byte, or 0x81 or 0x82 and what follows.
                while buffer.len() > 4 {
                    let (head, body) = match buffer[1] {
                        0x82 => (4, usize::from(buffer[2]) << 8 | usize::from(buffer[3])),
                        0x81 => (3, usize::from(buffer[2])),
                        n => (2, usize::from(n)),
                    };
                    if buffer.len() < head + body {
                        break;
                    }
                    let rest = buffer.split_off(head + body);
                    let asked = Asked {
                        id: buffer[head + 2],
                        operation: buffer[head + 3],
                        body: &buffer[head + 4..],
                    };
                    let answer = script(asked);
                    if stream.write_all(&answer).is_err() {
                        break;
                    }
                    buffer = rest;
                }
            }
        }
    });
    Server {
        host: "127.0.0.1".to_owned(),
        port,
        protection: Protection::DangerPlain,
    }
}

pub(super) fn source(server: Server) -> (SourceSettings, LdapSettings) {
    let (source, mut ldap) = settings(vec![server], None);
    ldap.bind_name = "cn=reader,dc=t".to_owned();
    ldap.bind_password = "secret".to_owned().into();
    ldap.bases = vec!["ou=people,dc=t".to_owned()];
    ldap.groups.bases = vec!["ou=groups,dc=t".to_owned()];
    ldap.groups.method = GroupMethod::Member;
    (source, ldap)
}

fn bomb() -> Vec<u8> {
    let mut bytes = Vec::new();
    // 40 KB of SEQUENCE headers: enough to exhaust the stack of a recursive parser.
    for _ in 0..10_000 {
        bytes.extend([0x30, 0x82, 0x7f, 0xff]);
    }
    bytes
}

/// Given the message id and whether it answers the bind.
type Attack = Box<dyn Fn(u8, bool) -> Vec<u8> + Send>;
/// What the report must say, and how the search ends.
type End = (&'static str, fn(u8) -> Vec<u8>);

#[test]
fn bombs_end_the_read_and_not_the_process() {
    let nested = |id: u8, tag: u8| {
        let mut body = Vec::new();
        for _ in 0..3000 {
            body = element(0x30, &body);
        }
        message(id, tag, &body)
    };
    let attacks: [Attack; 5] = [
        Box::new(|_, _| bomb()),
        Box::new(move |id, bind| nested(id, if bind { 0x61 } else { 0x65 })),
        Box::new(move |id, _| nested(id, 0x64)),
        Box::new(|_, _| vec![0x30, 0x84, 0x7f, 0xff, 0xff, 0xff, 2, 1, 1]),
        Box::new(|_, _| b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec()),
    ];
    for (number, attack) in attacks.into_iter().enumerate() {
        let at_bind = number % 2 == 0;
        let server = serve(move |asked| match asked.operation {
            BIND if at_bind => attack(asked.id, true),
            SEARCH if !at_bind && asked.names("ou=people") => attack(asked.id, false),
            _ => asked.politely(),
        });
        let mut tray = Tray::default();
        let (source, mut ldap) = source(server);
        ldap.read_timeout = Duration::from_secs(1);
        match try_fetch((source, ldap), &request(&[], GroupNeed::None), &mut tray) {
            Err(SourceError::Unreachable { .. }) => assert!(at_bind, "attack {number}"),
            Ok(report) => {
                assert!(!at_bind, "attack {number}");
                assert!(matches!(shortfalls(&report)[0], Shortfall::Broken { .. }));
            }
            Err(error) => panic!("attack {number}: {error}"),
        }
        assert!(tray.people.is_empty());
    }
}

pub(super) fn people(asked: &Asked<'_>, last: &[u8]) -> Vec<u8> {
    let attributes: [(&str, &[&[u8]]); 2] = [("entryUUID", &[ID]), ("uid", &[b"a"])];
    [entry(asked.id, DN, &attributes), last.to_vec()].concat()
}

/// Somebody else's entry.
pub(super) fn others(asked: &Asked<'_>) -> Vec<u8> {
    let attributes: [(&str, &[&[u8]]); 2] =
        [("entryUUID", &[OTHER_TEXT.as_bytes()]), ("uid", &[b"b"])];
    entry(asked.id, b"uid=b,ou=people,dc=t", &attributes)
}

#[test]
fn a_server_that_loses_its_place_is_asked_once_more_from_the_first_page() {
    for lost in [1, 2, u32::MAX] {
        let (mut left, searches) = (lost, Arc::new(AtomicU32::new(0)));
        let counted = Arc::clone(&searches);
        let server = serve(move |asked| match asked.operation {
            SEARCH if asked.names("supportedControl") => {
                let offers: [(&str, &[&[u8]]); 1] =
                    [("supportedControl", &[b"1.2.840.113556.1.4.319"])];
                [entry(asked.id, b"", &offers), done(asked.id)].concat()
            }
            SEARCH if asked.names("NEXTPAGE") && left > 0 => {
                left -= 1;
                refusal(asked.id, 53)
            }
            SEARCH if asked.names("NEXTPAGE") => [others(&asked), page_end(asked.id, b"")].concat(),
            SEARCH if asked.names("ou=people") => {
                counted.fetch_add(1, Ordering::SeqCst);
                people(&asked, &page_end(asked.id, b"NEXTPAGE"))
            }
            _ => asked.politely(),
        });
        let mut tray = Tray::default();
        let report = fetch(
            source(server),
            &request(&["uid"], GroupNeed::None),
            &mut tray,
        );
        assert_eq!(searches.load(Ordering::SeqCst), 2, "once more, and no more");
        let why = shortfalls(&report);
        if lost == 1 {
            assert!(report.completeness.is_full(), "{why:?}");
            assert_eq!(tray.people.len(), 2);
            assert_eq!(report.bases[0].entries, 2, "nothing counts twice");
        } else {
            let [
                Shortfall::LostPlace {
                    pages: 1, code: 53, ..
                },
            ] = why
            else {
                panic!("{why:?}")
            };
            assert_eq!(tray.people.len(), 1);
        }
    }
}

#[test]
fn a_read_that_does_not_end_well_is_partial() {
    let ends: [End; 7] = [
        ("size limit", |id| message(id, 0x65, &result(4, ""))),
        ("refers to", |id| {
            [
                message(id, 0x73, &element(4, b"ldap://other.t/ou=x,ou=people,dc=t")),
                done(id),
            ]
            .concat()
        }),
        ("ended the connection: result 52, bye", |_| {
            message(0, 0x78, &result(52, "bye"))
        }),
        ("out of turn with result 12", |id| {
            message(id, 0x78, &result(12, "no"))
        }),
        ("unexpected kind", |id| done(id + 1)),
        ("was silent", |_| Vec::new()),
        ("does not exist", |id| message(id, 0x65, &result(32, ""))),
    ];
    for (why, end) in ends {
        let server = serve(move |asked| match asked.operation {
            SEARCH if asked.names("ou=people") => people(&asked, &end(asked.id)),
            _ => asked.politely(),
        });
        let (source, mut ldap) = source(server);
        ldap.read_timeout = Duration::from_millis(700);
        let mut tray = Tray::default();
        let report = fetch(
            (source, ldap),
            &request(&["uid"], GroupNeed::None),
            &mut tray,
        );
        let said: Vec<String> = shortfalls(&report)
            .iter()
            .map(ToString::to_string)
            .collect();
        assert!(said.iter().any(|s| s.contains(why)), "{why}: {said:?}");
        assert_eq!(tray.people.len(), 1, "what was seen may be used: {why}");
    }
}

#[test]
fn odd_entries_are_held_and_the_others_are_read() {
    let server = serve(|asked| match asked.operation {
        SEARCH if asked.names("ou=people") => {
            let odd: [(&str, &[&[u8]]); 2] = [
                ("entryUUID", &[b"11112233-4455-6677-8899-aabbccddeeff"]),
                ("uid", &[b"\xff"]),
            ];
            let dn: [(&str, &[&[u8]]); 1] =
                [("entryUUID", &[b"22112233-4455-6677-8899-aabbccddeeff"])];
            [
                entry(asked.id, b"uid=b", &odd),
                entry(asked.id, b"uid=\xff\x1b", &dn),
                people(&asked, &done(asked.id)),
            ]
            .concat()
        }
        _ => asked.politely(),
    });
    let mut tray = Tray::default();
    let report = fetch(
        source(server),
        &request(&["uid"], GroupNeed::None),
        &mut tray,
    );
    assert!(report.completeness.is_full(), "{:?}", shortfalls(&report));
    assert_eq!(tray.people.len(), 1);
    let dns: Vec<&str> = tray.problems.iter().map(|p| p.dn.as_str()).collect();
    assert_eq!(dns, ["uid=b", "uid=\\xff\\u{1b}"]);
    assert!(tray.problems.iter().all(|p| p.anchor.is_some()));
}

#[test]
fn members_that_come_in_parts_are_completed() {
    for whole in [true, false] {
        let server = serve(move |asked| match asked.operation {
            SEARCH if asked.names("member;range=2-*") => {
                let tail: [(&str, &[&[u8]]); 1] = [("member;range=2-*", &[DN])];
                let tail = entry(asked.id, b"cn=all,ou=groups,dc=t", &tail);
                [if whole { tail } else { Vec::new() }, done(asked.id)].concat()
            }
            SEARCH if asked.names("ou=groups") => {
                let first: [(&str, &[&[u8]]); 2] = [
                    ("cn", &[b"all"]),
                    ("member;range=0-1", &[b"uid=x", b"uid=y"]),
                ];
                [
                    entry(asked.id, b"cn=all,ou=groups,dc=t", &first),
                    done(asked.id),
                ]
                .concat()
            }
            SEARCH if asked.names("ou=people") => people(&asked, &done(asked.id)),
            _ => asked.politely(),
        });
        let mut tray = Tray::default();
        let report = fetch(
            source(server),
            &request(&["uid"], GroupNeed::All),
            &mut tray,
        );
        if whole {
            assert!(report.completeness.is_full(), "{:?}", shortfalls(&report));
            assert_eq!(super::groups_of(&tray, "a"), ["all"]);
        } else {
            assert!(matches!(shortfalls(&report)[0], Shortfall::Groups(_)));
            assert_eq!((tray.people.len(), tray.problems.len()), (0, 1), "held");
        }
    }
}

#[test]
fn nothing_may_follow_the_answer_to_start_tls() {
    let mut server = serve(|asked| {
        let answer = message(asked.id, 0x78, &result(0, ""));
        let injected = message(2, 0x61, &result(0, ""));
        [answer, injected].concat()
    });
    server.protection = Protection::StartTls;
    let error = try_fetch(
        source(server),
        &request(&[], GroupNeed::None),
        &mut Tray::default(),
    );
    let text = error.map(|_| ()).unwrap_err().to_string();
    assert!(text.contains("interfering"), "{text}");
}
