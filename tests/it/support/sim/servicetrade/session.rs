//! Signing in: cookie sessions from a small pool, and OAuth 2 with rotated refresh tokens.

use serde_json::{Value, json};

use super::data::{CLIENT, COMPANY, SERVICE, Servicetrade};
use crate::support::sim::wire::{Answer, Call};

/// How long an access token lasts, in seconds.
const LIFETIME: i64 = 3600;

impl Servicetrade {
    /// Answers what needs no session.
    pub(super) fn signing_in(
        &mut self,
        call: &Call,
        method: &str,
        path: &[&str],
    ) -> Option<Answer> {
        match (method, path) {
            ("POST", ["auth"]) => Some(self.login(call)),
            ("GET", ["auth"]) => Some(match self.who(call) {
                Some(_) => self.authenticated(None),
                None => self.error(404, "no session"),
            }),
            ("DELETE", ["auth"]) => Some(self.logout(call)),
            ("POST", ["oauth2", "token"]) => Some(self.token(call)),
            ("POST", ["oauth2", "revoke"]) => {
                self.refresh = None;
                Some(Answer::empty(200))
            }
            _ => None,
        }
    }

    fn login(&mut self, call: &Call) -> Answer {
        let (Some(name), Some(password)) = (call.field("username"), call.field("password")) else {
            return self.error(400, "username and password are required");
        };
        let (id, service, secret) = SERVICE;
        if name != service || password != secret {
            let body = json!({"messages": {"error": ["Invalid username or password"]},
                "data": {"authenticated": false, "authToken": null}});
            return Answer::json(403, &body);
        }
        self.logins += 1;
        let token = format!("sess{}", self.fresh());
        let pool: usize = self.setting.get("pool").parse().unwrap_or(1);
        while self.sessions.len() >= pool {
            self.sessions.pop_front();
        }
        self.sessions.push_back((token.clone(), id));
        let cookie = format!("PHPSESSID={token}; path=/; HttpOnly");
        self.authenticated(Some(&token)).with("set-cookie", cookie)
    }

    fn authenticated(&self, token: Option<&str>) -> Answer {
        let (id, name, _) = SERVICE;
        let company = json!({"id": COMPANY, "name": "Example Fire"});
        let user = json!({"id": id, "name": name, "company": company});
        let mut data = json!({"authenticated": true, "user": user});
        if let Some(token) = token {
            data["authToken"] = Value::String(token.to_owned());
        }
        self.data(data)
    }

    fn logout(&mut self, call: &Call) -> Answer {
        let Some(token) = cookie(call) else {
            return self.error(404, "no session");
        };
        let before = self.sessions.len();
        self.sessions.retain(|(known, _)| *known != token);
        if self.sessions.len() == before {
            return self.error(404, "no session");
        }
        self.deleted()
    }

    /// The answer to a `DELETE` that worked.
    pub(super) fn deleted(&self) -> Answer {
        if self.setting.is("deleted", "200") {
            self.data(Value::Null)
        } else {
            Answer::empty(204)
        }
    }

    /// The user whose session or token this is.
    pub(super) fn who(&self, call: &Call) -> Option<i64> {
        if let Some(token) = call.header("authorization").strip_prefix("Bearer ") {
            let good = self
                .bearers
                .get(token)
                .is_some_and(|end| *end > self.ledger.now);
            return good.then_some(SERVICE.0);
        }
        let token = cookie(call)?;
        let session = self.sessions.iter().find(|(known, _)| *known == token)?;
        Some(session.1)
    }

    fn token(&mut self, call: &Call) -> Answer {
        let field = |name: &str| call.field(name).unwrap_or_default();
        let (client, secret) = CLIENT;
        let good = match field("grant_type").as_str() {
            "client_credentials" => {
                field("client_id") == client && field("client_secret") == secret
            }
            // A refresh token is good once: the answer carries the next one.
            "refresh_token" => {
                field("client_id") == client
                    && self
                        .refresh
                        .take()
                        .is_some_and(|known| known == field("refresh_token"))
            }
            _ => false,
        };
        if !good {
            let body =
                json!({"error": "invalid_grant", "error_description": "not known, or used before"});
            return Answer::json(401, &body);
        }
        self.logins += 1;
        let end = self.ledger.now + LIFETIME;
        let token = jwt(&json!({"exp": end, "sub": SERVICE.0, "n": self.fresh()}));
        self.bearers.insert(token.clone(), end);
        let mut body =
            json!({"access_token": token, "token_type": "Bearer", "expires_in": LIFETIME});
        if self.setting.is("refresh", "rotated") {
            let next = format!("refresh{}", self.fresh());
            body["refresh_token"] = Value::String(next.clone());
            self.refresh = Some(next);
        }
        Answer::json(200, &body)
    }
}

fn cookie(call: &Call) -> Option<String> {
    let pairs = call.header("cookie").split(';');
    let mut found = pairs.filter_map(|pair| pair.trim().strip_prefix("PHPSESSID="));
    found.next().map(str::to_owned)
}

/// A token in the form of a JWT. Nobody checks its signature, which is none.
pub(in crate::support::sim) fn jwt(claims: &Value) -> String {
    use base64::Engine as _;
    let coder = base64::engine::general_purpose::URL_SAFE_NO_PAD;
    let head = coder.encode(r#"{"alg":"HS256","typ":"JWT"}"#);
    format!("{head}.{}.simulated", coder.encode(claims.to_string()))
}
