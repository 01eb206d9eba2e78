//! Commands that need a database and no files.

use std::io::{IsTerminal as _, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Subcommand;

use super::{CliError, NOT_CURRENT};
use crate::wait_for_database::{WaitEvent, until_ready};
use crate::{Target, schema};

/// What to do with a database.
#[derive(Clone, Debug, PartialEq, Eq, Subcommand)]
pub enum DatabaseVerb {
    /// Wait until the database answers and may be written to
    Wait {
        /// Seconds to wait at most
        #[arg(long, value_name = "SECONDS", default_value_t = 60)]
        timeout: u64,
    },
    /// The schema of the database as SQL
    #[command(subcommand)]
    Schema(SchemaVerb),
}

/// What to do with a schema.
#[derive(Clone, Debug, PartialEq, Eq, Subcommand)]
pub enum SchemaVerb {
    /// Print it, sorted, so that two databases can be compared
    Dump,
    /// Compare it with a file that `dump` made. Exits with 3 if they differ
    Diff {
        /// The file
        file: PathBuf,
    },
}

/// Runs a command and gives the exit code of the program.
pub async fn run_on_database(
    verb: &DatabaseVerb,
    target: &Target,
    out: &mut (dyn Write + Send),
) -> Result<u8, CliError> {
    match verb {
        DatabaseVerb::Wait { timeout } => wait(target, Duration::from_secs(*timeout), out).await,
        DatabaseVerb::Schema(SchemaVerb::Dump) => {
            write!(out, "{}", schema::dump(target).await?)?;
            Ok(0)
        }
        DatabaseVerb::Schema(SchemaVerb::Diff { file }) => {
            let expected = read(file)?;
            if let Some(difference) = schema::diff(&expected, &schema::dump(target).await?) {
                write!(out, "{difference}")?;
                return Ok(NOT_CURRENT);
            }
            writeln!(out, "{target} has the schema of {}", file.display())?;
            Ok(0)
        }
    }
}

fn read(file: &Path) -> Result<String, CliError> {
    let failed = |reason| CliError::File { file: file.display().to_string(), reason };
    std::fs::read_to_string(file).map_err(failed)
}

async fn wait(
    target: &Target,
    timeout: Duration,
    out: &mut (dyn Write + Send),
) -> Result<u8, CliError> {
    let terminal = std::io::stderr().is_terminal();
    let tell = move |event: WaitEvent| {
        let mut error = anstream::stderr();
        let dots = if terminal { "…" } else { "" };
        // Nothing is left to be done when even this cannot be written.
        let _ = writeln!(error, "waiting for the database: {}{dots}", event.reason);
    };
    let waited = until_ready(target, timeout, tell).await?;
    writeln!(out, "{target} is ready after {:.1} s", waited.duration.as_secs_f64())?;
    Ok(0)
}
