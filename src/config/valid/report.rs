//! Plans that are made on schedule, for people to read: `[[report]]`.

use std::collections::BTreeSet;
use std::path::PathBuf;

use jiff::tz::TimeZone;

use super::{DeliverySpec, Outside, common, service};
use crate::config::keys;
use crate::config::raw::{Located, Section, not_an_option};
use crate::config::timetable::Timetable;
use crate::deliver::settings::Channel;
use crate::model::Problem;
use crate::reconcile::letters::judge_address;

/// Reports that are kept if nothing else is said.
const KEPT: u32 = 30;

/// In which form a report is written.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Form {
    /// One self-contained page.
    Html,
    /// A table.
    Csv,
    /// Versioned JSON.
    Json,
    /// As `provost plan` shows it.
    Text,
}

impl Form {
    const ALL: [(&'static str, Self); 4] = [
        ("html", Self::Html),
        ("csv", Self::Csv),
        ("json", Self::Json),
        ("text", Self::Text),
    ];

    /// How its files end.
    #[must_use]
    pub const fn ending(self) -> &'static str {
        match self {
            Self::Html => "html",
            Self::Csv => "csv",
            Self::Json => "json",
            Self::Text => "txt",
        }
    }
}

/// A report that is made on schedule. It says what would be done, and nothing of it is done.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ReportSpec {
    /// Its name, with which its files begin.
    pub name: String,
    /// When it is made.
    pub when: Timetable,
    /// The targets; none means all.
    pub targets: Vec<String>,
    /// Whether accounts are compared as the applications list them now.
    pub live: bool,
    /// Where its files are put, if anywhere.
    pub folder: Option<PathBuf>,
    /// Which files.
    pub forms: BTreeSet<Form>,
    /// How many reports are kept.
    pub keep: usize,
    /// Whom it is sent to by mail.
    pub mail: Vec<String>,
}

/// Reads the `[[report]]` tables; `None` after errors. `delivery` is `None` if it has errors of its own.
pub(super) fn read(
    root: &Section<'_>,
    sections: &[Section<'_>],
    targets: &[String],
    delivery: Option<&Option<DeliverySpec>>,
    outside: &dyn Outside,
) -> Option<Vec<ReportSpec>> {
    super::unique_names(sections);
    let zone = service::zone_of_all(root);
    sections
        .iter()
        .map(|section| one(section, targets, delivery, &zone, outside))
        .collect()
}

fn one(
    section: &Section<'_>,
    targets: &[String],
    delivery: Option<&Option<DeliverySpec>>,
    zone: &TimeZone,
    outside: &dyn Outside,
) -> Option<ReportSpec> {
    section.expect(&keys::REPORT);
    let name = common::name(section);
    let zone = service::zone(section).unwrap_or_else(|| zone.clone());
    let when = section.required(
        "schedule",
        "when the report is made, such as \"0 7 * * mon\"",
    );
    let when = when.and_then(|text| match Timetable::parse(&text.value, zone) {
        Ok(table) => Some(table),
        Err(why) => {
            let help = "such as \"0 7 * * mon\" for Mondays at 07:00";
            section.error("schedule", why, help);
            None
        }
    });
    let only = section.texts("targets");
    for target in only.iter().filter(|text| !targets.contains(&text.value)) {
        let (span, field) = (Some(target.span.clone()), &target.field);
        let problem = Problem::new(span, field, "there is no such target");
        section.findings().error(problem);
    }
    let folder = section.text("directory");
    if !section.has("directory") && !section.has("mail-to") {
        let help = "say where the files go, or to whom the report is sent with `mail-to`";
        section.missing("directory", help);
    }
    Some(ReportSpec {
        targets: common::values(only),
        live: section.flag("live", false),
        folder: folder.map(|path| outside.resolve(&path.value)),
        forms: forms(section),
        keep: section.number("keep", 1..=100_000).unwrap_or(KEPT) as usize,
        mail: addresses(section, delivery),
        name: name?,
        when: when?,
    })
}

fn forms(section: &Section<'_>) -> BTreeSet<Form> {
    if !section.has("formats") {
        return BTreeSet::from([Form::Html]);
    }
    let found = |text: &Located<String>| {
        let form = Form::ALL.iter().find(|(word, _)| *word == text.value);
        if form.is_none() {
            section.findings().error(not_an_option(text, &Form::ALL));
        }
        form.map(|(_, form)| *form)
    };
    section.texts("formats").iter().filter_map(found).collect()
}

/// Whom a report is sent to. That there is a mail server is said where the addresses stand.
fn addresses(section: &Section<'_>, delivery: Option<&Option<DeliverySpec>>) -> Vec<String> {
    let texts = section.texts("mail-to");
    let by_mail = |one: &DeliverySpec| matches!(one.settings.channel, Channel::Smtp(_));
    let missing = delivery.is_some_and(|spec| !spec.as_ref().is_some_and(by_mail));
    if !texts.is_empty() && missing {
        section.error(
            "mail-to",
            "there is no mail server to send reports with",
            "add [delivery] with type = \"smtp\", host and from; letters need not be configured",
        );
    }
    for text in &texts {
        if judge_address(&text.value).is_err() {
            let problem = Problem::new(
                Some(text.span.clone()),
                &text.field,
                "must be one plain mail address",
            );
            let help = "write it like \"it@example.com\", one for each item of the list";
            section.findings().error(problem.help(help));
        }
    }
    common::values(texts)
}
