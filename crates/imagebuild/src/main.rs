//! The program `imagebuild`.

use std::process::ExitCode;

use clap::Parser as _;
use imagebuild::cli::{Arguments, CliError, run};

fn main() -> ExitCode {
    match run(&Arguments::parse(), &mut anstream::stdout()) {
        Ok(()) => ExitCode::SUCCESS,
        // Nobody is there to be told.
        Err(CliError::Output(error)) if error.kind() == std::io::ErrorKind::BrokenPipe => {
            ExitCode::SUCCESS
        }
        Err(error) => {
            let style = anstyle::AnsiColor::Red.on_default().bold();
            anstream::eprintln!("{style}error{style:#}: {error}");
            ExitCode::FAILURE
        }
    }
}
