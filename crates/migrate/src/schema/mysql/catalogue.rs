//! What exists, according to `information_schema`, and the definitions of it.

use std::collections::HashMap;

use sqlx::mysql::MySqlRow;
use sqlx::{AssertSqlSafe, MySqlConnection, Row as _};

use super::table::Charsets;
use crate::schema::error::{Context, SchemaError};
use crate::schema::is_own;
use crate::schema::object::{Charset, Kind};
use crate::sql::name::backquoted;

/// How many definitions are asked for at once: enough that a distant server is not waited for
/// once a table, and few enough that neither question nor answer grows large.
const AT_ONCE: usize = 50;

/// Everything but the definitions.
pub(super) struct Catalogue {
    pub(super) database: String,
    pub(super) defaults: Charset,
    /// In the order of the output, but for views.
    pub(super) listed: Vec<Listed>,
    /// Character sets of tables.
    pub(super) tables: HashMap<String, Charset>,
    /// Character sets of the columns of tables.
    pub(super) columns: HashMap<String, Charsets>,
    pub(super) no_columns: Charsets,
}

/// Something that exists.
#[derive(Clone, Debug, Default)]
pub(super) struct Listed {
    pub(super) kind: Kind,
    pub(super) name: String,
    /// The table of a trigger.
    pub(super) table: String,
    /// Of a trigger: what orders it among those of its table.
    order: (String, u64),
    /// Whether an event's `STARTS` is the moment at which it was made.
    pub(super) starts_when_made: bool,
}

impl Catalogue {
    pub(super) async fn read(
        connection: &mut MySqlConnection,
        context: &Context,
    ) -> Result<Self, SchemaError> {
        let (database, defaults) = database(connection, context).await?;
        let mut catalogue = Self {
            database,
            defaults,
            listed: Vec::new(),
            tables: HashMap::new(),
            columns: HashMap::new(),
            no_columns: Charsets::new(),
        };
        catalogue.add_tables(connection).await.map_err(context.read("the list of tables"))?;
        catalogue.add_columns(connection).await.map_err(context.read("the list of columns"))?;
        catalogue.add_routines(connection).await.map_err(context.read("the list of routines"))?;
        catalogue.add_triggers(connection).await.map_err(context.read("the list of triggers"))?;
        catalogue.add_events(connection).await.map_err(context.read("the list of events"))?;
        // Here and not by the server, whose order depends on its version and collations.
        catalogue.listed.sort_by(|a, b| a.key().cmp(&b.key()));
        Ok(catalogue)
    }

    /// What exists, one group for each kind.
    pub(super) fn by_kind(&self) -> Vec<(Kind, Vec<Listed>)> {
        let groups = self.listed.chunk_by(|a, b| a.kind == b.kind);
        groups.filter_map(|group| Some((group.first()?.kind, group.to_vec()))).collect()
    }

    async fn add_tables(&mut self, connection: &mut MySqlConnection) -> sqlx::Result<()> {
        let rows = sqlx::raw_sql(
            "SELECT table_name, table_type, table_collation FROM information_schema.tables \
             WHERE table_schema = DATABASE()",
        );
        for row in rows.fetch_all(connection).await? {
            let (name, collation) = (needed(&row, 0)?, text(&row, 2)?);
            let kind = match needed(&row, 1)?.as_str() {
                "VIEW" => Kind::View,
                "SEQUENCE" => Kind::Sequence,
                _ => Kind::Table,
            };
            if is_own(&name) {
                continue;
            }
            if let Some(collation) = collation {
                self.tables.insert(name.clone(), charset_of(collation));
            }
            self.listed.push(Listed { kind, name, ..Listed::default() });
        }
        Ok(())
    }

    async fn add_columns(&mut self, connection: &mut MySqlConnection) -> sqlx::Result<()> {
        let rows = sqlx::raw_sql(
            "SELECT table_name, column_name, character_set_name, collation_name \
             FROM information_schema.columns \
             WHERE table_schema = DATABASE() AND collation_name IS NOT NULL",
        );
        for row in rows.fetch_all(connection).await? {
            let charset = Charset { name: needed(&row, 2)?, collation: needed(&row, 3)? };
            let columns = self.columns.entry(needed(&row, 0)?).or_default();
            columns.insert(needed(&row, 1)?, charset);
        }
        Ok(())
    }

    async fn add_routines(&mut self, connection: &mut MySqlConnection) -> sqlx::Result<()> {
        let rows = sqlx::raw_sql(
            "SELECT routine_name, routine_type FROM information_schema.routines \
             WHERE routine_schema = DATABASE()",
        );
        for row in rows.fetch_all(connection).await? {
            let kind = match needed(&row, 1)?.as_str() {
                "FUNCTION" => Kind::Function,
                "PACKAGE" => Kind::Package,
                "PACKAGE BODY" => Kind::PackageBody,
                _ => Kind::Procedure,
            };
            self.listed.push(Listed { kind, name: needed(&row, 0)?, ..Listed::default() });
        }
        Ok(())
    }

    async fn add_triggers(&mut self, connection: &mut MySqlConnection) -> sqlx::Result<()> {
        let rows = sqlx::raw_sql(
            "SELECT trigger_name, event_object_table, action_timing, event_manipulation, \
             CAST(action_order AS CHAR) FROM information_schema.triggers \
             WHERE trigger_schema = DATABASE()",
        );
        for row in rows.fetch_all(connection).await? {
            let (name, table) = (needed(&row, 0)?, needed(&row, 1)?);
            let known = self.listed.iter().any(|it| it.kind == Kind::Trigger && it.name == name);
            // Newer MariaDBs list a trigger once for each of its events.
            if known || is_own(&table) {
                continue;
            }
            let event = format!("{} {}", needed(&row, 2)?, needed(&row, 3)?);
            let order = (event, needed(&row, 4)?.parse().unwrap_or_default());
            self.listed.push(Listed {
                kind: Kind::Trigger,
                name,
                table,
                order,
                ..Listed::default()
            });
        }
        Ok(())
    }

    async fn add_events(&mut self, connection: &mut MySqlConnection) -> sqlx::Result<()> {
        // STARTS is in the event's time zone, the others in the session's. Where nobody said when
        // to start, it is the moment of CREATE EVENT or of the ALTER EVENT that set the schedule.
        let zones = sqlx::raw_sql(
            "SELECT DISTINCT time_zone FROM information_schema.events \
             WHERE event_schema = DATABASE()",
        );
        let zones = zones.fetch_all(&mut *connection).await?;
        for zone in zones.iter().map(|row| needed(row, 0)) {
            let zone = zone?.replace('\'', "''");
            let rows = format!(
                "SET time_zone = '{zone}'; SELECT event_name, CAST(COALESCE(\
                 ABS(TIMESTAMPDIFF(SECOND, starts, created)) <= 1 \
                 OR ABS(TIMESTAMPDIFF(SECOND, starts, last_altered)) <= 1, 0) AS CHAR) \
                 FROM information_schema.events \
                 WHERE event_schema = DATABASE() AND time_zone = '{zone}'"
            );
            for row in sqlx::raw_sql(AssertSqlSafe(rows)).fetch_all(&mut *connection).await? {
                let (name, starts) = (needed(&row, 0)?, needed(&row, 1)?);
                self.listed.push(Listed {
                    kind: Kind::Event,
                    name,
                    starts_when_made: starts == "1",
                    ..Listed::default()
                });
            }
        }
        Ok(())
    }
}

impl Listed {
    /// Triggers for one event of one table fire in an order, in which they also have to be made.
    fn key(&self) -> (Kind, &str, &(String, u64), &str) {
        (self.kind, &self.table, &self.order, &self.name)
    }
}

async fn database(
    connection: &mut MySqlConnection,
    context: &Context,
) -> Result<(String, Charset), SchemaError> {
    let row = sqlx::raw_sql(
        "SELECT DATABASE(), default_character_set_name, default_collation_name \
         FROM information_schema.schemata WHERE schema_name = DATABASE()",
    );
    let row = row.fetch_optional(connection).await.map_err(context.read("the database's name"))?;
    let row = row.ok_or_else(|| SchemaError::NoDatabase { target: context.target.clone() })?;
    let column = |at| needed(&row, at).map_err(context.read("the database's character set"));
    Ok((column(0)?, Charset { name: column(1)?, collation: column(2)? }))
}

/// `SHOW CREATE …` of each.
pub(super) async fn show(
    connection: &mut MySqlConnection,
    context: &Context,
    kind: Kind,
    listed: &[Listed],
) -> Result<Vec<MySqlRow>, SchemaError> {
    let mut rows = Vec::with_capacity(listed.len());
    for some in listed.chunks(AT_ONCE) {
        let statements: Vec<String> = some
            .iter()
            .map(|it| {
                format!("SHOW CREATE {} {}", kind.to_string().to_uppercase(), backquoted(&it.name))
            })
            .collect();
        let answers = sqlx::raw_sql(AssertSqlSafe(statements.join(";")));
        let answers = answers.fetch_all(&mut *connection).await;
        rows.extend(answers.map_err(|reason| {
            let names: Vec<&str> = some.iter().map(|it| it.name.as_str()).collect();
            context.read(format!("the definition of a {kind} ({})", names.join(", ")))(reason)
        })?);
    }
    Ok(rows)
}

/// The character set that a collation belongs to is the first part of its name (MySQL, "Collation
/// Naming Conventions"); `binary` is both.
fn charset_of(collation: String) -> Charset {
    let name = collation.split('_').next().unwrap_or_default().to_owned();
    Charset { name, collation }
}

/// A column as text. Unchecked, because servers give the same column of their catalogue as text or
/// as bytes.
pub(super) fn text(row: &MySqlRow, column: usize) -> sqlx::Result<Option<String>> {
    row.try_get_unchecked(column)
}

fn needed(row: &MySqlRow, column: usize) -> sqlx::Result<String> {
    row.try_get_unchecked(column)
}
