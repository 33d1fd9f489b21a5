//! The command line as people type it.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

/// Keeps application accounts in step with a directory.
#[derive(Debug, Parser)]
#[command(name = "provost", version, about, max_term_width = 100)]
#[command(
    after_help = "Exit codes: 0 done, 1 failed, 2 usage, 10 changes planned, 11 partly failed, \
    12 quarantined, 13 held, 14 source incomplete, 15 frozen, 75 locked, 78 configuration. See provost(8)."
)]
pub(super) struct Cli {
    #[command(flatten)]
    pub(super) global: Global,
    #[command(subcommand)]
    pub(super) command: Command,
}

/// Options of every command.
#[derive(Clone, Debug, Args)]
pub(super) struct Global {
    /// The configuration file.
    #[arg(
        long,
        short,
        global = true,
        value_name = "FILE",
        env = "PROVOST_CONFIG",
        default_value = "/etc/provost/provost.toml"
    )]
    pub(super) config: PathBuf,
    /// The control socket of the running service, where the configuration cannot be read.
    #[arg(long, global = true, value_name = "FILE")]
    pub(super) socket: Option<PathBuf>,
    /// How log lines are written to standard error.
    #[arg(long, global = true, value_name = "FORMAT", value_enum, default_value_t = LogFormat::Text)]
    pub(super) log: LogFormat,
    /// More log lines; twice for debugging.
    #[arg(long, short, global = true, action = clap::ArgAction::Count, conflicts_with = "quiet")]
    pub(super) verbose: u8,
    /// Only errors in the log, no progress, and changes counted instead of shown.
    #[arg(long, short, global = true)]
    pub(super) quiet: bool,
    /// When to use colour.
    #[arg(long, global = true, value_name = "WHEN", value_enum, default_value_t = Colour::Auto)]
    pub(super) color: Colour,
    /// Write the report as versioned JSON.
    #[arg(long, global = true)]
    pub(super) json: bool,
}

/// How log lines are written.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub(super) enum LogFormat {
    /// For people and journald.
    Text,
    /// One JSON object a line.
    Json,
}

/// When to use colour.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub(super) enum Colour {
    /// On a terminal, unless NO_COLOR is set.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Check the configuration and the mappings with their tests.
    Check(Check),
    /// Verify, reading only, what a target's profile claims, and say which assumptions that confirms.
    Probe(Probe),
    /// Show what would be done. Changes nothing anywhere.
    Plan(PlanArgs),
    /// Make the changes of a plan after it was confirmed.
    Apply(Apply),
    /// One full cycle without questions: read, plan, apply what the limits allow.
    Sync(Targets),
    /// Allow one staged plan, or one shrunken directory read, and no other.
    Release(Release),
    /// Tell everything about one person, and why something is or is not done.
    Explain(Explain),
    /// Stop all writing to applications, or allow it again.
    Freeze(FreezeArgs),
    /// An exception for one person, for a time: beside the windows, or against everything.
    Override(OverrideArgs),
    /// Show who has access at a moment, or every change within a range, from the last read.
    Windows(WindowsArgs),
    /// Show where everything stands.
    Status(Status),
    /// Run as a service: on schedule, and at the edges of access windows.
    Run(Run),
    /// Have the running service read its configuration again.
    Reload,
    /// Have the running service log more or less.
    LogLevel(LogLevel),
    /// Look at and look after what is remembered.
    State(State),
    /// See what became of letters, and try them again.
    Delivery(Delivery),
    /// Make, check and rotate the key that passwords are sealed with.
    Secrets(SecretStore),
    /// Build a company of 300 people and see joiner, mover, leaver and rehire for real.
    Demo(Demo),
    /// Write the JSON Schema of the reports that --json writes.
    Schema,
    /// List what an administrator is asked to do by hand, and tick it off.
    #[command(name = "worklist")]
    WorkList(WorkList),
    /// Write the completion script for a shell.
    Completions(Completions),
}

#[derive(Debug, Args)]
pub(super) struct Check {
    /// Also connect to every source and target, reading only.
    #[arg(long)]
    pub(super) online: bool,
}

#[derive(Debug, Args)]
pub(super) struct PlanArgs {
    #[command(flatten)]
    pub(super) targets: Targets,
    /// Plan as if it were this time: 21:00, 2h, 2026-12-01, "2027-03-28 02:30 Europe/Berlin" or RFC 3339.
    #[arg(long, value_name = "TIME")]
    pub(super) at: Option<String>,
}

#[derive(Debug, Args)]
pub(super) struct Probe {
    /// The target.
    #[arg(value_name = "TARGET")]
    pub(super) target: String,
}

#[derive(Debug, Args)]
pub(super) struct Targets {
    /// The targets; all of them if none is named.
    #[arg(value_name = "TARGET")]
    pub(super) targets: Vec<String>,
    /// Compare with the accounts as the applications list them now, not as last confirmed.
    #[arg(long)]
    pub(super) live: bool,
    #[command(flatten)]
    pub(super) files: Files,
}

/// Files that a report is written into, besides being shown.
#[derive(Debug, Default, Args)]
pub(super) struct Files {
    /// Also write the report as one self-contained page, for people without a terminal.
    #[arg(long, value_name = "FILE")]
    pub(super) html: Option<PathBuf>,
    /// Also write all changes as a table for spreadsheets.
    #[arg(long, value_name = "FILE")]
    pub(super) csv: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(super) struct Apply {
    /// The target.
    #[arg(value_name = "TARGET", required = true)]
    pub(super) targets: Vec<String>,
    /// Apply only if the plan still has this digest (at least 12 characters of it).
    #[arg(long, value_name = "DIGEST", conflicts_with = "yes")]
    pub(super) plan: Option<String>,
    /// Do not ask.
    #[arg(long, short)]
    pub(super) yes: bool,
    /// Compare with the accounts as the applications list them now, not as last confirmed.
    #[arg(long)]
    pub(super) live: bool,
}

#[derive(Debug, Args)]
#[group(id = "what", required = true, multiple = true)]
pub(super) struct Release {
    /// The target whose staged plan is allowed.
    #[arg(value_name = "TARGET", requires = "plan")]
    pub(super) target: Option<String>,
    /// The digest of the staged plan (at least 12 characters of it).
    #[arg(long, value_name = "DIGEST", requires = "target")]
    pub(super) plan: Option<String>,
    /// The source whose smaller number of people is right.
    #[arg(long, value_name = "NAME", conflicts_with_all = ["target", "plan"])]
    pub(super) source: Option<String>,
}

#[derive(Debug, Args)]
pub(super) struct Explain {
    /// The person: anchor, DN, mail address, login or display name.
    #[arg(value_name = "PERSON")]
    pub(super) person: String,
    /// Only this target.
    #[arg(long, value_name = "TARGET")]
    pub(super) target: Option<String>,
}

#[derive(Debug, Args)]
pub(super) struct FreezeArgs {
    #[command(subcommand)]
    pub(super) command: FreezeCommand,
}

#[derive(Debug, Subcommand)]
pub(super) enum FreezeCommand {
    /// Write nothing from now on; plans and reports go on.
    On {
        /// The targets; all of them together if none is named.
        #[arg(value_name = "TARGET")]
        targets: Vec<String>,
        /// Why; it is kept.
        #[arg(long, value_name = "TEXT")]
        reason: String,
    },
    /// Allow writing again.
    Off {
        /// The targets; everything that is frozen if none is named.
        #[arg(value_name = "TARGET")]
        targets: Vec<String>,
        /// Why; it is kept.
        #[arg(long, value_name = "TEXT")]
        reason: Option<String>,
    },
    /// Show what is frozen, since when, by whom and why.
    Status,
}

#[derive(Debug, Args)]
pub(super) struct OverrideArgs {
    #[command(subcommand)]
    pub(super) command: OverrideCommand,
}

#[derive(Debug, Subcommand)]
pub(super) enum OverrideCommand {
    /// Give a person access beside the windows, for at most 31 days. Revives nobody who left or is disabled.
    Grant(Grant),
    /// Take a person's access away by name, until a moment or until it is revoked.
    Suspend(SuspendArgs),
    /// Take an override back.
    Revoke {
        /// An override as the list names it, or a person: then all of theirs.
        #[arg(value_name = "ID|PERSON")]
        named: String,
    },
    /// Show the overrides that stand.
    List {
        /// Also what was ordered before, freezes and releases included.
        #[arg(long)]
        all: bool,
        /// How much of that.
        #[arg(long, value_name = "N", default_value_t = 50, requires = "all")]
        last: usize,
    },
}

#[derive(Debug, Args)]
pub(super) struct Grant {
    /// The person: anchor, DN, mail address, login or display name.
    #[arg(value_name = "PERSON")]
    pub(super) person: String,
    /// Until when: 21:00, 2h, 2026-12-01, "2026-12-01 18:00 Europe/Berlin" or RFC 3339.
    #[arg(long, value_name = "TIME")]
    pub(super) until: String,
    /// From when on, if not from now.
    #[arg(long, value_name = "TIME")]
    pub(super) from: Option<String>,
    /// Only this target.
    #[arg(long, value_name = "TARGET")]
    pub(super) target: Option<String>,
    /// Why; it is kept.
    #[arg(long, value_name = "TEXT")]
    pub(super) reason: String,
}

#[derive(Debug, Args)]
pub(super) struct SuspendArgs {
    /// The person: anchor, DN, mail address, login or display name.
    #[arg(value_name = "PERSON")]
    pub(super) person: String,
    /// Until when, as for grant; without it, until it is revoked.
    #[arg(long, value_name = "TIME")]
    pub(super) until: Option<String>,
    /// From when on, if not from now.
    #[arg(long, value_name = "TIME")]
    pub(super) from: Option<String>,
    /// Only this target.
    #[arg(long, value_name = "TARGET")]
    pub(super) target: Option<String>,
    /// Why; it is kept.
    #[arg(long, value_name = "TEXT")]
    pub(super) reason: String,
}

#[derive(Debug, Args)]
pub(super) struct WindowsArgs {
    /// The targets; all of them if none is named.
    #[arg(value_name = "TARGET")]
    pub(super) targets: Vec<String>,
    /// The moment: 21:00, 2h, 2026-12-01, "2027-03-28 02:30 Europe/Berlin" or RFC 3339; now if not given.
    #[arg(long, value_name = "TIME", conflicts_with_all = ["from", "to"])]
    pub(super) at: Option<String>,
    /// Every change from this time on.
    #[arg(long, value_name = "TIME")]
    pub(super) from: Option<String>,
    /// Until this time; 7 days if not given, 90 for a calendar.
    #[arg(long, value_name = "TIME")]
    pub(super) to: Option<String>,
    /// Only this person: anchor, DN, mail address, login or display name.
    #[arg(long, value_name = "PERSON")]
    pub(super) person: Option<String>,
    /// Read the directory now instead of using the last read.
    #[arg(long)]
    pub(super) read: bool,
    /// Also write a calendar: of the person, or of each policy.
    #[arg(long, value_name = "FILE")]
    pub(super) ics: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(super) struct Status {
    /// End with the exit code of the outcome that needs the most attention, for monitoring.
    #[arg(long)]
    pub(super) exit_code: bool,
}

#[derive(Debug, Args)]
pub(super) struct Run {
    /// For rehearsals: take the time from this file (RFC 3339), which somebody else moves.
    #[arg(long, value_name = "FILE", hide = true)]
    pub(super) clock: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(super) struct LogLevel {
    /// error, warn, info, debug or trace.
    pub(super) level: String,
}

#[derive(Debug, Args)]
pub(super) struct State {
    #[command(subcommand)]
    pub(super) command: StateCommand,
}

#[derive(Debug, Subcommand)]
pub(super) enum StateCommand {
    /// List the accounts of a target as last confirmed.
    Show {
        /// The target.
        target: String,
    },
    /// Compare the index with the journal.
    Verify,
    /// Build the index again from the journal.
    Rebuild,
    /// Forget one account, so that it may be created or matched again. The account itself is not touched.
    Forget {
        /// The target.
        target: String,
        /// The person's anchor.
        anchor: String,
    },
}

#[derive(Debug, Args)]
pub(super) struct Delivery {
    #[command(subcommand)]
    pub(super) command: DeliveryCommand,
}

#[derive(Debug, Subcommand)]
pub(super) enum DeliveryCommand {
    /// List letters that wait, were handed over or were given up.
    List,
    /// Let letters that wait or were given up be tried by the next run.
    Retry,
    /// Send a letter without any password to an address.
    Test {
        /// The address.
        #[arg(long, value_name = "ADDRESS")]
        to: String,
    },
}

#[derive(Debug, Args)]
pub(super) struct SecretStore {
    #[command(subcommand)]
    pub(super) command: SecretsCommand,
}

#[derive(Debug, Subcommand)]
pub(super) enum SecretsCommand {
    /// Make a new key. Never overwrites one.
    Init {
        /// The file for it, readable by its owner only.
        #[arg(value_name = "FILE", required_unless_present = "stdout")]
        file: Option<PathBuf>,
        /// Write the key itself to standard output instead, for a pipe.
        #[arg(long, conflicts_with = "file")]
        stdout: bool,
    },
    /// Open every sealed secret once. Shows none.
    Verify,
    /// Seal everything anew with the configured key.
    Rotate,
}

#[derive(Debug, Args)]
pub(super) struct Demo {
    /// Where to build it.
    #[arg(value_name = "DIR", default_value = "provost-demo")]
    pub(super) dir: PathBuf,
}

#[derive(Debug, Args)]
pub(super) struct WorkList {
    #[command(subcommand)]
    pub(super) command: WorkListCommand,
}

#[derive(Debug, Subcommand)]
pub(super) enum WorkListCommand {
    /// List the open tasks.
    List {
        /// Only those of this target.
        #[arg(value_name = "TARGET")]
        target: Option<String>,
    },
    /// Say that tasks are done.
    Done {
        /// The tasks, by their ids.
        #[arg(value_name = "TASK", required = true)]
        tasks: Vec<String>,
        /// Who did them; otherwise the number of the user.
        #[arg(long, value_name = "NAME")]
        by: Option<String>,
    },
}

#[derive(Debug, Args)]
pub(super) struct Completions {
    /// The shell.
    pub(super) shell: clap_complete::Shell,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        <Cli as clap::CommandFactory>::command().debug_assert();
    }

    #[test]
    fn release_needs_a_digest_or_a_source() {
        for (line, good) in [
            ("provost release crm --plan 0123456789ab", true),
            ("provost release --source corp", true),
            ("provost release crm", false),
            ("provost release", false),
            (
                "provost release crm --plan 0123456789ab --source corp",
                false,
            ),
        ] {
            let parsed = Cli::try_parse_from(line.split(' '));
            assert_eq!(parsed.is_ok(), good, "{line}");
        }
    }
}
