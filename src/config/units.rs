//! Durations and sizes as administrators write them: `"30s"`, `"4MiB"`.
//!
//! Decides only what a text means; whether the value is sensible for its field is decided where the field is read.

use std::time::Duration;

/// The units of time, longest name first so that `ms` is not read as `m`.
const TIME: [(&str, u64); 6] = [
    ("ms", 1),
    ("s", 1_000),
    ("m", 60_000),
    ("h", 3_600_000),
    ("d", 86_400_000),
    ("w", 604_800_000),
];

/// The units of size. Powers of 1024 only: `MB` means different things to different people.
const SIZE: [(&str, u64); 4] = [
    ("B", 1),
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
];

/// A duration such as `"10s"`, `"90d"` or `"1h30m"`.
///
/// # Errors
/// What is wrong with the text, without repeating it.
pub fn duration(text: &str) -> Result<Duration, String> {
    let mut rest = text;
    let mut total: u64 = 0;
    while !rest.is_empty() {
        let (number, after) = number(rest).ok_or_else(not_a_duration)?;
        let letters = after.bytes().take_while(u8::is_ascii_alphabetic).count();
        let (unit, after) = after.split_at(letters);
        let factor = lookup(&TIME, unit).ok_or_else(not_a_duration)?;
        total = number
            .checked_mul(factor)
            .and_then(|part| total.checked_add(part))
            .ok_or("this duration is too long")?;
        rest = after;
    }
    if text.is_empty() {
        return Err(not_a_duration());
    }
    Ok(Duration::from_millis(total))
}

fn not_a_duration() -> String {
    "a duration is a whole number with a unit: ms, s, m, h, d or w, such as \"30s\"".to_owned()
}

/// A size in bytes such as `"4MiB"`.
///
/// # Errors
/// What is wrong with the text, without repeating it.
pub fn size(text: &str) -> Result<u64, String> {
    let wrong = || "a size is a whole number with a unit: B, KiB, MiB or GiB, such as \"4MiB\"";
    let (number, unit) = number(text).ok_or_else(wrong)?;
    let factor = lookup(&SIZE, unit.trim_start()).ok_or_else(wrong)?;
    number
        .checked_mul(factor)
        .ok_or_else(|| "this size is too large".to_owned())
}

/// A duration in the largest unit that divides it, for messages.
#[must_use]
pub fn show_duration(duration: Duration) -> String {
    let millis = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    show(&TIME, millis)
}

/// A size in the largest unit that divides it, for messages.
#[must_use]
pub fn show_size(bytes: u64) -> String {
    show(&SIZE, bytes)
}

fn show(units: &[(&str, u64)], amount: u64) -> String {
    let best = units
        .iter()
        .filter(|(_, factor)| amount.is_multiple_of(*factor) && amount >= *factor)
        .max_by_key(|(_, factor)| *factor);
    match best {
        Some((unit, factor)) => format!("{}{unit}", amount / factor),
        None => format!("{amount}{}", units.first().map_or("", |(unit, _)| unit)),
    }
}

fn number(text: &str) -> Option<(u64, &str)> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, rest) = text.split_at(digits);
    Some((number.parse().ok()?, rest))
}

fn lookup(units: &[(&str, u64)], unit: &str) -> Option<u64> {
    units
        .iter()
        .find(|(name, _)| *name == unit)
        .map(|(_, factor)| *factor)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_and_shown() {
        for (text, millis, shown) in [
            ("250ms", 250, "250ms"),
            ("10s", 10_000, "10s"),
            ("60s", 60_000, "1m"),
            ("1h30m", 5_400_000, "90m"),
            ("90d", 7_776_000_000, "90d"),
            ("2w", 1_209_600_000, "2w"),
            ("0s", 0, "0ms"),
        ] {
            let read = duration(text).unwrap();
            assert_eq!(read, Duration::from_millis(millis), "{text}");
            assert_eq!(show_duration(read), shown, "{text}");
        }
    }

    #[test]
    fn what_is_not_a_duration_is_refused() {
        for text in [
            "",
            "10",
            "s",
            "-1s",
            "1.5h",
            "10 s",
            "10S",
            "1y",
            "99999999999999999999s",
        ] {
            assert!(duration(text).is_err(), "{text}");
        }
        assert!(duration("18446744073709551615w").is_err());
    }

    #[test]
    fn sizes_are_read_and_shown() {
        for (text, bytes, shown) in [
            ("512B", 512, "512B"),
            ("64KiB", 65_536, "64KiB"),
            ("4MiB", 4_194_304, "4MiB"),
            ("1 GiB", 1_073_741_824, "1GiB"),
        ] {
            assert_eq!(size(text), Ok(bytes), "{text}");
            assert_eq!(show_size(bytes), shown);
        }
        for text in [
            "",
            "4",
            "MiB",
            "4MB",
            "4mib",
            "-4MiB",
            "18446744073709551615GiB",
        ] {
            assert!(size(text).is_err(), "{text}");
        }
    }
}
