//! Redmine, the project management application, and a plain look at what it holds.

use std::{process::Command, time::Duration};

use base64::Engine as _;
use serde_json::{Value, json};
use tempfile::NamedTempFile;

use super::{
    PASSWORD, ports,
    process::{Server, run, script, state_dir},
    scim_servers::http_as,
};

/// The number of the field that holds the anchor.
pub const ANCHOR_FIELD: u64 = 1;
/// A role of Redmine's own defaults to whom issues may be assigned.
const DEVELOPER: u64 = 4;

/// What a login comes to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Door {
    /// They are in.
    In,
    /// The password is right, and nothing is done before they have chosen another.
    MustChange,
    /// A wrong password, or a locked account.
    Closed,
}

/// A running Redmine with one administrator, `admin`.
#[derive(Debug)]
pub struct Redmine {
    server: Server,
    /// Where it listens, on the loopback.
    pub port: u16,
    /// Without a slash at the end.
    pub base_url: String,
}

impl Redmine {
    /// Starts one that mails through the plain mail server on this port. The first of all makes the database, which takes a
    /// minute.
    pub fn start(mail: u16) -> Self {
        let mut failed = String::new();
        for _ in 0..3 {
            match Self::try_start(mail) {
                Ok(up) => return up,
                Err(log) => failed = log, // most likely somebody took the port; another one then
            }
        }
        panic!("redmine does not start:\n{failed}")
    }

    fn try_start(mail: u16) -> Result<Self, String> {
        let dir = state_dir("redmine");
        let port = ports::free();
        let mut serve = script("redmine/serve", dir.path());
        serve
            .env("PORT", port.to_string())
            .env("MAIL_PORT", mail.to_string());
        let mut up = Self {
            server: Server::start(&serve, dir, &[]),
            port,
            base_url: format!("http://127.0.0.1:{port}"),
        };
        up.server.wait_until(Duration::from_secs(300), || {
            ask(port, "admin", PASSWORD, "GET", "/users/current.json", None)
                .is_ok_and(|(status, _)| status == 200)
        })?;
        Ok(up)
    }

    /// One request as the administrator; gives the body.
    pub fn request(&self, method: &str, path: &str, body: Option<&Value>) -> Value {
        let (status, answer) = ask(self.port, "admin", PASSWORD, method, path, body)
            .unwrap_or_else(|e| panic!("{method} {path}: {e}\n{}", self.server.log_text()));
        assert!(
            [200, 201, 204].contains(&status),
            "{method} {path}: {status} {answer}"
        );
        answer
    }

    /// Everybody with an account, whatever its status.
    pub fn users(&self) -> Vec<Value> {
        let users = self.request("GET", "/users.json?status=&limit=100", None);
        users["users"].as_array().cloned().unwrap_or_default()
    }

    /// Somebody's account, with groups.
    pub fn user(&self, login: &str) -> Value {
        let users = self.users();
        let mut found = users.iter().filter(|user| user["login"] == login);
        let id = found.next().expect("the account is there")["id"].clone();
        assert_eq!(found.next(), None, "one account for one login");
        let path = format!("/users/{id}.json?include=groups");
        self.request("GET", &path, None)["user"].clone()
    }

    /// What groups somebody is in.
    pub fn groups_of(&self, login: &str) -> Vec<String> {
        let user = self.user(login);
        let groups = user["groups"].as_array().cloned().unwrap_or_default();
        let names = groups.iter().filter_map(|group| group["name"].as_str());
        let mut names: Vec<String> = names.map(str::to_owned).collect();
        names.sort();
        names
    }

    /// Makes a group with these members.
    pub fn group(&self, name: &str, members: &[&str]) {
        let ids: Vec<Value> = members.iter().map(|m| self.user(m)["id"].clone()).collect();
        let group = json!({"group": {"name": name, "user_ids": ids}});
        self.request("POST", "/groups.json", Some(&group));
    }

    /// Makes a project in which these people work.
    pub fn project(&self, name: &str, members: &[&str]) {
        let project = json!({"project": {"name": name, "identifier": name}});
        self.request("POST", "/projects.json", Some(&project));
        for login in members {
            let member =
                json!({"membership": {"user_id": self.user(login)["id"], "role_ids": [DEVELOPER]}});
            let path = format!("/projects/{name}/memberships.json");
            self.request("POST", &path, Some(&member));
        }
    }

    /// Opens an issue that is somebody's.
    pub fn issue(&self, project: &str, subject: &str, login: &str) {
        let issue = json!({"issue": {"project_id": project, "subject": subject,
            "assigned_to_id": self.user(login)["id"]}});
        self.request("POST", "/issues.json", Some(&issue));
    }

    /// The subjects of the open issues that are somebody's.
    pub fn issues_of(&self, login: &str) -> Vec<String> {
        let path = format!(
            "/issues.json?assigned_to_id={}&status_id=open&sort=id",
            self.user(login)["id"]
        );
        let issues = self.request("GET", &path, None);
        let issues = issues["issues"].as_array().cloned().unwrap_or_default();
        let subjects = issues.iter().filter_map(|issue| issue["subject"].as_str());
        subjects.map(str::to_owned).collect()
    }

    /// What a login at the interface comes to.
    pub fn log_in(&self, login: &str, password: &str) -> Door {
        let path = "/users/current.json";
        let (status, _) =
            ask(self.port, login, password, "GET", path, None).expect("the server answers");
        match status {
            200 => Door::In,
            403 => Door::MustChange,
            401 => Door::Closed,
            other => panic!("{login}: {other}"),
        }
    }

    /// A person at the pages of the application: logs in, is led to the page that asks for another password whatever they
    /// open, and chooses one.
    pub fn choose(&self, login: &str, password: &str, new: &str) {
        let jar = NamedTempFile::new().expect("the temporary folder is writable");
        let page = |path: &str, form: &[(&str, &str)]| {
            let mut curl = Command::new("curl");
            curl.args(["--silent", "--show-error", "--fail", "--location"])
                .arg("--cookie")
                .arg(jar.path())
                .arg("--cookie-jar")
                .arg(jar.path())
                .args(["--write-out", "\n%{url_effective}"]);
            for (name, value) in form {
                curl.arg("--data-urlencode").arg(format!("{name}={value}"));
            }
            let text = run(curl.arg(format!("{}{path}", self.base_url)));
            let (text, at) = text.rsplit_once('\n').expect("the address comes last");
            (text.to_owned(), at.to_owned())
        };
        let (text, _) = page("/login", &[]);
        let token = token(&text);
        let form = [
            ("authenticity_token", token.as_str()),
            ("username", login),
            ("password", password),
        ];
        page("/login", &form);
        let (text, at) = page("/my/page", &[]);
        assert!(at.ends_with("/my/password"), "{login} is led to {at}");
        let token = self::token(&text);
        let form = [
            ("authenticity_token", token.as_str()),
            ("password", password),
            ("new_password", new),
            ("new_password_confirmation", new),
        ];
        page("/my/password", &form);
        let (_, at) = page("/my/page", &[]);
        assert!(at.ends_with("/my/page"), "{login} is led to {at}");
    }
}

/// What a page demands to be sent back.
fn token(page: &str) -> String {
    let after = page.split("name=\"authenticity_token\" value=\"").nth(1);
    let token = after.and_then(|text| text.split('"').next());
    token.expect("a page with a form").to_owned()
}

fn ask(
    port: u16,
    login: &str,
    password: &str,
    method: &str,
    path: &str,
    body: Option<&Value>,
) -> Result<(u16, Value), std::io::Error> {
    let pair =
        base64::engine::general_purpose::STANDARD.encode(format!("{login}:{password}").as_bytes());
    http_as(port, &format!("Basic {pair}"), method, path, body)
}
