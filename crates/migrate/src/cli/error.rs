//! Why a command failed, and the exit code that says so.

use super::lint::LintError;
use crate::MigrateError;
use crate::adopt::AdoptError;
use crate::create::CreateError;
use crate::schema::SchemaError;
use crate::scratch::TrialError;
use crate::wait_for_database::WaitError;

/// Exit code of `status`, `verify` and `schema diff` when something is not as it should be.
pub const NOT_CURRENT: u8 = 3;

/// Exit code of whatever finds that the schema asks for a newer release than these files are of.
pub const TOO_OLD: u8 = 32;

/// Why a command failed. Each text is complete.
#[derive(Debug, thiserror::Error)]
pub enum CliError {
    /// From a run.
    #[error(transparent)]
    Migrate(Box<MigrateError>),
    /// From waiting.
    #[error(transparent)]
    Wait(#[from] WaitError),
    /// From reading a schema.
    #[error(transparent)]
    Schema(#[from] SchemaError),
    /// From a trial on an empty database.
    #[error(transparent)]
    Trial(#[from] TrialError),
    /// From reading another tool's history.
    #[error(transparent)]
    Adopt(#[from] AdoptError),
    /// From making files.
    #[error(transparent)]
    Create(#[from] CreateError),
    /// From judging files.
    #[error(transparent)]
    Lint(#[from] LintError),
    /// A file could not be read.
    #[error("{file} cannot be read: {reason}")]
    File {
        /// Its path.
        file: String,
        /// The system's words.
        reason: std::io::Error,
    },
    /// The output could not be written.
    #[error("the output could not be written: {0}")]
    Output(#[from] std::io::Error),
}

impl From<MigrateError> for CliError {
    fn from(error: MigrateError) -> Self {
        Self::Migrate(Box::new(error))
    }
}

impl CliError {
    /// Whether whoever read the output went away (`| head`), which is no failure.
    pub fn is_broken_pipe(&self) -> bool {
        let error = match self {
            Self::Output(error) | Self::Lint(LintError::Write(error)) => error,
            Self::Migrate(error) => match &**error {
                MigrateError::Output(error) => error,
                _ => return false,
            },
            _ => return false,
        };
        error.kind() == std::io::ErrorKind::BrokenPipe
    }

    /// The exit code for it. They are part of the interface: scripts depend on them, so they stay
    /// as they are. 1 is for what has no code of its own, 2 for wrong usage.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Migrate(error) | Self::Trial(TrialError::Migrate(error)) => of_run(error),
            Self::Wait(WaitError::TimedOut { .. }) | Self::Schema(SchemaError::Connect { .. }) => {
                20
            }
            Self::Wait(WaitError::Hopeless { .. }) => 22,
            _ => 1,
        }
    }
}

fn of_run(error: &MigrateError) -> u8 {
    match error {
        MigrateError::LockTimeout { .. } => 10,
        MigrateError::LockLost { .. } | MigrateError::Lock { .. } => 11,
        MigrateError::Connect { .. } | MigrateError::ConnectionLost { .. } => 20,
        MigrateError::ReadOnly { .. } => 21,
        MigrateError::Edited { .. } | MigrateError::DonePartEdited { .. } => 30,
        MigrateError::OutOfOrder { .. } | MigrateError::Missing { .. } => 31,
        MigrateError::TooOld { .. } => TOO_OLD,
        MigrateError::Script { .. } | MigrateError::NoDown { .. } => 33,
        MigrateError::Failed { .. } | MigrateError::ForeignKeys { .. } => 40,
        MigrateError::InDoubt { .. }
        | MigrateError::Interrupted { .. }
        | MigrateError::SessionLost { .. } => 41,
        MigrateError::UndoUnfinished { .. } | MigrateError::UpUnfinished { .. } => 42,
        _ => 1,
    }
}
