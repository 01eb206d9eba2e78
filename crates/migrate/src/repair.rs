//! A person's decision about what the runner can't decide.

use std::fmt;
use std::str::FromStr;

use crate::direction::Direction;
use crate::journal::{Decision, History, Images, StepRow, StepState};
use crate::source::script::Script;
use crate::{Dialect, MigrateError, Migrations};

/// What is to become of a statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Choice {
    /// It counts as done: its effect is there.
    Accept,
    /// It runs again.
    Retry,
    /// It does not run: its effect is not wanted.
    Skip,
}

impl Choice {
    fn state(self) -> StepState {
        match self {
            Self::Accept => StepState::Accepted,
            Self::Retry => StepState::Retry,
            Self::Skip => StepState::Skipped,
        }
    }
}

/// A statement of a migration, `20260101000000:3`; or, without a number, all of a migration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StepId {
    /// The migration's version.
    pub version: i64,
    /// The statement's place in its file, from 1.
    pub statement: Option<usize>,
}

impl FromStr for StepId {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const FORM: &str = "write VERSION:STATEMENT, for example 20260101000000:3";
        let (version, statement) = match text.split_once(':') {
            Some((version, statement)) => (version, Some(statement)),
            None => (text, None),
        };
        let statement = statement.map(str::parse).transpose().map_err(|_| FORM)?;
        if statement == Some(0) {
            return Err("statements are counted from 1");
        }
        Ok(Self { version: version.parse().map_err(|_| FORM)?, statement })
    }
}

impl fmt::Display for StepId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.statement {
            Some(statement) => write!(f, "{}:{statement}", self.version),
            None => write!(f, "{}", self.version),
        }
    }
}

/// What a decision changes in the journal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    /// How a statement stands.
    Step(Box<StepRow>),
    /// The migration counts as applied.
    Finish,
    /// The migration counts as not begun.
    Forget,
}

/// Works out what a decision changes, or why it can't be taken.
pub(crate) fn decide(
    migrations: &Migrations,
    dialect: Dialect,
    history: &History,
    (id, choice, decision): (StepId, Choice, Decision),
    now: i64,
) -> Result<Change, MigrateError> {
    let refuse = |why: &str| MigrateError::Repair { step: id.to_string(), why: why.to_owned() };
    let row = history.row(id.version).ok_or_else(|| {
        refuse("it was not begun on this database; `migrate status` shows what was")
    })?;
    let undoing = row.undo_started_at.is_some();
    if row.finished_at.is_some() && !undoing {
        return Err(refuse("the migration is finished"));
    }
    let legacy = row.run_by.is_none();
    let Some(number) = id.statement else {
        return match choice {
            Choice::Accept if legacy => Ok(Change::Finish),
            Choice::Retry if legacy => Ok(Change::Forget),
            _ => Err(refuse("say which statement of it: VERSION:STATEMENT")),
        };
    };
    if legacy {
        return Err(refuse("its statements are not on record; decide about the whole migration"));
    }
    if dialect == Dialect::Sqlite {
        return Err(refuse("on SQLite a migration that fails is rolled back: run again"));
    }
    let direction = if undoing { Direction::Down } else { Direction::Up };
    let migration = migrations.get(id.version);
    let text = match (migration, direction) {
        (Some(migration), Direction::Up) => Some(migration.up(dialect)?),
        (Some(migration), Direction::Down) => migration.down(dialect)?,
        (None, _) => None,
    };
    let script = text.and_then(|text| Script::parse(dialect, &text).ok());
    let statement = script
        .as_ref()
        .and_then(|script| script.statements.iter().find(|found| found.number == number));
    let known = history.steps_of(id.version, direction).find(|step| step.number == number).cloned();
    let mut step = match (known, statement) {
        (Some(step), _) => step,
        (None, Some(statement)) => StepRow {
            version: id.version,
            direction,
            number,
            checksum: statement.checksum.clone(),
            state: StepState::Intended,
            statement: None,
            images: Images::new(),
            started_at: now,
            finished_at: None,
            error: None,
            decision: None,
        },
        (None, None) => return Err(refuse("its file has no such statement")),
    };
    // The decision is about what stands in the file now.
    if let Some(statement) = statement {
        step.checksum.clone_from(&statement.checksum);
    }
    step.state = choice.state();
    step.finished_at = Some(now);
    step.decision = Some(decision);
    Ok(Change::Step(Box::new(step)))
}
