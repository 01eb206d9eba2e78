//! Which database to work on, and how to say so without giving the password away.

use std::fmt;
use std::time::Duration;

use sqlx::mysql::{MySqlConnectOptions, MySqlSslMode};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode};

/// Which kind of SQL a database understands. MariaDB counts as MySQL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// MySQL and MariaDB.
    MySql,
    /// SQLite.
    Sqlite,
}

impl Dialect {
    /// The dialect's part of a file name, as in `0001_users.mysql.up.sql`.
    pub(crate) fn tag(self) -> &'static str {
        match self {
            Self::MySql => "mysql",
            Self::Sqlite => "sqlite",
        }
    }
}

/// Where to: the connection options of one database.
///
/// `Debug` and `Display` show user, host and database, and how TLS is used if that was said; never
/// the password.
#[derive(Clone)]
pub enum Target {
    /// MySQL or MariaDB. The options must name a database, and it must exist.
    MySql(MySqlConnectOptions),
    /// A SQLite *file*: every runner opens its own connection, and one in memory would vanish
    /// with it.
    Sqlite(SqliteConnectOptions),
}

/// Why a database URL was not understood. The text never contains the password.
#[derive(Debug, thiserror::Error)]
pub enum TargetError {
    /// Neither `mysql`, `mariadb` nor `sqlite`.
    #[error(
        "the database URL must begin with mysql://, mariadb:// or sqlite://, for example \
         sqlite://data.db"
    )]
    Scheme,
    /// An `@` after the host part, that is, a `/`, `?` or `#` inside the user name or password.
    #[error(
        "the database URL has an @ after its host: write special characters in the user name and \
         password percent-encoded (/ as %2F, ? as %3F, # as %23, @ as %40)"
    )]
    Unencoded,
    /// A parameter that the driver would ignore, and with it what was meant, such as TLS. Without
    /// its value, which may be a secret.
    #[error(
        "the database URL has the parameter {0:?}, which is not known: write ssl-mode, ssl-ca, \
         ssl-cert, ssl-key, charset, collation, timezone, statement-cache-capacity or socket"
    )]
    Parameter(String),
    /// A MySQL URL without a database.
    #[error("the database URL names no database: write mysql://user@host:3306/<database>")]
    NoDatabase,
    /// SQLite in memory.
    #[error(
        "the database URL asks for SQLite in memory, which vanishes with the connection that \
         migrates it: name a file, for example sqlite://data.db"
    )]
    InMemory,
    /// Anything else the driver does not accept.
    #[error("the database URL was not understood: {0}")]
    Invalid(String),
}

/// The parameters of MySQL URLs that the driver knows: it ignores all others.
const KNOWN: [&str; 14] = [
    "ssl-mode",
    "sslmode",
    "ssl-ca",
    "sslca",
    "ssl-cert",
    "sslcert",
    "ssl-key",
    "sslkey",
    "charset",
    "collation",
    "timezone",
    "time-zone",
    "statement-cache-capacity",
    "socket",
];

impl Target {
    /// Reads `mysql://` (or `mariadb://`) and `sqlite://` URLs.
    ///
    /// A SQLite file is created when missing (its folder is not), enforces foreign keys, waits up
    /// to 5 s for another writer and uses a write-ahead log.
    pub fn parse(url: &str) -> Result<Self, TargetError> {
        // With the slashes: without them the driver would take user and password for a path.
        if url.starts_with("mysql://") || url.starts_with("mariadb://") {
            parse_mysql(url)
        } else if url.starts_with("sqlite:") {
            parse_sqlite(url)
        } else {
            Err(TargetError::Scheme)
        }
    }

    /// Which texts of the migrations apply here.
    pub fn dialect(&self) -> Dialect {
        match self {
            Self::MySql(_) => Dialect::MySql,
            Self::Sqlite(_) => Dialect::Sqlite,
        }
    }
}

fn parse_mysql(url: &str) -> Result<Target, TargetError> {
    // A `/`, `?` or `#` in a password that is not encoded ends the host part early. The rest of
    // the password would then be taken for a path and be shown in messages.
    let after_scheme = url.split_once("://").map_or("", |(_, rest)| rest);
    let after_host = after_scheme.find(['/', '?', '#']).and_then(|at| after_scheme.get(at..));
    if after_host.is_some_and(|rest| rest.contains('@')) {
        return Err(TargetError::Unencoded);
    }
    let (_, parameters) = after_scheme.split_once('?').unwrap_or_default();
    let parameters = parameters.split('#').next().unwrap_or_default();
    for parameter in parameters.split('&').filter(|parameter| !parameter.is_empty()) {
        let name = parameter.split('=').next().unwrap_or_default();
        if !KNOWN.contains(&name) {
            return Err(TargetError::Parameter(name.to_owned()));
        }
    }
    let options: MySqlConnectOptions = url.parse().map_err(|e| invalid(&e))?;
    if options.get_database().is_none() {
        return Err(TargetError::NoDatabase);
    }
    Ok(Target::MySql(options))
}

fn parse_sqlite(url: &str) -> Result<Target, TargetError> {
    let location = url.strip_prefix("sqlite:").unwrap_or(url);
    let location = location.strip_prefix("//").unwrap_or(location);
    let (file, parameters) = location.split_once('?').unwrap_or((location, ""));
    if file == ":memory:" || parameters.split('&').any(|p| p == "mode=memory") {
        return Err(TargetError::InMemory);
    }
    if file.is_empty() {
        return Err(TargetError::Invalid("it names no file".to_owned()));
    }
    let options: SqliteConnectOptions = url.parse().map_err(|e| invalid(&e))?;
    Ok(Target::Sqlite(
        options
            .create_if_missing(true)
            .foreign_keys(true)
            .busy_timeout(Duration::from_secs(5))
            .journal_mode(SqliteJournalMode::Wal),
    ))
}

fn invalid(error: &sqlx::Error) -> TargetError {
    TargetError::Invalid(match error {
        // Without the driver's own "error with configuration" in front.
        sqlx::Error::Configuration(reason) => reason.to_string(),
        other => other.to_string(),
    })
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::MySql(options) => {
                write!(f, "mysql://{}@", options.get_username())?;
                match options.get_socket() {
                    Some(socket) => write!(f, "[{}]", socket.display())?,
                    None => write!(f, "{}:{}", options.get_host(), options.get_port())?,
                }
                write!(f, "/{}", options.get_database().unwrap_or_default())?;
                f.write_str(match options.get_ssl_mode() {
                    MySqlSslMode::Preferred => "",
                    MySqlSslMode::Disabled => "?ssl-mode=disabled",
                    MySqlSslMode::Required => "?ssl-mode=required",
                    MySqlSslMode::VerifyCa => "?ssl-mode=verify_ca",
                    MySqlSslMode::VerifyIdentity => "?ssl-mode=verify_identity",
                })
            }
            Self::Sqlite(options) => write!(f, "sqlite://{}", options.get_filename().display()),
        }
    }
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Target({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_of_all_engines_are_understood() {
        for (url, dialect, shown) in [
            ("mysql://u:p@db:3307/app", Dialect::MySql, "mysql://u@db:3307/app"),
            ("mariadb://u@db/app", Dialect::MySql, "mysql://u@db:3306/app"),
            (
                "mysql://u@db/app?charset=utf8mb4&sslmode=VERIFY_CA",
                Dialect::MySql,
                "mysql://u@db:3306/app?ssl-mode=verify_ca",
            ),
            ("mysql://u@db/app?ssl-mode=preferred", Dialect::MySql, "mysql://u@db:3306/app"),
            ("sqlite://data/app.db", Dialect::Sqlite, "sqlite://data/app.db"),
            ("sqlite:app.db?mode=rwc", Dialect::Sqlite, "sqlite://app.db"),
        ] {
            let target = Target::parse(url).unwrap();
            assert_eq!(target.dialect(), dialect);
            assert_eq!(target.to_string(), shown);
        }
    }

    /// The driver's list could grow or change with an update.
    #[test]
    fn every_known_parameter_is_one_that_the_driver_reads() {
        for name in KNOWN {
            let parse = |value: &str| Target::parse(&format!("mysql://u@h/d?{name}={value}"));
            let read = |value| match parse(value) {
                Ok(Target::MySql(options)) => format!("{options:?}"),
                // It was read, and the value did not fit.
                other => format!("{:?}", other.err()),
            };
            assert_ne!(read("1"), read("2"), "{name}");
        }
    }

    #[test]
    fn urls_that_cannot_work_are_refused() {
        for (url, part) in [
            ("", "must begin with"),
            ("postgres://u@h/d", "must begin with"),
            ("mysql://u@h", "names no database"),
            ("mysql://u@h/", "names no database"),
            ("mysql://u@h:port/d", "invalid port"),
            ("mysql://u@h/d?ssl_mode=required", "\"ssl_mode\", which is not known: write ssl-mode"),
            ("mysql://u@h/d?charset=utf8mb4&sslMode=required#x", "\"sslMode\""),
            ("mysql://u@h/d?require_ssl", "\"require_ssl\""),
            ("sqlite::memory:", "in memory"),
            ("sqlite://?mode=memory", "in memory"),
            ("sqlite://", "names no file"),
            ("sqlite://a.db?colour=red", "colour"),
        ] {
            let error = Target::parse(url).unwrap_err().to_string();
            assert!(error.contains(part), "{url}: {error}");
        }
    }

    #[test]
    fn the_password_is_never_shown() {
        let target = Target::parse("mysql://u:s3cret@h/d").unwrap();
        assert!(!format!("{target} {target:?} {target:#?}").contains("s3cret"));
        for url in [
            "mysql://u:s3cret@h:x/d",
            "mysql://u:s3cret",
            "mysql:/u:s3cret@h/d",
            "mysql://u:12/s3cret@h/d",
            "mysql://u:12#s3cret@h/d",
            "mysql://u:12?ssl-mode=s3cret@h/d",
            "mysql://u@h/d?passwd=s3cret",
            "oracle://u:s3cret@h/d",
            "s3cret",
        ] {
            let error = Target::parse(url).unwrap_err();
            assert!(!format!("{error} {error:?}").contains("s3cret"), "{url}: {error:?}");
        }
    }
}
