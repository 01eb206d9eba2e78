//! The commands, for this crate's own program and for any other that wants to offer them.

mod database;
mod error;
pub mod lint;
mod report;
mod utc;

use std::ffi::OsString;
use std::io::{IsTerminal as _, Write};
use std::time::Duration;

use clap::{Args, Subcommand, ValueEnum};

use crate::adopt::{self, History, Tool};
use crate::lint::{Finding, LintOptions};
use crate::scratch::trial;
use crate::{
    Applied, Choice, Decision, DownOptions, Event, Limits, MigrateError, Migrator, OutOfOrder,
    Plan, StepId, UpOptions,
};
pub use database::{DatabaseVerb, SchemaVerb, run_on_database};
pub use error::{CliError, NOT_CURRENT, TOO_OLD};

/// What to do with the migrations.
#[derive(Clone, Debug, PartialEq, Eq, Subcommand)]
pub enum Verb {
    /// Apply what is pending, going on with what was interrupted
    Up(Up),
    /// Take migrations back with their .down.sql, newest first
    Down(Down),
    /// Take the newest migration back and apply it again
    Redo {
        /// Don't ask
        #[arg(long)]
        yes: bool,
        #[command(flatten)]
        run: Run,
    },
    /// Go on with what was interrupted, whichever way it went
    Resume {
        #[command(flatten)]
        run: Run,
    },
    /// Show what is applied and what is not; changes nothing. Exits with 3 unless all is applied, with
    /// 32 if the schema is too new for these files
    Status {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Show what `up` would do, statement by statement; changes nothing
    Plan {
        /// Print JSON
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        options: Which,
    },
    /// Record a decision about a statement that the runner can't decide about
    Repair(Repair),
    /// See whether what is applied is what the files say. Exits with 3 if not
    Verify {
        /// Also apply all to an empty database beside it, take all back, apply again, and compare
        #[arg(long)]
        scratch: bool,
    },
    /// Start on a database that has the schema of every file up to a version already
    Baseline {
        /// The version
        version: i64,
    },
    /// Take over what another tool has applied
    Adopt {
        /// The tool
        #[arg(long, value_name = "TOOL")]
        from: Tool,
        /// The table with its history, if it is not the usual one
        #[arg(long, value_name = "NAME")]
        table: Option<String>,
    },
}

/// Which migrations.
#[derive(Clone, Debug, PartialEq, Eq, Args)]
pub struct Which {
    /// Apply up to this version
    #[arg(long, value_name = "VERSION")]
    to: Option<i64>,
    /// What becomes of files older than the newest that was applied
    #[arg(long, value_name = "WHAT", default_value = "error")]
    out_of_order: OutOfOrder,
}

/// Options of `up`.
#[derive(Clone, Debug, PartialEq, Eq, Args)]
pub struct Up {
    #[command(flatten)]
    which: Which,
    #[command(flatten)]
    run: Run,
    /// Become the program after --, with the same process id, once all is applied
    #[arg(long, requires = "program")]
    exec: bool,
    /// The program to become, and its arguments
    #[arg(last = true, value_name = "PROGRAM", requires = "exec")]
    program: Vec<OsString>,
}

/// Options of `down`.
#[derive(Clone, Debug, PartialEq, Eq, Args)]
pub struct Down {
    /// Take back all that is newer than this version
    #[arg(long, value_name = "VERSION", conflicts_with = "steps")]
    to: Option<i64>,
    /// How many to take back
    #[arg(long, value_name = "N", default_value_t = 1)]
    steps: usize,
    /// Don't ask
    #[arg(long)]
    yes: bool,
    #[command(flatten)]
    run: Run,
}

/// Options of `repair`.
#[derive(Clone, Debug, PartialEq, Eq, Args)]
pub struct Repair {
    #[command(flatten)]
    what: Decided,
    /// Why; kept on record
    #[arg(long, value_name = "TEXT")]
    reason: String,
    /// Who decides; kept on record
    #[arg(long, value_name = "NAME", env = "USER", default_value = "unknown")]
    by: String,
}

/// What is decided: one of these.
#[derive(Clone, Debug, PartialEq, Eq, Args)]
#[group(required = true, multiple = false)]
struct Decided {
    /// Its effect is there: count it as done
    #[arg(long, value_name = "VERSION:STATEMENT")]
    accept: Option<StepId>,
    /// Run it again
    #[arg(long, value_name = "VERSION:STATEMENT")]
    retry: Option<StepId>,
    /// Its effect is not wanted: don't run it
    #[arg(long, value_name = "VERSION:STATEMENT")]
    skip: Option<StepId>,
}

/// What every verb that changes something takes.
#[derive(Clone, Debug, PartialEq, Eq, Args)]
pub struct Run {
    /// Seconds to wait for another runner
    #[arg(long, value_name = "SECONDS", default_value_t = 300)]
    lock_timeout: u64,
    /// Seconds that a change of a table waits for other transactions, in one attempt
    #[arg(long, value_name = "SECONDS", default_value_t = 10)]
    lock_wait_timeout: u64,
    /// Seconds after which the server ends a statement
    #[arg(long, value_name = "SECONDS")]
    statement_timeout: Option<u64>,
    /// How to report; without it text on a terminal and JSON lines elsewhere
    #[arg(long, value_name = "FORMAT")]
    format: Option<Format>,
}

/// How a run reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// Lines for people.
    Text,
    /// One JSON object for each event.
    Json,
}

impl Run {
    fn limits(&self) -> Limits {
        Limits {
            lock_timeout: Duration::from_secs(self.lock_timeout),
            lock_wait_timeout: Duration::from_secs(self.lock_wait_timeout.max(1)),
            statement_timeout: self.statement_timeout.map(Duration::from_secs),
        }
    }

    fn format(&self) -> Format {
        let terminal = std::io::stdout().is_terminal();
        self.format.unwrap_or(if terminal { Format::Text } else { Format::Json })
    }
}

impl Which {
    fn options(&self) -> UpOptions {
        UpOptions { to: self.to, out_of_order: self.out_of_order }
    }
}

/// Runs a command and gives the exit code of the program: 0, or [`NOT_CURRENT`]. For an error it
/// is [`CliError::exit_code`].
///
/// `out` receives text with ANSI styles; pass `anstream::stdout()`, which removes them where they
/// are not wanted (a pipe, `NO_COLOR`). JSON comes without.
pub async fn run(
    verb: &Verb,
    migrator: &Migrator,
    out: &mut (dyn Write + Send),
) -> Result<u8, CliError> {
    match verb {
        Verb::Up(up) => {
            let (migrator, mut tell) = prepared(migrator, &up.run, out);
            let applied = migrator.up(up.which.options(), |event| tell.event(&event)).await?;
            tell.end(&applied, "applied")?;
            if up.exec { Err(become_program(&up.program).into()) } else { Ok(0) }
        }
        Verb::Down(down) => {
            let options = match down.to {
                Some(version) => DownOptions::To(version),
                None => DownOptions::Steps(down.steps),
            };
            confirm(migrator, options, down.yes).await?;
            let (migrator, mut tell) = prepared(migrator, &down.run, out);
            let applied = migrator.down(options, |event| tell.event(&event)).await?;
            tell.end(&applied, "taken back")?;
            Ok(0)
        }
        Verb::Redo { yes, run } => {
            let options = DownOptions::Steps(1);
            confirm(migrator, options, *yes).await?;
            let (migrator, mut tell) = prepared(migrator, run, out);
            let applied = migrator.down(options, |event| tell.event(&event)).await?;
            tell.end(&applied, "taken back")?;
            let up = UpOptions::default();
            let applied = migrator.up(up, |event| tell.event(&event)).await?;
            tell.end(&applied, "applied")?;
            Ok(0)
        }
        Verb::Resume { run } => {
            let (migrator, mut tell) = prepared(migrator, run, out);
            let up = UpOptions::default();
            let applied = migrator.resume(up, |event| tell.event(&event)).await?;
            tell.end(&applied, "finished")?;
            Ok(0)
        }
        Verb::Status { json } => {
            let status = migrator.status().await?;
            if *json { report::json(out, &status) } else { report::table(out, &status) }?;
            Ok(match status.too_old() {
                Some(_) => TOO_OLD,
                None if status.is_current() => 0,
                None => NOT_CURRENT,
            })
        }
        Verb::Plan { json, options } => {
            let plan = migrator.plan(options.options()).await?;
            let findings = findings_about(&plan, migrator)?;
            report::plan(out, &plan, migrator.session(), &findings, *json)?;
            Ok(0)
        }
        Verb::Repair(repair) => {
            let decision = Decision { by: repair.by.clone(), reason: repair.reason.clone() };
            if let Some((step, choice)) = repair.what.choice() {
                migrator.repair(step, choice, decision).await?;
            }
            writeln!(out, "recorded; run `migrate resume` to go on")?;
            Ok(0)
        }
        Verb::Verify { scratch } => verify(migrator, *scratch, out).await,
        Verb::Baseline { version } => {
            let count = migrator.baseline(*version).await?;
            writeln!(out, "{count} migrations, up to {version}, are on record as applied")?;
            Ok(0)
        }
        Verb::Adopt { from, table } => {
            let history = History { tool: *from, table: table.clone() };
            let found = adopt::read(migrator.target(), migrator.migrations(), &history).await?;
            for note in &found.notes {
                writeln!(out, "note: {note}")?;
            }
            for problem in &found.problems {
                writeln!(out, "problem: {problem}")?;
            }
            if !found.problems.is_empty() {
                writeln!(out, "nothing was recorded: solve these first")?;
                return Ok(NOT_CURRENT);
            }
            let count = migrator.adopt(&found.applied, *from).await?;
            writeln!(out, "{count} migrations that {from} applied are on record here")?;
            Ok(0)
        }
    }
}

/// What `lint` has to say about the files that would be applied on this database.
fn findings_about(plan: &Plan, migrator: &Migrator) -> Result<Vec<Finding>, MigrateError> {
    if plan.is_empty() {
        return Ok(Vec::new());
    }
    let only = Some(migrator.target().dialect());
    let options = LintOptions { only, ..LintOptions::default() };
    let files: Vec<String> = plan.listing().into_iter().map(|planned| planned.file).collect();
    let mut findings = crate::lint::lint(migrator.migrations(), &options)?;
    findings.retain(|finding| files.contains(&finding.file));
    Ok(findings)
}

async fn verify(
    migrator: &Migrator,
    scratch: bool,
    out: &mut (dyn Write + Send),
) -> Result<u8, CliError> {
    let problems = migrator.verify().await?;
    for problem in &problems {
        writeln!(out, "{problem}")?;
    }
    if problems.is_empty() {
        writeln!(out, "what is applied is what the files say")?;
    }
    if !scratch {
        return Ok(if problems.is_empty() { 0 } else { NOT_CURRENT });
    }
    let trial = trial(migrator.target(), migrator.migrations()).await?;
    for problem in &trial.problems {
        writeln!(out, "{problem}")?;
    }
    let (applied, back) = (trial.applied, trial.taken_back);
    if trial.problems.is_empty() {
        writeln!(
            out,
            "on an empty database: {applied} applied, {back} taken back and applied again"
        )?;
    }
    Ok(if problems.is_empty() && trial.problems.is_empty() { 0 } else { NOT_CURRENT })
}

impl Decided {
    /// clap sees to it that there is one.
    fn choice(&self) -> Option<(StepId, Choice)> {
        let accept = self.accept.map(|step| (step, Choice::Accept));
        let retry = self.retry.map(|step| (step, Choice::Retry));
        accept.or(retry).or(self.skip.map(|step| (step, Choice::Skip)))
    }
}

fn prepared<'a>(
    migrator: &Migrator,
    run: &Run,
    out: &'a mut (dyn Write + Send),
) -> (Migrator, Teller<'a>) {
    let teller = Teller { out, format: run.format(), written: Ok(()) };
    (migrator.clone().limits(run.limits()), teller)
}

/// Tells what happens, in either form.
struct Teller<'a> {
    out: &'a mut (dyn Write + Send),
    format: Format,
    /// A reader that went away (`| head`) must not stop a migration half way: the first failure is
    /// kept for the end.
    written: std::io::Result<()>,
}

impl Teller<'_> {
    fn event(&mut self, event: &Event) {
        if self.written.is_ok() {
            self.written = match self.format {
                Format::Text => report::event(self.out, event),
                Format::Json => report::json_line(self.out, event),
            };
        }
    }

    fn end(&mut self, applied: &Applied, done: &str) -> std::io::Result<()> {
        std::mem::replace(&mut self.written, Ok(()))?;
        match self.format {
            Format::Text => report::summary(self.out, applied, done),
            Format::Json => Ok(()),
        }
    }
}

/// Asks before anything is taken back, on a terminal; elsewhere somebody must have said `--yes`.
async fn confirm(migrator: &Migrator, options: DownOptions, yes: bool) -> Result<(), MigrateError> {
    if yes {
        return Ok(());
    }
    let names = migrator.what_goes_back(options).await?;
    if names.is_empty() {
        return Ok(());
    }
    let list = names.join(", ");
    if !std::io::stdin().is_terminal() {
        return Err(MigrateError::NotConfirmed { migrations: list });
    }
    let mut error = anstream::stderr();
    write!(error, "Take back {list}? What they made is lost. [y/N] ")?;
    error.flush()?;
    let mut answer = String::new();
    std::io::stdin().read_line(&mut answer)?;
    if answer.trim().eq_ignore_ascii_case("y") || answer.trim().eq_ignore_ascii_case("yes") {
        Ok(())
    } else {
        Err(MigrateError::NotConfirmed { migrations: list })
    }
}

/// Becomes another program, and so comes back only when that fails.
fn become_program(program: &[OsString]) -> MigrateError {
    use std::os::unix::process::CommandExt as _;
    let Some((name, arguments)) = program.split_first() else {
        return MigrateError::Exec { program: String::new(), reason: "it has no name".to_owned() };
    };
    let reason = std::process::Command::new(name).args(arguments).exec();
    MigrateError::Exec { program: name.to_string_lossy().into_owned(), reason: reason.to_string() }
}
