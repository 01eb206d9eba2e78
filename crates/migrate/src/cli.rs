//! The commands, for this crate's own program and for any other that wants to offer them.

mod report;
mod utc;

use std::io::Write;

use clap::Subcommand;

use crate::{Event, MigrateError, Migrator};

/// Exit code of `status` when something is pending, edited or failed. Not 1, which says that the
/// command itself failed, and not 2, which says that it was called wrongly.
pub const NOT_CURRENT: u8 = 3;

/// What to do with the migrations.
#[derive(Clone, Debug, PartialEq, Eq, Subcommand)]
pub enum Verb {
    /// Apply what is pending
    Up,
    /// Show what is applied and what is not; changes nothing. Exits with 3 unless all is applied
    Status {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
}

/// Runs a command and gives the exit code of the program: 0, or [`NOT_CURRENT`].
///
/// `out` receives text with ANSI styles; pass `anstream::stdout()`, which removes them where they
/// are not wanted (a pipe, `NO_COLOR`). JSON comes without.
pub async fn run(
    verb: &Verb,
    migrator: &Migrator,
    out: &mut (dyn Write + Send),
) -> Result<u8, MigrateError> {
    match *verb {
        Verb::Up => up(migrator, out).await,
        Verb::Status { json } => {
            let status = migrator.status().await?;
            if json { report::json(out, &status) } else { report::table(out, &status) }?;
            Ok(if status.is_current() { 0 } else { NOT_CURRENT })
        }
    }
}

async fn up(migrator: &Migrator, out: &mut (dyn Write + Send)) -> Result<u8, MigrateError> {
    let mut written = Ok(());
    let applied = migrator
        .up(|event: Event| {
            // A reader that went away (`| head`) must not stop a migration half way: the first
            // failure is kept for the end.
            if written.is_ok() {
                written = report::event(out, &event);
            }
        })
        .await?;
    written?;
    report::summary(out, &applied)?;
    Ok(0)
}
