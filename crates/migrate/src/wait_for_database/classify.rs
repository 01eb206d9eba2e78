//! What passes by itself and what doesn't.

use std::fmt;
use std::io;

use sqlx::mysql::MySqlDatabaseError;

/// Something that passes by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Obstacle {
    /// DNS does not know the host, or does not answer.
    NameUnknown,
    /// Nobody listens at the address.
    Refused,
    /// There is no way to the address at the moment.
    Unreachable,
    /// The connection was taken and closed again, before or after TLS; a server or proxy that
    /// starts or stops does so.
    Closed,
    /// Nothing comes back.
    Silent,
    /// The server says that it is not ready yet.
    Starting,
    /// The server says that it stops.
    Stopping,
    /// No connection is left.
    TooManyConnections,
    /// The server is a replica, or its storage can't be written to for now.
    ReadOnly,
    /// Somebody else has the lock of a SQLite file.
    Locked,
}

impl fmt::Display for Obstacle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NameUnknown => "its host name is not known",
            Self::Refused => "nobody listens there",
            Self::Unreachable => "it cannot be reached",
            Self::Closed => "it closed the connection",
            Self::Silent => "it does not answer",
            Self::Starting => "it is not ready yet",
            Self::Stopping => "it is shutting down",
            Self::TooManyConnections => "it has no connection left",
            Self::ReadOnly => "it is read-only",
            Self::Locked => "it is locked by somebody else",
        })
    }
}

/// Something that only a person can change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Cause {
    /// User or password is wrong.
    Password,
    /// There is no such database.
    NoDatabase,
    /// The user may not use the database, or not from this host.
    NoAccess,
    /// The server asks for a way to sign in that this program doesn't have.
    Authentication,
    /// TLS: a file of the options can't be used, or the server's certificate is not trusted.
    Tls,
    /// The folder of a SQLite file is missing.
    NoFolder,
    /// A SQLite file or its folder can't be written to.
    Unwritable,
    /// Anything else.
    Other,
}

/// What an error means for somebody who waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Passes(Obstacle),
    Stays(Cause),
}

use Cause::{Authentication, NoAccess, NoDatabase, Other, Password, Tls, Unwritable};
use Obstacle::{
    Closed, Locked, NameUnknown, ReadOnly, Refused, Starting, Stopping, TooManyConnections,
    Unreachable,
};
use Verdict::{Passes, Stays};

/// What an error of the driver means. `is_socket` says that the options name a socket's file,
/// which a server makes when it starts.
pub(super) fn classify(error: &sqlx::Error, is_socket: bool) -> Verdict {
    match error {
        sqlx::Error::Io(error) => of_io(error, is_socket),
        sqlx::Error::Tls(_) => Stays(Tls),
        // The driver names the plugin, or the packet that it did not expect from it.
        sqlx::Error::Protocol(text) if text.contains("auth") => Stays(Authentication),
        // Only what was sent before the connection broke.
        sqlx::Error::WorkerCrashed => Passes(Closed),
        sqlx::Error::Database(error) => match error.try_downcast_ref::<MySqlDatabaseError>() {
            Some(error) => of_mysql(error.number(), error.code().unwrap_or_default()),
            None => of_sqlite(error.code().and_then(|code| code.parse().ok()).unwrap_or_default()),
        },
        _ => Stays(Other),
    }
}

fn of_io(error: &io::Error, is_socket: bool) -> Verdict {
    use io::ErrorKind as Kind;
    match error.kind() {
        Kind::ConnectionRefused => Passes(Refused),
        Kind::TimedOut
        | Kind::HostUnreachable
        | Kind::NetworkUnreachable
        | Kind::NetworkDown
        | Kind::AddrNotAvailable => Passes(Unreachable),
        Kind::NotFound if is_socket => Passes(Refused),
        // Over TCP, files are read for TLS only; and what rustls does not accept, such as a
        // certificate, comes as invalid data.
        Kind::NotFound | Kind::IsADirectory | Kind::PermissionDenied | Kind::InvalidData => {
            Stays(Tls)
        }
        // The standard library has no kind for DNS ("failed to lookup address information"), and
        // tokio none for a name without addresses ("could not resolve to any address").
        _ if is_about_names(&error.to_string()) => Passes(NameUnknown),
        _ => Passes(Closed),
    }
}

fn is_about_names(text: &str) -> bool {
    text.contains("lookup address") || text.contains("could not resolve")
}

/// MySQL, "Server Error Message Reference" and "Client Error Message Reference", the latter
/// because proxies send such numbers too; MariaDB, "MariaDB Error Codes".
fn of_mysql(number: u16, sqlstate: &str) -> Verdict {
    match number {
        // ER_CON_COUNT_ERROR, ER_OUT_OF_RESOURCES, ER_CANT_CREATE_THREAD,
        // ER_TOO_MANY_USER_CONNECTIONS, ER_USER_LIMIT_REACHED
        1040 | 1041 | 1135 | 1203 | 1226 => Passes(TooManyConnections),
        // ER_SERVER_SHUTDOWN, ER_NORMAL_SHUTDOWN, ER_FORCING_CLOSE, ER_CONNECTION_KILLED (MariaDB)
        1053 | 1077 | 1080 | 1927 => Passes(Stopping),
        // ER_UNKNOWN_COM_ERROR (Galera: "WSREP has not yet prepared node"), ER_SERVER_OFFLINE_MODE,
        // ER_SERVER_ISNT_AVAILABLE, "Max connect timeout reached" (ProxySQL)
        1047 | 3032 | 3168 | 9001 => Passes(Starting),
        // CR_CONNECTION_ERROR, CR_CONN_HOST_ERROR
        2002 | 2003 => Passes(Refused),
        // CR_UNKNOWN_HOST
        2005 => Passes(NameUnknown),
        // CR_SERVER_GONE_ERROR, CR_SERVER_LOST, CR_SERVER_LOST_EXTENDED
        2006 | 2013 | 2055 => Passes(Closed),
        // ER_OPTION_PREVENTS_STATEMENT, ER_CANT_EXECUTE_IN_READ_ONLY_TRANSACTION, ER_READ_ONLY_MODE
        1290 | 1792 | 1836 => Passes(ReadOnly),
        // ER_ACCESS_DENIED_ERROR, ER_ACCESS_DENIED_NO_PASSWORD_ERROR, ER_MUST_CHANGE_PASSWORD,
        // ER_MUST_CHANGE_PASSWORD_LOGIN
        1045 | 1698 | 1820 | 1862 => Stays(Password),
        // ER_BAD_DB_ERROR
        1049 => Stays(NoDatabase),
        // ER_DBACCESS_DENIED_ERROR, ER_HOST_IS_BLOCKED (until somebody unblocks it),
        // ER_HOST_NOT_PRIVILEGED, ER_TABLEACCESS_DENIED_ERROR, ER_SPECIFIC_ACCESS_DENIED_ERROR,
        // ER_ACCOUNT_HAS_BEEN_LOCKED, the same on MariaDB
        1044 | 1129 | 1130 | 1142 | 1227 | 3118 | 4151 => Stays(NoAccess),
        // ER_NOT_SUPPORTED_AUTH_MODE, ER_SERVER_IS_IN_SECURE_AUTH_MODE, ER_PLUGIN_IS_NOT_LOADED,
        // CR_AUTH_PLUGIN_CANNOT_LOAD
        1251 | 1275 | 1524 | 2059 => Stays(Authentication),
        // ER_SECURE_TRANSPORT_REQUIRED
        3159 => Stays(Tls),
        // Connection exceptions, such as ER_NET_READ_ERROR and ER_NEW_ABORTING_CONNECTION.
        _ if sqlstate.starts_with("08") => Passes(Closed),
        _ => Stays(Other),
    }
}

/// SQLite, "Result and Error Codes"; the primary code is the low byte of an extended one.
fn of_sqlite(code: i32) -> Verdict {
    match code & 0xff {
        // SQLITE_BUSY, SQLITE_LOCKED
        5 | 6 => Passes(Locked),
        // SQLITE_PERM, SQLITE_READONLY, SQLITE_CANTOPEN
        3 | 8 | 14 => Stays(Unwritable),
        _ => Stays(Other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(kind: io::ErrorKind) -> Verdict {
        classify(&sqlx::Error::Io(kind.into()), false)
    }

    #[test]
    fn the_network_s_errors_pass() {
        use io::ErrorKind as Kind;
        assert_eq!(of(Kind::ConnectionRefused), Passes(Refused));
        for kind in [Kind::ConnectionReset, Kind::ConnectionAborted, Kind::BrokenPipe] {
            assert_eq!(of(kind), Passes(Closed));
        }
        assert_eq!(of(Kind::UnexpectedEof), Passes(Closed), "as in the middle of a TLS handshake");
        assert_eq!(of(Kind::HostUnreachable), Passes(Unreachable));
        assert_eq!(of(Kind::TimedOut), Passes(Unreachable));
        for text in
            ["failed to lookup address information: Try again", "could not resolve to any address"]
        {
            let error = sqlx::Error::Io(io::Error::other(text));
            assert_eq!(classify(&error, false), Passes(NameUnknown));
        }
    }

    #[test]
    fn a_missing_file_is_a_socket_to_come_or_one_for_tls_that_is_wrong() {
        assert_eq!(of(io::ErrorKind::NotFound), Stays(Tls));
        let error = sqlx::Error::Io(io::ErrorKind::NotFound.into());
        assert_eq!(classify(&error, true), Passes(Refused));
        assert_eq!(of(io::ErrorKind::InvalidData), Stays(Tls));
        assert_eq!(classify(&sqlx::Error::Tls("bad".into()), false), Stays(Tls));
    }

    #[test]
    fn the_server_s_errors_are_told_apart() {
        for (number, state, verdict) in [
            (1040, "08004", Passes(TooManyConnections)),
            (1203, "42000", Passes(TooManyConnections)),
            (1226, "42000", Passes(TooManyConnections)),
            (1053, "08S01", Passes(Stopping)),
            (1047, "08S01", Passes(Starting)),
            (3032, "HY000", Passes(Starting)),
            (2013, "HY000", Passes(Closed)),
            (1158, "08S01", Passes(Closed)),
            (1290, "HY000", Passes(ReadOnly)),
            (1836, "HY000", Passes(ReadOnly)),
            (1045, "28000", Stays(Password)),
            (1698, "28000", Stays(Password)),
            (1049, "42000", Stays(NoDatabase)),
            (1044, "42000", Stays(NoAccess)),
            (1129, "HY000", Stays(NoAccess)),
            (1130, "HY000", Stays(NoAccess)),
            (1524, "HY000", Stays(Authentication)),
            (3159, "HY000", Stays(Tls)),
            (1064, "42000", Stays(Other)),
        ] {
            assert_eq!(of_mysql(number, state), verdict, "{number}");
        }
    }

    #[test]
    fn an_unknown_way_to_sign_in_stays() {
        let error = sqlx::Error::Protocol("unknown authentication plugin: ed25519".to_owned());
        assert_eq!(classify(&error, false), Stays(Authentication));
        assert_eq!(classify(&sqlx::Error::RowNotFound, false), Stays(Other));
    }

    #[test]
    fn sqlite_s_locks_pass_and_its_other_errors_stay() {
        for (code, verdict) in [
            (5, Passes(Locked)),
            (0x0205, Passes(Locked)),
            (6, Passes(Locked)),
            (8, Stays(Unwritable)),
            (0x020e, Stays(Unwritable)),
            (26, Stays(Other)),
        ] {
            assert_eq!(of_sqlite(code), verdict, "{code}");
        }
    }
}
