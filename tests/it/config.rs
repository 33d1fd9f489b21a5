//! Configuration files: what is refused and how that is said, and that everything we ship is accepted.

use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use provost::config::{Secrets, keys, load, load_embedded};
use provost::target::settings::{Auth, ConnectorSettings};
use secrecy::ExposeSecret;
use tempfile::TempDir;

/// A mapping without problems.
const GOOD_MAPPING: &str = "tests/config/invalid/mappings/good.toml";

/// The files of a folder with this ending, in order. Tests run in the package's folder, so that paths in messages are short.
fn files(folder: &str, ending: &str) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|found| found == ending))
        .collect();
    files.sort();
    files
}

#[test]
fn what_is_refused_is_explained_as_expected() {
    let mut failures = String::new();
    let found = files("tests/config/invalid", "toml");
    assert!(found.len() >= 8, "the fixtures are gone");
    for file in found {
        let problems = load(&file, Secrets::CheckFormOnly).unwrap_err();
        let actual = format!("{problems}\n\n{}\n", problems.lines().join("\n"));
        assert!(
            !actual.contains("hunter2") && !actual.contains("2222222"),
            "a secret is shown:\n{actual}"
        );
        let expected = file.with_extension("expected");
        if fs::read_to_string(&expected).unwrap_or_default() != actual {
            let kept = Path::new(env!("CARGO_TARGET_TMPDIR")).join(expected.file_name().unwrap());
            fs::write(&kept, &actual).unwrap();
            let (kept, expected) = (kept.display(), expected.display());
            writeln!(
                failures,
                "{actual}\nif this is right: cp {kept} {expected}\n"
            )
            .unwrap();
        }
    }
    assert!(failures.is_empty(), "{failures}");
}

/// Every configuration that is shipped.
fn shipped() -> Vec<PathBuf> {
    let mut found = vec![PathBuf::from("config/provost.toml")];
    found.extend(files("config/examples", "toml"));
    found
}

/// The files as they are installed: configuration in one folder, mappings below it.
fn installed(file: &Path) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("mappings")).unwrap();
    for mapping in files("mappings", "toml") {
        let name = mapping.file_name().unwrap();
        fs::copy(&mapping, folder.path().join("mappings").join(name)).unwrap();
    }
    let path = folder.path().join("provost.toml");
    fs::copy(file, &path).unwrap();
    (folder, path)
}

#[test]
fn check_shows_the_next_five_times() {
    let (folder, path) = installed(Path::new("config/examples/ldif-sandbox.toml"));
    let text = fs::read_to_string(&path).unwrap();
    let schedule = "\n[schedule]\nzone = \"Europe/Berlin\"\nsync = \"0 6 29 2 *\"\nreconcile = \"never\"\n\n[[source]]";
    fs::write(&path, text.replacen("\n[[source]]", schedule, 1)).unwrap();
    let output = super::cli::provost(folder.path(), &["-c", "provost.toml", "check"]);
    let shown = super::cli::stdout(&output);
    let line = shown
        .lines()
        .find(|line| line.contains("0 6 29 2 *"))
        .unwrap();
    assert!(line.contains("(Europe/Berlin)"), "{line}");
    assert_eq!(line.matches("-02-29 06:00").count(), 5, "{line}");
    assert!(shown.contains("reconcile  never"), "{shown}");
}

#[test]
fn everything_we_ship_is_accepted() {
    let found = shipped();
    assert!(found.len() >= 4, "{found:?}");
    for file in found {
        let (_folder, path) = installed(&file);
        let loaded = load(&path, Secrets::CheckFormOnly);
        let loaded = loaded.unwrap_or_else(|problems| panic!("{}:\n{problems}", file.display()));
        assert!(!loaded.config.targets.is_empty());
        assert_eq!(loaded.config.digest.len(), 64);
        // Where it lies in the repository, its mappings are beside it too.
        let here = load(&file, Secrets::CheckFormOnly);
        let here = here.unwrap_or_else(|problems| panic!("{problems}"));
        assert_eq!(here.config.digest, loaded.config.digest);
    }
}

/// The commented lines of the default configuration show the defaults: with them uncommented nothing may change,
/// but for those that are examples.
#[test]
fn what_the_default_configuration_comments_out_is_accepted() {
    let text = fs::read_to_string("config/provost.toml").unwrap();
    let examples = [
        "ca-file",
        "sentinels",
        "start-attribute",
        "end-attribute",
        "bases",
        "protected-people",
        "delete = { after",
        "requests-per-second",
        "view-group",
        "operate-group",
    ];
    let key = regex::Regex::new(r"(?m)^# (\[\[?[a-z.]+\]\]?|[a-z-]+ += .*)$").unwrap();
    let uncommented = key.replace_all(&text, |found: &regex::Captures<'_>| {
        let line = found.get(1).unwrap().as_str();
        let example = examples.iter().any(|name| line.starts_with(name));
        if example {
            String::new()
        } else {
            line.to_owned()
        }
    });
    assert_ne!(uncommented, text);
    let (_folder, path) = installed(Path::new("config/provost.toml"));
    let as_shipped = load(&path, Secrets::CheckFormOnly).unwrap().config;
    fs::write(&path, uncommented.as_bytes()).unwrap();
    let spelled_out = load(&path, Secrets::CheckFormOnly);
    let spelled_out = spelled_out
        .unwrap_or_else(|problems| panic!("{problems}"))
        .config;
    assert_eq!(as_shipped.targets[0].rules, spelled_out.targets[0].rules);
    for (a, b) in [
        (
            format!("{:?}", as_shipped.sources),
            format!("{:?}", spelled_out.sources),
        ),
        (
            format!("{:?}", as_shipped.targets[0].connector),
            format!("{:?}", spelled_out.targets[0].connector),
        ),
    ] {
        assert_eq!(a, b);
    }
}

#[test]
fn the_manual_page_describes_every_key() {
    let page = fs::read_to_string("docs/man/provost.toml.5.md").unwrap();
    let sections: Vec<&str> = page.lines().filter(|line| line.contains('`')).collect();
    let mut missing = Vec::new();
    for keys in keys::ALL {
        for key in keys.keys {
            let quoted = format!("`{key}`");
            if !sections.iter().any(|line| line.contains(&quoted)) {
                missing.push(format!("{key} of {}", keys.table));
            }
        }
    }
    assert!(missing.is_empty(), "not in the manual page: {missing:?}");
}

const CONFIG: &str = r#"
version = 1
state-dir = "state"

[[source]]
name = "corp"
type = "ldap"
urls = ["ldaps://ldap.example.com"]
bind-name = "cn=reader,dc=example,dc=com"
bind-password = "file:SECRET"
bases = ["dc=example,dc=com"]

[[target]]
name = "crm"
type = "scim"
source = "corp"
mapping = "mappings/crm.toml"
policy = "sync"
protected-accounts = ["admin"]
url = "https://crm.example.com/scim/v2"
auth = { type = "bearer", token = "file:SECRET" }
"#;

/// A folder with a configuration whose secrets lie in the file `secret`.
fn folder(secret: &str) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("provost.toml");
    let file = folder.path().join("secret");
    let text = CONFIG.replace("SECRET", file.to_str().unwrap());
    let mapping = fs::read_to_string(GOOD_MAPPING).unwrap();
    write(&path, &text, 0o640);
    fs::create_dir(folder.path().join("mappings")).unwrap();
    write(&folder.path().join("mappings/crm.toml"), &mapping, 0o640);
    write(&file, secret, 0o600);
    (folder, path)
}

fn write(path: &Path, text: &str, mode: u32) {
    fs::write(path, text).unwrap();
    chmod(path, mode);
}

fn chmod(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

fn refused(path: &Path) -> String {
    let problems = load(path, Secrets::Load)
        .map(|loaded| loaded.files)
        .unwrap_err();
    problems.lines().join("\n")
}

#[test]
fn secrets_are_loaded_and_not_shown() {
    let (_folder, path) = folder("s3cret-t0ken\n");
    let loaded = load(&path, Secrets::Load).unwrap();
    let ConnectorSettings::Scim(scim) = &loaded.config.targets[0].connector else {
        panic!("not a SCIM target");
    };
    let Auth::Bearer(token) = &scim.http.auth else {
        panic!("not a bearer token");
    };
    assert_eq!(token.expose_secret(), "s3cret-t0ken");
    assert!(!format!("{loaded:?}").contains("s3cret"));
    assert_eq!(loaded.config.secrets, Secrets::Load);
    assert_eq!(loaded.files.len(), 2);
    let form = load(&path, Secrets::CheckFormOnly).unwrap();
    assert_eq!(form.config.secrets, Secrets::CheckFormOnly);
    assert_eq!(form.config.digest, loaded.config.digest);
}

#[test]
fn secret_files_that_others_could_know_are_refused() {
    let (folder, path) = folder("s3cret");
    let secret = folder.path().join("secret");
    for mode in [0o640, 0o604, 0o620, 0o602, 0o644, 0o777] {
        chmod(&secret, mode);
        let why = refused(&path);
        assert!(why.contains("chmod 600"), "{mode:o}: {why}");
        assert!(!why.contains("s3cret"), "{why}");
    }
    for mode in [0o600, 0o400] {
        chmod(&secret, mode);
        assert!(load(&path, Secrets::Load).is_ok(), "{mode:o}");
    }
    fs::rename(&secret, folder.path().join("elsewhere")).unwrap();
    assert!(refused(&path).contains("cannot be opened"));
    symlink(folder.path().join("elsewhere"), &secret).unwrap();
    assert!(refused(&path).contains("symbolic link"));
    fs::remove_file(&secret).unwrap();
    fs::create_dir(&secret).unwrap();
    assert!(refused(&path).contains("not a regular file"));
}

#[test]
fn secrets_that_cannot_be_used_are_refused() {
    for (content, why) in [
        ("", "is empty"),
        ("\n", "is empty"),
        ("s3cret\nmore", "more than one line"),
        ("s3crét", "cannot be sent in a header"),
        (" s3cret", "cannot be sent in a header"),
    ] {
        let (_folder, path) = folder(content);
        let said = refused(&path);
        assert!(said.contains(why), "{content:?}: {said}");
        assert!(!said.contains("s3c"), "{said}");
    }
}

#[test]
fn files_that_others_could_write_are_refused() {
    let (folder, path) = folder("s3cret");
    for file in ["provost.toml", "mappings/crm.toml"] {
        let file = folder.path().join(file);
        for mode in [0o646, 0o660, 0o666] {
            chmod(&file, mode);
            assert!(
                refused(&path).contains("can write to this file"),
                "{mode:o}"
            );
        }
        chmod(&file, 0o640);
    }
    assert!(load(&path, Secrets::Load).is_ok());
    chmod(folder.path(), 0o777);
    assert!(refused(&path).contains("can write to this folder"));
    chmod(folder.path(), 0o1777);
    assert!(load(&path, Secrets::Load).is_ok());
}

#[test]
fn what_is_no_configuration_at_all_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("provost.toml");
    assert!(refused(&path).contains("cannot be opened"));
    fs::write(&path, b"version = 1\n\xff").unwrap();
    assert!(refused(&path).contains("not UTF-8 from byte 12 on"));
    fs::write(&path, vec![b'#'; 5 << 20]).unwrap();
    assert!(refused(&path).contains("larger than"));
    assert!(refused(folder.path()).contains("not a regular file"));
}

#[test]
fn risky_settings_are_named_as_warnings() {
    let (_folder, path) = folder("s3cret");
    assert!(load(&path, Secrets::Load).unwrap().warnings.is_empty());
    let risky = fs::read_to_string(&path).unwrap();
    let risky = risky
        .replace("bases =", "danger-plain-text = true\nallow-empty = true\nbases =")
        .replace("url =", "danger-plain-text = true\nlimits.suspend = { count = 1, percent = 100 }\ndelete = { after = \"30d\" }\nurl =");
    let twice = risky[risky.find("[[target]]").unwrap()..].replace("\"crm\"", "\"crm-too\"");
    fs::write(&path, format!("{risky}\n{twice}")).unwrap();
    let loaded = load(&path, Secrets::Load).unwrap_or_else(|problems| panic!("{problems}"));
    let warnings: Vec<&str> = loaded
        .warnings
        .iter()
        .map(|(_, warning)| warning.field.as_str())
        .collect();
    for field in [
        "source.corp.danger-plain-text",
        "source.corp.allow-empty",
        "target.crm.danger-plain-text",
        "target.crm.limits.suspend",
        "target.crm.delete",
        "target.crm-too.url",
    ] {
        assert!(
            warnings.contains(&field),
            "{field} is not among {warnings:?}"
        );
    }
    assert!(loaded.warnings.to_string().contains("^^^"));
}

#[test]
fn what_a_domain_controller_keeps_for_itself_is_doubted_in_a_mapping() {
    let (folder, path) = folder("s3cret");
    let mapping = folder.path().join("mappings/crm.toml");
    let text = fs::read_to_string(&mapping).unwrap();
    let more = "[attributes.seen]\nvalue = \"{{ WHENchanged | date }} {{ uSNChanged }}\"\non-missing = \"omit\"\n";
    write(&mapping, &format!("{text}\n{more}"), 0o640);
    let warned = || {
        let loaded = load(&path, Secrets::Load).unwrap_or_else(|problems| panic!("{problems}"));
        loaded.warnings
    };
    assert!(
        warned().is_empty(),
        "elsewhere these are attributes like any other"
    );
    let config = fs::read_to_string(&path).unwrap();
    let config = config.replace("type = \"ldap\"", "type = \"active-directory\"");
    write(&path, &config, 0o640);
    let warned = warned().to_string();
    assert!(warned.contains("target.crm.mapping"), "{warned}");
    assert!(
        warned.contains("uSNChanged, whenChanged, which"),
        "{warned}"
    );
}

#[test]
fn embedded_files_are_written_once_and_loaded() {
    let folder = tempfile::tempdir().unwrap();
    let home = folder.path().join("demo");
    let config = fs::read_to_string("config/examples/ldif-sandbox.toml").unwrap();
    let mapping = fs::read_to_string(GOOD_MAPPING).unwrap();
    let files = [
        ("provost.toml", config.as_str()),
        ("mappings/sandbox.toml", mapping.as_str()),
    ];
    let loaded = load_embedded(&home, &files).unwrap_or_else(|problems| panic!("{problems}"));
    assert_eq!(loaded.config.state_dir, home.join("state"));
    let path = home.join("provost.toml");
    assert_eq!(
        fs::metadata(&path).unwrap().permissions().mode() & 0o777,
        0o600
    );
    let edited = config.replace("name = \"practice\"", "name = \"edited\"");
    fs::write(&path, edited).unwrap();
    let again = load_embedded(&home, &files).unwrap();
    assert_eq!(again.config.targets[0].name, "edited");
    assert_ne!(again.config.digest, loaded.config.digest);
}
