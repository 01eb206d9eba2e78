//! The name of a history table.

use super::{AdoptError, History};
use crate::Dialect;
use crate::sql::name::backquoted;

/// A table, perhaps of another database on the same server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Table {
    pub(super) database: Option<String>,
    pub(super) table: String,
}

impl Table {
    /// The table of this history. Only MySQL and MariaDB have a database before a dot.
    pub(super) fn new(history: &History, dialect: Dialect) -> Result<Self, AdoptError> {
        let name = history.table.as_deref().unwrap_or_else(|| history.tool.default_table());
        let (database, table) = match (dialect, name.split_once('.')) {
            (Dialect::MySql, Some((database, table))) => (Some(database), table),
            _ => (None, name),
        };
        if table.is_empty() || database.is_some_and(str::is_empty) || name.contains('\0') {
            return Err(AdoptError::TableName { name: name.to_owned() });
        }
        Ok(Self { database: database.map(str::to_owned), table: table.to_owned() })
    }

    /// As people write it.
    pub(super) fn name(&self) -> String {
        match &self.database {
            Some(database) => format!("{database}.{}", self.table),
            None => self.table.clone(),
        }
    }

    /// For a statement.
    pub(super) fn quoted(&self) -> String {
        match &self.database {
            Some(database) => format!("{}.{}", backquoted(database), backquoted(&self.table)),
            None => backquoted(&self.table),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::adopt::Tool;

    fn table(name: &str, dialect: Dialect) -> Result<Table, AdoptError> {
        Table::new(&History { tool: Tool::Dbmate, table: Some(name.to_owned()) }, dialect)
    }

    #[test]
    fn names_are_taken_apart_and_quoted() {
        for (name, dialect, quoted) in [
            ("history", Dialect::MySql, "`history`"),
            ("ops.history", Dialect::MySql, "`ops`.`history`"),
            ("a`b", Dialect::MySql, "`a``b`"),
            ("ops.history", Dialect::Sqlite, "`ops.history`"),
        ] {
            let table = table(name, dialect).unwrap();
            assert_eq!((table.quoted().as_str(), table.name().as_str()), (quoted, name));
        }
        let usual = Table::new(&Tool::Sequelize.into(), Dialect::MySql).unwrap();
        assert_eq!(usual.name(), "SequelizeMeta");
    }

    #[test]
    fn names_that_name_nothing_are_refused() {
        for name in ["", ".history", "ops.", "a\0b"] {
            let error = table(name, Dialect::MySql).unwrap_err().to_string();
            assert!(error.contains("is no name of a table"), "{error}");
        }
    }
}
