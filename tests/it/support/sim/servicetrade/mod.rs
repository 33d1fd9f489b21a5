//! A SIMULATOR of ServiceTrade: REST and JSON, cookie sessions and OAuth 2.
//!
//! What it does follows the vendor's API reference and SDKs and the notes of others; how users are written is assumed,
//! and so is a switch wherever two ways are thinkable. It is not ServiceTrade.

mod data;
mod reads;
mod session;
mod users;
mod work;

use serde_json::{Map, Value, json};

pub use data::{CLIENT, COMPANY, SERVICE, Servicetrade, User, Work};
pub(super) use session::jwt;

use super::host::Application;
use super::ledger::Ledger;
use super::switch::Label::{Assumed, HelpPage, Observed, Vendor};
use super::switch::Switch;
use super::wire::{Answer, Call};

/// What is not known, or known to differ between customers.
pub const SWITCHES: &[Switch] = &[
    Switch {
        name: "shape",
        options: &[("flat", Observed), ("compound", Observed)],
    },
    Switch {
        name: "reference",
        options: &[("object", Observed), ("id", Assumed)],
    },
    Switch {
        name: "messages",
        options: &[
            ("array", Vendor),
            ("text", Vendor),
            ("map", Vendor),
            ("bare", Vendor),
        ],
    },
    Switch {
        name: "role",
        options: &[("field", Assumed), ("sub-resource", Assumed)],
    },
    Switch {
        name: "password",
        options: &[
            ("accepted", HelpPage),
            ("ignored", Assumed),
            ("refused", Assumed),
        ],
    },
    Switch {
        name: "conflict",
        options: &[
            ("400-validation", Assumed),
            ("400-error", Assumed),
            ("403", Assumed),
            ("409", Assumed),
        ],
    },
    Switch {
        name: "company-filter",
        options: &[("company", Vendor), ("companyId", Observed)],
    },
    Switch {
        name: "booleans",
        options: &[("1", Vendor), ("true", Observed)],
    },
    Switch {
        name: "pool",
        options: &[("8", Assumed), ("1", Assumed)],
    },
    Switch {
        name: "deleted",
        options: &[("200", Vendor), ("204", Observed)],
    },
    Switch {
        name: "expired",
        options: &[("401", Vendor), ("404", Observed)],
    },
    Switch {
        name: "office",
        options: &[
            ("locationId", Assumed),
            ("officeId", Assumed),
            ("defaultOfficeId", Assumed),
        ],
    },
    Switch {
        name: "owner-filter",
        options: &[("owner_id", Observed), ("ownerId", Assumed)],
    },
    Switch {
        name: "quote-owner",
        options: &[("ownerId", Assumed), ("assignedUserId", Observed)],
    },
    Switch {
        name: "rename",
        options: &[("refused", Assumed), ("ignored", Assumed)],
    },
    Switch {
        name: "refresh",
        options: &[("rotated", Vendor), ("none", Vendor)],
    },
    Switch {
        name: "licence",
        options: &[("user", Assumed), ("role", Assumed)],
    },
    Switch {
        name: "unknown-field",
        options: &[("ignored", Assumed), ("refused", Assumed)],
    },
];

impl Application for Servicetrade {
    /// Method and resource, such as `PUT user`; `login` and `token` for signing in.
    fn operation(&self, call: &Call) -> String {
        let (method, path) = call.parts();
        match (method, path.get(1..).unwrap_or(&[])) {
            ("POST", ["auth"]) => "login".to_owned(),
            ("POST", ["oauth2", "token"]) => "token".to_owned(),
            (method, ["user", _, "role", ..]) => format!("{method} role"),
            (method, [resource, ..]) => format!("{method} {resource}"),
            (method, []) => method.to_owned(),
        }
    }

    fn answer(&mut self, call: &Call) -> Answer {
        let (method, path) = call.parts();
        let Some(("api", rest)) = path.split_first().map(|(first, rest)| (*first, rest)) else {
            return self.error(404, "not found");
        };
        if let Some(answer) = self.signing_in(call, method, rest) {
            return answer;
        }
        let Some(who) = self.who(call) else {
            let status = if self.setting.is("expired", "401") {
                401
            } else {
                404
            };
            return self.error(status, "no session");
        };
        self.route(call, method, rest, who)
    }

    fn expire(&mut self) {
        self.sessions.clear();
        self.bearers.clear();
    }

    fn ledger(&mut self) -> &mut Ledger {
        &mut self.ledger
    }
}

impl Servicetrade {
    fn route(&mut self, call: &Call, method: &str, path: &[&str], who: i64) -> Answer {
        match (method, path) {
            ("GET", ["user"]) => self.list_users(call),
            ("POST", ["user"]) => self.create_user(&call.json()),
            ("GET", ["user", id]) => self.one(id, Self::show_user),
            ("PUT", ["user", id]) => self.one(id, |me, id| me.update_user(id, &call.json())),
            ("POST", ["user", id, "role"]) => self.one(id, |me, id| me.add_role(id, &call.json())),
            ("DELETE", ["user", id, "role", role]) => self.one(id, |me, id| me.drop_role(id, role)),
            ("GET", ["role"]) => self.list("roles", self.roles_json(), call),
            ("GET", ["serviceline"]) => self.list("serviceLines", self.lines_json(), call),
            ("GET", ["location"]) => self.list("locations", self.offices_json(), call),
            ("GET", ["account"]) => {
                self.data(json!({"accounts": [{"timezone": "America/New_York"}]}))
            }
            ("GET", ["oauth2", "userinfo"]) => Answer::json(200, &json!({"sub": who})),
            (_, ["externalid", "user", ..]) => self.external(call, method, &path[2..]),
            ("GET", [kind @ ("job" | "appointment" | "quote" | "servicerequest")]) => {
                self.list_work(kind, call)
            }
            (
                "GET",
                [
                    kind @ ("job" | "appointment" | "quote" | "servicerequest"),
                    id,
                ],
            ) => self.show_work(kind, id),
            (
                "PUT",
                [
                    kind @ ("job" | "appointment" | "quote" | "servicerequest"),
                    id,
                ],
            ) => self.update_work(kind, id, &call.json()),
            // Deleting users: no document knows of it.
            _ => self.error(404, "not found"),
        }
    }

    fn one(&mut self, id: &str, then: impl FnOnce(&mut Self, i64) -> Answer) -> Answer {
        match id.parse::<i64>() {
            Ok(id) if self.users.contains_key(&id) => then(self, id),
            Ok(_) | Err(_) => self.error(404, "user not found"),
        }
    }

    fn data(&self, data: Value) -> Answer {
        let mut body = Map::new();
        body.insert("data".to_owned(), data);
        Answer::json(200, &Value::Object(body))
    }

    /// An answer of failure, in one of the forms that the vendor's tests know.
    fn error(&self, status: u16, words: &str) -> Answer {
        let messages = match self.setting.get("messages") {
            "array" | "map" => json!({"error": [words]}),
            "text" => json!({"error": words}),
            _bare => json!([words]),
        };
        Answer::json(status, &json!({"messages": messages, "data": null}))
    }

    fn invalid(&self, field: &str, words: &str) -> Answer {
        let messages = match self.setting.get("messages") {
            "array" => json!({"validation": [words]}),
            "text" => json!({"validation": words}),
            "map" => json!({"validation": {field: words}}),
            _bare => json!([words]),
        };
        Answer::json(400, &json!({"messages": messages, "data": null}))
    }
}
