//! The filters that need more than the value: patterns, tables, the time zone of the mapping.

use minijinja::value::{Kwargs, Value as Jinja};
use minijinja::{Error, State};

use super::facts::{Facts, LARGEST};
use super::filters::{refuse, sized, text};
use super::{convert, dates};

/// Runs with a compiled pattern. Patterns are literals, compiled once with the mapping.
fn with_pattern<T>(
    state: &State<'_, '_>,
    pattern: &str,
    run: impl FnOnce(&regex::Regex) -> Result<T, Error>,
) -> Result<T, Error> {
    let facts = Facts::of(state);
    let found = facts
        .as_ref()
        .and_then(|facts| facts.library.patterns.get(pattern));
    found.map_or_else(
        || Err(refuse("the pattern must be written out where it is used")),
        run,
    )
}

pub(super) fn regex_replace(
    state: &State<'_, '_>,
    value: &Jinja,
    pattern: &str,
    by: &str,
) -> Result<Jinja, Error> {
    let Some(text) = text(value)? else {
        return Ok(Jinja::UNDEFINED);
    };
    with_pattern(state, pattern, |regex| {
        // A replacement can repeat whole groups; the bound is checked before the text is built.
        let found = regex.find_iter(&text).count();
        let groups = by.matches('$').count();
        let largest = found.saturating_mul(by.len() + groups.saturating_mul(text.len()));
        if largest > 64 * LARGEST {
            return Err(refuse("the replacement would be too large"));
        }
        sized(regex.replace_all(&text, by).into_owned())
    })
}

pub(super) fn regex_match(
    state: &State<'_, '_>,
    value: &Jinja,
    pattern: &str,
) -> Result<Jinja, Error> {
    let Some(text) = text(value)? else {
        return Ok(Jinja::UNDEFINED);
    };
    with_pattern(state, pattern, |regex| {
        Ok(Jinja::from(regex.is_match(&text)))
    })
}

pub(super) fn regex_find(
    state: &State<'_, '_>,
    value: &Jinja,
    pattern: &str,
    group: Option<usize>,
) -> Result<Jinja, Error> {
    let Some(text) = text(value)? else {
        return Ok(Jinja::UNDEFINED);
    };
    with_pattern(state, pattern, |regex| {
        let captures = regex.captures(&text);
        let found = captures.and_then(|found| found.get(group.unwrap_or_default()));
        Ok(found.map_or(Jinja::UNDEFINED, |found| Jinja::from(found.as_str())))
    })
}

pub(super) fn lookup(
    state: &State<'_, '_>,
    value: &Jinja,
    table: &str,
    fallback: Option<&Jinja>,
) -> Result<Jinja, Error> {
    let fallback = fallback.cloned().unwrap_or(Jinja::UNDEFINED);
    let Some(key) = text(value)? else {
        return Ok(fallback);
    };
    let facts = Facts::of(state);
    let found = facts
        .as_ref()
        .and_then(|facts| facts.library.tables.get(table));
    let Some(found) = found else {
        return Err(refuse(format!("there is no table [lookup.{table}]")));
    };
    Ok(found
        .get(&key.trim().to_lowercase())
        .cloned()
        .unwrap_or(fallback))
}

#[expect(
    clippy::needless_pass_by_value,
    reason = "the engine hands keyword arguments over by value"
)]
pub(super) fn date(
    state: &State<'_, '_>,
    value: &Jinja,
    pattern: Option<&str>,
    options: Kwargs,
) -> Result<Jinja, Error> {
    let form: Option<&str> = options.get("from")?;
    let zone: Option<&str> = options.get("timezone")?;
    options.assert_all_used()?;
    let Some(text) = text(value)? else {
        return Ok(Jinja::UNDEFINED);
    };
    let zone = match zone {
        Some(name) => convert::zone(name).map_err(refuse)?,
        None => {
            Facts::of(state).map_or(jiff::tz::TimeZone::UTC, |facts| facts.library.zone.clone())
        }
    };
    let form = dates::Written::named(form.unwrap_or("auto")).map_err(refuse)?;
    match dates::read(&text, form, &zone).map_err(refuse)? {
        None => Ok(Jinja::UNDEFINED),
        Some(moment) => {
            let shown = moment.format(pattern.unwrap_or("%Y-%m-%d"), &zone);
            sized(shown.map_err(refuse)?)
        }
    }
}
