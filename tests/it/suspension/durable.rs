//! Killed before every single call that makes something durable, of journal, vault, index, outbox and application alike,
//! one after the other until a run ends without being killed: at no moment does an account have a password that nobody can
//! set again or was told, and whoever goes on afterwards ends where an undisturbed run ends.

use std::os::unix::process::ExitStatusExt as _;

use super::*;
use crate::support::{Cert, Smtp, killer};

/// More than any run here makes: a test that never ends tells nobody why.
const MOST: usize = 400;

/// Before which calls a run is killed, one after the other.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Calls {
    /// Those that make something durable: what was written before is there.
    Durable,
    /// Those and every write to a file: what was done and not yet written down is forgotten.
    Writing,
}

/// Runs a sync that is killed before its Nth such call; `false` if it has fewer.
fn killed_at(company: &Company, calls: Calls, n: usize) -> bool {
    let mut command = Command::new(env!("CARGO_BIN_EXE_provost"));
    command.env_clear();
    if calls == Calls::Writing {
        command.env("KILL_WRITES", "1");
    }
    let mut child = command
        .args(["--config", "provost.toml", "--quiet", "sync"])
        .env("LD_PRELOAD", killer::library())
        .env("KILL_AT", n.to_string())
        .current_dir(company.dir())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    child.wait().unwrap().signal() == Some(9)
}

/// A company, and where its letters arrive.
struct Story {
    company: Company,
    post: Smtp,
    mode: &'static str,
    first: SecretString,
    own: AccountId,
    /// How much the application had been asked to do with the account when they left.
    before: usize,
}

impl Story {
    /// Everybody has an account and knows its password.
    fn begin(mode: &'static str) -> Self {
        let post = Smtp::start("starttls", Cert::Good);
        let mut company = company(mode);
        company.tables += &post_to(&post, &company);
        company.publish();
        settle(&company, mode);
        let told = told(&post);
        assert_eq!(told.len(), 1, "{mode}: everybody is told once");
        let first = SecretString::from(told[0].clone());
        let (own, before) = (id(&company), steps(&company).len());
        Self {
            before,
            company,
            post,
            mode,
            first,
            own,
        }
    }

    fn inside(&self, company: &Company) -> provost::target::sandbox::Inside {
        practice(company).inside(&self.own).unwrap()
    }

    /// Nothing is lost at this moment, whatever was under way.
    fn nothing_is_lost(&self, company: &Company, say: &str) {
        let copy = copy(company);
        let vault = vault(&copy);
        let labels = vault.labels().unwrap().into_iter();
        let own: Vec<Label> = labels.filter(|label| label.anchor == who()).collect();
        let sealed: Vec<SecretString> = own
            .iter()
            .filter_map(|label| vault.reveal(label).unwrap())
            .collect();
        assert_eq!(vault.problems().unwrap(), Vec::<String>::new(), "{say}");
        if self.mode == "managed" {
            // What opens the account is still there to be set again.
            let kept = sealed
                .iter()
                .any(|secret| secret.expose_secret() == self.first.expose_secret());
            assert!(kept, "{say}: {own:?}");
            return;
        }
        let inside = self.inside(company);
        let known = sealed
            .iter()
            .any(|secret| inside.is(&self.own, secret.expose_secret()));
        let told = told(&self.post)
            .iter()
            .any(|password| inside.is(&self.own, password));
        // A fuzz that was confirmed is nobody's business: coming back sets another password.
        let fuzzed = shadow(company).password.state == PasswordState::Fuzzed;
        assert!(known || told || fuzzed, "{say}: {own:?}");
    }

    /// Kills before each durable call of the next run, on a copy of what is there, and sees what is found afterwards.
    fn killed_everywhere(&self, calls: Calls, what: &str, after: impl Fn(&Company, &str)) -> usize {
        for n in 1..=MOST {
            let company = self.company.copied();
            let say = format!("{}, {what}, killed before {calls:?} {n}", self.mode);
            let killed = killed_at(&company, calls, n);
            self.nothing_is_lost(&company, &say);
            settle(&company, &say);
            after(&company, &say);
            if !killed {
                return n - 1;
            }
        }
        panic!("{what}: more than {MOST} calls");
    }

    fn is_shut(&self, company: &Company, say: &str) {
        let shut = shadow(company);
        assert_eq!(shut.password.state, PasswordState::Fuzzed, "{say}");
        assert_eq!(shut.suspended_by.len(), 5, "{say}: {:?}", shut.suspended_by);
        assert_eq!(shut.pending, [], "{say}");
        // Whatever was not known to be done was done again, and all of it in the order of the steps.
        let calls = steps(company);
        let mut order: Vec<&String> = Vec::new();
        for call in &calls[self.before..] {
            if !order.contains(&call) {
                order.push(call);
            }
        }
        assert_eq!(order, CLOSED, "{say}: {calls:?}");
        assert_eq!(calls.last(), Some(&"deactivate".to_owned()), "{say}");
        let inside = self.inside(company);
        assert!(!inside.is(&self.own, self.first.expose_secret()), "{say}");
        assert!(sealed(company, Purpose::Fuzz).is_none(), "{say}");
        assert_eq!(told(&self.post).len(), 1, "{say}: nobody is told a fuzz");
    }

    fn is_open(&self, company: &Company, say: &str) {
        let open = shadow(company);
        assert!(open.suspended.is_empty(), "{say}");
        assert!(open.entitlements.contains("role-seller"), "{say}");
        if self.mode == "managed" {
            assert_eq!(signs_in(company, &self.first), SignIn::In, "{say}");
            assert_eq!(told(&self.post).len(), 1, "{say}: they know it already");
            return;
        }
        let last = SecretString::from(told(&self.post).pop().unwrap());
        assert_eq!(signs_in(company, &last), SignIn::MustChange, "{say}");
        assert!(
            sealed(company, Purpose::Temporary).is_none(),
            "{say}: it is told"
        );
        assert_eq!(practice(company).mails(), Ok(Vec::new()), "{say}");
    }
}

/// The tables that have letters sent to a mail server.
pub(super) fn post_to(post: &Smtp, company: &Company) -> String {
    post.table(company.dir())
        + "\n[delivery.welcome]\nbody = \"welcome {{ password }} end\"\n\n\
           [delivery.reset]\nbody = \"reset {{ password }} end\"\n"
}

/// The passwords that the person was told, in order.
pub(super) fn told(post: &Smtp) -> Vec<String> {
    let to = format!("p{WHO:03}@example.org");
    let mails = post.mails().into_iter();
    mails
        .filter(|mail| mail["to"][0] == *to)
        .map(|mail| {
            let text = mail["text"].as_str().unwrap().to_owned();
            text.split_whitespace().nth(1).unwrap().to_owned()
        })
        .collect()
}

fn everywhere(mode: &'static str, calls: Calls) {
    let mut story = Story::begin(mode);
    leave(&mut story.company, mode);
    let closing =
        story.killed_everywhere(calls, "closing", |company, say| story.is_shut(company, say));
    // Sealing, intent and outcome of each of five steps, at the least.
    assert!(closing >= 12, "only {closing} durable calls");
    settle(&story.company, mode);
    come_back(&mut story.company);
    let opening =
        story.killed_everywhere(calls, "opening", |company, say| story.is_open(company, say));
    assert!(opening >= 8, "only {opening} durable calls");
}

#[test]
fn killed_before_each_durable_call_a_managed_password_can_always_be_set_again() {
    everywhere("managed", Calls::Durable);
}

#[test]
fn killed_before_each_durable_call_a_reset_leaves_a_password_that_was_told() {
    everywhere("reset", Calls::Durable);
}

#[test]
fn killed_before_each_write_a_managed_password_can_always_be_set_again() {
    everywhere("managed", Calls::Writing);
}

#[test]
fn killed_before_each_write_a_reset_leaves_a_password_that_was_told() {
    everywhere("reset", Calls::Writing);
}
