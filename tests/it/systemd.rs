//! The units and alert rules that we ship: what systemd and Prometheus themselves say of them.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// The worst exposure that is accepted, times ten.
const EXPOSURE: u32 = 15;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("systemd")
}

fn run(command: &mut Command) -> Output {
    command.output().unwrap_or_else(|e| {
        panic!("cannot run {command:?}: {e}; Debian has it in the package systemd")
    })
}

fn text(output: &Output) -> String {
    let (out, err) = (&output.stdout, &output.stderr);
    format!(
        "{}{}",
        String::from_utf8_lossy(out),
        String::from_utf8_lossy(err)
    )
}

#[test]
fn systemd_finds_nothing_wrong_with_the_units() {
    // What the units start must exist for this; the one that was just built stands in.
    let dir = tempfile::tempdir().unwrap();
    for name in [
        "provost.service",
        "provost-sync.service",
        "provost-sync.timer",
    ] {
        let unit = fs::read_to_string(folder().join(name)).unwrap();
        let unit = unit.replace("/usr/bin/provost", env!("CARGO_BIN_EXE_provost"));
        fs::write(dir.path().join(name), unit).unwrap();
    }
    let verify = run(Command::new("systemd-analyze")
        .args(["verify", "--man=no", "--recursive-errors=no"])
        .args([
            "provost.service",
            "provost-sync.service",
            "provost-sync.timer",
        ])
        .current_dir(dir.path()));
    let said = text(&verify);
    assert!(verify.status.success(), "{said}");
    assert!(!said.contains("Unknown"), "{said}");
}

#[test]
fn the_units_expose_little() {
    for name in ["provost.service", "provost-sync.service"] {
        let analysis = run(Command::new("systemd-analyze")
            .args(["security", "--offline=true", "--no-pager"])
            .arg(format!("--threshold={EXPOSURE}"))
            .arg(folder().join(name)));
        assert!(analysis.status.success(), "{name}:\n{}", text(&analysis));
    }
}

/// Everything that the alert rules and the manual ask about is served: names are compared with those in the source.
#[test]
fn the_figures_that_are_asked_about_exist() {
    let source = ["metrics.rs", "exchange.rs"]
        .map(|name| fs::read_to_string(format!("src/daemon/{name}")).unwrap())
        .concat();
    let rules = fs::read_to_string(folder().join("alerts/provost.yml")).unwrap();
    let manual = fs::read_to_string("docs/operations.md").unwrap();
    let name = regex::Regex::new(r"provost_([a-z_]+)").unwrap();
    let mut asked = BTreeSet::new();
    for found in name
        .captures_iter(&rules)
        .chain(name.captures_iter(&manual))
    {
        asked.insert(found[1].to_owned());
    }
    assert!(asked.len() > 12, "{asked:?}");
    for one in asked {
        let bare = one.trim_end_matches("_bucket").trim_end_matches("_total");
        let short = bare.trim_end_matches("_seconds");
        let known = [bare, short]
            .iter()
            .any(|name| source.contains(&format!("\"{name}\"")));
        assert!(known, "provost_{one} is not served");
    }
}

#[test]
fn prometheus_accepts_the_alert_rules() {
    let file = folder().join("alerts/provost.yml");
    let Ok(check) = Command::new("promtool")
        .args(["check", "rules"])
        .arg(&file)
        .output()
    else {
        eprintln!(
            "*** NOT TESTED: alert rules. promtool is missing; Debian has it in the package prometheus. ***"
        );
        return;
    };
    assert!(check.status.success(), "{}", text(&check));
    assert!(text(&check).contains("10 rules found"), "{}", text(&check));
}
