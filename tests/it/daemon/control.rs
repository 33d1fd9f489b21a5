//! Speaking to the running service: who may, what it answers, and what it makes of nonsense.

use std::os::unix::fs::PermissionsExt as _;
use std::process::{Command, Output};

use super::Service;
use crate::cli::{provost, stderr, stdout};
use crate::company::Company;

const NOON: &str = "2026-11-22T12:00:00Z";

fn quiet(people: usize) -> Company {
    let mut company = Company::new(people);
    company.service =
        "[schedule]\nsync = \"0 3 * * *\"\nreconcile = \"never\"\njitter = \"0s\"".to_owned();
    company
}

#[test]
fn commands_work_while_the_service_holds_the_state() {
    let mut company = quiet(6);
    company.publish();
    let service = Service::start(&company, NOON);
    service.await_rest(NOON);
    company.leave(3);
    company.person(2).title = "Chief".to_owned();
    company.publish();
    let plan = service.command(&["plan"]);
    assert_eq!(plan.status.code(), Some(10), "{}", stderr(&plan));
    assert!(
        stdout(&plan).contains("\"Clerk\" → \"Chief\""),
        "{}",
        stdout(&plan)
    );
    let files = service.command(&["plan", "--html", "plan.html", "--csv", "plan.csv"]);
    assert_eq!(files.status.code(), Some(10), "{}", stderr(&files));
    for (file, part) in [("plan.html", "<!doctype html>"), ("plan.csv", "Chief")] {
        let text = std::fs::read_to_string(company.dir().join(file)).unwrap();
        assert!(text.to_lowercase().contains(&part.to_lowercase()), "{file}");
    }
    let explain = service.command(&["explain", "p002"]);
    assert_eq!(explain.status.code(), Some(0), "{}", stderr(&explain));
    assert!(stdout(&explain).contains("Chief"));
    // Two at a time are two runs one after the other, and both are told what theirs did.
    let (one, two) = std::thread::scope(|scope| {
        let one = scope.spawn(|| service.command(&["--json", "sync"]));
        let two = scope.spawn(|| service.command(&["--json", "sync"]));
        (one.join().unwrap(), two.join().unwrap())
    });
    let made = |output: &Output| {
        let json: serde_json::Value = serde_json::from_str(&stdout(output)).unwrap();
        assert_eq!(json["kind"], "run");
        json["targets"][0]["results"].as_array().unwrap().len()
    };
    // A new title, and somebody who is missing from two complete reads.
    assert_eq!(
        made(&one) + made(&two),
        2,
        "{}{}",
        stdout(&one),
        stdout(&two)
    );
    // Exit codes are those of a run without a service: somebody is held, missing from one read.
    let codes = [one.status.code(), two.status.code()];
    assert!(
        codes.iter().all(|code| [Some(0), Some(13)].contains(code)),
        "{codes:?}"
    );
}

#[test]
fn who_has_access_when_is_told_by_the_service() {
    let mut company = quiet(6);
    company.tables = "[[access]]\nname = \"office\"\neverybody = true\n\
        windows = [\"mon-fri 08:00-18:00\"]\nzone = \"Europe/Berlin\"\n"
        .to_owned();
    company.publish();
    let monday = "2026-11-23T12:00:00Z";
    let service = Service::start(&company, monday);
    service.await_rest(monday);
    // As of the service's own clock, and from its last read.
    let now = service.command(&["windows"]);
    assert_eq!(now.status.code(), Some(0), "{}", stderr(&now));
    assert!(stdout(&now).contains("Open (6)"), "{}", stdout(&now));
    let json = service.command(&[
        "--json",
        "windows",
        "--from",
        "2026-11-23",
        "--to",
        "2026-11-24",
        "--person",
        "p002",
    ]);
    let json: serde_json::Value = serde_json::from_str(&stdout(&json)).unwrap();
    let edges = &json["targets"][0]["people"][0]["transitions"];
    assert_eq!(edges[0]["at"], "2026-11-23T07:00:00Z");
    assert_eq!(edges.as_array().unwrap().len(), 2);
    let calendar = service.command(&["windows", "--ics", "office.ics"]);
    assert_eq!(calendar.status.code(), Some(0), "{}", stderr(&calendar));
    let ics = std::fs::read_to_string(company.dir().join("office.ics")).unwrap();
    assert!(ics.starts_with("BEGIN:VCALENDAR"), "{ics}");
    let nobody = service.command(&["windows", "--person", "nobody"]);
    assert_eq!(nobody.status.code(), Some(1));
    assert!(stderr(&nobody).contains("nobody"), "{}", stderr(&nobody));
    let explain = stdout(&service.command(&["explain", "p002"]));
    assert!(explain.contains("Access by the clock: open"), "{explain}");
    assert!(
        explain.contains("closes Mon 2026-11-23 18:00 Europe/Berlin"),
        "{explain}"
    );
    let evening = "2026-11-23T17:00:00Z";
    service.clock(evening);
    service.await_rest(evening);
    let explain = stdout(&service.command(&["explain", "p002"]));
    assert!(
        explain.contains("opens Tue 2026-11-24 08:00 Europe/Berlin"),
        "{explain}"
    );
    assert!(stdout(&service.command(&["windows"])).contains("Closed (6)"));
}

#[test]
fn the_service_says_what_it_cannot_do_and_commands_what_needs_a_service() {
    let company = quiet(3);
    company.publish();
    let service = Service::start(&company, NOON);
    service.await_rest(NOON);
    let unknown = service.command(&["sync", "nowhere"]);
    assert_eq!(unknown.status.code(), Some(78));
    assert!(
        stderr(&unknown).contains("configured are: app"),
        "{}",
        stderr(&unknown)
    );
    let locked = service.command(&["state", "verify"]);
    assert_eq!(locked.status.code(), Some(75));
    for (level, code) in [("debug", 0), ("everything", 1)] {
        let output = service.command(&["log-level", level]);
        assert_eq!(output.status.code(), Some(code), "{}", stderr(&output));
    }
    let status = service.command(&["status"]);
    assert!(
        stdout(&status).contains("Service running"),
        "{}",
        stdout(&status)
    );
    service.kill();
    // Without the service: the same, from what is remembered; and what needs one says so.
    let status = provost(
        company.dir(),
        &["-c", "provost.toml", "status", "--exit-code"],
    );
    assert!(
        stdout(&status).contains("not running"),
        "{}",
        stdout(&status)
    );
    let reload = provost(company.dir(), &["-c", "provost.toml", "reload"]);
    assert!(
        stderr(&reload).contains("no service runs"),
        "{}",
        stderr(&reload)
    );
}

#[test]
fn a_configuration_is_reloaded_if_it_is_sound_and_kept_if_not() {
    let mut company = quiet(6);
    company.publish();
    let service = Service::start(&company, NOON);
    service.await_rest(NOON);
    let nothing = service.command(&["reload"]);
    assert_eq!(stdout(&nothing).trim(), "Nothing changed.");
    company.service.push_str("\nzone = \"Europe/Berlin\"");
    company.targets.insert("crm", Vec::new());
    company.publish();
    let good = service.command(&["reload"]);
    assert_eq!(good.status.code(), Some(0), "{}", stderr(&good));
    for line in ["target crm: added", "target app: schedule"] {
        assert!(stdout(&good).contains(line), "{}", stdout(&good));
    }
    service.await_status("the new target", |status| {
        let all = status["targets"].as_array().unwrap();
        all.iter()
            .any(|one| one["target"] == "crm" && one["managed"] == 6)
    });
    company.service.push_str("\nzoen = \"UTC\"");
    company.publish();
    let bad = service.command(&["--socket", "state/control.sock", "reload"]);
    assert_eq!(bad.status.code(), Some(78));
    assert!(stderr(&bad).contains("zoen"), "{}", stderr(&bad));
    assert!(stderr(&bad).contains("stays in force"), "{}", stderr(&bad));
    // The broken file does not say where the socket is; the status is asked there by name.
    let status = service.command(&["--socket", "state/control.sock", "status", "--exit-code"]);
    assert_eq!(status.status.code(), Some(78));
    assert!(stdout(&status).contains("zoen"), "{}", stdout(&status));
    company.service = company.service.replace("\nzoen = \"UTC\"", "");
    company.publish();
    service.signal("HUP");
    service.await_status("the good file", |status| {
        status["service"]["config-error"].is_null()
    });
}

#[test]
fn nonsense_is_refused_and_holds_nobody_up() {
    let company = quiet(3);
    company.publish();
    let service = Service::start(&company, NOON);
    let silent = std::os::unix::net::UnixStream::connect(company.state().join("control.sock"));
    let long = vec![b'x'; 1 << 20];
    for line in [
        &b"\n"[..],
        b"hello\n",
        b"{\"version\":7}\n",
        b"{\"version\":1,\"command\":{\"name\":\"sync\",\"targets\":[\"../../etc\"]}}\n",
        b"{\"version\":1,\"command\":{\"name\":\"sync\",\"targets\":{}}}\n",
        b"{\"version\":1,\"command\":{\"name\":\"log-level\",\"level\":\"provost=trace,ldap3=trace\"}}\n",
        b"\xff\xfe\n",
        b"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[\n",
        &long,
        b"{\"version\":1",
    ] {
        for answer in service.say(line) {
            assert!(answer.contains("provost: "), "{answer}");
            assert!(answer.contains("\"failed\"") || answer.contains("\"config-invalid\""), "{answer}");
        }
    }
    let status = service.say(b"{\"version\":1,\"command\":{\"name\":\"status\"}}\n");
    assert!(status.last().unwrap().contains("\"end\""), "{status:?}");
    drop(silent);
}

/// The command as another user, if this test may become one.
fn run_as(company: &Company, ids: &[&str], args: &[&str]) -> Output {
    let socket = company.dir().join("run/control.sock");
    Command::new("setpriv")
        .args(ids)
        .arg(env!("CARGO_BIN_EXE_provost"))
        .arg("--socket")
        .arg(socket)
        .args(args)
        .env_clear()
        .current_dir("/")
        .output()
        .unwrap()
}

/// What those who may look may do.
const LOOKS: [&[&str]; 6] = [
    &["status"],
    &["plan"],
    &["explain", "p001"],
    &["freeze", "status"],
    &["override", "list"],
    &["override", "list", "--all"],
];
/// What only those may do who may act.
const ACTS: [&[&str]; 10] = [
    &["sync"],
    &["reload"],
    &["log-level", "info"],
    &["freeze", "on", "--reason", "x"],
    &["freeze", "off"],
    &["override", "suspend", "p001", "--reason", "x"],
    &[
        "override", "grant", "p001", "--until", "2h", "--reason", "x",
    ],
    &["override", "revoke", "p001"],
    &["release", "app", "--plan", "0123456789ab"],
    &["release", "--source", "company"],
];

#[test]
fn who_may_do_what_is_decided_by_the_kernels_word() {
    let mut company = quiet(3);
    let run = company.dir().join("run");
    std::fs::create_dir(&run).unwrap();
    company.service.push_str(
        "\n[control]\npath = \"run/control.sock\"\nview-group = \"games\"\noperate-group = \"staff\"",
    );
    company.publish();
    let service = Service::spawn(&company, NOON, |command| command);
    let own = ["--socket", "run/control.sock", "status"];
    crate::support::process::await_some("the socket", super::LIMIT, || {
        let output = provost(company.dir(), &own);
        (output.status.code() == Some(0)).then_some(())
    });
    let mode = std::fs::metadata(run.join("control.sock"))
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o660);
    if !rustix::process::geteuid().is_root() {
        eprintln!("*** NOT TESTED: other users. Only root can become one. ***");
        return;
    }
    for dir in [company.dir(), run.as_path()] {
        std::fs::set_permissions(dir, std::fs::Permissions::from_mode(0o755)).unwrap();
    }
    let viewer = ["--reuid=nobody", "--regid=games", "--clear-groups"];
    let operator = ["--reuid=nobody", "--regid=staff", "--groups=games"];
    let nobody = ["--reuid=nobody", "--regid=nogroup", "--clear-groups"];
    // In the group of the socket, but in neither by the kernel's word about the process or by the system's groups.
    let hanger_on = ["--reuid=nobody", "--regid=nogroup", "--groups=games"];
    for args in LOOKS {
        allowed(&run_as(&company, &viewer, args), args);
        allowed(&run_as(&company, &operator, args), args);
        for ids in [&nobody, &hanger_on] {
            refused(&run_as(&company, ids, args), "\"games\" may look", args);
        }
    }
    for args in ACTS {
        for ids in [&viewer, &nobody, &hanger_on] {
            refused(&run_as(&company, ids, args), "\"staff\" may do this", args);
        }
    }
    // Nothing of what was refused was done.
    let status = service.command(&["--socket", "run/control.sock", "--json", "status"]);
    let status: serde_json::Value = serde_json::from_str(&stdout(&status)).unwrap();
    assert!(
        status["freeze"].is_null() && status["overrides"] == serde_json::json!([]),
        "{status:#}"
    );
    for args in ACTS {
        allowed(&run_as(&company, &operator, args), args);
    }
    let log = service.log();
    assert!(
        log.contains("refused") && log.contains("uid=65534"),
        "{log}"
    );
    drop(service);
}

/// The command was let in, whatever came of it then.
fn allowed(output: &Output, args: &[&str]) {
    let said = format!("{args:?}: {}{}", stdout(output), stderr(output));
    assert!(
        !said.contains("ask an administrator") && !said.contains("cannot be used"),
        "{said}"
    );
    assert_ne!(output.status.code(), Some(2), "{said}");
}

/// The command was kept out: by the socket's own permissions, or in these words.
fn refused(output: &Output, words: &str, args: &[&str]) {
    let said = format!("{args:?}: {}{}", stdout(output), stderr(output));
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(
        said.contains(words) || said.contains("Permission denied"),
        "{said}"
    );
}
