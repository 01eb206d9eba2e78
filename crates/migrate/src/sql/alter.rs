//! What `ALTER TABLE` does, from its clauses.

use super::act::{Clause, IndexKind, altered_table, clauses};
use super::lexer::Token;
use super::meaning::{Altering, Ddl, Effect};
use super::name::Name;
use super::words::Words;

/// What an `ALTER TABLE …` does; these words are read already.
pub(super) fn alter_table(mut words: Words<'_>) -> Option<Ddl> {
    let table = altered_table(&mut words)?;
    let alter = altering(&words);
    let parts = words.parts();
    let repeatable = parts.iter().all(|part| says_if(part) || is_how(part));
    let clauses = clauses(&parts);
    let renamed = clauses.iter().find_map(|clause| match clause {
        Clause::RenameTable(to) => Some(to),
        _ => None,
    });
    let mut effects = Vec::new();
    if let Some(to) = renamed {
        effects.push(Effect::TableGone { table: table.clone() });
        effects.push(Effect::TableExists { table: to.clone(), columns: vec![] });
    }
    // Clauses are about the table under its new name.
    let now = renamed.unwrap_or(&table);
    effects.extend(clauses.iter().flat_map(|clause| effects_of(now, clause)));
    // What goes and comes again under its name is there.
    let there: Vec<Effect> = effects.clone();
    effects.retain(|effect| match effect {
        Effect::ColumnGone { table, column } => !there.iter().any(|effect| {
            matches!(effect, Effect::ColumnExists { table: other, column: name }
                if other == table && name.eq_ignore_ascii_case(column))
        }),
        _ => true,
    });
    let tables = [&table].into_iter().chain(renamed).cloned().collect();
    let unseen = swaps_rows(&parts) || replaces_column(&clauses);
    let verb = "ALTER TABLE";
    Some(Ddl { verb, effects, tables, repeatable, unseen, alter: Some(alter) })
}

fn altering(words: &Words<'_>) -> Altering {
    Altering {
        says_how: words.parts().iter().any(|part| is_how(part)),
        can_be_told: !words.has(&[
            "partition",
            "partitioning",
            "partitions",
            "tablespace",
            "order",
            "secondary_load",
            "secondary_unload",
        ]),
    }
}

/// Whether rows come, go or change places behind a definition that stays as it is.
fn swaps_rows(parts: &[Vec<Token<'_>>]) -> bool {
    const VERBS: [&str; 4] = ["exchange", "truncate", "discard", "import"];
    parts.iter().any(|part| part.first().is_some_and(|first| first.is_any_word(&VERBS)))
}

/// Whether a column goes and another of its name comes.
fn replaces_column(clauses: &[Clause]) -> bool {
    let dropped = |name: &str| {
        clauses.iter().any(|clause| {
            matches!(clause, Clause::DropColumn { column, .. } if column.eq_ignore_ascii_case(name))
        })
    };
    clauses
        .iter()
        .any(|clause| matches!(clause, Clause::AddColumn { column, .. } if dropped(&column.name)))
}

fn says_if(part: &[Token<'_>]) -> bool {
    part.iter().zip(part.iter().skip(1)).any(|(first, second)| {
        first.is_word("if") && (second.is_word("exists") || second.is_word("not"))
    })
}

/// `ALGORITHM = …` or `LOCK = …`.
fn is_how(part: &[Token<'_>]) -> bool {
    part.first().is_some_and(|first| first.is_any_word(&["algorithm", "lock"]))
}

/// What is true of a table after a clause; nothing where only its definition shows that.
fn effects_of(table: &Name, clause: &Clause) -> Vec<Effect> {
    let column =
        |column: &str| Effect::ColumnExists { table: table.clone(), column: column.into() };
    let index = |index: &str| Effect::IndexExists { table: table.clone(), index: index.into() };
    let no_index = |index: &str| Effect::IndexGone { table: table.clone(), index: index.into() };
    let constraint =
        |name: &String| Effect::ConstraintExists { table: table.clone(), name: name.clone() };
    match clause {
        Clause::AddColumn { column: added, .. } | Clause::Modify(added) => {
            vec![column(&added.name)]
        }
        Clause::SetDefault { column: name, .. } | Clause::DropDefault { column: name } => {
            vec![column(name)]
        }
        Clause::DropColumn { column, .. } => {
            vec![Effect::ColumnGone { table: table.clone(), column: column.clone() }]
        }
        Clause::Change { from, column } => moved_column(table, from, &column.name),
        Clause::RenameColumn { from, to } => moved_column(table, from, to),
        Clause::AddIndex { index: added, .. } if added.kind == IndexKind::Primary => {
            vec![index("PRIMARY")]
        }
        Clause::AddIndex { index: added, .. } => {
            added.name.as_deref().map(index).into_iter().collect()
        }
        Clause::DropPrimaryKey => vec![no_index("PRIMARY")],
        Clause::DropIndex { index, .. } => vec![no_index(index)],
        Clause::RenameIndex { from, to } => vec![no_index(from), index(to)],
        // Without a symbol the server makes a name up.
        Clause::AddForeignKey(key) => key.symbol.as_ref().map(constraint).into_iter().collect(),
        Clause::AddCheck { name, .. } => name.as_ref().map(constraint).into_iter().collect(),
        Clause::DropConstraint { name } => {
            vec![Effect::ConstraintGone { table: table.clone(), name: name.clone() }]
        }
        _ => vec![],
    }
}

fn moved_column(table: &Name, from: &str, to: &str) -> Vec<Effect> {
    let (from, to) = (from.to_owned(), to.to_owned());
    let moved = !from.eq_ignore_ascii_case(&to);
    let gone = Effect::ColumnGone { table: table.clone(), column: from };
    let there = Effect::ColumnExists { table: table.clone(), column: to };
    if moved { vec![gone, there] } else { vec![there] }
}
