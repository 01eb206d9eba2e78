//! The tables as the texts before a statement define them.

use std::collections::{BTreeMap, BTreeSet};

use crate::sql::act::{Act, Clause, Index, IndexKind, Table};
use crate::sql::column::Column;
use crate::sql::meaning::Name;

/// Tables by name, in lower case.
#[derive(Clone, Debug, Default)]
pub(crate) struct Schema {
    tables: BTreeMap<String, Table>,
    /// Indexes that no query uses any more.
    hidden: BTreeSet<(String, String)>,
}

impl Schema {
    pub(crate) fn table(&self, name: &str) -> Option<&Table> {
        self.tables.get(&name.to_lowercase())
    }

    pub(super) fn column(&self, table: &str, column: &str) -> Option<&Column> {
        let columns = &self.table(table)?.columns;
        columns.iter().find(|known| known.name.eq_ignore_ascii_case(column))
    }

    pub(super) fn is_hidden(&self, table: &str, index: &str) -> bool {
        self.hidden.contains(&(table.to_lowercase(), index.to_lowercase()))
    }

    /// What is so after a statement.
    pub(crate) fn apply(&mut self, act: &Act) {
        match act {
            Act::CreateTable(table) if !table.temporary => {
                self.tables.entry(table.name.to_lowercase()).or_insert_with(|| table.clone());
            }
            Act::AlterTable { table, clauses } => {
                let mut name = table.name.to_lowercase();
                for clause in clauses {
                    if let Clause::RenameTable(to) = clause {
                        self.rename(&name, to);
                        name = to.name.to_lowercase();
                    } else {
                        self.alter(&name, clause);
                    }
                }
            }
            Act::DropTables(tables) => {
                for table in tables {
                    self.tables.remove(&table.name.to_lowercase());
                }
            }
            Act::RenameTables(pairs) => {
                for (from, to) in pairs {
                    self.rename(&from.name.to_lowercase(), to);
                }
            }
            Act::CreateTable(_) | Act::Other => {}
        }
    }

    fn rename(&mut self, from: &str, to: &Name) {
        if let Some(table) = self.tables.remove(from) {
            let table = Table { name: to.name.clone(), ..table };
            self.tables.insert(to.name.to_lowercase(), table);
        }
    }

    fn alter(&mut self, name: &str, clause: &Clause) {
        if let Clause::HideIndex { index } = clause {
            self.hidden.insert((name.to_owned(), index.to_lowercase()));
        }
        let Some(table) = self.tables.get_mut(name) else { return };
        let is = |wanted: &str| {
            let wanted = wanted.to_owned();
            move |column: &Column| column.name.eq_ignore_ascii_case(&wanted)
        };
        let put = |columns: &mut Vec<Column>, from: &str, column: &Column| match columns
            .iter_mut()
            .find(|known| is(from)(known))
        {
            Some(known) => *known = column.clone(),
            None => columns.push(column.clone()),
        };
        match clause {
            Clause::AddColumn { column, .. } | Clause::Modify(column) => {
                put(&mut table.columns, &column.name, column);
            }
            Clause::Change { from, column } => put(&mut table.columns, from, column),
            Clause::DropColumn { column, .. } => {
                table.columns.retain(|known| !is(column)(known));
            }
            Clause::RenameColumn { from, to } => {
                if let Some(known) = table.columns.iter_mut().find(|known| is(from)(known)) {
                    known.name.clone_from(to);
                }
            }
            Clause::SetDefault { column, default } => {
                if let Some(known) = table.columns.iter_mut().find(|known| is(column)(known)) {
                    known.default = Some(*default);
                }
            }
            Clause::DropDefault { column } => {
                if let Some(known) = table.columns.iter_mut().find(|known| is(column)(known)) {
                    known.default = None;
                }
            }
            Clause::AddIndex { index, .. } => table.indexes.push(index.clone()),
            Clause::DropIndex { index, .. } => {
                let named = |known: &Index| {
                    known.name.as_deref().is_some_and(|name| name.eq_ignore_ascii_case(index))
                };
                table.indexes.retain(|known| !named(known));
            }
            Clause::DropPrimaryKey => {
                table.indexes.retain(|known| known.kind != IndexKind::Primary);
            }
            _ => {}
        }
    }
}
