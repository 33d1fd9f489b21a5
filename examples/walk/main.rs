//! The complete walk: access windows in every time zone, minute by minute from 2020 to 2037, a policy at random for each,
//! against the oracle of the tests, which knows nothing of intervals and edges.
//!
//! ```text
//! cargo run --release --example walk          the policies of seed 1
//! cargo run --release --example walk -- 7     those of seed 7
//! ```
//!
//! Prints what was compared, and every zone in which something differs; then it ends with 1.
//! `docs/access-windows.md` tells of one such walk.
#![allow(clippy::print_stdout, reason = "printing is what it is for")]
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    dead_code,
    reason = "a walk that cannot be made says why by panicking; the tests use more of their modules than it does"
)]

use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

#[path = "../../tests/it/access/compare.rs"]
mod compare;
#[path = "../../tests/it/access/oracle.rs"]
mod oracle;
#[path = "../../tests/it/access/settings.rs"]
mod settings;

use compare::{DAY, compare, runner, years, zones};

/// So many days are compared at once.
const STRETCH: i64 = 120;

fn main() -> ExitCode {
    let seed = std::env::args().nth(1);
    let seed = seed.map_or(1, |text| {
        text.parse().expect("the seed is a number up to 255")
    });
    let (from, to) = years();
    let mut runner = runner(seed);
    let all: Vec<_> = zones()
        .into_iter()
        .map(|(name, zone)| (name, zone, settings::given(&mut runner)))
        .collect();
    let begin = Instant::now();
    let (next, edges) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let wrong = Mutex::new(Vec::new());
    let walk = || {
        while let Some((name, zone, given)) = all.get(next.fetch_add(1, Ordering::Relaxed)) {
            let mut day = from;
            while day < to {
                let days = ((to - day) / DAY).min(STRETCH);
                match compare(given, name, zone, day, days) {
                    Ok(seen) => {
                        edges.fetch_add(seen, Ordering::Relaxed);
                    }
                    Err(why) => wrong.lock().unwrap().push(why),
                }
                day += days * DAY;
            }
        }
    };
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(walk);
        }
    });
    let wrong = wrong.into_inner().unwrap();
    for why in &wrong {
        println!("{why}");
    }
    let minutes = i64::try_from(all.len()).unwrap() * (to - from) / 60;
    println!(
        "time zones {}, seed {seed}: {} zones, {minutes} minutes, {} edges, {} differences, {} seconds",
        provost::reconcile::access::Zones::bundled().tz_version(),
        all.len(),
        edges.load(Ordering::Relaxed),
        wrong.len(),
        begin.elapsed().as_secs()
    );
    ExitCode::from(u8::from(!wrong.is_empty()))
}
