//! The SQL of the journal. The same texts for every database: `?` placeholders, and what stands
//! in `/*! … */` is read by MySQL and MariaDB only.

/// Creates the tables unless they exist. Apart, because MySQL knows no prepared batch.
pub(crate) const CREATE: [&str; 3] = [
    "CREATE TABLE IF NOT EXISTS _migrations (\
     version BIGINT NOT NULL PRIMARY KEY, \
     name VARCHAR(255) NOT NULL, \
     checksum CHAR(64) NOT NULL, \
     started_at BIGINT NOT NULL, \
     finished_at BIGINT NULL, \
     run_by VARCHAR(255) NULL, \
     min_version BIGINT NULL, \
     origin VARCHAR(32) NULL, \
     undo_started_at BIGINT NULL\
     ) /*! ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 */",
    "CREATE TABLE IF NOT EXISTS _migration_steps (\
     version BIGINT NOT NULL, \
     direction VARCHAR(4) NOT NULL, \
     number INTEGER NOT NULL, \
     checksum CHAR(64) NOT NULL, \
     state VARCHAR(16) NOT NULL, \
     statement MEDIUMTEXT NULL, \
     images MEDIUMTEXT NULL, \
     started_at BIGINT NOT NULL, \
     finished_at BIGINT NULL, \
     error TEXT NULL, \
     decided_by VARCHAR(255) NULL, \
     reason TEXT NULL, \
     PRIMARY KEY (version, direction, number)\
     ) /*! ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 */",
    "CREATE TABLE IF NOT EXISTS _migration_texts (\
     version BIGINT NOT NULL PRIMARY KEY, \
     text MEDIUMBLOB NOT NULL\
     ) /*! ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 */",
];

/// What `_migrations` of the first release lacks, in the order in which it came.
pub(crate) const ADDED_COLUMNS: [(&str, &str); 4] = [
    ("run_by", "ALTER TABLE _migrations ADD COLUMN run_by VARCHAR(255) NULL"),
    ("min_version", "ALTER TABLE _migrations ADD COLUMN min_version BIGINT NULL"),
    ("origin", "ALTER TABLE _migrations ADD COLUMN origin VARCHAR(32) NULL"),
    ("undo_started_at", "ALTER TABLE _migrations ADD COLUMN undo_started_at BIGINT NULL"),
];

/// Every column, so that those that an older table lacks can be told.
pub(crate) const READ_ROWS: &str = "SELECT * FROM _migrations ORDER BY version";

pub(crate) const READ_STEPS: &str =
    "SELECT * FROM _migration_steps ORDER BY version, direction, number";

pub(crate) const READ_TEXT: &str = "SELECT text FROM _migration_texts WHERE version = ?";

/// Its primary key is the last fence: of two runners that both believe to be alone, only one gets
/// past it.
pub(crate) const START: &str = "INSERT INTO _migrations \
     (version, name, checksum, started_at, finished_at, run_by, min_version, origin) \
     VALUES (?, ?, ?, ?, ?, ?, ?, ?)";

/// A file whose tail was edited after it failed goes on under its new checksum.
pub(crate) const RESUME: &str =
    "UPDATE _migrations SET checksum = ?, run_by = ?, min_version = ? WHERE version = ?";

pub(crate) const FINISH: &str = "UPDATE _migrations SET finished_at = ? WHERE version = ?";

pub(crate) const BEGIN_UNDO: &str =
    "UPDATE _migrations SET undo_started_at = ?, run_by = ? WHERE version = ?";

pub(crate) const FORGET: &str = "DELETE FROM _migrations WHERE version = ?";

pub(crate) const FORGET_TEXT: &str = "DELETE FROM _migration_texts WHERE version = ?";

pub(crate) const KEEP_TEXT: &str = "INSERT INTO _migration_texts (version, text) VALUES (?, ?)";

/// Both databases understand `REPLACE`.
pub(crate) const PUT_STEP: &str = "REPLACE INTO _migration_steps \
     (version, direction, number, checksum, state, statement, images, started_at, finished_at, \
     error, decided_by, reason) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";

pub(crate) const FORGET_STEPS: &str =
    "DELETE FROM _migration_steps WHERE version = ? AND direction = ?";

/// What a person decided stays on record.
pub(crate) const FORGET_PLAIN_STEPS: &str = "DELETE FROM _migration_steps \
     WHERE version = ? AND direction = ? AND decided_by IS NULL";
