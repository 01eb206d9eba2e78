//! Whether a database has no space left, for which there are many numbers.

use sqlx::mysql::MySqlDatabaseError;
use sqlx::sqlite::SqliteError;

/// The disk is full (`ER_DISK_FULL`); the table is, or the tablespace or disk it is in
/// (`ER_RECORD_FILE_FULL`); a table's description could not be kept beside it, for which there was a
/// place whenever there was space (`ER_SDI_OPERATION_FAILED`).
const MYSQL: [u16; 3] = [1021, 1114, 3664];

/// What the others quote, such as 1005 of `CREATE TABLE` and 1030 of a storage engine: ENOSPC, and
/// the storage engines' own word for it.
const QUOTED: [&str; 2] = ["No space left on device", "No more room in record file"];

/// `SQLITE_FULL`, the primary code in the low byte of the extended ones.
const SQLITE: i32 = 13;

pub(crate) fn is_exhausted(error: &sqlx::Error) -> bool {
    let Some(error) = error.as_database_error() else { return false };
    if let Some(error) = error.try_downcast_ref::<MySqlDatabaseError>() {
        return MYSQL.contains(&error.number())
            || QUOTED.iter().any(|words| error.message().contains(words));
    }
    let code = error.try_downcast_ref::<SqliteError>().and_then(|_| error.code()?.parse().ok());
    code.is_some_and(|code: i32| code & 0xff == SQLITE)
}
