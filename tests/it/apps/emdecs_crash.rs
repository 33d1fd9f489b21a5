//! What goes wrong between Provost, its lists and the administrator of EMDECS: crashes, half-done lists, wrong ticks, and
//! exports that are broken or say something else than a tick.

use std::fs::{self, File, OpenOptions};
use std::io::{Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use super::emdecs::{List, PEOPLE, Story, what};
use crate::support::process::await_some;

/// The flag of `open(2)` with which a pipe is opened without waiting for its other end.
fn at_once() -> i32 {
    i32::try_from(rustix::fs::OFlags::NONBLOCK.bits()).unwrap()
}

fn pipe(path: &Path) {
    let made = Command::new("mkfifo").arg(path).status().unwrap();
    assert!(made.success());
}

fn begin_run(story: &Story) -> Child {
    story.company.publish();
    Command::new(env!("CARGO_BIN_EXE_provost"))
        .args(["--config", "provost.toml", "--quiet", "sync"])
        .env_clear()
        .current_dir(story.company.path())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

/// Runs until this file of a list is being written, and kills the process there. A pipe stands in for the disk: nothing
/// goes on before somebody reads it.
fn kill_while_writing(story: &Story, file: &str) {
    let path = story.company.path().join(format!("{file}.new"));
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    drop(fs::remove_file(&path));
    pipe(&path);
    let mut reader = OpenOptions::new()
        .read(true)
        .custom_flags(at_once())
        .open(&path)
        .unwrap();
    let mut child = begin_run(story);
    await_some(file, Duration::from_secs(120), || {
        assert_eq!(child.try_wait().unwrap(), None, "{file} was never written");
        let mut first = [0; 16];
        matches!(reader.read(&mut first), Ok(n) if n > 0).then_some(())
    });
    child.kill().unwrap();
    child.wait().unwrap();
    fs::remove_file(&path).unwrap();
}

/// Runs until the export is being read, hands over a part of it, and kills the process there.
fn kill_while_reading(story: &Story, list: List) {
    let path = story.company.path().join(format!("{}.csv", list.folder()));
    drop(fs::remove_file(&path));
    pipe(&path);
    let mut child = begin_run(story);
    let mut writer: File = await_some("the export", Duration::from_secs(120), || {
        assert_eq!(child.try_wait().unwrap(), None, "the export was never read");
        let mut options = OpenOptions::new();
        options.write(true).custom_flags(at_once()).open(&path).ok()
    });
    let text = story.csv(list);
    writer
        .write_all(&text.as_bytes()[..text.len() / 2])
        .unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    fs::remove_file(&path).unwrap();
}

#[test]
fn a_crash_neither_loses_nor_doubles_a_task() {
    let mut story = Story::begin(PEOPLE);
    for file in ["users/book.json", "users/worklist.html", "badges/book.json"] {
        kill_while_writing(&story, file);
    }
    story.company.sync(&[13]);
    let (users, badges) = (story.list(List::Users), story.list(List::Badges));
    assert_eq!((users.len(), badges.len()), (120, 120));

    // Half is done and ticked off, half is done without a tick, and a crash comes while the export is taken in.
    story.work(List::Users, &users);
    story.work(List::Badges, &badges);
    story.tick(&users[..60]);
    kill_while_reading(&story, List::Users);
    story.company.sync(&[13]);
    assert_eq!(
        story.list(List::Users),
        users[60..],
        "no export, no more than the ticks"
    );
    story.export();
    kill_while_writing(&story, "users/book.json");
    story.company.sync(&[0]);
    for list in [List::Users, List::Badges] {
        assert_eq!(story.list(list), []);
    }
    assert_eq!(story.users.ledger.count("create"), 120);
    let said = story.company.run(&["sync", "--live"], &[0]);
    assert!(!said.contains("awaiting"), "{said}");
}

#[test]
fn a_tick_counts_until_the_export_says_otherwise() {
    let mut story = Story::begin(20);
    story.company.person(2).groups = ["EMDECS Users"].into();
    story.company.sync(&[13]);
    let rows = story.list(List::Users);
    // A task that nobody knows, and one that is done already: nothing is ticked silently.
    let unknown = story.company.provost(&["worklist", "done", "00000000"]);
    assert_eq!(unknown.status.code(), Some(1));
    story.day("joiners");
    let again = story.company.provost(&["worklist", "done", &rows[0].0]);
    assert_eq!(again.status.code(), Some(1));
    let told = String::from_utf8_lossy(&again.stderr).into_owned();
    assert!(told.contains("is verified by an export already"), "{told}");

    // Somebody must go. The task is ticked off, and was not done.
    story.company.person(2).groups.clear();
    story.company.sync(&[13]);
    let list = story.list(List::Users);
    assert_eq!(what(&list), [("disable", "p002@example.org")]);
    story.no_exports();
    story.tick(&list);
    story.company.sync(&[0]);
    assert_eq!(story.list(List::Users), []);
    story.export();
    let said = story.company.run(&["sync", "--live"], &[13]);
    assert!(said.contains("1 awaiting-confirmation"), "{said}");
    let wrong = story.list(List::Users);
    assert_eq!(what(&wrong), what(&list));
    assert_ne!(wrong[0].0, list[0].0, "another task");
    let page = fs::read_to_string(story.company.path().join("users/worklist.html")).unwrap();
    assert!(page.contains("Kim ticked this off on"), "{page}");
    story.day("done after all");

    // The same once more, a rehire and a leave later, is nobody's mistake.
    story.company.person(2).groups = ["EMDECS Users"].into();
    story.company.sync(&[13]);
    story.day("back");
    story.company.person(2).groups.clear();
    story.company.sync(&[13]);
    let page = fs::read_to_string(story.company.path().join("users/worklist.html")).unwrap();
    assert!(
        page.contains("disable") && !page.contains("ticked this off"),
        "{page}"
    );
    story.day("gone again");
}

#[test]
fn an_export_that_is_broken_or_short_takes_nothing_away() {
    let mut story = Story::begin(20);
    story.company.sync(&[13]);
    story.day("joiners");
    let whole = story.csv(List::Users);
    let lines: Vec<&str> = whole.lines().collect();

    // Cut in the middle of a line, without a column, with an id twice: refused, by name, and nothing happens.
    let cut = format!("{}\n{}", lines[..6].join("\n"), &lines[6][..8]);
    let unnamed = whole.replacen("Software", "Licenses", 1);
    let twice = format!("{whole}{}\n", lines[3]);
    for (text, says) in [
        (cut.as_str(), "line: 7"),
        (unnamed.as_str(), "the export has no column \"Software\""),
        (twice.as_str(), "is there twice"),
        ("", "the export has no column"),
    ] {
        story.lay(List::Users, text);
        let broken = story.company.provost(&["sync", "--live"]);
        let told = format!(
            "{}{}",
            String::from_utf8_lossy(&broken.stdout),
            String::from_utf8_lossy(&broken.stderr)
        );
        assert_eq!(broken.status.code(), Some(1), "{told}");
        assert!(
            told.contains("users.csv") && told.contains(says),
            "{says}: {told}"
        );
        assert_eq!(story.list(List::Users), []);
    }
    // A date that cannot be read would end unseen.
    let text = story.csv(List::Badges);
    let date = text.split(',').find(|cell| cell.starts_with("20")).unwrap();
    let strange = text.replacen(date, "31/12/28", 1);
    story.lay(List::Badges, &strange);
    let broken = story.company.provost(&["sync", "--live"]);
    let told = String::from_utf8_lossy(&broken.stdout).into_owned();
    assert!(told.contains("set `date-format`"), "{told}");

    // Cut between two lines nobody can see it: who is not there is held, and is there again with the next export.
    story.export();
    let short = format!("{}\n", lines[..6].join("\n"));
    story.lay(List::Users, &short);
    let said = story.company.run(&["sync", "--live"], &[13]);
    assert!(said.contains("state forget"), "{said}");
    assert_eq!(story.list(List::Users), [], "nobody is created twice");
    story.export();
    story.company.run(&["sync", "--live"], &[0]);
    story.day("whole again");
    assert_eq!(story.users.ledger.count("create"), 12);
}
