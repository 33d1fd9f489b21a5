//! Application profiles as they are shipped: every file compiles, and what it claims is as sure as it says.

use std::fs;
use std::path::{Path, PathBuf};

use provost::target::profile::Profile;

/// Every profile below `mappings/`.
fn shipped() -> Vec<PathBuf> {
    let mut todo = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("mappings")];
    let mut found = Vec::new();
    while let Some(folder) = todo.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                todo.push(path);
            } else if path.to_string_lossy().ends_with(".profile.toml") {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

/// A problem as a person reads it: line, field, message, help.
fn shown(text: &str, problem: &provost::model::Problem) -> String {
    let line = problem
        .span
        .as_ref()
        .map_or(0, |span| text[..span.start].lines().count());
    let help = problem.help.as_deref().unwrap_or_default();
    format!("{line}: {}: {} ({help})", problem.field, problem.message)
}

#[test]
fn every_shipped_profile_compiles() {
    for path in shipped() {
        let text = fs::read_to_string(&path).unwrap();
        if let Err(problems) = Profile::compile(&text) {
            let lines: Vec<String> = problems
                .iter()
                .map(|problem| shown(&text, problem))
                .collect();
            panic!("{}:\n{}", path.display(), lines.join("\n"));
        }
    }
}
