//! Events of a calendar: when they happen, in civil time, however often they come back.

use std::collections::BTreeSet;

use jiff::civil::{Date, DateTime};
use jiff::{Span, ToSpan};

use super::zones::{Zone, civil_seconds, wall};

/// How often an event comes back.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Every {
    Day,
    Week,
    Month,
    Year,
}

/// A rule by which an event comes back (the part of RFC 5545 §3.3.10 that holidays use).
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Rule {
    pub every: Every,
    pub interval: i32,
    /// This many in all.
    pub count: Option<u32>,
    /// None begins after this civil time.
    pub until: Option<DateTime>,
}

/// One event.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Event {
    pub begins: DateTime,
    /// Civil seconds.
    pub lasts: i64,
    /// The zone of its times; `None` means the wall clock wherever the policy holds.
    pub zone: Option<Zone>,
    pub rule: Option<Rule>,
    /// Beginnings that are left out.
    pub except: BTreeSet<DateTime>,
    /// Whether it is made of whole days.
    pub all_day: bool,
    /// What it is called.
    pub text: String,
}

impl Event {
    /// A run of whole days.
    pub fn days(first: Date, days: i64, text: &str) -> Self {
        Self {
            begins: first.at(0, 0, 0, 0),
            lasts: days * 86_400,
            zone: None,
            rule: None,
            except: BTreeSet::new(),
            all_day: true,
            text: text.to_owned(),
        }
    }

    /// A time of one day on the wall clock, in minutes from its midnight.
    pub fn time(date: Date, from: u32, to: u32, text: &str) -> Self {
        let begins = date
            .at(0, 0, 0, 0)
            .saturating_add(i64::from(from).minutes());
        Self {
            begins,
            lasts: i64::from(to.saturating_sub(from)) * 60,
            all_day: false,
            ..Self::days(date, 0, text)
        }
    }

    /// Every occurrence that overlaps a range of civil seconds, as civil seconds.
    pub fn occurrences(&self, from: i64, to: i64) -> Vec<(i64, i64)> {
        let mut found = Vec::new();
        let mut made = 0;
        let limit = self.rule.as_ref().and_then(|rule| rule.count);
        let mut step = self.first_step(from);
        if limit.is_some() {
            // These come back without a gap, so that steps can be counted without being taken.
            made = u32::try_from(step).unwrap_or(u32::MAX);
        }
        loop {
            if limit.is_some_and(|limit| made >= limit) {
                break;
            }
            let Some((begins, real)) = self.candidate(step) else {
                break;
            };
            let second = civil_seconds(begins);
            let late = self
                .rule
                .as_ref()
                .and_then(|rule| rule.until)
                .is_some_and(|until| begins > until);
            if second >= to || late {
                break;
            }
            if real {
                made += 1;
                if second.saturating_add(self.lasts) > from && !self.except.contains(&begins) {
                    found.push((second, second.saturating_add(self.lasts)));
                }
            }
            if self.rule.is_none() {
                break;
            }
            step += 1;
        }
        found
    }

    /// From which step on an occurrence can reach into a range.
    fn first_step(&self, from: i64) -> i64 {
        let Some(rule) = &self.rule else { return 0 };
        let (shortest, slack) = match rule.every {
            Every::Day => (86_400, 0),
            Every::Week => (7 * 86_400, 0),
            // Some months lack the day, so where they are counted, they are counted one by one.
            Every::Month | Every::Year if rule.count.is_some() => return 0,
            // Longer than any, so that the step found never comes too late.
            Every::Month => (31 * 86_400, 1),
            Every::Year => (366 * 86_400, 1),
        };
        let period = shortest * i64::from(rule.interval);
        let since = from - self.lasts - civil_seconds(self.begins);
        (since / period - slack).max(0)
    }

    /// The beginning at a step, and whether the calendar has that day. The day that is missing stands for its month's last.
    fn candidate(&self, step: i64) -> Option<(DateTime, bool)> {
        let Some(rule) = &self.rule else {
            return Some((self.begins, true));
        };
        let units = step.checked_mul(i64::from(rule.interval))?;
        let span = match rule.every {
            Every::Day => Span::new().try_days(units),
            Every::Week => Span::new().try_weeks(units),
            Every::Month => Span::new().try_months(units),
            Every::Year => Span::new().try_years(units),
        };
        let begins = self.begins.checked_add(span.ok()?).ok()?;
        let real = match rule.every {
            Every::Day | Every::Week => true,
            Every::Month | Every::Year => begins.day() == self.begins.day(),
        };
        Some((begins, real))
    }
}

/// The date that a civil second lies in.
pub(super) fn date_of(civil: i64) -> Option<Date> {
    wall(civil).map(DateTime::date)
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::civil::date;

    fn dates(event: &Event, from: Date, to: Date) -> Vec<String> {
        let second = |date: Date| civil_seconds(date.at(0, 0, 0, 0));
        event
            .occurrences(second(from), second(to))
            .into_iter()
            .filter_map(|(begins, _)| date_of(begins))
            .map(|date| date.to_string())
            .collect()
    }

    fn every(first: Date, every: Every, interval: i32) -> Event {
        let rule = Rule {
            every,
            interval,
            count: None,
            until: None,
        };
        Event {
            rule: Some(rule),
            ..Event::days(first, 1, "x")
        }
    }

    #[test]
    fn leap_days_come_back_in_leap_years_only() {
        let event = every(date(2020, 2, 29), Every::Year, 1);
        let found = dates(&event, date(2021, 1, 1), date(2029, 1, 1));
        assert_eq!(found, ["2024-02-29", "2028-02-29"]);
    }

    #[test]
    fn a_count_counts_what_happened_and_what_was_left_out() {
        let mut event = every(date(2020, 2, 29), Every::Year, 1);
        event.rule.as_mut().unwrap().count = Some(2);
        assert_eq!(
            dates(&event, date(2020, 1, 1), date(2040, 1, 1)),
            ["2020-02-29", "2024-02-29"]
        );
        let mut event = every(date(2026, 1, 5), Every::Week, 2);
        event.rule.as_mut().unwrap().count = Some(3);
        event.except.insert(date(2026, 1, 19).at(0, 0, 0, 0));
        assert_eq!(
            dates(&event, date(2026, 1, 6), date(2027, 1, 1)),
            ["2026-02-02"]
        );
    }

    #[test]
    fn until_is_the_last_beginning() {
        let mut event = every(date(2026, 1, 1), Every::Day, 1);
        event.rule.as_mut().unwrap().until = Some(date(2026, 1, 3).at(0, 0, 0, 0));
        assert_eq!(dates(&event, date(2026, 1, 3), date(2026, 2, 1)).len(), 1);
    }

    #[test]
    fn what_began_before_the_range_reaches_into_it() {
        let event = Event::days(date(2026, 12, 24), 10, "works holidays");
        assert_eq!(dates(&event, date(2027, 1, 2), date(2027, 1, 3)).len(), 1);
        assert_eq!(dates(&event, date(2027, 1, 3), date(2027, 1, 4)).len(), 0);
    }
}
