//! The command line: arguments in, an exit code out.

use std::fmt::Display;
use std::io::{self, IsTerminal as _, Write as _};
use std::process::ExitCode;

use anstream::{eprintln, print, println};
use clap::{Parser, Subcommand};
use migrate::{Migrator, UpOptions};

use crate::{
    accounts::Accounts,
    clock::Clock,
    config::{self, Config, ConfigError, Environment, Mode, Settings, StoreConfig, StoreSettings},
    demo,
    events::Events,
    graphql, healthcheck, lifecycle, migrations, seeding,
    server::{Server, keep_avatars},
    store::Store,
    telemetry,
};

/// A small social network behind a GraphQL API.
#[derive(Parser)]
#[command(name = "graphbook", version, args_conflicts_with_subcommands = true)]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    settings: Settings,
}

#[derive(Subcommand)]
enum Command {
    /// Serve Graphbook (what happens without a command)
    Serve(Settings),
    /// Bring the database's schema up to date, or look at it
    Migrate {
        #[command(subcommand)]
        verb: MigrateVerb,
        #[command(flatten)]
        settings: StoreSettings,
    },
    /// Print the GraphQL schema
    Schema,
    /// Ask a running server whether it is ready: exit code 0, or 1 and the reason
    Healthcheck(Settings),
    /// Put the demo data into an empty database
    Seed(StoreSettings),
}

/// What to do with the database's schema.
#[derive(Subcommand)]
enum MigrateVerb {
    #[command(flatten)]
    Migrations(migrate::cli::Verb),
    #[command(flatten)]
    Database(migrate::cli::DatabaseVerb),
    /// Judge the migrations: what breaks a release that still runs, what stops a table's users
    Lint(migrate::cli::lint::Lint),
}

/// What ends a command before its time: a message for the person who gave it.
struct Failure {
    message: String,
    code: u8,
}

impl<E: Display> From<E> for Failure {
    fn from(error: E) -> Self {
        Self { message: error.to_string(), code: 1 }
    }
}

/// Runs the command that the process was given.
pub fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match run(arguments) {
        Ok(code) => code,
        Err(Failure { message, code }) => {
            let bold = anstyle::AnsiColor::Red.on_default().bold();
            eprintln!("{bold}error:{bold:#} {message}");
            ExitCode::from(code)
        }
    }
}

fn run(arguments: Arguments) -> Result<ExitCode, Failure> {
    let environment = Environment::of_process();
    let runtime = tokio::runtime::Runtime::new()
        .map_err(|error| format!("can't start the async runtime: {error}"))?;
    let code = match arguments.command {
        None => runtime.block_on(serve(&arguments.settings, &environment))?,
        Some(Command::Serve(settings)) => runtime.block_on(serve(&settings, &environment))?,
        Some(Command::Migrate { verb, settings }) => {
            runtime.block_on(migrate(&verb, &settings, &environment))?
        }
        Some(Command::Schema) => {
            print!("{}", graphql::schema::sdl());
            ExitCode::SUCCESS
        }
        Some(Command::Healthcheck(settings)) => {
            let listen = config::listen_address(&settings, &environment)?;
            println!("{}", runtime.block_on(healthcheck::ask(listen))?);
            ExitCode::SUCCESS
        }
        Some(Command::Seed(settings)) => runtime.block_on(seed(&settings, &environment))?,
    };
    // Password hashing and picture decoding whose clients are gone need not be waited for.
    runtime.shutdown_background();
    Ok(code)
}

async fn serve(settings: &Settings, environment: &Environment) -> Result<ExitCode, Failure> {
    let resolved = Config::resolve(settings, environment)?;
    if let Some(format) = settings.print_config {
        let terminal = io::stdout().is_terminal();
        print!("{}", config::render(&resolved.effective, format, terminal));
        return Ok(ExitCode::SUCCESS);
    }
    let config = resolved.prepare(getrandom::fill)?;
    telemetry::init(&config.log)?;
    let server = Server::build(&config, Clock::system()).await?;
    let lifecycle = server.state().lifecycle.clone();
    tokio::spawn(async move {
        if let Err(error) = lifecycle::stop_on_signals(lifecycle).await {
            tracing::error!(%error, "can't listen to signals");
        }
    });
    tracing::info!(address = %server.address(), mode = ?config.mode, "listening");
    if config.mode == Mode::Development {
        greet(&server, config.demo);
    }
    server.run().await;
    Ok(ExitCode::SUCCESS)
}

/// Says where to go and how to get in.
fn greet(server: &Server, demo: bool) {
    let bold = anstyle::Style::new().bold();
    let url = format!("http://{}/", server.address());
    eprintln!("\n  Graphbook runs at {bold}{url}{bold:#}");
    if demo {
        let (email, password) = (demo::SIGN_IN_EMAIL, demo::PASSWORD);
        eprintln!("  Sign in as {bold}{email}{bold:#} with the password {bold}{password}{bold:#}");
    }
    eprintln!("  Ctrl-C stops it; everything is kept for the next start.\n");
}

async fn migrate(
    verb: &MigrateVerb,
    settings: &StoreSettings,
    environment: &Environment,
) -> Result<ExitCode, Failure> {
    let config = StoreConfig::resolve(settings, environment)?;
    config.prepare()?;
    let target = config.database.target;
    let mut out = anstream::stdout();
    let code = match verb {
        MigrateVerb::Migrations(verb) => {
            let migrator = Migrator::new(migrations::embedded()?, target);
            migrate::cli::run(verb, &migrator, &mut out).await
        }
        MigrateVerb::Database(verb) => migrate::cli::run_on_database(verb, &target, &mut out).await,
        MigrateVerb::Lint(lint) => {
            migrate::cli::lint::run(lint, &migrations::embedded()?, None, &mut out)
                .map_err(migrate::cli::CliError::from)
        }
    }
    .map_err(|error| Failure { message: error.to_string(), code: error.exit_code() })?;
    out.flush()?;
    Ok(ExitCode::from(code))
}

async fn seed(settings: &StoreSettings, environment: &Environment) -> Result<ExitCode, Failure> {
    let config = StoreConfig::resolve(settings, environment)?;
    if config.mode == Mode::Production {
        let why = "the demo people's password is known to everybody, so they can't be put into \
                   a production database (GRAPHBOOK_ENV=production)";
        return Err(ConfigError::new(why).into());
    }
    config.prepare()?;
    telemetry::init(&config.log)?;
    let clock = Clock::system();
    let store = Store::open(&config.database.target, config.database.connections);
    // The accounts hash a password here and sign nothing.
    let accounts = Accounts::new(store.clone(), clock.clone(), Events::new(), &[]);
    let avatars = keep_avatars(&config.uploads)?;
    let migrator = Migrator::new(migrations::embedded()?, config.database.target);
    migrator.up(UpOptions::default(), |_| {}).await?;
    let seeded = seeding::seed(&store, &accounts, &avatars, &clock).await?;
    store.close().await;
    let seeding::Seeded { people, posts, chats } = seeded;
    println!("Put in {people} people, {posts} posts and {chats} chats.");
    println!("Sign in as {} with the password {}.", demo::SIGN_IN_EMAIL, demo::PASSWORD);
    Ok(ExitCode::SUCCESS)
}
