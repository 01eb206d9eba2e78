//! Why a schema could not be read.

use super::Kind;

/// Why a schema could not be read. Each text is complete, and never contains the password.
#[derive(Debug, thiserror::Error)]
pub enum SchemaError {
    /// No connection.
    #[error(
        "cannot connect to {target} to read its schema: {reason}. Check that it runs and exists, \
         and the user and password"
    )]
    Connect {
        /// The database, without the password.
        target: String,
        /// The driver's words.
        reason: sqlx::Error,
    },
    /// The connection's options name no database.
    #[error(
        "no database is selected on {target}, so there is no schema to read: name one in the URL"
    )]
    NoDatabase {
        /// The server, without the password.
        target: String,
    },
    /// A question to the catalogue failed.
    #[error(
        "could not read {what} of {target}: {reason}. If somebody changed the schema at the same \
         time, try again; otherwise check the user's privileges (SELECT, SHOW VIEW, TRIGGER, EVENT)"
    )]
    Read {
        /// The database, without the password.
        target: String,
        /// What was read, such as "the table `users`".
        what: String,
        /// The database's words.
        reason: sqlx::Error,
    },
    /// The catalogue lists something whose definition this user may not see.
    #[error(
        "the definition of the {kind} `{name}` of {target} is hidden from this user: connect as \
         its definer, or grant SHOW_ROUTINE (MySQL) or SELECT on mysql.proc (MariaDB)"
    )]
    Hidden {
        /// The database, without the password.
        target: String,
        /// What kind of thing it is.
        kind: Kind,
        /// Its name.
        name: String,
    },
    /// The database describes something in a way that this program does not know.
    #[error(
        "the definition that {target} gives of the {kind} `{name}` was not understood: it begins \
         {beginning:?}. Please report this with the database's version"
    )]
    NotUnderstood {
        /// The database, without the password.
        target: String,
        /// What kind of thing it is.
        kind: Kind,
        /// Its name.
        name: String,
        /// The first characters of the definition.
        beginning: String,
    },
}

/// Builds the variants, for one target.
pub(super) struct Context {
    pub(super) target: String,
}

impl Context {
    pub(super) fn connect(&self) -> impl FnOnce(sqlx::Error) -> SchemaError {
        let target = self.target.clone();
        move |reason| SchemaError::Connect { target, reason }
    }

    /// For `map_err`; `what` completes "could not read …".
    pub(super) fn read(&self, what: impl Into<String>) -> impl FnOnce(sqlx::Error) -> SchemaError {
        let (target, what) = (self.target.clone(), what.into());
        move |reason| SchemaError::Read { target, what, reason }
    }

    pub(super) fn hidden(&self, kind: Kind, name: &str) -> SchemaError {
        SchemaError::Hidden { target: self.target.clone(), kind, name: name.to_owned() }
    }

    pub(super) fn not_understood(&self, kind: Kind, name: &str, definition: &str) -> SchemaError {
        SchemaError::NotUnderstood {
            target: self.target.clone(),
            kind,
            name: name.to_owned(),
            beginning: definition.chars().take(80).collect(),
        }
    }
}
