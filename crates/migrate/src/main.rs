//! The program `migrate`: the commands of [`migrate::cli`] for a folder of files and a database.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use migrate::cli::{self, CliError, DatabaseVerb, Verb, lint::Lint};
use migrate::{Migrations, Migrator, Target, create};

/// Applies SQL migrations to MySQL, MariaDB or SQLite.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    /// The database: mysql://, mariadb:// or sqlite://
    #[arg(long, env = "DATABASE_URL", hide_env_values = true, global = true)]
    database_url: Option<String>,

    /// The folder with the migration files
    #[arg(long, value_name = "DIR", default_value = "./migrations", global = true)]
    source: PathBuf,

    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    #[command(flatten)]
    Migrations(Verb),
    #[command(flatten)]
    Database(DatabaseVerb),
    /// Judge the files: what breaks a release that still runs, what stops a table's users. Exits
    /// with 50 when there are errors
    Lint(Lint),
    /// Make the files of a new migration
    Create {
        /// Its name, in a few words
        name: String,
    },
}

/// What ends a command before its time: a message, and the exit code that goes with it.
struct Failure(String, u8);

impl From<CliError> for Failure {
    fn from(error: CliError) -> Self {
        // Nobody is there to be told.
        let quiet = error.is_broken_pipe();
        Self(if quiet { String::new() } else { error.to_string() }, error.exit_code())
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match run(&Arguments::parse()).await {
        Ok(code) => ExitCode::from(code),
        Err(Failure(message, _)) if message.is_empty() => ExitCode::SUCCESS,
        Err(Failure(message, code)) => {
            let style = anstyle::AnsiColor::Red.on_default().bold();
            // Nothing is left to be done when even this cannot be written.
            let _ = writeln!(anstream::stderr(), "{style}error:{style:#} {message}");
            ExitCode::from(code)
        }
    }
}

async fn run(arguments: &Arguments) -> Result<u8, Failure> {
    let mut out = anstream::stdout();
    match &arguments.command {
        Command::Migrations(verb) => {
            let target = target(arguments)?;
            let migrator = Migrator::new(migrations(arguments)?, target);
            Ok(cli::run(verb, &migrator, &mut out).await?)
        }
        Command::Database(verb) => {
            Ok(cli::run_on_database(verb, &target(arguments)?, &mut out).await?)
        }
        Command::Lint(lint) if !lint.needs_migrations() => {
            Ok(cli::lint::describe(lint, &mut out).map_err(CliError::from)?)
        }
        Command::Lint(lint) => {
            let (migrations, folder) = (migrations(arguments)?, Some(arguments.source.as_path()));
            Ok(cli::lint::run(lint, &migrations, folder, &mut out).map_err(CliError::from)?)
        }
        Command::Create { name } => {
            let created = create::create(&arguments.source, name).map_err(CliError::from)?;
            for file in created.files {
                writeln!(out, "{}", file.display()).map_err(CliError::from)?;
            }
            Ok(0)
        }
    }
}

fn migrations(arguments: &Arguments) -> Result<Migrations, Failure> {
    Migrations::from_dir(&arguments.source)
        .map_err(|error| Failure(format!("{}: {error}", arguments.source.display()), 1))
}

fn target(arguments: &Arguments) -> Result<Target, Failure> {
    let url = arguments.database_url.as_deref().ok_or_else(|| {
        Failure("no database was given: set DATABASE_URL or pass --database-url".to_owned(), 1)
    })?;
    Target::parse(url).map_err(|error| Failure(error.to_string(), 1))
}
