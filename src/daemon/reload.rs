//! What another configuration changes, in words: before it is put in force, somebody may want to read it.

use std::collections::BTreeSet;

use crate::config::Config;

/// What changes, a line for each; empty if nothing does.
pub(super) fn changes(old: &Config, new: &Config) -> Vec<String> {
    let mut lines = Vec::new();
    let names = |config: &Config| -> BTreeSet<String> {
        let sources = config.sources.iter();
        sources.map(|one| one.settings.name.clone()).collect()
    };
    differ("source", &names(old), &names(new), &mut lines);
    let names = |config: &Config| -> BTreeSet<String> {
        config.targets.iter().map(|one| one.name.clone()).collect()
    };
    differ("target", &names(old), &names(new), &mut lines);
    for after in &new.sources {
        let name = &after.settings.name;
        let Some(before) = old.source(name) else {
            continue;
        };
        if format!("{:?}", before.settings) != format!("{:?}", after.settings) {
            lines.push(format!("source {name}: how it is read"));
        }
        if before.shrink != after.shrink {
            lines.push(format!("source {name}: limits"));
        }
    }
    for after in &new.targets {
        let name = &after.name;
        let Some(before) = old.target(name) else {
            continue;
        };
        for (what, same) in [
            ("schedule", before.schedule == after.schedule),
            ("rules and limits", before.rules == after.rules),
            ("source", before.source == after.source),
            ("mapping file", before.mapping_file == after.mapping_file),
            (
                "how it is spoken to",
                format!("{:?}", before.connector) == format!("{:?}", after.connector),
            ),
        ] {
            if !same {
                lines.push(format!("target {name}: {what}"));
            }
        }
    }
    reports(old, new, &mut lines);
    if old.control.path != new.control.path || old.metrics != new.metrics {
        lines.push("where the control socket or the metrics are: only after a restart".to_owned());
    }
    for reference in new.prints.changed(&old.prints) {
        lines.push(format!("secret {reference}: another one"));
    }
    if lines.is_empty() && old.digest != new.digest {
        lines.push("a mapping, or something else that concerns everybody".to_owned());
    }
    lines
}

/// The same for reports.
fn reports(old: &Config, new: &Config, lines: &mut Vec<String>) {
    for report in &new.reports {
        let name = &report.name;
        match old.reports.iter().find(|one| one.name == *name) {
            None => lines.push(format!("report {name}: added")),
            Some(before) if before != report => {
                lines.push(format!("report {name}: when, what or where to"));
            }
            Some(_) => {}
        }
    }
    let stays = |name: &String| new.reports.iter().any(|one| one.name == *name);
    let gone = old.reports.iter().map(|one| &one.name);
    let gone = gone.filter(|name| !stays(name));
    lines.extend(gone.map(|name| format!("report {name}: removed")));
}

fn differ(kind: &str, old: &BTreeSet<String>, new: &BTreeSet<String>, lines: &mut Vec<String>) {
    lines.extend(
        new.difference(old)
            .map(|name| format!("{kind} {name}: added")),
    );
    lines.extend(
        old.difference(new)
            .map(|name| format!("{kind} {name}: removed; its accounts stay as they are")),
    );
}
