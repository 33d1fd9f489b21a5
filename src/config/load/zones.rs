//! The time zones of this machine, all read at once: judging access later reads no files.

use std::path::Path;

use jiff::tz::TimeZoneDatabase;

use crate::reconcile::access::Zones;

/// Where systems keep their time zones.
const FOLDER: &str = "/usr/share/zoneinfo";
/// The longest beginning of a version file that is looked at, in bytes.
const BEGINNING: usize = 200;

/// Reads them.
///
/// # Errors
/// When there are none.
pub fn system() -> Result<Zones, String> {
    let database = TimeZoneDatabase::from_dir(FOLDER)
        .map_err(|why| format!("{FOLDER}: cannot be read: {why}"))?;
    let zones: Vec<_> = database
        .available()
        .filter_map(|name| {
            let zone = database.get(name.as_str()).ok()?;
            Some((name.as_str().to_owned(), zone))
        })
        .collect();
    if zones.is_empty() {
        return Err(format!("{FOLDER}: there are no time zones"));
    }
    Ok(Zones::given(zones, format!("{} (system)", version())))
}

/// As the database's own files tell it.
fn version() -> String {
    let read = |name: &str| {
        let text = std::fs::read(Path::new(FOLDER).join(name)).ok()?;
        let text = text.get(..text.len().min(BEGINNING))?;
        Some(String::from_utf8_lossy(text).into_owned())
    };
    let short = |text: &str| -> String {
        let harmless = |c: &char| c.is_ascii_alphanumeric();
        text.chars().take_while(harmless).take(12).collect()
    };
    let listed = read("tzdata.zi");
    let listed = listed
        .as_deref()
        .and_then(|text| text.strip_prefix("# version "));
    let found = listed
        .map(short)
        .or_else(|| read("+VERSION").map(|text| short(&text)));
    found
        .filter(|version| !version.is_empty())
        .unwrap_or_else(|| "of unknown version".to_owned())
}
