//! The application's own export of its accounts, as CSV: what is really there.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::book::{self, Known};
use crate::model::Value;
use crate::target::ConnectorError;
use crate::target::settings::WorkListSettings;

/// An export that was read.
#[derive(Debug)]
pub struct Export {
    /// The accounts by id.
    pub rows: BTreeMap<String, Known>,
    /// When the file was written, to the second as every time of ours.
    pub as_of: Timestamp,
}

/// Reads the export, if one is configured and there.
pub(super) fn read(settings: &WorkListSettings) -> Result<Option<Export>, ConnectorError> {
    let Some(path) = &settings.export else {
        return Ok(None);
    };
    let found = match std::fs::metadata(path) {
        Ok(found) => found,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(book::failed(path, "read", &e)),
    };
    let written = found
        .modified()
        .map_err(|e| book::failed(path, "read", &e))?;
    let as_of = Timestamp::try_from(written)
        .and_then(|written| Timestamp::from_second(written.as_second()))
        .map_err(|e| ConnectorError::Protocol(format!("{}: its time: {e}", path.display())))?;
    let bytes = std::fs::read(path).map_err(|e| book::failed(path, "read", &e))?;
    let rows = parse(&bytes, settings, as_of)
        .map_err(|why| ConnectorError::Protocol(format!("{}: {why}", path.display())))?;
    Ok(Some(Export { rows, as_of }))
}

/// Takes an export apart. One without a wanted column or with an id twice is refused: guessing would take access away.
pub(super) fn parse(
    bytes: &[u8],
    settings: &WorkListSettings,
    as_of: Timestamp,
) -> Result<BTreeMap<String, Known>, String> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let mut reader = csv::ReaderBuilder::new().from_reader(bytes);
    let header = reader.headers().map_err(|e| e.to_string())?.clone();
    let place = |column: &str| {
        let mut names = header.iter();
        let found = names.position(|name| name.trim().eq_ignore_ascii_case(column));
        found.ok_or_else(|| format!("the export has no column \"{column}\""))
    };
    let mut columns = Vec::new();
    for (attribute, column) in &settings.columns {
        columns.push((attribute, place(column)?));
    }
    let active = settings
        .active
        .as_ref()
        .map(|active| place(&active.column))
        .transpose()?;
    let mut rows = BTreeMap::new();
    for record in reader.records() {
        let record = record.map_err(|e| e.to_string())?;
        let mut attributes = BTreeMap::new();
        for (attribute, place) in &columns {
            let text = record.get(*place).unwrap_or("").trim();
            let dated = settings
                .dated
                .iter()
                .any(|d| d.dates().any(|date| date == attribute.as_str()));
            let text = match dated && !text.is_empty() {
                true => day(text, settings, reader_line(&record))?,
                false => text.to_owned(),
            };
            if let Some(value) = value(&text, settings.lists.contains(*attribute)) {
                attributes.insert((*attribute).clone(), value);
            }
        }
        let Some(id) = attributes.get(&settings.id).map(ToString::to_string) else {
            // A row without an id is no account of ours: some exports have totals at their end.
            continue;
        };
        let shown = active
            .and_then(|place| record.get(place))
            .unwrap_or("")
            .trim();
        let words = settings.active.as_ref().map(|active| &active.values);
        let active =
            words.is_none_or(|words| words.iter().any(|word| word.eq_ignore_ascii_case(shown)));
        let known = Known {
            attributes,
            active,
            gone: false,
            as_of,
        };
        if rows.insert(id.clone(), known).is_some() {
            return Err(format!("the id \"{id}\" is there twice"));
        }
    }
    Ok(rows)
}

/// Where a record stands in the file.
fn reader_line(record: &csv::StringRecord) -> u64 {
    record.position().map_or(0, csv::Position::line)
}

/// A date as we write it. One that cannot be read would end unseen, so the export is refused.
fn day(text: &str, settings: &WorkListSettings, line: u64) -> Result<String, String> {
    let format = &settings.date_format;
    let read = jiff::civil::Date::strptime(format, text);
    read.map(|date| date.to_string()).map_err(|_| {
        format!("line {line}: \"{text}\" is no date of the form \"{format}\"; set `date-format` to the form of your export")
    })
}

fn value(text: &str, list: bool) -> Option<Value> {
    if !list {
        return Value::text(text);
    }
    let parts = text.split([';', ',']).map(str::trim);
    let set: BTreeSet<String> = parts
        .filter(|part| !part.is_empty())
        .map(str::to_owned)
        .collect();
    (!set.is_empty()).then_some(Value::Set(set))
}
