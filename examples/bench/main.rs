//! The benchmark: how fast Provost reads and writes, next to the tools that one would compare it with.
//!
//! ```text
//! cargo run --release --example bench             everything, about two minutes on two quiet cores
//! cargo run --release --example bench -- read     only the read of 10,000 and 100,000 people, next to ldapsearch
//! cargo run --release --example bench -- write    only 20,000 people and 400 groups into an application, next to a script
//! cargo run --release --example bench -- quick    everything with a tenth of the people, to see that it works
//! ```
//!
//! Wants what `tests/support/install bench` installs. Prints Markdown; `docs/benchmarks.md` holds one such output.
//! Only ratios of one run say anything; the two sides always take turns.
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "printing is what it is for"
)]
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a benchmark that cannot run says why by panicking"
)]

use std::{path::Path, process::ExitCode};

mod floor;
mod measure;
mod provost_side;
mod read;
mod sink;
mod write;

#[path = "../../tests/it/support/mod.rs"]
mod support;

fn main() -> ExitCode {
    let mut arguments = std::env::args();
    let program = arguments.next().unwrap_or_default();
    // The benchmark starts itself under other names, so that Provost runs as it was built with it, in a process of its
    // own, and so does the application.
    match Path::new(&program)
        .file_name()
        .and_then(|name| name.to_str())
    {
        Some("provost") => return provost::cli::run(),
        Some("sink") => return sink::serve().map_or(ExitCode::FAILURE, |()| ExitCode::SUCCESS),
        Some("floor") => {
            return match floor::serve(arguments) {
                Ok(()) => ExitCode::SUCCESS,
                Err(error) => {
                    eprintln!("{error}");
                    ExitCode::FAILURE
                }
            };
        }
        _ => {}
    }
    let words: Vec<String> = arguments.collect();
    let asked = |word: &str| words.iter().any(|w| w == word);
    let scale = if asked("quick") { 10 } else { 1 };
    let both = !asked("read") && !asked("write");
    if both || asked("read") {
        read::compare(&[10_000 / scale, 100_000 / scale]);
    }
    if both || asked("write") {
        write::compare(20_000 / scale);
    }
    ExitCode::SUCCESS
}
