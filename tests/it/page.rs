//! The page and the table that `plan --html` and `plan --csv` write, as a real browser and a spreadsheet's reader see them.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

use crate::support::process::run;

const HOSTILE: &str =
    "</script><script>document.title='taken'</script><img src=http://127.0.0.1:9/x>";

/// A folder with a practice configuration of some people, two of them with hostile names.
fn practice() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let mut ldif = String::from("version: 1\n");
    for n in 0..24 {
        let (given, title) = match n {
            7 => (HOSTILE, "=HYPERLINK(\"http://127.0.0.1:9/\",\"x\")"),
            _ => ("Anna", "Clerk"),
        };
        ldif.push_str(&format!(
            "\ndn: uid=p{n},dc=example,dc=com\nobjectClass: inetOrgPerson\nentryUUID: 00000000-0000-4000-8000-{n:012}\n\
             uid: p{n}\ncn: {given} Person{n}\nsn: Person{n}\ngivenName: {given}\nmail: p{n}@example.com\n\
             departmentNumber: 10\ntitle: {title}\n"
        ));
    }
    fs::write(dir.path().join("people.ldif"), ldif).unwrap();
    let example = fs::read_to_string("config/examples/ldif-sandbox.toml").unwrap();
    let access = "[[access]]\nname = \"office\"\nzone = \"Europe/Berlin\"\nwindows = [\"daily 08:00-12:00 13:00-24:00\"]\npeople = [\"uid=nobody,dc=example,dc=com\"]\n";
    fs::write(
        dir.path().join("provost.toml"),
        format!("{example}\n{access}"),
    )
    .unwrap();
    fs::create_dir(dir.path().join("mappings")).unwrap();
    fs::copy(
        "mappings/sandbox.toml",
        dir.path().join("mappings/sandbox.toml"),
    )
    .unwrap();
    dir
}

/// Runs the command; gives its exit status and what it wrote.
fn said(dir: &Path, arguments: &[&str]) -> (i32, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_provost"))
        .args(["--config", "provost.toml"])
        .args(arguments)
        .current_dir(dir)
        .env_clear()
        .output()
        .unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    let code = output.status.code().unwrap_or_else(|| panic!("{errors}"));
    (code, String::from_utf8(output.stdout).unwrap())
}

fn provost(dir: &Path, arguments: &[&str]) -> i32 {
    said(dir, arguments).0
}

/// What a page makes of itself in Chromium: the document after everything has run.
fn browse(dir: &Path, page: &str, scheme: &str) -> String {
    let profile = tempfile::tempdir().unwrap();
    let mut chromium = Command::new("chromium");
    chromium
        .args([
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--no-first-run",
        ])
        .args([
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
        ])
        .args(["--allow-file-access-from-files", "--dump-dom"])
        .arg(format!("--blink-settings=preferredColorScheme={scheme}"))
        .arg(format!("--user-data-dir={}", profile.path().display()))
        .arg(format!("file://{}", dir.join(page).display()));
    run(&mut chromium)
}

/// Shows the report at two widths and tells what a reader would see: overflow, colours, scripts, requests.
const LOOK: &str = r#"<!doctype html><body>
<iframe id="desktop" src="plan.html" style="width:1200px;height:900px"></iframe>
<iframe id="phone" src="plan.html" style="width:390px;height:900px"></iframe>
<pre id="seen"></pre>
<script>
const light = c => { const [r, g, b] = c.match(/\d+(\.\d+)?/g).slice(0, 3).map(v => { v /= 255; return v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4; }); return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
const ratio = (a, b) => { const [x, y] = [light(a), light(b)].sort((p, q) => q - p); return (x + 0.05) / (y + 0.05); };
const ground = (w, e) => { for (; e; e = e.parentElement) { const c = w.getComputedStyle(e).backgroundColor; if (!c.startsWith("rgba(0, 0, 0, 0")) return c; } return "rgb(255, 255, 255)"; };
onload = () => {
  const seen = {};
  for (const id of ["desktop", "phone"]) {
    const w = document.getElementById(id).contentWindow, d = w.document;
    d.querySelectorAll("details").forEach(e => e.open = true);
    let worst = 99;
    for (const e of d.querySelectorAll("h1,h2,h3,h4,p,td,th,dt,dd,li,.badge,summary,a"))
      if (e.textContent.trim()) worst = Math.min(worst, ratio(w.getComputedStyle(e).color, ground(w, e)));
    seen[id] = { over: d.documentElement.scrollWidth - d.documentElement.clientWidth, scripts: d.scripts.length, images: d.images.length,
      requests: w.performance.getEntriesByType("resource").length, worst, ground: light(w.getComputedStyle(d.body).backgroundColor), title: d.title, articles: d.querySelectorAll("article").length };
  }
  document.getElementById("seen").textContent = "SEEN" + JSON.stringify(seen) + "SEEN";
};
</script>"#;

#[test]
fn the_page_is_readable_at_every_width_and_runs_nothing() {
    let dir = practice();
    let code = provost(dir.path(), &["plan", "--html", "plan.html"]);
    assert_eq!(code, 10, "changes are planned");
    let path = dir.path().join("plan.html");
    let page = fs::read_to_string(&path).unwrap();
    assert!(page.contains("Changes by action and reason"), "{page}");
    assert!(page.contains("Limits and headroom") && page.contains("p12@example.com"));
    assert_eq!(
        page.matches("08:00–12:00, 13:00–24:00</span>").count(),
        7,
        "{page}"
    );
    assert!(page.contains("left:33.33%;width:16.67%"), "{page}");
    assert_eq!(
        fs::metadata(&path).unwrap().permissions().mode() & 0o777,
        0o600
    );
    fs::write(dir.path().join("look.html"), LOOK).unwrap();
    for (scheme, dark) in [("0", true), ("1", false)] {
        let seen = browse(dir.path(), "look.html", scheme);
        let json = seen
            .split("SEEN")
            .nth(1)
            .unwrap_or_else(|| panic!("nothing was seen: {seen}"));
        let seen: serde_json::Value = serde_json::from_str(json).unwrap();
        for width in ["desktop", "phone"] {
            let at = &seen[width];
            assert_eq!(at["over"], 0, "{width} scrolls sideways: {at}");
            assert_eq!(at["articles"], 24, "{at}");
            assert_eq!(at["title"], "Provost: plan", "{at}");
            assert_eq!(
                (&at["scripts"], &at["images"], &at["requests"]),
                (&0.into(), &0.into(), &0.into()),
                "{at}"
            );
            assert!(
                at["worst"].as_f64().unwrap() >= 4.5,
                "contrast too low (WCAG AA): {at}"
            );
            assert_eq!(at["ground"].as_f64().unwrap() < 0.2, dark, "{at}");
        }
    }
}

#[test]
fn the_table_is_read_back_as_it_was_written_and_holds_no_formula() {
    let dir = practice();
    assert_eq!(provost(dir.path(), &["plan", "--csv", "plan.csv"]), 10);
    let mut reader = csv::Reader::from_path(dir.path().join("plan.csv")).unwrap();
    let rows: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
    assert!(rows.iter().all(|row| row.len() == 11));
    assert_eq!(rows.iter().filter(|row| &row[7] == "login").count(), 24);
    let title = rows
        .iter()
        .find(|row| &row[7] == "title" && row[9].contains("HYPERLINK"))
        .unwrap();
    assert!(title[9].starts_with("'="), "{title:?}");
    // A run writes the same files; what cannot be written is said, and the reason with it.
    assert_eq!(provost(dir.path(), &["sync", "--csv", "run.csv"]), 0);
    assert_eq!(
        fs::read(dir.path().join("run.csv")).unwrap(),
        fs::read(dir.path().join("plan.csv")).unwrap()
    );
    assert_eq!(
        provost(dir.path(), &["plan", "--html", "no/such/place.html"]),
        1
    );
    assert_eq!(
        fs::read_dir(dir.path())
            .unwrap()
            .filter(|e| e
                .as_ref()
                .unwrap()
                .path()
                .extension()
                .is_some_and(|x| x == "tmp"))
            .count(),
        0
    );
}

/// Judges documents by a schema with somebody else's validator.
const JUDGE: &str = "
import json, sys, jsonschema
schema = json.load(open(sys.argv[1]))
jsonschema.Draft202012Validator.check_schema(schema)
for name in sys.argv[2:]:
    jsonschema.Draft202012Validator(schema).validate(json.load(open(name)))
    broken = json.load(open(name))
    broken['outcome'] = 7
    assert not jsonschema.Draft202012Validator(schema).is_valid(broken), name
print('judged', len(sys.argv) - 2)
";

#[test]
fn every_document_is_as_the_schema_says() {
    let dir = practice();
    let (code, schema) = said(dir.path(), &["schema"]);
    assert_eq!(code, 0);
    fs::write(dir.path().join("schema.json"), schema).unwrap();
    let commands: [(&str, &[&str]); 6] = [
        ("plan.json", &["plan", "--json"]),
        ("run.json", &["sync", "--json"]),
        ("status.json", &["status", "--json"]),
        (
            "frozen.json",
            &["freeze", "on", "--reason", "audit", "--json"],
        ),
        (
            "order.json",
            &["override", "suspend", "p3", "--reason", "audit", "--json"],
        ),
        ("orders.json", &["override", "list", "--all", "--json"]),
    ];
    for (name, arguments) in commands {
        let (_code, text) = said(dir.path(), arguments);
        assert!(text.starts_with('{'), "{name}: {text}");
        fs::write(dir.path().join(name), text).unwrap();
    }
    let mut judge = Command::new("/usr/bin/python3");
    judge
        .args(["-c", JUDGE, "schema.json"])
        .current_dir(dir.path());
    judge.args(commands.map(|(name, _)| name));
    assert_eq!(run(&mut judge).trim(), "judged 6");
}
