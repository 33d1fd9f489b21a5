//! The `provost` command.

use std::process::ExitCode;

fn main() -> ExitCode {
    provost::cli::run()
}
