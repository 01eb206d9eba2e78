//! Reads the schema of a MySQL or MariaDB database.
//!
//! What exists is asked of `information_schema`, each definition of `SHOW CREATE …`.

mod catalogue;
mod code;
mod table;
mod views;

use sqlx::mysql::{MySqlConnectOptions, MySqlRow};
use sqlx::{ConnectOptions as _, Connection as _, MySqlConnection};

use super::error::{Context, SchemaError};
use super::object::{Kind, Object, Schema, Settings};
use crate::Dialect;
use catalogue::{Catalogue, Listed, show, text};

pub(super) async fn read(
    options: &MySqlConnectOptions,
    context: &Context,
) -> Result<Schema, SchemaError> {
    let mut connection = options.connect().await.map_err(context.connect())?;
    let schema = read_all(&mut connection, context).await;
    let _ = connection.close().await;
    schema
}

async fn read_all(
    connection: &mut MySqlConnection,
    context: &Context,
) -> Result<Schema, SchemaError> {
    // How definitions are printed depends on these: names in backquotes, all options.
    sqlx::raw_sql("SET SESSION sql_mode = '', sql_quote_show_create = 1")
        .execute(&mut *connection)
        .await
        .map_err(context.read("the settings"))?;
    let catalogue = Catalogue::read(connection, context).await?;
    let mut objects = Vec::with_capacity(catalogue.listed.len());
    for (kind, listed) in catalogue.by_kind() {
        let definitions = show(connection, context, kind, &listed).await?;
        for (listed, row) in listed.iter().zip(&definitions) {
            let what = || context.read(format!("the {kind} `{}`", listed.name));
            let definition = definition(kind, row).map_err(what())?;
            let definition = definition.ok_or_else(|| context.hidden(kind, &listed.name))?;
            let sql = normalise(&catalogue, listed, &definition);
            let sql = sql.ok_or_else(|| context.not_understood(kind, &listed.name, &definition))?;
            let settings = settings(kind, row).map_err(what())?;
            objects.push(Object { kind, name: listed.name.clone(), sql, settings });
        }
    }
    views::sort(&mut objects);
    Ok(Schema { dialect: Dialect::MySql, defaults: Some(catalogue.defaults), objects })
}

fn normalise(catalogue: &Catalogue, listed: &Listed, definition: &str) -> Option<String> {
    let name = &listed.name;
    match listed.kind {
        Kind::Table => {
            let table = catalogue.tables.get(name);
            let columns = catalogue.columns.get(name).unwrap_or(&catalogue.no_columns);
            let sql = table::normalise(name, definition, table, columns)?;
            Some(code::without_database_in_calls(&catalogue.database, &sql))
        }
        Kind::View => code::view(&catalogue.database, definition),
        Kind::Trigger => code::trigger(name, &listed.table, definition),
        Kind::Event => Some(code::event(definition, listed.starts_when_made)),
        Kind::Sequence
        | Kind::Index
        | Kind::Package
        | Kind::PackageBody
        | Kind::Function
        | Kind::Procedure => Some(code::routine(definition)),
    }
}

/// The column of `SHOW CREATE …` with the definition; `None` where the user may not see it.
fn definition(kind: Kind, row: &MySqlRow) -> sqlx::Result<Option<String>> {
    let column = match kind {
        Kind::Sequence | Kind::Table | Kind::Index | Kind::View => 1,
        Kind::Package | Kind::PackageBody | Kind::Function | Kind::Procedure | Kind::Trigger => 2,
        Kind::Event => 3,
    };
    text(row, column)
}

/// What the object keeps of the session it was made in.
fn settings(kind: Kind, row: &MySqlRow) -> sqlx::Result<Settings> {
    let (sql_mode, time_zone, collation) = match kind {
        Kind::Sequence | Kind::Table | Kind::Index => return Ok(Settings::default()),
        Kind::View => (None, None, 3),
        Kind::Package | Kind::PackageBody | Kind::Function | Kind::Procedure | Kind::Trigger => {
            (Some(1), None, 4)
        }
        Kind::Event => (Some(1), Some(2), 5),
    };
    let optional = |column: Option<usize>| column.map_or(Ok(None), |column| text(row, column));
    Ok(Settings {
        sql_mode: optional(sql_mode)?,
        time_zone: optional(time_zone)?,
        collation: text(row, collation)?,
    })
}
