//! Where everything stands, on one screen.

use jiff::{SignedDuration, Timestamp};

use super::Page;
use super::result::outcome_style;
use crate::report::paint::{ALERT, CHANGE, FAINT, Look};
use crate::report::safe;
use crate::report::status::{
    ReportStatus, Service, SourceStatus, Status, TargetStatus, VaultStatus,
};

/// Where everything stands.
#[must_use]
pub fn status(status: &Status, look: Look) -> String {
    let mut out = Page::new(look);
    let service = match &status.service {
        Some(one) => format!("running {} since {}", status.program, one.since),
        None => format!("not running; {} read what is remembered", status.program),
    };
    out.line(&format!("Service {service}"));
    if let Some(service) = &status.service {
        about(service, &mut out);
    }
    if let Some(freeze) = &status.freeze {
        let line = format!(
            "FROZEN: nothing is written anywhere: {}",
            safe::text(freeze)
        );
        out.prose(2, ALERT, &line);
    }
    for line in &status.overrides {
        out.prose(2, CHANGE, &format!("override: {}", safe::text(line)));
    }
    if let Some(one) = &status.vault {
        vault(one, &mut out);
    }
    for one in &status.sources {
        source(one, &mut out);
    }
    for one in &status.targets {
        target(one, status.now, &mut out);
    }
    for one in &status.reports {
        report(one, &mut out);
    }
    if status.targets.is_empty() {
        out.prose(0, FAINT, "no targets are configured");
    }
    out.text
}

fn about(service: &Service, out: &mut Page) {
    if let Some(error) = &service.config_error {
        let since = service.configured;
        let line =
            format!("the configuration of {since} stays in force, because the file has errors:");
        out.prose(2, ALERT, &line);
        for line in error.lines() {
            out.prose(4, ALERT, &safe::text(line));
        }
    }
    if let Some(metrics) = &service.metrics {
        out.field("metrics", metrics);
    }
}

fn vault(one: &VaultStatus, out: &mut Page) {
    for problem in &one.problems {
        let line = format!(
            "the vault is damaged: {}; restore the file \"vault\" of the state directory",
            safe::text(problem)
        );
        out.prose(2, ALERT, &line);
    }
    let old = if one.old_key {
        ", some with an old key: run `provost secrets rotate`"
    } else {
        ""
    };
    let line = format!("{} secrets opened at {}{old}", one.secrets, one.verified);
    out.field("vault", &line);
}

fn source(one: &SourceStatus, out: &mut Page) {
    out.heading(&format!("source {}", safe::text(&one.source)));
    let read = match (one.complete_read, one.age_seconds) {
        (Some(at), Some(age)) => format!(
            "{} people at {at}, {} ago, from {}",
            one.entries.unwrap_or(0),
            span(age),
            safe::text(one.server.as_deref().unwrap_or("?"))
        ),
        _ => "never read in full".to_owned(),
    };
    out.field("read", &read);
    if let Some(trouble) = &one.trouble {
        out.prose(2, ALERT, &format!("trouble: {}", safe::text(trouble)));
    }
}

fn target(one: &TargetStatus, now: Timestamp, out: &mut Page) {
    let look = out.look;
    out.heading(&format!("target {}", safe::text(&one.target)));
    let last = match one.last_run.zip(one.last_outcome) {
        None => "never run".to_owned(),
        Some((at, outcome)) => {
            let outcome = look.paint(outcome_style(outcome), outcome.as_str());
            format!("{outcome} at {at}")
        }
    };
    out.field("last run", &last);
    if let Some(error) = &one.error {
        out.prose(2, ALERT, &safe::text(error));
    }
    let accounts = format!(
        "{} managed, {} suspended by us, {} unconfirmed; {} changes pending, {} people held",
        one.managed, one.suspended, one.unconfirmed, one.pending, one.held
    );
    out.field("accounts", &accounts);
    if let Some(digest) = &one.waiting_digest {
        let name = safe::text(&one.target);
        let command = format!("provost release {name} --plan {digest}");
        let waiting = format!(
            "{} changes; allow them with: {command}",
            one.waiting_changes
        );
        out.field("waiting", &waiting);
    }
    if let Some(since) = one.oldest_suspension {
        let age = span(now.duration_since(since).as_secs());
        out.prose(
            2,
            ALERT,
            &format!("a suspension has been due for {age} and is not made"),
        );
    }
    if let Some((cause, since)) = &one.running {
        let age = span(now.duration_since(*since).as_secs());
        out.field("running", &format!("{cause}, for {age}"));
    }
    if let Some(closing) = one.closing.filter(|closing| closing.seconds > 60) {
        let (people, at, takes) = (closing.people, closing.at, span(closing.seconds));
        let begins = if closing.early {
            format!(", begins at {}", closing.begin)
        } else {
            String::new()
        };
        let late = match closing.late_seconds {
            0 => String::new(),
            late => format!(", the last is closed {} late", span(late)),
        };
        let line = format!("{people} people at {at} take {takes}{begins}{late}");
        let style = if late.is_empty() { FAINT } else { ALERT };
        out.prose(2, style, &format!("closing: {line}"));
    }
    let next: Vec<String> = one
        .next
        .iter()
        .map(|(what, at)| format!("{what} at {at}"))
        .collect();
    if !next.is_empty() {
        out.field("next", &next.join(", "));
    }
}

fn report(one: &ReportStatus, out: &mut Page) {
    out.heading(&format!("report {}", safe::text(&one.report)));
    let last = one.last.map_or("none".to_owned(), |at| at.to_string());
    out.field("last made", &last);
    if let Some(error) = &one.error {
        out.prose(2, ALERT, &safe::text(error));
    }
    if let Some(at) = one.next {
        out.field("next", &at.to_string());
    }
}

/// A length of time in its two largest units.
fn span(seconds: i64) -> String {
    let seconds = SignedDuration::from_secs(seconds.max(0)).as_secs();
    let (d, h, m, s) = (
        seconds / 86_400,
        seconds / 3600 % 24,
        seconds / 60 % 60,
        seconds % 60,
    );
    match (d, h, m) {
        (0, 0, 0) => format!("{s} s"),
        (0, 0, _) => format!("{m} min {s} s"),
        (0, ..) => format!("{h} h {m} min"),
        _ => format!("{d} d {h} h"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Outcome;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn everything_that_needs_somebody_is_on_the_screen() {
        let target = TargetStatus {
            target: "crm".to_owned(),
            last_run: Some(at("2026-11-22T11:45:00Z")),
            last_outcome: Some(Outcome::Quarantined),
            managed: 5,
            suspended: 1,
            held: 2,
            waiting_digest: Some("0123456789ab".to_owned()),
            waiting_changes: 3,
            oldest_suspension: Some(at("2026-11-22T09:00:00Z")),
            next: vec![("edge".to_owned(), at("2026-11-22T18:00:00Z"))],
            ..TargetStatus::default()
        };
        let status = Status {
            now: at("2026-11-22T12:00:00Z"),
            program: "0.1.0",
            service: Some(Service {
                since: at("2026-11-22T08:00:00Z"),
                configured: at("2026-11-22T08:00:00Z"),
                config_error: Some("provost.toml:3:1: unknown key".to_owned()),
                metrics: None,
                idle: true,
            }),
            sources: vec![SourceStatus {
                source: "corp".to_owned(),
                complete_read: Some(at("2026-11-22T11:00:00Z")),
                age_seconds: Some(3600),
                entries: Some(301),
                server: Some("ldaps://dc1\u{1b}[2J".to_owned()),
                trouble: Some("no server could be reached".to_owned()),
            }],
            targets: vec![target],
            reports: vec![ReportStatus {
                report: "weekly".to_owned(),
                last: None,
                error: Some("disk full".to_owned()),
                next: Some(at("2026-11-23T07:00:00Z")),
            }],
            vault: Some(VaultStatus {
                verified: at("2026-11-22T08:00:01Z"),
                secrets: 7,
                old_key: true,
                problems: vec!["record 3".to_owned()],
            }),
            overrides: Vec::new(),
            freeze: Some("audit, by root".to_owned()),
        };
        let text = super::status(&status, Look::plain());
        for part in [
            "running 0.1.0 since 2026-11-22T08:00:00Z",
            "provost.toml:3:1: unknown key",
            "FROZEN",
            "301 people at 2026-11-22T11:00:00Z, 1 h 0 min ago, from ldaps://dc1\\u{1b}[2J",
            "trouble: no server could be reached",
            "quarantined at 2026-11-22T11:45:00Z",
            "provost release crm --plan 0123456789ab",
            "a suspension has been due for 3 h 0 min",
            "edge at 2026-11-22T18:00:00Z",
            "report weekly",
            "the vault is damaged: record 3",
            "7 secrets opened at 2026-11-22T08:00:01Z, some with an old key",
            "disk full",
        ] {
            assert!(text.contains(part), "{part}:\n{text}");
        }
        assert_eq!(status.outcome(), Outcome::ConfigInvalid);
        let json: serde_json::Value = serde_json::from_str(&status.json()).unwrap();
        assert_eq!(json["version"], 1);
        assert_eq!(json["targets"][0]["waiting-changes"], 3);
        assert_eq!(json["targets"][0]["last-outcome"], "quarantined");
    }
}
