//! Why another tool's history could not be read.

use super::Tool;

/// Why [`read`](super::read) gave up. Each text is complete and says what to do.
#[derive(Debug, thiserror::Error)]
pub enum AdoptError {
    /// The table's name cannot be one.
    #[error("{name:?} is no name of a table: write <table>, or <database>.<table> on a server")]
    TableName {
        /// What was given.
        name: String,
    },
    /// No connection.
    #[error("cannot connect to {target}: {reason}")]
    Connect {
        /// The database, without the password.
        target: String,
        /// The driver's words.
        reason: sqlx::Error,
    },
    /// There is no such table.
    #[error(
        "{target} has no table {table}, in which {tool} writes what it applied. {}",
        other_tables(.others)
    )]
    NoTable {
        /// The database, without the password.
        target: String,
        /// The table that was looked for.
        table: String,
        /// Whose table.
        tool: Tool,
        /// Tools whose usual tables are there.
        others: Vec<Tool>,
    },
    /// There is a table, and somebody else's.
    #[error(
        "{table} on {target} is not a table of {tool}: it has the columns {}, and {tool} writes {}. \
         Name another tool or another table; if no tool fits, and you know what is applied, start \
         with `baseline`", .found.join(", "), .expected.join(", ")
    )]
    OtherTable {
        /// The database, without the password.
        target: String,
        /// The table.
        table: String,
        /// Whose table it was thought to be.
        tool: Tool,
        /// The columns it would have.
        expected: &'static [&'static str],
        /// The columns it has.
        found: Vec<String>,
    },
    /// The table is there and cannot be read.
    #[error(
        "{table} on {target} could not be read: {reason}. The user needs the right to SELECT from it"
    )]
    Read {
        /// The database, without the password.
        target: String,
        /// The table.
        table: String,
        /// The database's words.
        reason: sqlx::Error,
    },
}

fn other_tables(others: &[Tool]) -> String {
    if others.is_empty() {
        return "Check the database's name in the URL; if the tool was told another table, name it \
                here too; if no tool was used, start with `baseline`"
            .to_owned();
    }
    let found: Vec<String> =
        others.iter().map(|tool| format!("the one of {tool} ({})", tool.default_table())).collect();
    format!(
        "It has {}: name that tool, or the table if it is called otherwise",
        found.join(" and ")
    )
}
