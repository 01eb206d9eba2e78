//! A schema as a plain value.

use std::fmt;

use crate::Dialect;

/// What a database contains, apart from its rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schema {
    /// Which SQL the definitions are written in.
    pub dialect: Dialect,
    /// Character set and collation of what is made without naming them; not on SQLite.
    pub defaults: Option<Charset>,
    /// In an order in which they can be made.
    pub objects: Vec<Object>,
}

/// A character set and one of its collations.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Charset {
    /// Such as `utf8mb4`.
    pub name: String,
    /// Such as `utf8mb4_bin`.
    pub collation: String,
}

/// One thing in a schema.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Object {
    /// What it is.
    pub kind: Kind,
    /// Its name, without quotes.
    pub name: String,
    /// The normalised statement that makes it, without a delimiter.
    pub sql: String,
    /// The session's settings that became part of it when it was made.
    pub settings: Settings,
}

/// Settings of a session that a view, routine, trigger or event keeps for ever (MySQL, "Stored
/// Object Access Control" and "SHOW CREATE PROCEDURE"). Where there is `None` they don't matter.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// How its text is understood and how its statements behave.
    pub sql_mode: Option<String>,
    /// How its string literals compare.
    pub collation: Option<String>,
    /// What an event's times mean.
    pub time_zone: Option<String>,
}

/// A kind of thing, in the order in which kinds are made: what stands later may need what stands
/// before.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// MariaDB's sequences; columns' defaults may use them.
    Sequence,
    /// With its indexes and constraints; on SQLite without its indexes.
    #[default]
    Table,
    /// SQLite only.
    Index,
    /// MariaDB's declarations of several routines.
    Package,
    /// MariaDB's definitions of several routines.
    PackageBody,
    /// A stored function; views may use it.
    Function,
    /// A stored procedure.
    Procedure,
    /// A view.
    View,
    /// A trigger.
    Trigger,
    /// A scheduled event.
    Event,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Sequence => "sequence",
            Self::Table => "table",
            Self::Index => "index",
            Self::Package => "package",
            Self::PackageBody => "package body",
            Self::Function => "function",
            Self::Procedure => "procedure",
            Self::View => "view",
            Self::Trigger => "trigger",
            Self::Event => "event",
        })
    }
}
