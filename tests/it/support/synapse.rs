//! Synapse, the Matrix home server, and a plain look at what it holds.

use std::time::Duration;

use serde_json::{Value, json};

use super::{
    PASSWORD, ports,
    process::{Server, script, state_dir},
    scim_servers::http,
};

/// A running server with one administrator, `provost`.
#[derive(Debug)]
pub struct Synapse {
    server: Server,
    /// Where it listens, on the loopback.
    pub port: u16,
    token: String,
    /// Without a slash at the end.
    pub base_url: String,
}

impl Synapse {
    /// Starts one.
    pub fn start() -> Self {
        let mut failed = String::new();
        for _ in 0..3 {
            match Self::try_start() {
                Ok(up) => return up,
                Err(log) => failed = log, // most likely somebody took the port; another one then
            }
        }
        panic!("synapse does not start:\n{failed}")
    }

    fn try_start() -> Result<Self, String> {
        let dir = state_dir("synapse");
        let port = ports::free();
        let mut serve = script("synapse/serve", dir.path());
        serve.env("PORT", port.to_string());
        let mut up = Self {
            server: Server::start(&serve, dir, &[]),
            port,
            token: String::new(),
            base_url: format!("http://127.0.0.1:{port}"),
        };
        let mut token = None;
        up.server.wait_until(Duration::from_secs(120), || {
            token = login(port, "provost");
            token.is_some()
        })?;
        up.token = token.unwrap_or_default();
        Ok(up)
    }

    /// One request as the administrator; gives the body.
    pub fn request(&self, method: &str, path: &str, body: Option<&Value>) -> Value {
        let (status, answer) = http(self.port, &self.token, method, path, body)
            .unwrap_or_else(|e| panic!("{method} {path}: {e}\n{}", self.server.log_text()));
        assert_eq!(status, 200, "{method} {path}: {answer}");
        answer
    }

    /// Reads.
    pub fn get(&self, path: &str) -> Value {
        self.request("GET", path, None)
    }

    /// Makes a room.
    pub fn room(&self, name: &str) {
        let room = json!({"name": name, "preset": "private_chat"});
        self.request("POST", "/_matrix/client/v3/createRoom", Some(&room));
    }

    /// Who is in a room.
    pub fn members(&self, name: &str) -> Vec<String> {
        let rooms = self.get("/_synapse/admin/v1/rooms?limit=100");
        let rooms = rooms["rooms"].as_array().cloned().unwrap_or_default();
        let room = rooms.iter().find(|room| room["name"] == name);
        let id = room
            .and_then(|room| room["room_id"].as_str())
            .expect("the room is there");
        let id = id.replace('!', "%21").replace(':', "%3A");
        let members = self.get(&format!("/_synapse/admin/v1/rooms/{id}/members"));
        let members = members["members"].as_array().cloned().unwrap_or_default();
        members
            .iter()
            .filter_map(|m| m.as_str().map(str::to_owned))
            .collect()
    }

    /// Somebody who was there before.
    pub fn register(&self, login: &str, name: &str) {
        let path = format!("/_synapse/admin/v2/users/@{login}:example.test");
        let (status, answer) = http(
            self.port,
            &self.token,
            "PUT",
            &path,
            Some(&json!({"displayname": name})),
        )
        .expect("the server answers");
        assert_eq!(status, 201, "{answer}");
    }

    /// A session of somebody, with a password set for the purpose.
    pub fn session(&self, login_name: &str) -> String {
        let path = format!("/_synapse/admin/v1/reset_password/@{login_name}:example.test");
        self.request(
            "POST",
            &path,
            Some(&json!({"new_password": PASSWORD, "logout_devices": false})),
        );
        login(self.port, login_name).expect("the password is right")
    }

    /// What a login says, and the session if it was one.
    pub fn log_in(&self, user: &str, password: &str) -> (u16, Option<String>) {
        let (status, answer) = ask_in(self.port, user, password).expect("the server answers");
        (status, answer["access_token"].as_str().map(str::to_owned))
    }

    /// The status of asking who one is with a session.
    pub fn who_am_i(&self, token: &str) -> u16 {
        let asked = http(
            self.port,
            token,
            "GET",
            "/_matrix/client/v3/account/whoami",
            None,
        );
        asked.expect("the server answers").0
    }

    /// How many accounts there are.
    pub fn number_of_users(&self) -> u64 {
        let users = self.get("/_synapse/admin/v2/users?locked=true&deactivated=true&limit=1");
        users["total"].as_u64().unwrap_or_default()
    }

    /// The sessions that Provost left open: those named after it.
    pub fn devices_of(&self, login: &str) -> usize {
        let devices = self.get(&format!(
            "/_synapse/admin/v2/users/@{login}:example.test/devices"
        ));
        let devices = devices["devices"].as_array().cloned().unwrap_or_default();
        devices
            .iter()
            .filter(|d| d["display_name"] == "provost")
            .count()
    }
}

fn login(port: u16, user: &str) -> Option<String> {
    let (status, answer) = ask_in(port, user, PASSWORD).ok()?;
    (status == 200).then(|| answer["access_token"].as_str().map(str::to_owned))?
}

fn ask_in(port: u16, user: &str, password: &str) -> Result<(u16, Value), std::io::Error> {
    let body = json!({"type": "m.login.password", "identifier": {"type": "m.id.user", "user": user}, "password": password});
    http(port, "", "POST", "/_matrix/client/v3/login", Some(&body))
}
