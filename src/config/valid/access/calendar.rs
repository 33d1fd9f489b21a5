//! Closed days and extra openings: in the configuration, and in the files it names.

use super::Outside;
use super::refuse;
use crate::config::raw::{Located, Section};
use crate::reconcile::access::{Calendar, Half, Zones};

/// Reads both halves.
pub(super) fn read(section: &Section<'_>, zones: &Zones, outside: &dyn Outside) -> Calendar {
    let mut calendar = Calendar::default();
    for (half, lines, files) in [
        (Half::Closed, "holidays", "holiday-files"),
        (Half::Opened, "openings", "opening-files"),
    ] {
        for line in section.texts(lines) {
            if let Err(why) = calendar.add_line(half, &line.value) {
                refuse(section, &line, why);
            }
        }
        for file in section.texts(files) {
            if let Err(problems) = one_file(&mut calendar, half, &file, zones, outside) {
                for why in problems {
                    refuse(section, &file, why);
                }
            }
        }
    }
    calendar
}

/// A file whose name ends in `.ics` is a calendar, all others have a line for each day.
fn one_file(
    calendar: &mut Calendar,
    half: Half,
    file: &Located<String>,
    zones: &Zones,
    outside: &dyn Outside,
) -> Result<(), Vec<String>> {
    let path = outside.resolve(&file.value);
    let text = outside.text(&path).map_err(|why| vec![why])?;
    let is_calendar = path
        .extension()
        .is_some_and(|extension| extension.eq_ignore_ascii_case("ics"));
    let read = if is_calendar {
        calendar.add_ics(half, &text, zones)
    } else {
        calendar.add_text(half, &text)
    };
    let shown = path.display();
    read.map_err(|problems| {
        problems
            .into_iter()
            .map(|why| format!("{shown}: {why}"))
            .collect()
    })
}
