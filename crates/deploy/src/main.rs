//! `deploy`: see `deploy --help`.

use std::process::ExitCode;

use clap::Parser as _;
use deploy::cli::{Arguments, run};

fn main() -> ExitCode {
    run(&Arguments::parse())
}
