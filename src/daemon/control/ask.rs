//! What is said over the control socket: one JSON object a line, in both directions. Pure.
//!
//! A request is one line. The answer is any number of lines about progress, and one last line. The format is versioned:
//! a service that does not know the version says so instead of guessing.

use serde::{Deserialize, Serialize};

use crate::engine::OverrideOrder;
use crate::model::Outcome;

/// The version of what is said.
pub const VERSION: u32 = 1;
/// The longest request, in bytes.
pub const LONGEST: usize = 64 << 10;

/// A request.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Ask {
    /// [`VERSION`].
    pub version: u32,
    /// What to do.
    pub command: Command,
    /// How the report looks.
    #[serde(default)]
    pub show: Show,
}

/// How a report looks to whoever asked.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Show {
    /// Versioned JSON instead of text.
    pub json: bool,
    /// With ANSI styles.
    pub colour: bool,
    /// Changes are counted instead of shown.
    pub quiet: bool,
    /// Columns.
    pub width: u16,
    /// Also as a page.
    pub html: bool,
    /// Also as a table.
    pub csv: bool,
    /// Also as calendars.
    pub ics: bool,
}

impl Default for Show {
    fn default() -> Self {
        Self {
            json: false,
            colour: false,
            quiet: false,
            width: 100,
            html: false,
            csv: false,
            ics: false,
        }
    }
}

/// What to do.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(tag = "name", deny_unknown_fields, rename_all = "kebab-case")]
pub enum Command {
    /// Where everything stands.
    Status {},
    /// What would be done.
    Plan {
        /// The targets; none means all.
        #[serde(default)]
        targets: Vec<String>,
        /// Compare with the accounts as listed now.
        #[serde(default)]
        live: bool,
        /// As if it were then.
        #[serde(default)]
        at: Option<String>,
    },
    /// Everything about one person.
    Explain {
        /// The person.
        person: String,
        /// Only this target.
        #[serde(default)]
        target: Option<String>,
    },
    /// Who has access when.
    Windows {
        /// What is asked.
        #[serde(default)]
        asked: AskedWindows,
    },
    /// A full cycle now.
    Sync {
        /// The targets; none means all.
        #[serde(default)]
        targets: Vec<String>,
        /// Compare with the accounts as listed now.
        #[serde(default)]
        live: bool,
        /// The digest of a whole plan that was approved.
        #[serde(default)]
        approve: Option<String>,
    },
    /// Allow what was set aside.
    Release {
        /// The target.
        target: String,
        /// Its digest.
        plan: String,
    },
    /// Accept a smaller directory.
    AcceptSource {
        /// The source.
        source: String,
    },
    /// Give an override.
    GiveOverride {
        /// Which. Who gives it is known from the connection.
        order: OverrideOrder,
    },
    /// Take overrides back.
    RevokeOverride {
        /// An override, or a person: then all of theirs.
        named: String,
    },
    /// The overrides that stand.
    ListOverrides {
        /// So many entries of the trail as well.
        past: usize,
    },
    /// Stop all writing.
    Freeze {
        /// The targets; none means all together.
        targets: Vec<String>,
        /// Why.
        reason: String,
    },
    /// Allow writing again.
    Thaw {
        /// The targets; none means all that is frozen.
        targets: Vec<String>,
        /// Why.
        reason: String,
    },
    /// What is frozen.
    Freezes {},
    /// Read the configuration again.
    Reload {},
    /// Log more or less.
    LogLevel {
        /// `error`, `warn`, `info`, `debug` or `trace`.
        level: String,
    },
}

/// Which moment or range, and of whom. Times are as people type them.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct AskedWindows {
    /// The targets; none means all.
    pub targets: Vec<String>,
    /// Only this person.
    pub person: Option<String>,
    /// The moment; now if there is no time at all.
    pub at: Option<String>,
    /// The beginning of a range.
    pub from: Option<String>,
    /// Its end.
    pub to: Option<String>,
    /// Read the directory instead of taking the last read.
    pub read: bool,
}

/// What somebody must be allowed to do for a command.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Right {
    /// To look.
    View,
    /// To act.
    Operate,
}

impl Command {
    /// The right that it needs.
    #[must_use]
    pub const fn needs(&self) -> Right {
        match self {
            Self::Status {}
            | Self::Plan { .. }
            | Self::Explain { .. }
            | Self::Windows { .. }
            | Self::ListOverrides { .. }
            | Self::Freezes {} => Right::View,
            Self::GiveOverride { .. }
            | Self::RevokeOverride { .. }
            | Self::Freeze { .. }
            | Self::Thaw { .. }
            | Self::Sync { .. }
            | Self::Release { .. }
            | Self::AcceptSource { .. }
            | Self::Reload {}
            | Self::LogLevel { .. } => Right::Operate,
        }
    }

    /// Its name, for the log and for refusals.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Status {} => "status",
            Self::Plan { .. } => "plan",
            Self::Explain { .. } => "explain",
            Self::Windows { .. } => "windows",
            Self::Sync { .. } => "sync",
            Self::Release { .. } => "release",
            Self::AcceptSource { .. } => "release --source",
            Self::GiveOverride { .. } => "override",
            Self::RevokeOverride { .. } => "override revoke",
            Self::ListOverrides { .. } => "override list",
            Self::Freeze { .. } => "freeze on",
            Self::Thaw { .. } => "freeze off",
            Self::Freezes {} => "freeze status",
            Self::Reload {} => "reload",
            Self::LogLevel { .. } => "log-level",
        }
    }
}

/// One line of an answer.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum Tell {
    /// It goes on.
    Progress {
        /// [`VERSION`].
        version: u32,
        /// What goes on.
        text: String,
    },
    /// It is done.
    End {
        /// [`VERSION`].
        version: u32,
        /// How it ended.
        outcome: Outcome,
        /// For standard output.
        report: String,
        /// For standard error.
        error: String,
        /// As a page, if that was asked for.
        html: Option<String>,
        /// As a table, if that was asked for.
        csv: Option<String>,
        /// Calendars with the names to tell them apart by, if that was asked for.
        #[serde(default)]
        ics: Box<[(String, String)]>,
    },
}

/// How a command ended.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Answer {
    /// The outcome.
    pub outcome: Outcome,
    /// For standard output.
    pub report: String,
    /// For standard error; empty if there is nothing to complain about.
    pub error: String,
    /// As a page, if that was asked for. Whoever asked writes the file: the service writes where it is told by nobody.
    pub html: Option<String>,
    /// As a table, if that was asked for.
    pub csv: Option<String>,
    /// Calendars with the names to tell them apart by, if that was asked for.
    pub ics: Box<[(String, String)]>,
}

impl Answer {
    /// It went well.
    #[must_use]
    pub fn report(outcome: Outcome, report: String) -> Self {
        Self {
            outcome,
            report,
            error: String::new(),
            html: None,
            csv: None,
            ics: Box::default(),
        }
    }

    /// It did not.
    #[must_use]
    pub fn refusal(outcome: Outcome, error: impl std::fmt::Display) -> Self {
        Self {
            outcome,
            report: String::new(),
            error: format!("provost: {error}"),
            html: None,
            csv: None,
            ics: Box::default(),
        }
    }
}

/// Reads a request. What is wrong with it is said without repeating it.
///
/// # Errors
/// The answer to give.
pub fn read(line: &[u8]) -> Result<Ask, Answer> {
    #[derive(Deserialize)]
    struct Version {
        version: u32,
    }
    let refuse = |why: String| Answer::refusal(Outcome::Failed, why);
    let no_object = || refuse("the request is not an object with a version".to_owned());
    // A list of the right length would be taken for an object without names.
    if !line.trim_ascii_start().starts_with(b"{") {
        return Err(no_object());
    }
    let version: Version = serde_json::from_slice(line).map_err(|_| no_object())?;
    if version.version != VERSION {
        return Err(refuse(format!(
            "the service speaks version {VERSION}, the request version {}; use the same release of both",
            version.version
        )));
    }
    serde_json::from_slice(line).map_err(|error| {
        refuse(format!(
            "the request was not understood at column {}",
            error.column()
        ))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_request_is_read_as_it_was_written() {
        let ask = Ask {
            version: VERSION,
            command: Command::Sync {
                targets: vec!["crm".to_owned()],
                live: true,
                approve: None,
            },
            show: Show::default(),
        };
        let line = serde_json::to_vec(&ask).unwrap();
        assert_eq!(read(&line), Ok(ask));
        let short = br#"{"version":1,"command":{"name":"sync"}}"#;
        assert!(matches!(read(short).unwrap().command, Command::Sync { .. }));
    }

    #[test]
    fn what_is_not_understood_is_refused_without_an_echo() {
        for (line, word) in [
            (&b""[..], "not an object"),
            (b"[1]", "not an object"),
            (br#"{"version":2,"command":{"name":"status"}}"#, "version 1"),
            (br#"{"version":1,"command":{"name":"hunter2"}}"#, "column"),
            (
                br#"{"version":1,"command":{"name":"status","x":1}}"#,
                "column",
            ),
            (
                br#"{"version":1,"command":{"name":"status"},"hunter2":1}"#,
                "column",
            ),
            (br#"{"version":1}"#, "column"),
        ] {
            let answer = read(line).unwrap_err();
            assert!(answer.error.contains(word), "{}", answer.error);
            assert!(!answer.error.contains("hunter2"), "{}", answer.error);
        }
    }

    proptest! {
        #[test]
        fn no_line_whatever_ends_in_a_panic(line in proptest::collection::vec(any::<u8>(), 0..200)) {
            read(&line).ok();
        }
    }
}
