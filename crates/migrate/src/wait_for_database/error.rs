//! Why the waiting ended without a database.

use std::time::Duration;

use super::{Cause, Obstacle};

/// Why the waiting ended without a database. Each text is complete, and never contains the
/// password.
#[derive(Debug, thiserror::Error)]
pub enum WaitError {
    /// It took longer than it may.
    #[error(
        "gave up waiting for {target} after {:.1} s: {obstacle} ({reason}). {}",
        .waited.as_secs_f64(), obstacle_hint(*.obstacle)
    )]
    TimedOut {
        /// The database, without the password.
        target: String,
        /// From the beginning.
        waited: Duration,
        /// What stood in the way at last.
        obstacle: Obstacle,
        /// The words of the database, the driver or the system.
        reason: String,
    },
    /// Waiting will not help.
    #[error("waiting for {target} will not help: {reason}. {}", cause_hint(*.cause))]
    Hopeless {
        /// The database, without the password.
        target: String,
        /// What a person has to change.
        cause: Cause,
        /// The words of the database, the driver or the system.
        reason: String,
    },
}

fn obstacle_hint(obstacle: Obstacle) -> &'static str {
    match obstacle {
        Obstacle::NameUnknown => "Check the host's name, and that DNS knows it from here",
        Obstacle::Refused => "Check that the server runs, and its host and port",
        Obstacle::Unreachable | Obstacle::Silent => {
            "Check the address, and that firewalls and security groups let connections through"
        }
        Obstacle::Closed => "Look into the server's log, or wait longer",
        Obstacle::Starting | Obstacle::Stopping => "Wait longer, or look into the server's log",
        Obstacle::TooManyConnections => {
            "Raise max_connections (or the user's limit), or have others use fewer"
        }
        Obstacle::ReadOnly => "Connect to the primary server, or end its read-only mode",
        Obstacle::Locked => "End the program that has the lock, or wait longer",
    }
}

fn cause_hint(cause: Cause) -> &'static str {
    match cause {
        Cause::Password => "Check user and password",
        Cause::NoDatabase => "Create the database, or correct its name",
        Cause::NoAccess => "Let the user use this database from this host (GRANT)",
        Cause::Authentication => {
            "Give the user a password of caching_sha2_password or mysql_native_password"
        }
        Cause::Tls => "Check ssl-mode, ssl-ca, ssl-cert and ssl-key of the URL",
        Cause::NoFolder => "Create the folder, or correct the path",
        Cause::Unwritable => "Let this user write to the file and to its folder",
        Cause::Other => "Check the URL, and that there is such a database behind it",
    }
}
