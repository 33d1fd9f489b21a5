//! What a directory says about whether a person may be active: the flags and times of both families of servers.
//!
//! Only what an administrator set counts: a temporary lockout or an expired password is not "disabled".
//! A value that cannot be understood is an error, which holds the entry; it is never taken for "no restriction".

use jiff::civil::{Date, DateTime};
use jiff::tz::{Offset, TimeZone};
use jiff::{SignedDuration, Timestamp};

use super::entry::RawEntry;
use super::settings::Flavour;
use crate::model::SourceState;

/// `ADS_UF_ACCOUNTDISABLE` of `userAccountControl`: the one bit that means disabled.
const ACCOUNT_DISABLE: u64 = 0x2;
/// Seconds from 1601-01-01 to 1970-01-01, both UTC.
const FILETIME_EPOCH: i64 = 11_644_473_600;
/// The value of `pwdAccountLockedTime` that an administrator sets; any other is a temporary lockout (draft-behera-ldap-password-policy §5.3.3).
const LOCKED_FOR_GOOD: &[u8] = b"000001010000Z";

/// Which attributes hold the state, for one source.
#[derive(Clone, Debug)]
pub(super) struct StateRule {
    pub flavour: Flavour,
    pub start: Option<String>,
    pub end: Option<String>,
    /// `userAccountControl` must be present: on a server its absence means that we may not read it.
    pub needs_control: bool,
}

impl StateRule {
    /// The attributes to ask for, lower case.
    pub(super) fn attributes(&self) -> Vec<String> {
        let own: &[&str] = match self.flavour {
            Flavour::ActiveDirectory => &["useraccountcontrol", "accountexpires"],
            Flavour::Ldap => &[
                "nsaccountlock",
                "pwdaccountlockedtime",
                "shadowexpire",
                "krbprincipalexpiration",
            ],
        };
        let configured = self.start.iter().chain(&self.end);
        own.iter()
            .map(|name| (*name).to_owned())
            .chain(configured.map(|name| name.to_ascii_lowercase()))
            .collect()
    }

    /// The state of one entry.
    ///
    /// # Errors
    /// Names the attribute that could not be understood.
    pub(super) fn read(&self, entry: &RawEntry<'_>) -> Result<SourceState, String> {
        let mut state = match self.flavour {
            Flavour::ActiveDirectory => self.active_directory(entry)?,
            Flavour::Ldap => general(entry)?,
        };
        if let Some(name) = &self.end {
            state.expires = earliest(state.expires, time_of(entry, name)?);
        }
        if let Some(name) = &self.start {
            state.starts = time_of(entry, name)?;
        }
        Ok(state)
    }

    fn active_directory(&self, entry: &RawEntry<'_>) -> Result<SourceState, String> {
        let disabled = match entry.first("userAccountControl") {
            Some(value) => is_disabled(number(value, "userAccountControl")?),
            None if self.needs_control => {
                return Err(
                    "userAccountControl was not returned, so it cannot be said whether the account is disabled; let the bind account read it"
                        .to_owned(),
                );
            }
            None => false,
        };
        let expires = match entry.first("accountExpires") {
            Some(value) => filetime(number(value, "accountExpires")?),
            None => None,
        };
        Ok(SourceState {
            disabled,
            expires,
            starts: None,
        })
    }
}

fn general(entry: &RawEntry<'_>) -> Result<SourceState, String> {
    let locked = |name: &str, value: &[u8]| {
        entry
            .get(name)
            .iter()
            .any(|v| v.eq_ignore_ascii_case(value))
    };
    let disabled =
        locked("nsAccountLock", b"true") || locked("pwdAccountLockedTime", LOCKED_FOR_GOOD);
    let mut expires = None;
    if let Some(value) = entry.first("shadowExpire") {
        expires = shadow_expire(number(value, "shadowExpire")?);
    }
    expires = earliest(expires, time_of(entry, "krbPrincipalExpiration")?);
    Ok(SourceState {
        disabled,
        expires,
        starts: None,
    })
}

fn earliest(a: Option<Timestamp>, b: Option<Timestamp>) -> Option<Timestamp> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    }
}

fn number(value: &[u8], name: &str) -> Result<i64, String> {
    std::str::from_utf8(value)
        .ok()
        .and_then(|text| text.trim().parse().ok())
        .ok_or_else(|| format!("{name} is not a whole number"))
}

fn time_of(entry: &RawEntry<'_>, name: &str) -> Result<Option<Timestamp>, String> {
    let values = entry.get(name);
    let [value] = values else {
        return match values.len() {
            0 => Ok(None),
            n => Err(format!("{name} has {n} values; a date has one")),
        };
    };
    let text = std::str::from_utf8(value).map_err(|_| format!("{name} is not a date"))?;
    moment(text.trim())
        .ok_or_else(|| format!("{name} is neither a generalized time nor a FILETIME"))
}

/// Whether `userAccountControl` says disabled. Lockout, password flags and the rest do not count.
pub(super) fn is_disabled(control: i64) -> bool {
    // AD stores the 32 bits as a signed number.
    control.cast_unsigned() & ACCOUNT_DISABLE != 0
}

/// A FILETIME (100 ns since 1601) as a moment; `None` for never: 0, the greatest number, and what lies beyond year 9999.
pub(super) fn filetime(ticks: i64) -> Option<Timestamp> {
    if ticks == 0 || ticks == i64::MAX {
        return None;
    }
    let seconds = ticks.div_euclid(10_000_000) - FILETIME_EPOCH;
    let nanos = i32::try_from(ticks.rem_euclid(10_000_000) * 100).ok()?;
    match Timestamp::new(seconds, nanos) {
        Ok(moment) => Some(moment),
        // Before the calendar begins is long ago; after it ends is never.
        Err(_) if ticks < 0 => Some(Timestamp::MIN),
        Err(_) => None,
    }
}

/// `shadowExpire`: days since 1970 on which the account is no longer valid; negative means never (shadow(5)).
pub(super) fn shadow_expire(days: i64) -> Option<Timestamp> {
    if days < 0 {
        return None;
    }
    days.checked_mul(86_400)
        .and_then(|seconds| Timestamp::from_second(seconds).ok())
}

/// A configured date: a generalized time, or a FILETIME if it is digits only. `None` inside means never.
pub(super) fn moment(text: &str) -> Option<Option<Timestamp>> {
    match generalized_time(text) {
        Some(moment) => Some(Some(moment)),
        None => text.parse().ok().map(filetime),
    }
}

/// A generalized time (RFC 4517 §3.3.13): `YYYYMMDDHH[MM[SS]][.fraction]` and `Z` or an offset.
pub(super) fn generalized_time(text: &str) -> Option<Timestamp> {
    let zone = text.find(['Z', 'z', '+', '-'])?;
    let (clock, zone) = text.split_at_checked(zone)?;
    let (whole, fraction) = match clock.split_once(['.', ',']) {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (clock, None),
    };
    if !whole.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let two = |at: usize| whole.get(at..at + 2).and_then(|d| d.parse::<i8>().ok());
    let (minute, second, unit) = match whole.len() {
        10 => (0, 0, 3600.0),
        12 => (two(10)?, 0, 60.0),
        14 => (two(10)?, two(12)?.min(59), 1.0),
        _ => return None,
    };
    let date = Date::new(whole.get(..4)?.parse().ok()?, two(4)?, two(6)?).ok()?;
    let time = DateTime::from_parts(
        date,
        jiff::civil::Time::new(two(8)?, minute, second, 0).ok()?,
    );
    let offset = offset_seconds(zone)?;
    let moment = time
        .to_zoned(TimeZone::fixed(Offset::from_seconds(offset).ok()?))
        .ok()?
        .timestamp();
    let Some(fraction) = fraction else {
        return Some(moment);
    };
    if fraction.is_empty() || !fraction.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let part: f64 = format!("0.{fraction}").parse().ok()?;
    moment
        .checked_add(SignedDuration::try_from_secs_f64(part * unit).ok()?)
        .ok()
}

fn offset_seconds(zone: &str) -> Option<i32> {
    if zone.eq_ignore_ascii_case("z") {
        return Some(0);
    }
    let (sign, digits) = zone.split_at_checked(1)?;
    if !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let hours: i32 = digits.get(..2)?.parse().ok()?;
    let minutes: i32 = match digits.len() {
        2 => 0,
        4 => digits.get(2..)?.parse().ok()?,
        _ => return None,
    };
    let seconds = hours * 3600 + minutes * 60;
    Some(if sign == "-" { -seconds } else { seconds })
}

/// The SID of a person's primary group: the person's `objectSid` with its last part replaced by `primaryGroupID` (MS-DTYP §2.4.2.2).
pub(super) fn primary_group_sid(object_sid: &[u8], rid: u32) -> Option<Vec<u8>> {
    let count = usize::from(*object_sid.get(1)?);
    if count == 0 || object_sid.len() != 8 + 4 * count {
        return None;
    }
    let mut sid = object_sid.get(..object_sid.len() - 4)?.to_vec();
    sid.extend(rid.to_le_bytes());
    Some(sid)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn only_one_of_32_bits_means_disabled() {
        for bit in 0..32 {
            let control = i64::from((1_u32 << bit).cast_signed());
            assert_eq!(is_disabled(control), bit == 1, "bit {bit}");
        }
        for (control, disabled) in [
            (512, false),
            (514, true),
            (66_048, false),
            (66_050, true),
            (0x80_0200, false),
            (0x10 | 0x200, false),
        ] {
            assert_eq!(is_disabled(control), disabled, "{control}");
        }
    }

    #[test]
    fn filetimes() {
        let cases = [
            (0, None),
            (i64::MAX, None),
            (116_444_736_000_000_000, Some(at("1970-01-01T00:00:00Z"))),
            (
                133_801_632_000_000_001,
                Some(at("2025-01-01T00:00:00.0000001Z")),
            ),
            (1, Some(at("1601-01-01T00:00:00.0000001Z"))),
            (i64::MAX - 1, None),
            (i64::MIN, Some(Timestamp::MIN)),
        ];
        for (ticks, moment) in cases {
            assert_eq!(filetime(ticks), moment, "{ticks}");
        }
    }

    #[test]
    fn generalized_times() {
        let good = [
            ("20261130180500Z", "2026-11-30T18:05:00Z"),
            ("20261130180500.0Z", "2026-11-30T18:05:00Z"),
            ("20261130180500.25Z", "2026-11-30T18:05:00.25Z"),
            ("202611301805Z", "2026-11-30T18:05:00Z"),
            ("2026113018Z", "2026-11-30T18:00:00Z"),
            ("2026113018.5Z", "2026-11-30T18:30:00Z"),
            ("20261130180500+0130", "2026-11-30T16:35:00Z"),
            ("20261130180500-05", "2026-11-30T23:05:00Z"),
            ("20261231235960Z", "2026-12-31T23:59:59Z"),
        ];
        for (text, moment) in good {
            assert_eq!(generalized_time(text), Some(at(moment)), "{text}");
        }
        for text in [
            "",
            "Z",
            "20261130",
            "20261330180500Z",
            "20261130250500Z",
            "2026113018050Z",
            "20261130180500",
            "2026-11-30T18:05:00Z",
            "20261130180500.Z",
            "20261130180500+1",
            "é0261130180500Z",
        ] {
            assert_eq!(generalized_time(text), None, "{text}");
        }
        assert_eq!(moment("0"), Some(None));
        assert_eq!(
            moment("116444736000000000"),
            Some(Some(at("1970-01-01T00:00:00Z")))
        );
        assert_eq!(moment("soon"), None);
    }

    fn rule(flavour: Flavour) -> StateRule {
        StateRule {
            flavour,
            start: Some("hireDate".to_owned()),
            end: Some("leaveDate".to_owned()),
            needs_control: true,
        }
    }

    fn read(flavour: Flavour, attributes: &[(&str, &str)]) -> Result<SourceState, String> {
        let mut entry = RawEntry::new(b"cn=a");
        for (name, value) in attributes {
            entry.push(name.as_bytes(), [value.as_bytes()]);
        }
        rule(flavour).read(&entry)
    }

    #[test]
    fn ldap_state() {
        let state = |attributes: &[(&str, &str)]| read(Flavour::Ldap, attributes).unwrap();
        assert_eq!(state(&[]), SourceState::default());
        assert!(state(&[("nsaccountlock", "TRUE")]).disabled);
        assert!(!state(&[("nsaccountlock", "false")]).disabled);
        assert!(state(&[("pwdAccountLockedTime", "000001010000Z")]).disabled);
        assert!(
            !state(&[("pwdAccountLockedTime", "20261130180500Z")]).disabled,
            "a temporary lockout"
        );
        assert_eq!(state(&[("shadowExpire", "-1")]).expires, None);
        assert_eq!(
            state(&[("shadowExpire", "1")]).expires,
            Some(at("1970-01-02T00:00:00Z"))
        );
        let both = state(&[
            ("shadowExpire", "20000"),
            ("leaveDate", "20200101000000Z"),
            ("hireDate", "20190101000000Z"),
        ]);
        assert_eq!(
            both.expires,
            Some(at("2020-01-01T00:00:00Z")),
            "the earlier end wins"
        );
        assert_eq!(both.starts, Some(at("2019-01-01T00:00:00Z")));
        assert!(read(Flavour::Ldap, &[("leaveDate", "tomorrow")]).is_err());
        assert!(read(Flavour::Ldap, &[("shadowExpire", "x")]).is_err());
    }

    #[test]
    fn active_directory_state() {
        let state = |attributes: &[(&str, &str)]| read(Flavour::ActiveDirectory, attributes);
        assert!(state(&[]).is_err_and(|why| why.contains("userAccountControl")));
        let off = state(&[
            ("userAccountControl", "514"),
            ("accountExpires", "133801632000000000"),
        ])
        .unwrap();
        assert!(off.disabled);
        assert_eq!(off.expires, Some(at("2025-01-01T00:00:00Z")));
        assert!(state(&[("userAccountControl", "x")]).is_err());
    }

    #[test]
    fn primary_groups() {
        let person = [1, 2, 0, 0, 0, 0, 0, 5, 21, 0, 0, 0, 77, 4, 0, 0];
        let group = primary_group_sid(&person, 513).unwrap();
        assert_eq!(group, [1, 2, 0, 0, 0, 0, 0, 5, 21, 0, 0, 0, 1, 2, 0, 0]);
        assert_eq!(primary_group_sid(&person[..15], 513), None);
        assert_eq!(primary_group_sid(&[], 513), None);
    }
}
