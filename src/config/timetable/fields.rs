//! The five fields as sets of numbers, and how the library underneath wants them spelled.

/// One field: what it is called, what it may hold, and names for its numbers.
struct Field {
    name: &'static str,
    low: u32,
    high: u32,
    names: &'static [&'static str],
}

const MONTHS: &[&str] = &[
    "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec",
];
const DAYS: &[&str] = &["sun", "mon", "tue", "wed", "thu", "fri", "sat"];

const FIELDS: [Field; 5] = [
    Field {
        name: "minute",
        low: 0,
        high: 59,
        names: &[],
    },
    Field {
        name: "hour",
        low: 0,
        high: 23,
        names: &[],
    },
    Field {
        name: "day of month",
        low: 1,
        high: 31,
        names: &[],
    },
    Field {
        name: "month",
        low: 1,
        high: 12,
        names: MONTHS,
    },
    // 7 is Sunday too.
    Field {
        name: "day of week",
        low: 0,
        high: 7,
        names: DAYS,
    },
];

const SHORT: [(&str, &str); 7] = [
    ("@yearly", "0 0 1 1 *"),
    ("@annually", "0 0 1 1 *"),
    ("@monthly", "0 0 1 * *"),
    ("@weekly", "0 0 * * 0"),
    ("@daily", "0 0 * * *"),
    ("@midnight", "0 0 * * *"),
    ("@hourly", "0 * * * *"),
];

/// The numbers of one field.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Set {
    /// A bit for each number.
    bits: u64,
    /// Whether it was written with a star in front, and so restricts nothing by itself.
    star: bool,
}

impl Set {
    fn numbers(&self) -> impl Iterator<Item = u32> {
        let bits = self.bits;
        (0..64).filter(move |n| bits >> n & 1 == 1)
    }
}

/// The five fields.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Fields {
    sets: [Set; 5],
}

impl Fields {
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim();
        let lower = text.to_ascii_lowercase();
        let spelled = match SHORT.iter().find(|(short, _)| *short == lower) {
            Some((_, spelled)) => *spelled,
            None if text.starts_with('@') => {
                let known: Vec<&str> = SHORT.iter().map(|(short, _)| *short).collect();
                return Err(format!("the short forms are {}", known.join(", ")));
            }
            None => lower.as_str(),
        };
        let words: Vec<&str> = spelled.split_whitespace().collect();
        let [minute, hour, day, month, weekday] = words.as_slice() else {
            return Err(format!(
                "a time has five fields (minute, hour, day of month, month, day of week), such as \"30 3 * * *\"; here are {}",
                words.len()
            ));
        };
        let [a, b, c, d, e] = &FIELDS;
        let mut weekday = set(weekday, e)?;
        if weekday.bits >> 7 & 1 == 1 {
            weekday.bits = weekday.bits & 0x7f | 1;
        }
        Ok(Self {
            sets: [
                set(minute, a)?,
                set(hour, b)?,
                set(day, c)?,
                set(month, d)?,
                weekday,
            ],
        })
    }

    /// Whether it runs in every hour of the day.
    pub(super) fn is_hourly(&self) -> bool {
        let [_, hour, ..] = &self.sets;
        hour.numbers().count() == 24
    }

    /// In the six fields of the library: seconds in front, days of the week by name. Two spellings where either of two
    /// fields may match.
    pub(super) fn spelled(&self) -> Vec<String> {
        let [minute, hour, day, month, weekday] = &self.sets;
        let common = |day: &str, weekday: &str| {
            let (minute, hour, month) = (list(minute), list(hour), list(month));
            format!("0 {minute} {hour} {day} {month} {weekday}")
        };
        let days = list(day);
        let names: Vec<&str> = DAYS
            .iter()
            .enumerate()
            .filter(|(n, _)| weekday.bits >> n & 1 == 1)
            .map(|(_, name)| *name)
            .collect();
        let weekdays = if names.len() == DAYS.len() {
            "*".to_owned()
        } else {
            names.join(",")
        };
        if day.star || weekday.star {
            vec![common(&days, &weekdays)]
        } else {
            vec![common(&days, "*"), common("*", &weekdays)]
        }
    }
}

fn list(set: &Set) -> String {
    let numbers: Vec<String> = set.numbers().map(|n| n.to_string()).collect();
    numbers.join(",")
}

fn set(text: &str, field: &Field) -> Result<Set, String> {
    let mut bits = 0;
    for part in text.split(',') {
        bits |= part_of(part, field)?;
    }
    Ok(Set {
        bits,
        star: text.starts_with('*'),
    })
}

/// `*`, `5`, `1-5`, `*/15` or `8-18/2`.
fn part_of(part: &str, field: &Field) -> Result<u64, String> {
    let name = field.name;
    let (range, step) = match part.split_once('/') {
        Some((range, step)) => (range, Some(step)),
        None => (part, None),
    };
    let step_by = match step.map(str::parse::<u32>) {
        None => 1,
        Some(Ok(step)) if step >= 1 && step <= field.high => step,
        Some(_) => {
            return Err(format!(
                "{name}: a step is a whole number from 1 to {}",
                field.high
            ));
        }
    };
    let (low, high) = match range.split_once('-') {
        None if range == "*" => (field.low, last(field)),
        None => {
            let low = number(range, field)?;
            let high = if step.is_some() { last(field) } else { low };
            (low, high)
        }
        Some((low, high)) => (number(low, field)?, number(high, field)?),
    };
    let round = field.names.len() == DAYS.len() && low > high;
    if low > high && !round {
        return Err(format!(
            "{name}: a range goes upwards, such as {high}-{low}; write two ranges for one over the end"
        ));
    }
    // Over the end of the week: sat-mon.
    let high = if round { high + 7 } else { high };
    let mut bits = 0_u64;
    for n in (low..=high).step_by(step_by as usize) {
        bits |= 1 << if round { n % 7 } else { n };
    }
    Ok(bits)
}

/// The last number of a field that is not another's second name.
fn last(field: &Field) -> u32 {
    if field.names.len() == DAYS.len() {
        6
    } else {
        field.high
    }
}

fn number(text: &str, field: &Field) -> Result<u32, String> {
    if let Some(at) = field.names.iter().position(|name| *name == text) {
        // Names begin at the field's first number.
        return Ok(u32::try_from(at).unwrap_or(0) + field.low);
    }
    let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    match text.parse::<u32>() {
        Ok(n) if digits && n >= field.low && n <= field.high => Ok(n),
        _ => {
            let names = match field.names {
                [] => String::new(),
                [first, .., last] => format!(", or a name from {first} to {last}"),
                [only] => format!(", or {only}"),
            };
            Err(format!(
                "{}: must be a number from {} to {}{names}, a range, a list, or a step such as */2",
                field.name, field.low, field.high
            ))
        }
    }
}
