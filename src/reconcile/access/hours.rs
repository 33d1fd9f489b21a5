//! Active Directory's `logonHours`: one bit for each hour of the week, in universal time, Sunday first,
//! the least significant bit of each byte first (MS-ADTS, attribute `logonHours`).

use super::spans::Spans;
use super::week::{DAY, Week};

/// Bytes of the attribute.
const BYTES: usize = 21;
/// Minutes of a week.
const WEEK: i64 = 7 * 24 * 60;

/// The hours of a week in which a logon is allowed, in universal time.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Hours([u8; BYTES]);

impl Hours {
    /// From the attribute's value.
    ///
    /// # Errors
    /// When it does not have 21 bytes.
    pub fn read(bytes: &[u8]) -> Result<Self, String> {
        let found = bytes.try_into().map(Self);
        found.map_err(|_length| {
            format!(
                "logonHours has {} bytes where {BYTES} are right; set it again in the directory, or clear it",
                bytes.len()
            )
        })
    }

    /// Whether the hour is allowed; hour 0 is Sunday 00:00 to 01:00 in universal time.
    #[must_use]
    pub fn allows(&self, hour: usize) -> bool {
        let byte = self.0.get(hour / 8);
        byte.is_some_and(|byte| byte >> (hour % 8) & 1 == 1)
    }

    /// The same hours as weekly windows on a wall clock that is ahead of universal time by so many minutes.
    #[must_use]
    pub fn week(&self, ahead: i32) -> Week {
        // Weeks begin with Monday there, six days after Sunday.
        let shift = 6 * i64::from(DAY) + i64::from(ahead);
        let spans = (0..BYTES * 8)
            .filter(|hour| self.allows(*hour))
            .flat_map(|hour| {
                let hour = i64::try_from(hour).unwrap_or(0);
                let from = (hour * 60 + shift).rem_euclid(WEEK);
                let to = from + 60;
                // What reaches into the next week is the beginning of this one.
                [(from, to.min(WEEK)), (0, to - WEEK)]
            })
            .filter(|(from, to)| from < to)
            .collect();
        let minute = |at: i64| u32::try_from(at).unwrap_or(0);
        let spans: Vec<(u32, u32)> = Spans::of(spans)
            .iter()
            .map(|(from, to)| (minute(from), minute(to)))
            .collect();
        Week::of_minutes(&spans)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bit(hour: usize) -> Hours {
        let mut bytes = [0; BYTES];
        bytes[hour / 8] = 1 << (hour % 8);
        Hours::read(&bytes).unwrap()
    }

    #[test]
    fn every_single_bit_is_its_own_hour() {
        let days = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];
        for hour in 0..168 {
            let hours = bit(hour);
            assert_eq!(
                (0..200).filter(|h| hours.allows(*h)).collect::<Vec<_>>(),
                [hour]
            );
            let (day, at) = (days[hour / 24], hour % 24);
            let said = format!("{day} {at:02}:00-{:02}:00", at + 1);
            assert_eq!(hours.week(0).to_string(), said, "bit {hour}");
        }
    }

    #[test]
    fn all_and_none() {
        assert_eq!(
            Hours::read(&[255; 21]).unwrap().week(330).to_string(),
            "always"
        );
        assert_eq!(Hours::read(&[0; 21]).unwrap().week(60).to_string(), "never");
        for length in [0, 1, 20, 22, 42, 1260] {
            assert!(Hours::read(&vec![255; length]).is_err(), "{length}");
        }
    }

    #[test]
    fn a_wall_clock_shifts_the_hours_around_the_week() {
        assert_eq!(bit(0).week(-300).to_string(), "sat 19:00-20:00");
        assert_eq!(bit(167).week(60).to_string(), "sun 00:00-01:00");
        assert_eq!(bit(23).week(330).to_string(), "mon 04:30-05:30");
        assert_eq!(
            bit(18).week(330).to_string(),
            "mon 00:00-00:30, sun 23:30-24:00"
        );
    }

    #[test]
    fn office_hours_entered_in_a_german_winter_are_office_hours_there() {
        let mut bytes = [0u8; BYTES];
        for day in 1..=5 {
            for hour in 7..17 {
                let bit = day * 24 + hour;
                bytes[bit / 8] |= 1 << (bit % 8);
            }
        }
        let hours = Hours::read(&bytes).unwrap();
        assert_eq!(hours.week(60).to_string(), "mon-fri 08:00-18:00");
        assert_eq!(hours.week(120).to_string(), "mon-fri 09:00-19:00");
    }
}
