//! What a statement does, as far as that can be told from its text and a runner must know it.

use std::fmt;

pub(crate) use super::name::Name;

/// What a statement does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Meaning {
    /// Changes the schema, and commits by itself on MySQL.
    Ddl(Ddl),
    /// Changes rows, which can be rolled back.
    Dml,
    /// Changes nothing.
    Read,
    /// Changes settings of the session.
    Session {
        /// Whether running it again in another session makes the same setting.
        repeatable: bool,
    },
    /// Begins or ends a transaction, or has to do with one.
    Transaction(Transaction),
    /// Commits by itself, and running it twice is as good as once.
    Repeatable,
    /// Nobody can tell.
    Opaque,
}

/// What a statement does to a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Transaction {
    Begin,
    Commit,
    Rollback,
    Savepoint,
    LockTables,
    UnlockTables,
    Xa,
}

/// A change of the schema.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Ddl {
    /// Such as `ALTER TABLE`.
    pub(crate) verb: &'static str,
    /// What is true afterwards. Not all: a clause that only the table's definition shows has none.
    pub(crate) effects: Vec<Effect>,
    /// Tables whose definition changes.
    pub(crate) tables: Vec<Name>,
    /// Whether it says itself that it may have happened already (`IF NOT EXISTS`, `OR REPLACE`).
    pub(crate) repeatable: bool,
    /// Whether all definitions may look the same before and after, and doing it twice is not as good
    /// as once: partitions or tables change places, or a table is made anew without its rows.
    pub(crate) unseen: bool,
    /// How a table is to be altered.
    pub(crate) alter: Option<Altering>,
}

/// How a table is to be altered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Altering {
    /// Whether the statement itself says how (`ALGORITHM`, `LOCK`).
    pub(crate) says_how: bool,
    /// Whether it can be told how. Partitions, for example, know no `ALGORITHM`.
    pub(crate) can_be_told: bool,
}

/// Something that is true after a statement, to be asked of the database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Effect {
    TableExists { table: Name, columns: Vec<String> },
    TableGone { table: Name },
    TableEmpty { table: Name },
    ViewExists { view: Name },
    ViewGone { view: Name },
    ColumnExists { table: Name, column: String },
    ColumnGone { table: Name, column: String },
    IndexExists { table: Name, index: String },
    IndexGone { table: Name, index: String },
    ConstraintExists { table: Name, name: String },
    ConstraintGone { table: Name, name: String },
    TriggerExists { trigger: Name },
    TriggerGone { trigger: Name },
    RoutineExists { kind: RoutineKind, routine: Name },
    RoutineGone { kind: RoutineKind, routine: Name },
    EventExists { event: Name },
    EventGone { event: Name },
    SequenceExists { sequence: Name },
    SequenceGone { sequence: Name },
}

/// Which kind of routine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RoutineKind {
    Procedure,
    Function,
}

impl fmt::Display for Effect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TableExists { table, columns } if columns.is_empty() => {
                write!(f, "table {table} is there")
            }
            Self::TableExists { table, columns } => {
                write!(f, "table {table} is there with its columns {}", columns.join(", "))
            }
            Self::TableGone { table } => write!(f, "table {table} is gone"),
            Self::TableEmpty { table } => write!(f, "table {table} is empty"),
            Self::ViewExists { view } => write!(f, "view {view} is there"),
            Self::ViewGone { view } => write!(f, "view {view} is gone"),
            Self::ColumnExists { table, column } => write!(f, "column {table}.{column} is there"),
            Self::ColumnGone { table, column } => write!(f, "column {table}.{column} is gone"),
            Self::IndexExists { table, index } => write!(f, "index {index} of {table} is there"),
            Self::IndexGone { table, index } => write!(f, "index {index} of {table} is gone"),
            Self::ConstraintExists { table, name } => {
                write!(f, "constraint {name} of {table} is there")
            }
            Self::ConstraintGone { table, name } => {
                write!(f, "constraint {name} of {table} is gone")
            }
            Self::TriggerExists { trigger } => write!(f, "trigger {trigger} is there"),
            Self::TriggerGone { trigger } => write!(f, "trigger {trigger} is gone"),
            Self::RoutineExists { routine, .. } => write!(f, "routine {routine} is there"),
            Self::RoutineGone { routine, .. } => write!(f, "routine {routine} is gone"),
            Self::EventExists { event } => write!(f, "event {event} is there"),
            Self::EventGone { event } => write!(f, "event {event} is gone"),
            Self::SequenceExists { sequence } => write!(f, "sequence {sequence} is there"),
            Self::SequenceGone { sequence } => write!(f, "sequence {sequence} is gone"),
        }
    }
}
