//! The program `migrate`: the commands of [`migrate::cli`] for a folder of files and a database.

use std::error::Error;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use migrate::cli::{self, Verb};
use migrate::{MigrateError, Migrations, Migrator, Target};

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
    verb: Verb,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match run(&Arguments::parse()).await {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            let code = error.downcast_ref::<MigrateError>().map_or(1, cli::exit_code);
            let style = anstyle::AnsiColor::Red.on_default().bold();
            // Nothing is left to be done when even this cannot be written.
            let _ = writeln!(anstream::stderr(), "{style}error:{style:#} {error}");
            ExitCode::from(code)
        }
    }
}

async fn run(arguments: &Arguments) -> Result<u8, Box<dyn Error>> {
    let url = arguments
        .database_url
        .as_deref()
        .ok_or("no database was given: set DATABASE_URL or pass --database-url")?;
    let target = Target::parse(url)?;
    let migrations = Migrations::from_dir(&arguments.source)
        .map_err(|error| format!("{}: {error}", arguments.source.display()))?;
    let migrator = Migrator::new(migrations, target);
    Ok(cli::run(&arguments.verb, &migrator, &mut anstream::stdout()).await?)
}
