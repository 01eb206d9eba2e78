//! Exit codes. They are part of the interface: scripts depend on them, so they stay as they are.

use crate::MigrateError;

/// Of `status` when something is pending, edited or failed.
pub const NOT_CURRENT: u8 = 3;

/// The exit code for an error. 1 is for what has no code of its own, 2 for wrong usage.
pub fn exit_code(error: &MigrateError) -> u8 {
    match error {
        MigrateError::LockTimeout { .. } => 10,
        MigrateError::LockLost { .. } | MigrateError::Lock { .. } => 11,
        MigrateError::Connect { .. } | MigrateError::ConnectionLost { .. } => 20,
        MigrateError::ReadOnly { .. } => 21,
        MigrateError::Edited { .. } | MigrateError::DonePartEdited { .. } => 30,
        MigrateError::OutOfOrder { .. } | MigrateError::Missing { .. } => 31,
        MigrateError::TooOld { .. } => 32,
        MigrateError::Script { .. } | MigrateError::NoDown { .. } => 33,
        MigrateError::Failed { .. } | MigrateError::ForeignKeys { .. } => 40,
        MigrateError::InDoubt { .. }
        | MigrateError::Interrupted { .. }
        | MigrateError::SessionLost { .. } => 41,
        MigrateError::UndoUnfinished { .. } | MigrateError::UpUnfinished { .. } => 42,
        _ => 1,
    }
}
