//! Weekly windows: `mon-fri 08:00-12:00 13:00-18:00`, over midnight, all day, `always`, `never`.

use std::fmt;

/// Minutes of a day.
pub(super) const DAY: u32 = 24 * 60;

const DAYS: [(&str, &str); 7] = [
    ("mon", "monday"),
    ("tue", "tuesday"),
    ("wed", "wednesday"),
    ("thu", "thursday"),
    ("fri", "friday"),
    ("sat", "saturday"),
    ("sun", "sunday"),
];

/// A window within a day: minutes from its midnight; the end may lie in the next day.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Window {
    /// Minutes after midnight at which it opens.
    pub from: u32,
    /// Minutes after the same midnight at which it closes: up to 48 hours.
    pub to: u32,
}

/// The windows of every weekday, Monday first.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Week {
    days: [Vec<Window>; 7],
}

impl Week {
    /// From the texts of a policy.
    ///
    /// # Errors
    /// For each text that is not understood: its index, and what to write instead.
    pub fn parse(texts: &[String]) -> Result<Self, Vec<(usize, String)>> {
        let mut week = Self::default();
        let mut problems = Vec::new();
        for (index, text) in texts.iter().enumerate() {
            match text.trim() {
                "always" | "never" if texts.len() > 1 => {
                    let message = format!("\"{text}\" stands alone: remove the other windows");
                    problems.push((index, message));
                }
                "always" => week = Self::always(),
                "never" => {}
                line => match read(line) {
                    Ok((days, windows)) => {
                        for day in days {
                            if let Some(list) = week.days.get_mut(day) {
                                list.extend(&windows);
                            }
                        }
                    }
                    Err(why) => problems.push((index, why)),
                },
            }
        }
        if problems.is_empty() {
            week.days.iter_mut().for_each(|day| day.sort_unstable());
            Ok(week)
        } else {
            Err(problems)
        }
    }

    /// Open at all times.
    #[must_use]
    pub fn always() -> Self {
        let whole = Window { from: 0, to: DAY };
        Self {
            days: std::array::from_fn(|_| vec![whole]),
        }
    }

    /// From minutes of the week, Monday 00:00 first, in any order; they may reach into the next week.
    pub(super) fn of_minutes(spans: &[(u32, u32)]) -> Self {
        let mut week = Self::default();
        for (from, to) in spans {
            let mut at = *from;
            while at < *to {
                let midnight = at - at % DAY;
                let end = (*to).min(midnight + DAY);
                let day = usize::try_from(at / DAY % 7).unwrap_or(0);
                if let Some(list) = week.days.get_mut(day) {
                    list.push(Window {
                        from: at - midnight,
                        to: end - midnight,
                    });
                }
                at = end;
            }
        }
        week.days.iter_mut().for_each(|day| day.sort_unstable());
        week
    }

    /// The windows that begin on a weekday, Monday = 0.
    #[must_use]
    pub fn day(&self, monday_zero: usize) -> &[Window] {
        self.days.get(monday_zero).map_or(&[], Vec::as_slice)
    }

    /// Whether it never opens.
    #[must_use]
    pub fn is_never(&self) -> bool {
        self.days.iter().all(Vec::is_empty)
    }
}

/// `mon-fri 08:00-18:00`, with days that have the same windows taken together.
impl fmt::Display for Week {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_never() {
            return f.write_str("never");
        }
        if *self == Self::always() {
            return f.write_str("always");
        }
        let mut day = 0;
        let mut first = true;
        while day < 7 {
            let windows = self.day(day);
            let mut last = day;
            while last + 1 < 7 && self.day(last + 1) == windows {
                last += 1;
            }
            if !windows.is_empty() {
                f.write_str(if first { "" } else { ", " })?;
                first = false;
                f.write_str(short(day))?;
                if last > day {
                    write!(f, "-{}", short(last))?;
                }
                for window in windows {
                    write!(f, " {window}")?;
                }
            }
            day = last + 1;
        }
        Ok(())
    }
}

impl fmt::Display for Window {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let end = if self.to > DAY {
            self.to - DAY
        } else {
            self.to
        };
        write!(
            f,
            "{:02}:{:02}-{:02}:{:02}",
            self.from / 60,
            self.from % 60,
            end / 60,
            end % 60
        )
    }
}

/// The short name of a weekday, Monday = 0.
pub(super) fn short(day: usize) -> &'static str {
    DAYS.get(day).map_or("", |(short, _)| short)
}

fn read(line: &str) -> Result<(Vec<usize>, Vec<Window>), String> {
    let words = line
        .split(|c: char| c.is_whitespace() || c == ',')
        .filter(|word| !word.is_empty());
    let (mut days, mut windows): (Vec<usize>, Vec<Window>) = (Vec::new(), Vec::new());
    for word in words {
        if word.starts_with(|c: char| c.is_ascii_digit()) {
            windows.push(window(word)?);
        } else if windows.is_empty() {
            days.extend(days_of(word)?);
        } else {
            return Err(format!(
                "\"{word}\" stands after a time; write each group of days as a text of its own"
            ));
        }
    }
    if days.is_empty() {
        return Err(
            "no day is named; write such as \"mon-fri 08:00-18:00\" or \"daily 08:00-18:00\""
                .to_owned(),
        );
    }
    if windows.is_empty() {
        return Err(
            "no time is named; write such as \"sat 09:00-12:00\", or \"sat 00:00-24:00\" for the whole day"
                .to_owned(),
        );
    }
    days.sort_unstable();
    days.dedup();
    Ok((days, windows))
}

fn days_of(word: &str) -> Result<Vec<usize>, String> {
    let lower = word.to_ascii_lowercase();
    if lower == "daily" {
        return Ok((0..7).collect());
    }
    let Some((from, to)) = lower.split_once('-') else {
        return Ok(vec![day_of(&lower)?]);
    };
    let (from, to) = (day_of(from)?, day_of(to)?);
    let length = (to + 7 - from) % 7;
    Ok((0..=length).map(|step| (from + step) % 7).collect())
}

fn day_of(word: &str) -> Result<usize, String> {
    let found = DAYS
        .iter()
        .position(|(short, long)| word == *short || word == *long);
    found.ok_or_else(|| {
        let shown: String = word.chars().take(20).flat_map(char::escape_debug).collect();
        format!("\"{shown}\" is no day; the days are mon, tue, wed, thu, fri, sat, sun and daily")
    })
}

/// `08:00-18:00`; an end before the begin lies in the next day.
pub(super) fn window(word: &str) -> Result<Window, String> {
    let shown = || -> String { word.chars().take(20).flat_map(char::escape_debug).collect() };
    let parts = word.split_once(['-', '–']);
    let times = parts.and_then(|(from, to)| Some((time(from)?, time(to)?)));
    let Some((from, to)) = times else {
        return Err(format!(
            "\"{}\" is no window; write it as 08:00-18:00, with 24 hours",
            shown()
        ));
    };
    if from == DAY {
        return Err("a window cannot begin at 24:00; let it begin at 00:00 of the next day".into());
    }
    if from == to {
        return Err(format!(
            "\"{}\" has no length; write 00:00-24:00 for the whole day",
            shown()
        ));
    }
    let to = if to < from { to + DAY } else { to };
    Ok(Window { from, to })
}

fn time(text: &str) -> Option<u32> {
    let (hour, minute) = text.split_once(':')?;
    let digits =
        |text: &str| matches!(text.len(), 1 | 2) && text.bytes().all(|b| b.is_ascii_digit());
    if !digits(hour) || minute.len() != 2 || !digits(minute) {
        return None;
    }
    let (hour, minute): (u32, u32) = (hour.parse().ok()?, minute.parse().ok()?);
    let total = hour * 60 + minute;
    (minute < 60 && total <= DAY).then_some(total)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(texts: &[&str]) -> String {
        let texts: Vec<String> = texts.iter().map(|&text| text.to_owned()).collect();
        match Week::parse(&texts) {
            Ok(week) => week.to_string(),
            Err(problems) => format!("{problems:?}"),
        }
    }

    #[test]
    fn windows_are_read_and_said() {
        for (given, said) in [
            (&["mon-fri 08:00-18:00"][..], "mon-fri 08:00-18:00"),
            (
                &["Mon,Wed 8:00-12:00, 13:00-17:30"],
                "mon 08:00-12:00 13:00-17:30, wed 08:00-12:00 13:00-17:30",
            ),
            (
                &["sat-mon 22:00-06:00"],
                "mon 22:00-06:00, sat-sun 22:00-06:00",
            ),
            (&["daily 00:00-24:00"], "always"),
            (&["always"], "always"),
            (&["never"], "never"),
            (&["friday 00:00-24:00"], "fri 00:00-24:00"),
            (
                &["mon-tue 09:00-10:00", "tue 08:00-09:30"],
                "mon 09:00-10:00, tue 08:00-09:30 09:00-10:00",
            ),
        ] {
            assert_eq!(shown(given), said, "{given:?}");
        }
    }

    #[test]
    fn what_is_not_understood_is_refused() {
        for text in [
            "mon",
            "08:00-18:00",
            "mon 8-18",
            "mon 08:00-08:00",
            "mon 08:60-09:00",
            "mon 24:00-06:00",
            "mon 08:00-25:00",
            "mo 08:00-18:00",
            "mon 08:00-18:00 tue",
            "",
        ] {
            let week = Week::parse(&[text.to_owned()]);
            assert!(week.is_err(), "{text}: {week:?}");
        }
        let both = ["always".to_owned(), "mon 08:00-18:00".to_owned()];
        assert!(Week::parse(&both).is_err());
    }
}
