//! Reads the schema of a SQLite database.
//!
//! `sqlite_schema` keeps each statement as somebody wrote it, and edits it when something is
//! renamed, added or dropped. The text is normalised so that such a history doesn't show.

mod text;

use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions as _, Connection as _, SqliteConnection};

use super::error::{Context, SchemaError};
use super::is_own;
use super::object::{Kind, Object, Schema, Settings};
use crate::Dialect;

pub(super) async fn read(
    options: &SqliteConnectOptions,
    context: &Context,
) -> Result<Schema, SchemaError> {
    let path = options.get_filename();
    let mut objects = Vec::new();
    if !matches!(path.try_exists(), Ok(false)) {
        // Not the caller's options: those may create the file or change its journal mode. And not
        // read-only, which leaves the files of a write-ahead log behind.
        let options = SqliteConnectOptions::new().filename(path).pragma("query_only", "ON");
        let mut connection = options.connect().await.map_err(context.connect())?;
        let read = list(&mut connection).await;
        let _ = connection.close().await;
        objects = read.map_err(context.read("the table sqlite_schema"))?;
    }
    Ok(Schema { dialect: Dialect::Sqlite, defaults: None, objects })
}

async fn list(connection: &mut SqliteConnection) -> sqlx::Result<Vec<Object>> {
    // Without what SQLite makes by itself: the indexes of constraints (no text), its own tables,
    // and the tables in which virtual tables keep their contents.
    let rows: Vec<(String, String, String, String)> = sqlx::query_as(
        "SELECT type, name, tbl_name, sql FROM sqlite_schema \
         WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' AND name NOT IN \
         (SELECT name FROM pragma_table_list WHERE schema = 'main' AND type = 'shadow')",
    )
    .fetch_all(connection)
    .await?;
    let is_relation = |kind: &str| matches!(kind, "table" | "view");
    let relations: Vec<&str> =
        rows.iter().filter(|row| is_relation(&row.0)).map(|row| row.1.as_str()).collect();
    let mut objects: Vec<Object> = rows
        .iter()
        .filter(|(_, _, table, _)| !is_own(table))
        .map(|(kind, name, _, sql)| {
            let kind = match kind.as_str() {
                "index" => Kind::Index,
                "view" => Kind::View,
                "trigger" => Kind::Trigger,
                _ => Kind::Table,
            };
            let sql = text::normalise(kind, name, sql, &relations);
            Object { kind, name: name.clone(), sql, settings: Settings::default() }
        })
        .collect();
    objects.sort_by(|a, b| (a.kind, &a.name).cmp(&(b.kind, &b.name)));
    Ok(objects)
}
