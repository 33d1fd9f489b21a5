//! A target that is a work list for an administrator.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::Outside;
use super::common::values;
use crate::config::keys;
use crate::config::raw::Section;
use crate::reconcile::mapping::Mapping;
use crate::target::settings::{ActiveColumn, Dated, Licences, WorkListSettings};
use crate::target::worklist::Kind;

const DAY: Duration = Duration::from_secs(86_400);

/// Reads the keys of a work list.
pub fn read(
    section: &Section<'_>,
    mapping: Option<&Mapping>,
    outside: &dyn Outside,
) -> Option<WorkListSettings> {
    let path = section.required("path", "the folder of the list, relative to this file");
    let id = section.required(
        "id",
        "the attribute of the mapping by which an account is known, such as \"email\"",
    );
    let export = section
        .text("export")
        .map(|path| outside.resolve(&path.value));
    let columns = texts(section, "columns");
    let id = id.map(|id| id.value).unwrap_or_default();
    if export.is_some() && !columns.contains_key(&id) {
        let message =
            format!("must name the export's column for \"{id}\", by which accounts are known");
        section.error("columns", message, "such as { email = \"E-mail\" }");
    }
    let known: BTreeSet<&str> = mapping
        .into_iter()
        .flat_map(Mapping::rules)
        .map(|rule| rule.name.as_str())
        .collect();
    let licences = licences(section);
    let dated: Vec<Dated> = section.tables("dated").iter().filter_map(dated).collect();
    shown(section, &dated, &columns, export.is_some());
    let lists: BTreeSet<String> = values(section.texts("lists"));
    let stripped: BTreeSet<String> = values(section.texts("stripped-when-disabled"));
    if mapping.is_some() {
        let dates: BTreeSet<&str> = dated.iter().flat_map(Dated::dates).collect();
        let shown = columns.keys().filter(|name| !dates.contains(name.as_str()));
        let named = shown.map(|name| ("columns", name));
        let named = named.chain(lists.iter().map(|name| ("lists", name)));
        let named = named.chain(stripped.iter().map(|name| ("stripped-when-disabled", name)));
        let named = named.chain(
            licences
                .iter()
                .map(|licences| ("licences", &licences.attribute)),
        );
        let named = named.chain(dated.iter().map(|dated| ("dated", &dated.attribute)));
        let id = (!id.is_empty()).then_some(("id", &id));
        for (key, name) in named.chain(id) {
            if !known.contains(name.as_str()) {
                let message = format!("the mapping has no attribute \"{name}\"");
                section.error(key, message, "name attributes as the mapping does");
            }
        }
    }
    let title = section.text("title").map(|title| title.value);
    Some(WorkListSettings {
        path: outside.resolve(&path?.value),
        title: title.unwrap_or_else(|| "Accounts".to_owned()),
        export,
        id,
        columns,
        lists,
        active: active(section),
        stripped,
        licences,
        date_format: date_format(section),
        dated,
        foresee: section
            .duration("foresee", DAY / 24..=366 * DAY)
            .and_then(|ahead| jiff::SignedDuration::try_from(ahead).ok()),
        send_to: super::delivery::address(section, section.text("send-to")),
        steps: steps(section),
    })
}

/// A table of texts.
fn texts(section: &Section<'_>, key: &str) -> BTreeMap<String, String> {
    let Some(table) = section.any_table(key) else {
        return BTreeMap::new();
    };
    let pairs = table
        .keys()
        .filter_map(|key| Some((key.to_owned(), table.text(key)?.value)));
    pairs.collect()
}

fn active(section: &Section<'_>) -> Option<ActiveColumn> {
    let table = section.table("active", &keys::ACTIVE)?;
    let column = table.required(
        "column",
        "the export's column that says whether an account is usable",
    );
    let words: Vec<String> = values(table.texts("values"));
    if words.is_empty() {
        table.error(
            "values",
            "must not be empty",
            "the words that mean yes, such as [\"Active\"]",
        );
    }
    Some(ActiveColumn {
        column: column?.value,
        values: words,
    })
}

fn licences(section: &Section<'_>) -> Option<Licences> {
    let table = section.table("licences", &keys::LICENCES)?;
    let attribute = table.required(
        "attribute",
        "the attribute that names an account's licences",
    );
    let mut stock = BTreeMap::new();
    if let Some(counts) = table.any_table("stock") {
        for name in counts.keys() {
            if let Some(count) = counts.number(name, 0..=1_000_000) {
                stock.insert(name.to_owned(), count);
            }
        }
    }
    Some(Licences {
        attribute: attribute?.value,
        stock,
    })
}

fn dated(table: &Section<'_>) -> Option<Dated> {
    table.expect(&keys::DATED);
    let attribute = table.required("attribute", "the attribute that has dates of its own");
    let text = |key: &str| table.text(key).map(|text| text.value);
    let (from, until) = (text("from"), text("until"));
    if from.is_none() && until.is_none() {
        let help = "such as until = \"location_until\", a name of your choice";
        table.error("until", "neither `from` nor `until` is named", help);
    }
    let days = |key: &str, default: i32| {
        let given = table.duration(key, DAY..=3650 * DAY);
        given.map_or(default, |given| {
            i32::try_from(given.as_secs() / 86_400).unwrap_or(default)
        })
    };
    let (ahead, by) = (days("ahead", 60), days("by", 730));
    if ahead >= by {
        table.error(
            "by",
            "must be longer than `ahead`, or every date is always due",
            "such as \"730d\"",
        );
    }
    Some(Dated {
        attribute: attribute?.value,
        from,
        until,
        ahead,
        by,
    })
}

/// Once an export says what is there, it must say when that ends as well: else nobody would know.
fn shown(section: &Section<'_>, dated: &[Dated], columns: &BTreeMap<String, String>, export: bool) {
    let hidden = dated.iter().filter_map(|dated| dated.until.as_ref());
    for until in hidden.filter(|until| export && !columns.contains_key(*until)) {
        let message = format!("must name the export's column for \"{until}\"");
        let help =
            "without it nobody knows when that date comes; name the column, or leave out `until`";
        section.error("columns", message, help);
    }
}

fn date_format(section: &Section<'_>) -> String {
    const ISO: &str = "%Y-%m-%d";
    let Some(format) = section.text("date-format") else {
        return ISO.to_owned();
    };
    let day = jiff::civil::date(2026, 11, 22);
    let written = jiff::fmt::strtime::format(&format.value, day).ok();
    let read = written.and_then(|text| jiff::civil::Date::strptime(&format.value, text).ok());
    if read != Some(day) {
        let help = "such as \"%m/%d/%Y\" for 11/22/2026 or \"%d.%m.%Y\" for 22.11.2026";
        section.error(
            "date-format",
            "is no form in which a day can be written and read",
            help,
        );
    }
    format.value
}

fn steps(section: &Section<'_>) -> BTreeMap<Kind, Vec<String>> {
    let Some(table) = section.table("steps", &keys::STEPS) else {
        return BTreeMap::new();
    };
    Kind::ALL
        .into_iter()
        .map(|kind| (kind, values(table.texts(kind.as_str()))))
        .collect()
}
