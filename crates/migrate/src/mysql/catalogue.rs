//! What exists, according to the server.

use sqlx::{AssertSqlSafe, MySqlConnection, Row as _};

use super::{NO_SUCH_TABLE, number};
use crate::checksum::sha256_hex;
use crate::journal::Images;
use crate::sql::meaning::{Effect, Name, RoutineKind};

/// Fingerprints of `SHOW CREATE TABLE`.
pub(super) async fn images(
    connection: &mut MySqlConnection,
    tables: &[Name],
) -> sqlx::Result<Images> {
    let mut images = Images::new();
    for table in tables {
        let definition = definition(connection, table).await?;
        let image = definition.map(|text| sha256_hex(&without_counter(&text)));
        images.insert(table.to_string(), image);
    }
    Ok(images)
}

/// The statement that would make a table; none if there is no such table.
pub(super) async fn definition(
    connection: &mut MySqlConnection,
    table: &Name,
) -> sqlx::Result<Option<String>> {
    let show = format!("SHOW CREATE TABLE {}", table.quoted());
    match sqlx::raw_sql(AssertSqlSafe(show)).fetch_one(connection).await {
        Ok(row) => row.try_get(1),
        Err(error) if number(&error) == Some(NO_SUCH_TABLE) => Ok(None),
        Err(error) => Err(error),
    }
}

/// A definition without its `AUTO_INCREMENT=123`, which grows with each row.
fn without_counter(definition: &str) -> String {
    const OPTION: &str = " AUTO_INCREMENT=";
    // After the last column: a comment or default of a column may say the same.
    let options = definition.rfind("\n)").unwrap_or_default();
    let (columns, options) = definition.split_at(options);
    match options.split_once(OPTION) {
        Some((before, after)) => {
            let after = after.trim_start_matches(|char: char| char.is_ascii_digit());
            format!("{columns}{before}{after}")
        }
        None => definition.to_owned(),
    }
}

/// The columns of a table, in order; none if there is no such table.
pub(super) async fn columns(
    connection: &mut MySqlConnection,
    table: &Name,
) -> sqlx::Result<Vec<String>> {
    let rows = sqlx::query(
        "SELECT CAST(column_name AS CHAR) FROM information_schema.columns \
         WHERE table_schema = COALESCE(?, DATABASE()) AND table_name = ? ORDER BY ordinal_position",
    );
    let rows = rows.bind(table.schema.as_deref()).bind(&table.name).fetch_all(connection).await?;
    rows.iter().map(|row| row.try_get(0)).collect()
}

/// Whether an effect is there.
pub(super) async fn holds(connection: &mut MySqlConnection, effect: &Effect) -> sqlx::Result<bool> {
    match effect {
        Effect::TableExists { table, columns: wanted } => {
            let found = columns(connection, table).await?;
            let has = |column: &String| found.iter().any(|f| f.eq_ignore_ascii_case(column));
            Ok(!found.is_empty() && wanted.iter().all(has))
        }
        Effect::TableGone { table } => Ok(!exists(connection, TABLE, table, None).await?),
        Effect::TableEmpty { table } => {
            let row = format!("SELECT 1 FROM {} LIMIT 1", table.quoted());
            let row = sqlx::raw_sql(AssertSqlSafe(row)).fetch_optional(connection).await;
            match row {
                Err(error) if number(&error) == Some(NO_SUCH_TABLE) => Ok(false),
                row => Ok(row?.is_none()),
            }
        }
        Effect::ViewExists { view } => exists(connection, VIEW, view, None).await,
        Effect::ViewGone { view } => Ok(!exists(connection, VIEW, view, None).await?),
        Effect::ColumnExists { table, column } => {
            exists(connection, COLUMN, table, Some(column)).await
        }
        Effect::ColumnGone { table, column } => {
            Ok(!exists(connection, COLUMN, table, Some(column)).await?)
        }
        Effect::IndexExists { table, index } => exists(connection, INDEX, table, Some(index)).await,
        Effect::IndexGone { table, index } => {
            Ok(!exists(connection, INDEX, table, Some(index)).await?)
        }
        Effect::ConstraintExists { table, name } => {
            exists(connection, CONSTRAINT, table, Some(name)).await
        }
        Effect::ConstraintGone { table, name } => {
            Ok(!exists(connection, CONSTRAINT, table, Some(name)).await?)
        }
        Effect::TriggerExists { trigger } => exists(connection, TRIGGER, trigger, None).await,
        Effect::TriggerGone { trigger } => Ok(!exists(connection, TRIGGER, trigger, None).await?),
        Effect::RoutineExists { kind, routine } => {
            exists(connection, ROUTINE, routine, Some(routine_type(*kind))).await
        }
        Effect::RoutineGone { kind, routine } => {
            Ok(!exists(connection, ROUTINE, routine, Some(routine_type(*kind))).await?)
        }
        Effect::EventExists { event } => exists(connection, EVENT, event, None).await,
        Effect::EventGone { event } => Ok(!exists(connection, EVENT, event, None).await?),
        Effect::SequenceExists { sequence } => exists(connection, SEQUENCE, sequence, None).await,
        Effect::SequenceGone { sequence } => {
            Ok(!exists(connection, SEQUENCE, sequence, None).await?)
        }
    }
}

const TABLE: &str = "SELECT COUNT(*) FROM information_schema.tables \
     WHERE table_schema = COALESCE(?, DATABASE()) AND table_name = ?";
const VIEW: &str = "SELECT COUNT(*) FROM information_schema.views \
     WHERE table_schema = COALESCE(?, DATABASE()) AND table_name = ?";
const COLUMN: &str = "SELECT COUNT(*) FROM information_schema.columns \
     WHERE table_schema = COALESCE(?, DATABASE()) AND table_name = ? AND column_name = ?";
const INDEX: &str = "SELECT COUNT(*) FROM information_schema.statistics \
     WHERE table_schema = COALESCE(?, DATABASE()) AND table_name = ? AND index_name = ?";
const CONSTRAINT: &str = "SELECT COUNT(*) FROM information_schema.table_constraints \
     WHERE table_schema = COALESCE(?, DATABASE()) AND table_name = ? AND constraint_name = ?";
const TRIGGER: &str = "SELECT COUNT(*) FROM information_schema.triggers \
     WHERE trigger_schema = COALESCE(?, DATABASE()) AND trigger_name = ?";
const ROUTINE: &str = "SELECT COUNT(*) FROM information_schema.routines \
     WHERE routine_schema = COALESCE(?, DATABASE()) AND routine_name = ? AND routine_type = ?";
const EVENT: &str = "SELECT COUNT(*) FROM information_schema.events \
     WHERE event_schema = COALESCE(?, DATABASE()) AND event_name = ?";

const SEQUENCE: &str = "SELECT COUNT(*) FROM information_schema.tables \
     WHERE table_schema = COALESCE(?, DATABASE()) AND table_name = ? AND table_type = 'SEQUENCE'";

async fn exists(
    connection: &mut MySqlConnection,
    sql: &'static str,
    name: &Name,
    part: Option<&str>,
) -> sqlx::Result<bool> {
    let mut query = sqlx::query_scalar(sql).bind(name.schema.as_deref()).bind(&name.name);
    if let Some(part) = part {
        query = query.bind(part);
    }
    let count: i64 = query.fetch_one(connection).await?;
    Ok(count > 0)
}

fn routine_type(kind: RoutineKind) -> &'static str {
    match kind {
        RoutineKind::Procedure => "PROCEDURE",
        RoutineKind::Function => "FUNCTION",
    }
}

#[cfg(test)]
mod tests {
    use super::without_counter;

    #[test]
    fn the_counter_of_ids_is_no_part_of_a_definition() {
        let table = |counter: &str| {
            format!(
                "CREATE TABLE `t` (\n  `id` int AUTO_INCREMENT COMMENT ' AUTO_INCREMENT=5'\n\
                 ) ENGINE=InnoDB{counter} DEFAULT CHARSET=utf8mb4"
            )
        };
        assert_eq!(without_counter(&table(" AUTO_INCREMENT=17")), table(""));
        assert_eq!(without_counter(&table("")), table(""));
    }
}
