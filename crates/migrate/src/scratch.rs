//! Trying all migrations on an empty database of their own, there and back and there again.

use sqlx::mysql::MySqlConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _, Row as _};

use crate::schema::{self, SchemaError};
use crate::sql::name::Name;
use crate::{DownOptions, MigrateError, Migrations, Migrator, Target, UpOptions};

/// What such a trial found. Without problems the migrations are sound.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Trial {
    /// How many were applied.
    pub applied: usize,
    /// How many of them were taken back and applied again.
    pub taken_back: usize,
    /// What is wrong, in sentences.
    pub problems: Vec<String>,
    /// The schema that they make, as SQL.
    pub schema: String,
}

/// Why there was no trial.
#[derive(Debug, thiserror::Error)]
pub enum TrialError {
    /// No empty database could be made.
    #[error(
        "an empty database to try the migrations on could not be made beside {target}: {reason}"
    )]
    Scratch {
        /// The database, without the password.
        target: String,
        /// The database's words.
        reason: String,
    },
    /// The schema could not be read.
    #[error(transparent)]
    Schema(#[from] SchemaError),
    /// A migration failed.
    #[error("on an empty database: {0}")]
    Migrate(Box<MigrateError>),
}

impl From<MigrateError> for TrialError {
    fn from(error: MigrateError) -> Self {
        Self::Migrate(Box::new(error))
    }
}

/// Makes an empty database beside the target's, applies all migrations, takes them back as far as
/// there is a way, applies them again, compares, and removes the database.
pub async fn trial(target: &Target, migrations: &Migrations) -> Result<Trial, TrialError> {
    match target {
        Target::MySql(options) => on_server(target, options, migrations).await,
        Target::Sqlite(_) => {
            let failed = |reason: std::io::Error| TrialError::Scratch {
                target: target.to_string(),
                reason: reason.to_string(),
            };
            let folder = std::env::temp_dir().join(name("migrate").map_err(failed)?);
            std::fs::create_dir(&folder).map_err(failed)?;
            let url = format!("sqlite://{}", folder.join("scratch.db").display());
            let result = match Target::parse(&url) {
                Ok(scratch) => there_and_back(&scratch, migrations).await,
                Err(error) => Err(failed(std::io::Error::other(error.to_string()))),
            };
            let removed = std::fs::remove_dir_all(&folder);
            let trial = result?;
            removed.map_err(failed)?;
            Ok(trial)
        }
    }
}

/// A name that nobody else has.
fn name(base: &str) -> std::io::Result<String> {
    let mut random = [0; 6];
    getrandom::fill(&mut random).map_err(|error| std::io::Error::other(error.to_string()))?;
    let random = random.iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"));
    // A database's name may have 64 characters.
    let base: String = base.chars().take(40).collect();
    Ok(format!("{base}_scratch_{random}"))
}

async fn on_server(
    target: &Target,
    options: &MySqlConnectOptions,
    migrations: &Migrations,
) -> Result<Trial, TrialError> {
    let failed = |reason: String| TrialError::Scratch { target: target.to_string(), reason };
    let name = name(options.get_database().unwrap_or("migrate"));
    let name = name.map_err(|error| failed(error.to_string()))?;
    create(options, &name).await.map_err(|error| failed(error.to_string()))?;
    let scratch = Target::MySql(options.clone().database(&name));
    let result = there_and_back(&scratch, migrations).await;
    let removed =
        run(options, &format!("DROP DATABASE {}", Name::unqualified(&name).quoted())).await;
    let trial = result?;
    removed.map_err(|error| failed(format!("{name} could not be removed again: {error}")))?;
    Ok(trial)
}

/// With the character set of the database it stands in for.
async fn create(options: &MySqlConnectOptions, name: &str) -> sqlx::Result<()> {
    let mut connection = options.connect().await?;
    let charset = sqlx::raw_sql(
        "SELECT CAST(@@character_set_database AS CHAR), CAST(@@collation_database AS CHAR)",
    );
    let row = charset.fetch_one(&mut connection).await?;
    let (set, collation): (String, String) = (row.try_get(0)?, row.try_get(1)?);
    let name = Name::unqualified(name).quoted();
    let create = format!("CREATE DATABASE {name} CHARACTER SET {set} COLLATE {collation}");
    sqlx::raw_sql(AssertSqlSafe(create)).execute(&mut connection).await?;
    connection.close().await
}

async fn run(options: &MySqlConnectOptions, sql: &str) -> sqlx::Result<()> {
    let mut connection = options.connect().await?;
    let result = sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut connection).await;
    connection.close().await?;
    result.map(drop)
}

async fn there_and_back(scratch: &Target, migrations: &Migrations) -> Result<Trial, TrialError> {
    let migrator = Migrator::new(migrations.clone(), scratch.clone());
    let empty = empty_schema(scratch).await?;
    let applied = migrator.up(UpOptions::default(), |_| {}).await?.count;
    let schema = schema::dump(scratch).await?;
    let mut trial = Trial { applied, schema, ..Trial::default() };
    let back = migrations.iter().rev().take_while(|migration| migration.has_down());
    let back = back.count();
    if back == 0 {
        return Ok(trial);
    }
    trial.taken_back = migrator.down(DownOptions::Steps(back), |_| {}).await?.count;
    if back == migrations.iter().len()
        && let Some(left) = schema::diff(&empty, &schema::dump(scratch).await?)
    {
        trial.problems.push(format!("after taking all back something is left:\n{left}"));
    }
    migrator.up(UpOptions::default(), |_| {}).await?;
    if let Some(difference) = schema::diff(&trial.schema, &schema::dump(scratch).await?) {
        let problem = "after taking back and applying again the schema is another one";
        trial.problems.push(format!("{problem}:\n{difference}"));
    }
    Ok(trial)
}

/// On SQLite a database is there once something is in it.
async fn empty_schema(scratch: &Target) -> Result<String, TrialError> {
    if let Target::Sqlite(options) = scratch
        && let Err(error) = options.connect().await
    {
        return Err(TrialError::Scratch { target: scratch.to_string(), reason: error.to_string() });
    }
    Ok(schema::dump(scratch).await?)
}
