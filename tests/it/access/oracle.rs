//! The oracle: walks instants minute by minute, looks at the wall clock, and asks of that minute alone what the policy
//! says. It has no intervals, no conversion from the wall clock to instants, and no notion of an edge.

use std::collections::HashMap;

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::{Offset, TimeZone};

use super::settings::Given;

const MINUTE: i64 = 60;
const QUARTER: i64 = 15;
const DAY: i64 = 86_400;

/// What was found, minute by minute.
pub(crate) struct Minutes {
    first: i64,
    open: Vec<bool>,
}

impl Minutes {
    pub(crate) fn first(&self) -> i64 {
        self.first
    }

    /// The last minute.
    pub(crate) fn last(&self) -> i64 {
        self.first + (i64::try_from(self.open.len()).expect("few") - 1) * MINUTE
    }

    pub(crate) fn states(&self) -> impl Iterator<Item = (i64, bool)> + '_ {
        (0i64..)
            .zip(&self.open)
            .map(|(step, open)| (self.first + step * MINUTE, *open))
    }

    /// Whether it is open at a moment within the time that was walked.
    pub(crate) fn is_open(&self, at: i64) -> bool {
        let step = usize::try_from((at - self.first) / MINUTE).expect("within the time walked");
        self.open[step]
    }

    /// How often it changes.
    pub(crate) fn changes(&self) -> usize {
        self.open
            .windows(2)
            .filter(|pair| pair[0] != pair[1])
            .count()
    }
}

/// Walks so many days.
pub(crate) fn minutes(given: &Given, zone: &TimeZone, from: i64, count: i64) -> Minutes {
    // A day more on both sides, so that every minute that comes twice is seen twice.
    let start = from - from.rem_euclid(MINUTE) - DAY;
    let steps = (count + 2) * DAY / MINUTE;
    let offset = |at: i64| {
        let at = Timestamp::from_second(at).expect("within range");
        i64::from(zone.to_offset(at).seconds())
    };
    let mut walls = Vec::new();
    let (mut here, mut ahead) = (0, 0);
    for step in 0..steps {
        let at = start + step * MINUTE;
        // Within a quarter of an hour that begins and ends with the same offset it does not change.
        if step % QUARTER == 0 {
            (here, ahead) = (offset(at), offset(at + QUARTER * MINUTE));
        }
        let offset = if here == ahead { here } else { offset(at) };
        walls.push(at + offset);
    }
    let mut days = HashMap::new();
    let said: Vec<bool> = walls
        .iter()
        .map(|wall| {
            let day = days
                .entry(wall.div_euclid(DAY))
                .or_insert_with_key(|day| Day::of(given, day * DAY));
            day.is_open(wall.rem_euclid(DAY) / MINUTE)
        })
        .collect();
    let pass = passes(&walls);
    let mut open = said.clone();
    // The first time, it is open only while it has been open since before the doubt.
    for step in 1..walls.len() {
        if pass[step] == Pass::First {
            open[step] = said[step] && open[step - 1];
        }
    }
    // The second time, it is open only if it stays so until the doubt is over.
    for step in (0..walls.len() - 1).rev() {
        if pass[step] == Pass::Second {
            let over = pass[step + 1] != Pass::Second;
            open[step] = said[step] && (over || open[step + 1]);
        }
    }
    let skip = usize::try_from(DAY / MINUTE).expect("small");
    let keep = usize::try_from(count * DAY / MINUTE).expect("small");
    Minutes {
        first: start + DAY,
        open: open[skip..skip + keep].to_vec(),
    }
}

/// Whether a minute on the wall comes twice, and which time this is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Pass {
    Only,
    First,
    Second,
}

fn passes(walls: &[i64]) -> Vec<Pass> {
    let mut pass = vec![Pass::Only; walls.len()];
    let mut seen: HashMap<i64, usize> = HashMap::with_capacity(walls.len());
    for (step, wall) in walls.iter().enumerate() {
        if let Some(first) = seen.insert(*wall, step) {
            pass[first] = Pass::First;
            pass[step] = Pass::Second;
        }
    }
    pass
}

/// What the policy says of one day on the wall: times in minutes of this day.
struct Day {
    closed: bool,
    windows: Vec<(i64, i64)>,
    extra: Vec<(i64, i64)>,
}

impl Day {
    fn of(given: &Given, wall: i64) -> Self {
        let time = Offset::UTC.to_datetime(Timestamp::from_second(wall).expect("within range"));
        let today = time.date();
        let yesterday = today.yesterday().expect("within range");
        let windows = |date: Date| {
            let closed = given.holidays.contains(&date);
            let all = given.windows.iter();
            all.filter(move |(days, _, _)| !closed && days.contains(&date.weekday()))
        };
        let extra = |date: Date| given.openings.get(&date).into_iter().flatten();
        let past = windows(yesterday).map(|(_, from, to)| (from - 1440, to - 1440));
        let extra_past = extra(yesterday).map(|(from, to)| (from - 1440, to - 1440));
        Self {
            closed: given.holidays.contains(&today),
            windows: windows(today)
                .map(|(_, from, to)| (*from, *to))
                .chain(past)
                .collect(),
            extra: extra(today).copied().chain(extra_past).collect(),
        }
    }

    fn is_open(&self, minute: i64) -> bool {
        let within = |times: &[(i64, i64)]| times.iter().any(|(a, b)| (*a..*b).contains(&minute));
        within(&self.extra) || (!self.closed && within(&self.windows))
    }
}
