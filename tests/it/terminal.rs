//! `provost apply` at a terminal: a person sees the plan and says yes or no. `script(1)` lends the terminal.

use std::fs;
use std::io::{Read as _, Write as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use provost::target::sandbox::snapshot;

use crate::support::small;

/// Somebody at a terminal, in front of a question.
struct Asked {
    child: Child,
    screen: String,
}

impl Asked {
    /// Starts `provost apply app` and waits for the question.
    fn in_front_of(folder: &Path) -> Self {
        let apply = format!(
            "{} --config provost.toml apply app",
            env!("CARGO_BIN_EXE_provost")
        );
        let mut child = Command::new("script")
            .args(["-qefc", &apply, "/dev/null"])
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .env("TERM", "xterm")
            .env("SHELL", "/bin/sh")
            .current_dir(folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("script(1) is part of every Debian");
        let mut screen = Vec::new();
        let out = child.stdout.as_mut().unwrap();
        let mut byte = [0];
        while !screen.ends_with(b"[y/N] ") {
            let n = out.read(&mut byte).unwrap();
            assert_eq!(n, 1, "no question:\n{}", String::from_utf8_lossy(&screen));
            screen.push(byte[0]);
        }
        Self {
            child,
            screen: String::from_utf8(screen).unwrap(),
        }
    }

    /// Types an answer; gives the exit code and everything that was shown.
    fn answer(mut self, answer: &str) -> (Option<i32>, String) {
        let mut typed = self.child.stdin.take().unwrap();
        typed.write_all(format!("{answer}\n").as_bytes()).unwrap();
        let mut out = self.child.stdout.take().unwrap();
        let mut rest = Vec::new();
        // The terminal ends with an error on some systems, once its program has ended.
        drop(out.read_to_end(&mut rest));
        drop(typed);
        let status = self.child.wait().unwrap();
        self.screen.push_str(&String::from_utf8_lossy(&rest));
        (status.code(), self.screen)
    }
}

fn company() -> tempfile::TempDir {
    let people = small::people(["ada", "bob"]);
    small::folder(&people, MAPPING, &|_| {
        "type = \"sandbox\"\npath = \"app.jsonl\"\n".to_owned()
    })
}

fn accounts(folder: &Path) -> usize {
    snapshot(&folder.join("app.jsonl")).map_or(0, |accounts| accounts.len())
}

#[test]
fn only_a_yes_at_the_terminal_applies_the_plan_that_was_shown() {
    let folder = company();
    for no in ["n", "", "maybe", "yess"] {
        let (code, screen) = Asked::in_front_of(folder.path()).answer(no);
        assert_eq!(code, Some(12), "{no}: {screen}");
        assert_eq!(accounts(folder.path()), 0, "{no}");
    }
    let asked = Asked::in_front_of(folder.path());
    assert!(asked.screen.contains("ada"), "the plan is on the screen");
    let (code, screen) = asked.answer("y");
    assert_eq!(code, Some(0), "{screen}");
    assert_eq!(accounts(folder.path()), 2);
}

#[test]
fn a_plan_that_changed_while_somebody_thought_about_it_is_not_applied() {
    let folder = company();
    let asked = Asked::in_front_of(folder.path());
    let more = small::people(["ada", "bob", "eva"]);
    fs::write(folder.path().join("people.ldif"), more).unwrap();
    let (code, screen) = asked.answer("yes");
    assert_ne!(code, Some(0), "{screen}");
    assert!(screen.contains("nothing was applied"), "{screen}");
    assert_eq!(accounts(folder.path()), 0);
}

#[test]
fn where_nobody_can_be_asked_nothing_is_applied() {
    let folder = company();
    let output = Command::new(env!("CARGO_BIN_EXE_provost"))
        .args(["--config", "provost.toml", "apply", "app"])
        .env_clear()
        .current_dir(folder.path())
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("nobody can be asked here"), "{said}");
    assert_eq!(accounts(folder.path()), 0);
}

const MAPPING: &str = r#"
version = 1

[[match]]
account = "login"
value = "{{ uid }}"

[attributes.login]
value = "{{ uid }}"
unique = true
"#;
