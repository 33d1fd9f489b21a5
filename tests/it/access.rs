//! Access windows against an oracle that knows nothing of intervals: it walks minute by minute and looks at the wall clock.

mod compare;
mod laws;
mod oracle;
mod settings;

use compare::{DAY, at, compare, runner, years, zones};
pub(crate) use oracle::{Minutes, minutes};
use settings::given;
pub(crate) use settings::{Given, hours_rules};

#[test]
fn windows_are_as_the_wall_clock_says_around_every_change_of_clocks() {
    let (from, to) = years();
    let mut runner = runner(1);
    let (mut compared, mut seen) = (0, std::collections::BTreeSet::new());
    for (name, tz) in zones() {
        let jumps: Vec<i64> = tz
            .following(at(from))
            .map(|transition| transition.timestamp().as_second())
            .take_while(|jump| *jump < to)
            .collect();
        // Many names mean the same zone; walking one of them is enough for those that jump alike.
        let offsets: Vec<i32> = jumps
            .iter()
            .map(|j| tz.to_offset(at(*j)).seconds())
            .collect();
        if jumps.is_empty() || !seen.insert((jumps.clone(), offsets)) {
            continue;
        }
        for jump in jumps {
            let given = given(&mut runner);
            compare(&given, &name, &tz, jump - 2 * DAY, 4).unwrap_or_else(|why| panic!("{why}"));
            compared += 1;
        }
    }
    assert!(
        compared > 1000,
        "only {compared} changes of clocks were looked at"
    );
}

#[test]
fn windows_are_as_the_wall_clock_says_in_any_four_weeks_of_every_zone() {
    let (from, to) = years();
    let mut runner = runner(2);
    for (index, (name, tz)) in (0i64..).zip(zones()) {
        let given = given(&mut runner);
        let weeks = (to - from) / (7 * DAY) - 4;
        let week = (index * 7919 + 13) % weeks;
        let begin = from + week * 7 * DAY;
        compare(&given, &name, &tz, begin, 28).unwrap_or_else(|why| panic!("{why}"));
    }
}
