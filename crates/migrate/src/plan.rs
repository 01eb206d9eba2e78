//! What a run would do, as a plain value: made from files and journal alone, before anything runs.

use std::collections::BTreeSet;

use serde::Serialize;

use crate::journal::{History, Row, StepRow, StepState};
use crate::lint::online::{Online, Server, of_clauses};
use crate::lint::schema::Schema;
use crate::source::script::{Script, ScriptStatement};
use crate::sql::act::{Act, act};
use crate::sql::meaning::{Meaning, Name};
use crate::status::{self, Standing, State, standings};
use crate::{Dialect, Direction, MigrateError, Migration, Migrations, SourceError, online};

/// What becomes of files that are older than the newest that was applied.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum OutOfOrder {
    /// The run is refused.
    #[default]
    Error,
    /// They are applied, and rows without a file among the others are accepted.
    Allow,
}

/// How far to apply, and how strictly.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct UpOptions {
    /// The last version to apply; all if `None`.
    pub to: Option<i64>,
    /// What becomes of late files.
    pub out_of_order: OutOfOrder,
}

/// How far to go back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DownOptions {
    /// So many migrations.
    Steps(usize),
    /// All that are newer than this version.
    To(i64),
}

/// What a run would do, in order.
#[derive(Clone, Debug, Default)]
pub struct Plan {
    pub(crate) migrations: Vec<Planned>,
}

impl Plan {
    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.migrations.is_empty()
    }
}

/// A migration of a plan, for people and programs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ListedMigration {
    /// What orders it.
    pub version: i64,
    /// Its file.
    pub file: String,
    /// What keeps it whole.
    pub how: &'static str,
    /// Its statements.
    pub steps: Vec<ListedStep>,
}

/// A statement of a plan, for people and programs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ListedStep {
    /// Its place in the file, from 1.
    pub number: usize,
    /// The line on which it begins, from 1.
    pub line: usize,
    /// What would be done about it.
    pub todo: &'static str,
    /// The ways in which a table would be altered, in the order in which they are tried: `instant`,
    /// `inplace` (others go on reading and writing), `copy` (nobody writes meanwhile). Nothing where
    /// the statement runs as it stands.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub ways: Vec<&'static str>,
    /// Which of them it will be, where that can be told.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub predicted: Option<Prediction>,
    /// Its text.
    pub statement: String,
}

/// How the server would alter a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Prediction {
    /// `instant`, `inplace` or `copy`.
    pub algorithm: &'static str,
    /// What others may do meanwhile: with `none` read and write, with `shared` only read.
    pub lock: &'static str,
    /// Whether the runner would refuse that, because nobody allowed it.
    pub refused: bool,
}

impl Prediction {
    fn new(online: Online, ways: &[&str]) -> Option<Self> {
        let (algorithm, lock) = match online {
            Online::Instant => ("instant", "none"),
            Online::InplaceNoLock => ("inplace", "none"),
            Online::InplaceShared => ("inplace", "shared"),
            Online::Copy => ("copy", "shared"),
            Online::Unknown => return None,
        };
        let refused = lock == "shared" && !ways.is_empty() && !ways.contains(&"copy");
        Some(Self { algorithm, lock, refused })
    }
}

impl Plan {
    /// The tables that are altered, of which the prediction wants to know the definition.
    pub(crate) fn altered(&self) -> BTreeSet<Name> {
        let acts = self.migrations.iter().flat_map(|planned| &planned.steps).map(Step::act);
        let table = |act| if let Act::AlterTable { table, .. } = act { Some(table) } else { None };
        acts.filter_map(table).collect()
    }

    /// Works out how each table would be altered, from what the database says of them now.
    pub(crate) fn predict(&mut self, server: Server, definitions: &[String]) {
        let mut tables = Schema::default();
        for definition in definitions {
            tables.apply(&act(Dialect::MySql, definition));
        }
        let steps = self.migrations.iter_mut().flat_map(|planned| &mut planned.steps);
        for step in steps.filter(|step| !matches!(step.todo, Todo::Nothing)) {
            let act = step.act();
            if let Act::AlterTable { table, clauses } = &act {
                let known = tables.table(&table.name).filter(|_| table.schema.is_none());
                step.online = Some(of_clauses(server, clauses, known));
            }
            tables.apply(&act);
        }
    }

    /// What would be done, for people and programs.
    pub fn listing(&self) -> Vec<ListedMigration> {
        let listed = |planned: &Planned| ListedMigration {
            version: planned.version,
            file: planned.file.clone(),
            how: match planned.how {
                How::OneTransaction => "one transaction",
                How::StepByStep => "each statement on record before and after it",
            },
            steps: planned.steps.iter().map(|step| listed_step(step, planned.how)).collect(),
        };
        self.migrations.iter().map(listed).collect()
    }
}

fn listed_step(step: &Step, how: How) -> ListedStep {
    let ways = match how {
        How::OneTransaction => vec![],
        How::StepByStep => online::ways(&step.statement),
    };
    ListedStep {
        predicted: step.online.and_then(|online| Prediction::new(online, &ways)),
        ways,
        number: step.statement.number,
        line: step.statement.line,
        todo: match step.todo {
            Todo::Run => "run",
            Todo::Nothing => "done already",
            Todo::Repeat => "run again: a setting of the session",
            Todo::Reconcile(_) => "find out whether it took effect, and run it if not",
        },
        statement: step.statement.text.clone(),
    }
}

/// What is to be done with one migration.
#[derive(Clone, Debug)]
pub(crate) struct Planned {
    pub(crate) version: i64,
    pub(crate) name: String,
    pub(crate) direction: Direction,
    pub(crate) file: String,
    /// Of the up file, also when it is taken back.
    pub(crate) checksum: String,
    pub(crate) text: String,
    pub(crate) min_version: Option<i64>,
    pub(crate) how: How,
    /// Whether it was begun by an earlier run.
    pub(crate) begun: bool,
    pub(crate) steps: Vec<Step>,
}

/// What keeps a migration whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum How {
    /// One transaction holds all its statements and the record of them.
    OneTransaction,
    /// Each statement is written down before and after it.
    StepByStep,
}

/// What is to be done with one statement.
#[derive(Clone, Debug)]
pub(crate) struct Step {
    pub(crate) statement: ScriptStatement,
    pub(crate) todo: Todo,
    /// How a table would be altered, once that was predicted.
    pub(crate) online: Option<Online>,
}

impl Step {
    fn new(statement: ScriptStatement, todo: Todo) -> Self {
        Self { statement, todo, online: None }
    }

    fn act(&self) -> Act {
        act(Dialect::MySql, &self.statement.text)
    }
}

/// What is to be done about a statement.
#[derive(Clone, Debug)]
pub(crate) enum Todo {
    /// Run it.
    Run,
    /// Nothing: it is done.
    Nothing,
    /// Run it again, though it is done: a setting of the session that ended since.
    Repeat,
    /// Find out whether it took effect, and run it if not.
    Reconcile(Box<StepRow>),
}

/// What applying would do, or why nothing may be done. Everything that can be refused is refused
/// here, so that a run never stops half way for a reason that could be known at its start.
pub(crate) fn up(
    migrations: &Migrations,
    dialect: Dialect,
    history: &History,
    options: UpOptions,
) -> Result<Plan, MigrateError> {
    let standings = standings(migrations, dialect, history);
    if let Some(needed) = status::too_old(&standings) {
        let newest = migrations.iter().next_back().map_or(0, Migration::version);
        return Err(MigrateError::TooOld { needed, newest });
    }
    if let Some(row) = history.rows.iter().find(|row| row.undo_started_at.is_some()) {
        return Err(MigrateError::UndoUnfinished { version: row.version, name: row.name.clone() });
    }
    refuse_edited(dialect, history, &standings)?;
    if options.out_of_order == OutOfOrder::Error {
        refuse_disorder(migrations, dialect, &standings)?;
    }
    let todo = standings.iter().filter(|standing| {
        matches!(standing.state, State::Pending | State::Failed { .. })
            && options.to.is_none_or(|to| standing.version <= to)
    });
    let planned = todo
        .filter_map(|standing| standing.migration)
        .map(|migration| planned_up(migration, dialect, history));
    Ok(Plan { migrations: planned.collect::<Result<_, _>>()? })
}

fn refuse_edited(
    dialect: Dialect,
    history: &History,
    standings: &[Standing<'_>],
) -> Result<(), MigrateError> {
    let edited = standings.iter().filter(|standing| standing.state == State::Edited);
    let edited: Vec<(String, Option<String>)> = edited
        .filter_map(|standing| standing.migration)
        .map(|migration| {
            let applied = history.texts.get(&migration.version());
            let diff = |applied: &String| migration.up(dialect).map(|file| diff(applied, &file));
            Ok((migration.file(dialect), applied.map(diff).transpose()?))
        })
        .collect::<Result<_, SourceError>>()?;
    if edited.is_empty() { Ok(()) } else { Err(MigrateError::Edited { files: edited }) }
}

/// What of the applied migrations is not as the files say, in sentences.
pub(crate) fn disagreements(
    migrations: &Migrations,
    dialect: Dialect,
    history: &History,
) -> Vec<String> {
    let standings = standings(migrations, dialect, history);
    let mut found = Vec::new();
    found.extend(refuse_edited(dialect, history, &standings).err());
    found.extend(refuse_disorder(migrations, dialect, &standings).err());
    let mut sentences: Vec<String> = found.iter().map(ToString::to_string).collect();
    for standing in &standings {
        let version = standing.version;
        let name = standing.row.map_or("", |row| &row.name);
        match &standing.state {
            State::Failed { statement, .. } => {
                let at = statement.map(|at| format!(" at statement {at}")).unwrap_or_default();
                sentences.push(format!("{version}_{name} was begun and is not finished{at}"));
            }
            State::Undoing => sentences.push(format!("{version}_{name} is taken back in part")),
            _ => {}
        }
    }
    sentences
}

/// The lines that differ between what was applied and what stands in the file now.
pub(crate) fn diff(applied: &str, file: &str) -> String {
    similar::TextDiff::from_lines(applied, file)
        .unified_diff()
        .context_radius(1)
        .header("applied", "file")
        .to_string()
}

fn refuse_disorder(
    migrations: &Migrations,
    dialect: Dialect,
    standings: &[Standing<'_>],
) -> Result<(), MigrateError> {
    let newest_applied = standings
        .iter()
        .filter(|standing| !matches!(standing.state, State::Pending))
        .map(|standing| standing.version)
        .max();
    if let Some(newest) = newest_applied {
        let late: Vec<String> = standings
            .iter()
            .filter(|standing| standing.state == State::Pending && standing.version < newest)
            .filter_map(|standing| standing.migration)
            .map(|migration| migration.file(dialect))
            .collect();
        if !late.is_empty() {
            return Err(MigrateError::OutOfOrder { files: late, newest });
        }
    }
    let newest_file = migrations.iter().next_back().map_or(0, Migration::version);
    let missing: Vec<String> = standings
        .iter()
        .filter(|standing| standing.state == State::Unknown && standing.version < newest_file)
        .filter_map(|standing| standing.row)
        .map(|row| format!("{}_{}", row.version, row.name))
        .collect();
    if missing.is_empty() { Ok(()) } else { Err(MigrateError::Missing { migrations: missing }) }
}

fn planned_up(
    migration: &Migration,
    dialect: Dialect,
    history: &History,
) -> Result<Planned, MigrateError> {
    let row = history.row(migration.version());
    let file = migration.file(dialect);
    // Written by the first release, which did not write down what it did.
    if row.is_some_and(|row| row.run_by.is_none() && row.finished_at.is_none()) {
        return Err(MigrateError::Interrupted { file, version: migration.version() });
    }
    let text = migration.up(dialect)?.into_owned();
    let script = parse(dialect, &file, &text)?;
    let min_version = script.min_version;
    let (how, steps) = steps(dialect, &file, script, migration, Direction::Up, history)?;
    Ok(Planned {
        version: migration.version(),
        name: migration.name().to_owned(),
        direction: Direction::Up,
        file,
        checksum: migration.checksum(dialect),
        text,
        min_version,
        how,
        begun: row.is_some(),
        steps,
    })
}

/// What taking back would do, newest first, or why nothing may be done.
pub(crate) fn down(
    migrations: &Migrations,
    dialect: Dialect,
    history: &History,
    options: DownOptions,
) -> Result<Plan, MigrateError> {
    if let Some(row) = history.rows.iter().find(|row| row.finished_at.is_none()) {
        return Err(MigrateError::UpUnfinished { version: row.version, name: row.name.clone() });
    }
    let newest_first = history.rows.iter().rev();
    let rows: Vec<&Row> = match options {
        DownOptions::Steps(count) => newest_first.take(count).collect(),
        DownOptions::To(version) => newest_first.take_while(|row| row.version > version).collect(),
    };
    // One that was begun comes first, wherever it stands.
    let begun = history.rows.iter().find(|row| row.undo_started_at.is_some());
    let rest = rows.into_iter().filter(|row| row.undo_started_at.is_none());
    let planned =
        begun.into_iter().chain(rest).map(|row| planned_down(migrations, dialect, history, row));
    Ok(Plan { migrations: planned.collect::<Result<_, _>>()? })
}

/// The rest of a taking back that was begun and is not over.
pub(crate) fn rest_of_undo(
    migrations: &Migrations,
    dialect: Dialect,
    history: &History,
) -> Result<Option<Plan>, MigrateError> {
    let begun = history.rows.iter().find(|row| row.undo_started_at.is_some());
    begun
        .map(|row| {
            let planned = planned_down(migrations, dialect, history, row)?;
            Ok(Plan { migrations: vec![planned] })
        })
        .transpose()
}

fn planned_down(
    migrations: &Migrations,
    dialect: Dialect,
    history: &History,
    row: &Row,
) -> Result<Planned, MigrateError> {
    let (version, name) = (row.version, row.name.clone());
    let Some(migration) = migrations.get(version) else {
        return Err(MigrateError::NoDown { migration: format!("{version}_{name}") });
    };
    let Some(text) = migration.down(dialect)? else {
        return Err(MigrateError::NoDown { migration: format!("{version}_{name}") });
    };
    let file = migration.down_file(dialect);
    let script = parse(dialect, &file, &text)?;
    let (how, steps) = steps(dialect, &file, script, migration, Direction::Down, history)?;
    Ok(Planned {
        version,
        name,
        direction: Direction::Down,
        file,
        checksum: row.checksum.clone(),
        text: text.into_owned(),
        min_version: None,
        how,
        begun: row.undo_started_at.is_some(),
        steps,
    })
}

fn parse(dialect: Dialect, file: &str, text: &str) -> Result<Script, MigrateError> {
    let refuse = |line, message| MigrateError::Script { file: file.to_owned(), line, message };
    let script = Script::parse(dialect, text).map_err(|error| refuse(error.line, error.message))?;
    // Once on record, a file that is still to be written would count as edited.
    if script.statements.is_empty() {
        let message =
            "there is no statement in it: write one, or SELECT 1; if there is nothing to do";
        return Err(refuse(1, message.to_owned()));
    }
    Ok(script)
}

/// Compares a file's statements with what is written down about them.
fn steps(
    dialect: Dialect,
    file: &str,
    script: Script,
    migration: &Migration,
    direction: Direction,
    history: &History,
) -> Result<(How, Vec<Step>), MigrateError> {
    let mut known: Vec<&StepRow> = history.steps_of(migration.version(), direction).collect();
    known.sort_by_key(|row| row.number);
    let whole = dialect == Dialect::Sqlite || (script.changes_rows_only() && known.is_empty());
    if whole {
        let steps = script.statements.into_iter().map(|statement| Step::new(statement, Todo::Run));
        return Ok((How::OneTransaction, steps.collect()));
    }
    let row_of = |number: usize| known.iter().copied().find(|row| row.number == number);
    // What is done must still stand in the file as it was; what comes after it may change.
    for row in known.iter().filter(|row| row.state.is_settled()) {
        let same = script
            .statements
            .iter()
            .any(|statement| statement.number == row.number && statement.checksum == row.checksum);
        if !same {
            return Err(MigrateError::DonePartEdited {
                file: file.to_owned(),
                version: migration.version(),
                statement: row.number,
            });
        }
    }
    let mut steps = Vec::with_capacity(script.statements.len());
    let mut lost: Option<usize> = None;
    for statement in script.statements {
        let todo = match row_of(statement.number) {
            None => Todo::Run,
            Some(row) if row.state.is_settled() => match statement.meaning {
                Meaning::Session { repeatable: true } if row.state == StepState::Done => {
                    Todo::Repeat
                }
                Meaning::Session { repeatable: false } if row.state == StepState::Done => {
                    lost = Some(statement.number);
                    Todo::Nothing
                }
                _ => Todo::Nothing,
            },
            Some(row) if row.state == StepState::Retry => Todo::Run,
            Some(row) if row.state == StepState::Failed && statement.meaning != Meaning::Opaque => {
                Todo::Run
            }
            Some(row) => Todo::Reconcile(Box::new(row.clone())),
        };
        let runs = matches!(todo, Todo::Run | Todo::Reconcile(_));
        if runs && let Some(statement) = lost {
            return Err(MigrateError::SessionLost {
                file: file.to_owned(),
                version: migration.version(),
                statement,
            });
        }
        steps.push(Step::new(statement, todo));
    }
    Ok((How::StepByStep, steps))
}
