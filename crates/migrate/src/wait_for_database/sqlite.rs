//! One attempt at a SQLite file.

use std::fs::{self, OpenOptions};
use std::io;
use std::path::Path;
use std::time::Duration;

use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions as _, Connection as _};

use super::Refusal;
use super::classify::{Cause, Verdict, classify};

pub(super) async fn attempt(options: &SqliteConnectOptions) -> Result<(), Refusal> {
    let path = options.get_filename();
    check_folder(path)?;
    // A file that is not there yet will be made by whoever migrates it, in a folder that was just
    // written to.
    if matches!(path.try_exists(), Ok(false)) {
        return Ok(());
    }
    let refused = |error: sqlx::Error| Refusal::new(classify(&error, false), &error);
    // The waiting between attempts is done here and not by SQLite.
    let options = options.clone().create_if_missing(false).busy_timeout(Duration::from_millis(100));
    let mut connection = options.connect().await.map_err(refused)?;
    // Of a file that can't be written to, BEGIN IMMEDIATE alone takes a lock for reading.
    let write = "BEGIN IMMEDIATE; CREATE TABLE IF NOT EXISTS _migrate_wait (x INTEGER); ROLLBACK";
    let written = sqlx::raw_sql(write).execute(&mut connection).await;
    let _ = connection.close().await;
    written.map(drop).map_err(refused)
}

/// SQLite makes files of its own beside the database, and so has to write to its folder.
fn check_folder(path: &Path) -> Result<(), Refusal> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let folder = folder.unwrap_or(Path::new("."));
    if !folder.is_dir() {
        let reason = format!("there is no folder {}", folder.display());
        return Err(Refusal::new(Verdict::Stays(Cause::NoFolder), &reason));
    }
    if path.is_dir() {
        let reason = format!("{} is a folder", path.display());
        return Err(Refusal::new(Verdict::Stays(Cause::Unwritable), &reason));
    }
    try_to_write(folder).map_err(|error| {
        let reason = format!("{} cannot be written to: {error}", folder.display());
        Refusal::new(Verdict::Stays(Cause::Unwritable), &reason)
    })
}

fn try_to_write(folder: &Path) -> io::Result<()> {
    let mut random = [0; 8];
    getrandom::fill(&mut random).map_err(io::Error::other)?;
    let file = folder.join(format!(".migrate-wait-{:016x}", u64::from_ne_bytes(random)));
    OpenOptions::new().write(true).create_new(true).open(&file)?;
    fs::remove_file(file)
}
