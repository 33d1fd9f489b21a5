//! Taking a password away and giving it back on Synapse, with the real program killed: before each of its durable calls, and
//! around each of its requests, which a relay stops before Synapse has it, while Synapse works on it, and when Synapse has
//! answered. Whether a password is right is said by Synapse's own login.

use std::collections::BTreeSet;
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Command, Stdio};
use std::time::Duration;

use provost::model::{Anchor, PasswordState};
use provost::store::{Purpose, State, Vault};
use secrecy::ExposeSecret as _;

use super::chat::Chat;
use super::office::{Person, anchor};
use super::passwords::{LETTERS, message_id, words};
use crate::cli::{code, stderr, stdout};
use crate::support::process::await_some;
use crate::support::relay::{Moment, Relay};
use crate::support::{Cert, Smtp, killer, secrets};

const SUSPEND: &str =
    "[target.suspend]\ndefault = [\"fuzz-password\", \"revoke-sessions\", \"block-login\"]\n";
const PATH: &str = "/_synapse/admin/v2/users/@ada:example.test";
/// More calls and requests than any run here makes.
const MOST: usize = 200;
const LONG: Duration = Duration::from_secs(180);

/// Where a run is killed.
#[derive(Clone, Copy, Debug)]
enum At {
    /// Before its nth durable call.
    Durable(usize),
    /// In the life of its nth request.
    Request(usize, Moment),
}

/// One letter: its id, which it is, and the password that it tells.
type Letter = (String, String, String);

/// A company of two, of whom one is shut out and let in again for each place to be killed at.
struct Story {
    chat: Chat,
    post: Smtp,
    relay: Relay,
    mode: &'static str,
    /// What opens the account when it is open.
    own: String,
    /// What the application was last given as a password.
    set: String,
    openings: usize,
}

impl Story {
    fn begin(mode: &'static str) -> Self {
        let people = vec![
            Person::new("ada", "Ada", false),
            Person::new("bo", "Bo", false),
        ];
        let (chat, post) = (Chat::start(people), Smtp::start("starttls", Cert::Good));
        let relay = Relay::start(chat.server.port);
        let dir = chat.folder.path();
        let tables = [SUSPEND, &secrets::table(dir), &post.table(dir), LETTERS].concat();
        chat.configure(&relay.url, &format!("credentials = \"{mode}\""), &tables);
        let mut story = Self {
            chat,
            post,
            relay,
            mode,
            own: String::new(),
            set: String::new(),
            openings: 0,
        };
        story.settle("the first load");
        story.own = story.last("ada").2;
        story.set.clone_from(&story.own);
        story
    }

    fn letters(&self, uid: &str) -> Vec<Letter> {
        let to = format!("{uid}@example.test");
        let own = self.post.mails().into_iter().filter(|m| m["to"][0] == *to);
        own.map(|mail| {
            let (kind, password) = words(&mail);
            (message_id(&mail).unwrap(), kind, password)
        })
        .collect()
    }

    fn last(&self, uid: &str) -> Letter {
        self.letters(uid).pop().unwrap()
    }

    fn logs_in(&self, uid: &str, password: &str) -> u16 {
        self.chat.server.log_in(uid, password).0
    }

    /// Runs until nothing is left to do.
    fn settle(&mut self, say: &str) {
        for _ in 0..5 {
            let output = self.chat.provost(&["--quiet", "sync"]);
            let text = stdout(&output);
            let fine = [0, 11, 13].contains(&code(&output));
            assert!(fine, "{say}: {text}{}", stderr(&output));
            if code(&output) == 0 && text.contains("nothing to do") {
                self.given();
                return;
            }
        }
        panic!("{say}: it never comes to rest");
    }

    /// The passwords that were sent for ada since the last step began; remembers which one Synapse got last.
    fn given(&mut self) -> Vec<String> {
        let seen = self.relay.seen().into_iter();
        let mut all = Vec::new();
        for request in seen.filter(|seen| seen.line.contains("reset_password/%40ada%3A")) {
            let password = request.body["new_password"].as_str().unwrap().to_owned();
            if request.heard {
                self.set.clone_from(&password);
            }
            all.push(password);
        }
        all
    }

    /// A sync that is killed there; `false` if it ends before.
    fn killed(&self, at: At) -> bool {
        self.relay.forget();
        let mut command = Command::new(env!("CARGO_BIN_EXE_provost"));
        command
            .args(["--config", "provost.toml", "--quiet", "sync"])
            .env_clear()
            .current_dir(self.chat.folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        match at {
            At::Durable(n) => {
                command
                    .env("LD_PRELOAD", killer::library())
                    .env("KILL_AT", n.to_string());
                command.spawn().unwrap().wait().unwrap().signal() == Some(9)
            }
            At::Request(n, moment) => {
                self.relay.stop_at(n, moment, concerned(moment));
                let mut child = command.spawn().unwrap();
                let caught = await_some("a request or the end", LONG, || {
                    let caught = self.relay.caught().map(|_| true);
                    caught.or_else(|| child.try_wait().unwrap().map(|_| false))
                });
                child.kill().unwrap();
                child.wait().unwrap();
                self.relay.release();
                caught
            }
        }
    }

    /// A copy of what is remembered, open.
    fn remembered(&self) -> (tempfile::TempDir, State, Vault) {
        let copy = tempfile::tempdir().unwrap();
        let made = Command::new("cp")
            .arg("-a")
            .arg(self.chat.folder.path().join("state"))
            .arg(copy.path())
            .status();
        assert!(made.unwrap().success());
        let path = copy.path().join("state");
        let (state, vault) = (State::open(&path).unwrap(), secrets::vault(&path));
        (copy, state, vault)
    }

    /// Whatever was under way, somebody can open the account again.
    fn nothing_is_lost(&mut self, say: &str) {
        self.given();
        let (_copy, state, vault) = self.remembered();
        assert_eq!(vault.problems().unwrap(), Vec::<String>::new(), "{say}");
        let known: Vec<String> = secrets::labels(&vault, "app", &anchor(0))
            .iter()
            .filter_map(|label| vault.reveal(label).unwrap())
            .map(|secret| secret.expose_secret().to_owned())
            .collect();
        if self.mode == "managed" {
            assert!(known.contains(&self.own), "{say}");
            return;
        }
        let told = self.letters("ada").iter().any(|one| one.2 == self.set);
        let who = Anchor::new(&anchor(0)).unwrap();
        let shadow = state.shadow("app", &who).unwrap().unwrap();
        // A fuzz that was confirmed is nobody's business: coming back sets another password.
        let fuzzed = shadow.password.state == PasswordState::Fuzzed;
        assert!(known.contains(&self.set) || told || fuzzed, "{say}");
    }

    /// Shuts somebody out or lets them in, killed in between; gives whether it was.
    fn turn(&mut self, shut: bool, at: At) -> bool {
        let say = format!("{}, shut {shut}, {at:?}", self.mode);
        let session = shut.then(|| self.chat.server.log_in("ada", &self.own).1.unwrap());
        self.chat.people[0].expired = shut;
        self.chat.directory();
        let killed = self.killed(at);
        self.nothing_is_lost(&say);
        self.settle(&say);
        let sent: BTreeSet<String> = self.given().into_iter().collect();
        assert_eq!(sent.len(), 1, "{say}: the same value again, never another");
        assert_eq!(self.chat.server.number_of_users(), 3, "{say}");
        if let Some(session) = session {
            assert_eq!(self.chat.server.who_am_i(&session), 401, "{say}");
            self.is_shut(&say);
        } else {
            self.is_open(&say);
        }
        killed
    }

    fn is_shut(&self, say: &str) {
        assert_eq!(self.chat.server.get(PATH)["locked"], true, "{say}");
        assert_eq!(self.logs_in("ada", &self.own), 403, "{say}");
        assert_ne!(self.set, self.own, "{say}: not the lock alone");
        let (_copy, state, vault) = self.remembered();
        let who = Anchor::new(&anchor(0)).unwrap();
        let shadow = state.shadow("app", &who).unwrap().unwrap();
        assert_eq!(shadow.password.state, PasswordState::Fuzzed, "{say}");
        assert_eq!(
            (shadow.suspended_by.len(), shadow.pending.len()),
            (3, 0),
            "{say}"
        );
        let fuzz = secrets::sealed(&vault, "app", &anchor(0), Purpose::Fuzz);
        assert!(fuzz.is_none(), "{say}: it is forgotten");
        assert_ne!(self.last("ada").2, self.set, "{say}: nobody is told a fuzz");
    }

    fn is_open(&mut self, say: &str) {
        self.openings += 1;
        assert_eq!(self.chat.server.get(PATH)["locked"], false, "{say}");
        let letters = self.letters("ada");
        let unique: BTreeSet<&Letter> = letters.iter().collect();
        let ids: BTreeSet<&String> = letters.iter().map(|one| &one.0).collect();
        assert_eq!(ids.len(), unique.len(), "{say}: one letter, one password");
        if self.mode == "managed" {
            assert_eq!(unique.len(), 1, "{say}: they know it already");
        } else {
            assert_eq!(
                unique.len(),
                1 + self.openings,
                "{say}: each time one letter"
            );
            let (_, kind, told) = self.last("ada");
            assert_eq!(kind, "reset", "{say}");
            assert_eq!(self.logs_in("ada", &self.own), 403, "{say}: the one before");
            self.own = told;
            let (_copy, _state, vault) = self.remembered();
            let left = secrets::sealed(&vault, "app", &anchor(0), Purpose::Temporary);
            assert!(left.is_none(), "{say}: it is told, so it is forgotten");
        }
        assert_eq!(self.set, self.own, "{say}");
        assert_eq!(self.logs_in("ada", &self.own), 200, "{say}");
    }

    /// Kills at one place after the other, until neither way has so many; gives how many there were of each.
    fn everywhere(&mut self, at: impl Fn(usize) -> At) -> [usize; 2] {
        let mut places = [0, 0];
        for n in 1..MOST {
            let killed = [true, false].map(|shut| self.turn(shut, at(n)));
            if killed == [false, false] {
                let told = self.letters("bo");
                assert_eq!(told.len(), 1, "nobody else is concerned");
                assert_eq!(self.logs_in("bo", &told[0].2), 200);
                return places;
            }
            for (place, killed) in places.iter_mut().zip(killed) {
                *place += usize::from(killed);
            }
        }
        panic!("{}: more than {MOST} places: {places:?}", self.mode);
    }
}

/// The requests that are stopped at a moment: a lost question is lost whatever was asked, and beyond that it matters only
/// of what changes the account.
fn concerned(moment: Moment) -> fn(&str) -> bool {
    match moment {
        Moment::Unheard => |_line| true,
        Moment::Underway | Moment::Answered => |line| {
            line.starts_with("PUT ")
                || line.contains("/reset_password/")
                || line.contains("/delete_devices")
        },
    }
}

fn before_each_durable_call(mode: &'static str) {
    let [closing, opening] = Story::begin(mode).everywhere(At::Durable);
    // Sealing, intent and outcome of each of three steps, at the least.
    assert!(closing >= 8 && opening >= 6, "{closing}, {opening}");
}

fn around_each_request(mode: &'static str) {
    let mut story = Story::begin(mode);
    for moment in Moment::ALL {
        let [closing, opening] = story.everywhere(|n| At::Request(n, moment));
        // The password, the sessions and the lock; then the lock and the password.
        assert!(closing >= 3 && opening >= 2, "{closing}, {opening}");
    }
}

#[test]
fn killed_before_each_durable_call_a_managed_password_logs_in_again() {
    before_each_durable_call("managed");
}

#[test]
fn killed_before_each_durable_call_a_temporary_password_is_told_and_logs_in() {
    before_each_durable_call("reset");
}

#[test]
fn killed_around_each_request_a_managed_password_logs_in_again() {
    around_each_request("managed");
}

#[test]
fn killed_around_each_request_a_temporary_password_is_told_and_logs_in() {
    around_each_request("reset");
}
