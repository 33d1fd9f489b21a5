//! "Created", says the application, and does not say properly what: nobody may get a second account for that. The
//! application here keeps no name unique, so that a second request would make a second account.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use provost::config::{Secrets, load};
use provost::engine::{self, ChangeStatus, Request as Run, RunReport, Session, View};
use provost::model::Outcome;
use serde_json::{Value as Json, json};

use super::{missing, page};
use crate::http::stub::{Reply, Request, Stub, answer, json as reply};
use crate::support::{secrets, small};

const MAPPING: &str = r#"
version = 1

[[match]]
account = "externalId"
value = "{{ anchor }}"

[attributes.externalId]
value = "{{ anchor }}"

[attributes.userName]
value = "{{ uid }}"
"#;

const PEOPLE: usize = 3;

/// The answer about a user who was just created.
type Created = fn(&Json) -> Reply;

/// An application that answers a create so, and afterwards reads nothing out until it is repaired.
struct Service {
    users: Mutex<Vec<Json>>,
    blind: AtomicBool,
    /// Whether creating blinds it.
    blinds: bool,
    created: Created,
}

impl Service {
    fn answer(&self, request: &Request) -> Reply {
        if request.is("POST", "/scim/Users") {
            return self.create(request.json());
        }
        if self.blind.load(Ordering::SeqCst) {
            return reply(503, &json!({"detail": "not now"}));
        }
        let users = self.users.lock().unwrap();
        match request.target.split_once("/Users/") {
            Some((_, id)) => match users.iter().find(|user| user["id"] == id) {
                Some(user) => reply(200, user),
                None => missing(),
            },
            None if request.is("GET", "/scim/Users") => {
                let named = |user: &&Json| {
                    let (_, filter) = request.target.split_once("filter=").unwrap_or_default();
                    filter.is_empty()
                        || filter.contains(user["userName"].as_str().unwrap())
                        || filter.contains(user["externalId"].as_str().unwrap())
                };
                let found: Vec<Json> = users.iter().filter(named).cloned().collect();
                page(found.len(), &found)
            }
            None => missing(),
        }
    }

    fn create(&self, mut user: Json) -> Reply {
        let mut users = self.users.lock().unwrap();
        user["id"] = json!(format!("n{}", users.len()));
        users.push(user.clone());
        self.blind.fetch_or(self.blinds, Ordering::SeqCst);
        (self.created)(&user)
    }
}

fn files(url: &str) -> tempfile::TempDir {
    let people = small::people((0..PEOPLE).map(|n| format!("p{n}")));
    small::folder(&people, MAPPING, &|folder| {
        let token = secrets::put(folder, "token", "t");
        format!(
            "type = \"scim\"\nreview-first-run = false\nurl = \"{url}\"\nauth = {{ type = \"bearer\", token = \"{token}\" }}\n"
        )
    })
}

async fn sync(folder: &tempfile::TempDir) -> RunReport {
    let loaded = load(&folder.path().join("provost.toml"), Secrets::Load);
    let loaded = loaded.unwrap_or_else(|problems| panic!("{problems}"));
    let session = Session::open(loaded.config).unwrap();
    let run = Run {
        view: View::Sync,
        ..Run::default()
    };
    engine::sync(&session, &run).await.unwrap()
}

/// Ways to say that somebody was created, none of which says properly who.
fn ways() -> [(&'static str, Created); 7] {
    let elsewhere: Created = |_| {
        answer(
            201,
            "Location: https://elsewhere.example/scim/Users/n0\r\n",
            "",
        )
    };
    [
        ("a location elsewhere", elsewhere),
        ("a location of something else", |_| {
            answer(201, "Location: /scim/Things/7\r\n", "")
        }),
        ("nothing", |_| answer(201, "", "")),
        ("no id", |user| {
            reply(201, &json!({"userName": user["userName"]}))
        }),
        ("an id that is none", |_| {
            reply(201, &json!({"id": {"a": 1}}))
        }),
        ("an id and nothing else", |user| {
            reply(201, &json!({"id": user["id"]}))
        }),
        ("a web page", |_| {
            answer(201, "Content-Type: text/html\r\n", "<html>Done!</html>")
        }),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn who_was_created_is_found_by_reading_and_never_created_twice() {
    for (name, created) in ways() {
        for blinds in [false, true] {
            let service = Arc::new(Service {
                users: Mutex::default(),
                blind: AtomicBool::new(false),
                blinds,
                created,
            });
            let here = Stub::start({
                let service = Arc::clone(&service);
                move |request| service.answer(request)
            })
            .await;
            let folder = files(&here.base);
            let first = sync(&folder).await;
            let doubtful = |status: &ChangeStatus| matches!(status, ChangeStatus::Unconfirmed(_));
            let results = &first.targets[0].results;
            assert_eq!(
                results.iter().any(|result| doubtful(&result.status)),
                blinds || name == "a web page",
                "{name}: {results:#?}"
            );
            service.blind.store(false, Ordering::SeqCst);
            for _ in 0..3 {
                sync(&folder).await;
                service.blind.store(false, Ordering::SeqCst);
            }
            let last = sync(&folder).await;
            assert_eq!(last.outcome(), Outcome::NothingToDo, "{name}: {last:#?}");
            let posts = here
                .calls()
                .iter()
                .filter(|call| call.starts_with("POST"))
                .count();
            assert_eq!(posts, PEOPLE, "{name}: {:?}", here.calls());
        }
    }
}
