//! What the documents say against what there is: links, commands and messages.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

fn below(folder: &str, ending: &str, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder)
        .unwrap_or_else(|e| panic!("{folder}: {e}"))
        .flatten()
    {
        let path = entry.path();
        if path.is_dir() {
            below(&path.to_string_lossy(), ending, found);
        } else if path.extension().is_some_and(|end| end == ending) {
            found.push(path);
        }
    }
}

fn documents() -> Vec<PathBuf> {
    let mut found = Vec::new();
    for folder in ["docs", "mappings"] {
        below(folder, "md", &mut found);
    }
    for name in [
        "README",
        "ARCHITECTURE",
        "CONTRIBUTING",
        "CHANGELOG",
        "SECURITY",
    ] {
        found.push(format!("{name}.md").into());
    }
    found
}

#[test]
fn links_lead_to_files_that_are_there() {
    let mut looked = 0;
    for path in documents() {
        let text = fs::read_to_string(&path).unwrap();
        for part in text.split("](").skip(1) {
            let link = part.split(')').next().unwrap_or_default();
            let file = link.split('#').next().unwrap_or_default();
            if file.is_empty() || file.contains("://") || file.contains(' ') {
                continue;
            }
            looked += 1;
            let target = path.parent().unwrap_or(Path::new("")).join(file);
            assert!(target.exists(), "{} links to {link}", path.display());
        }
    }
    assert!(looked >= 20, "{looked} links");
}

/// The commands that `provost --help` lists.
fn commands() -> BTreeSet<String> {
    let output = Command::new(env!("CARGO_BIN_EXE_provost"))
        .arg("--help")
        .output()
        .unwrap();
    let help = String::from_utf8(output.stdout).unwrap();
    let list = help.split("Commands:").nth(1).unwrap_or_default();
    let list = list.split("\n\n").next().unwrap_or_default();
    let first = |line: &str| line.split_whitespace().next().map(str::to_owned);
    list.lines()
        .filter(|line| line.starts_with("  ") && !line.starts_with("   "))
        .filter_map(first)
        .collect()
}

#[test]
fn every_command_in_the_documents_exists() {
    let commands = commands();
    assert!(
        commands.contains("plan") && commands.len() > 8,
        "{commands:?}"
    );
    let mut looked = 0;
    for path in documents() {
        let text = fs::read_to_string(&path).unwrap();
        let mut code = false;
        for line in text.lines() {
            if line.starts_with("```") {
                code = !code;
                continue;
            }
            // In prose only what is in backticks is a command; in a block, what a line begins with.
            let spoken: Vec<&str> = if code {
                vec![line]
            } else {
                line.split('`').skip(1).step_by(2).collect()
            };
            for words in spoken {
                let Some(rest) = words.trim_start_matches("$ ").strip_prefix("provost ") else {
                    continue;
                };
                let mut words = rest.split_whitespace();
                let mut word = words.next().unwrap_or_default();
                while word.starts_with("--") {
                    word = if word == "--config" {
                        words.nth(1)
                    } else {
                        words.next()
                    }
                    .unwrap_or_default();
                }
                if word.is_empty() || !word.starts_with(|c: char| c.is_ascii_lowercase()) {
                    continue;
                }
                looked += 1;
                assert!(
                    commands.contains(word),
                    "{}: there is no command {word:?}: {line}",
                    path.display()
                );
            }
        }
    }
    assert!(looked >= 20, "{looked} commands");
}

#[test]
fn the_messages_of_the_troubleshooting_page_are_those_of_the_program() {
    let mut sources = Vec::new();
    below("src", "rs", &mut sources);
    let all: String = sources
        .iter()
        .map(|path| fs::read_to_string(path).unwrap())
        .collect();
    // A message may be broken over lines, and hold values where the page has an ellipsis or a number.
    let plain: String = all
        .replace("\\\n", " ")
        .split_whitespace()
        .collect::<Vec<_>>()
        .join(" ")
        .replace("\\\"", "\"");
    let page = fs::read_to_string("docs/troubleshooting.md").unwrap();
    let mut looked = 0;
    for line in page
        .lines()
        .filter(|line| line.starts_with("| ") && line.contains('`'))
    {
        let cell = line.split('|').nth(1).unwrap_or_default();
        for message in cell.split('`').skip(1).step_by(2) {
            for piece in message
                .split(['…', '2'])
                .map(|piece| piece.trim().trim_end_matches(':'))
            {
                if piece.len() < 4 {
                    continue;
                }
                looked += 1;
                assert!(
                    plain.contains(piece),
                    "no message has {piece:?} ({message})"
                );
            }
        }
    }
    assert!(looked >= 25, "{looked} messages");
}
