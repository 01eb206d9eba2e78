//! Changing a table without stopping who uses it.
//!
//! The server says before it does anything whether a change can be made in a certain way. So the
//! quickest is asked for first, then the one that lets others read and write; a copy of the table,
//! during which nobody writes, only where somebody said that this is fine.
//! (MySQL manual, "Online DDL Operations"; MariaDB, "`InnoDB` Online DDL Overview".)

use crate::source::script::ScriptStatement;
use crate::sql::meaning::Meaning;

/// One way to run a statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Attempt {
    pub(crate) text: String,
    pub(crate) algorithm: Option<&'static str>,
    /// Whether another way is tried, or a person asked, when the server can't do it like that.
    pub(crate) may_be_refused: bool,
}

/// The ways to run a change of the schema, in the order in which to try them.
pub(crate) fn attempts(statement: &ScriptStatement) -> Vec<Attempt> {
    let plain = Attempt { text: statement.text.clone(), algorithm: None, may_be_refused: false };
    let Meaning::Ddl(ddl) = &statement.meaning else { return vec![plain] };
    let Some(alter) = &ddl.alter else { return vec![plain] };
    // Who names a way has thought about it.
    if alter.says_how || !alter.can_be_told {
        return vec![plain];
    }
    // Of DROP INDEX, MariaDB takes no options. It is in place anyway, but for primary keys.
    if ddl.verb == "DROP INDEX" && !statement.text.to_ascii_lowercase().contains("primary") {
        return vec![plain];
    }
    // CREATE INDEX and DROP INDEX take the options without a comma.
    let comma = if ddl.verb == "ALTER TABLE" { "," } else { "" };
    let with = |options: &str, algorithm| Attempt {
        // On a line of its own: the statement may end in a comment.
        text: format!("{}\n{comma} {options}", statement.text),
        algorithm: Some(algorithm),
        may_be_refused: true,
    };
    let inplace = format!("ALGORITHM=INPLACE{comma} LOCK=NONE");
    let mut attempts = vec![with(&inplace, "inplace")];
    if ddl.verb == "ALTER TABLE" {
        attempts.insert(0, with("ALGORITHM=INSTANT", "instant"));
    }
    if statement.allow_copy.is_some() {
        attempts.push(plain);
    }
    attempts
}

/// The ways in which a statement would alter a table, in the order in which they are tried; nothing
/// where it runs as it stands.
pub(crate) fn ways(statement: &ScriptStatement) -> Vec<&'static str> {
    match attempts(statement).as_slice() {
        [only] => only.algorithm.into_iter().collect(),
        attempts => attempts.iter().map(|way| way.algorithm.unwrap_or("copy")).collect(),
    }
}

/// Whether the server says that it can't do it in this way.
pub(crate) fn is_refusal(number: Option<u16>) -> bool {
    // ER_ALTER_OPERATION_NOT_SUPPORTED, the same with a reason; ER_UNKNOWN_ALTER_ALGORITHM of
    // servers that don't know INSTANT; and ER_INNODB_FT_LIMIT, for in place only one full-text
    // index is made at a time.
    matches!(number, Some(1845 | 1846 | 1800 | 1795))
}

/// What a person is told when only a copy would do.
pub(crate) fn needs_copy(refusals: &[String]) -> String {
    let why = refusals.last().map(String::as_str).unwrap_or_default();
    format!(
        "the table would have to be copied, and nobody could write to it meanwhile: {why}. If the \
         table is small enough for that, write `-- migrate: allow=copy reason=\"…\"` above the \
         statement; if not, do it in steps that keep the table in use"
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Dialect;
    use crate::source::script::Script;

    fn tried(text: &str) -> Vec<String> {
        let script = Script::parse(Dialect::MySql, text).unwrap();
        attempts(&script.statements[0]).into_iter().map(|attempt| attempt.text).collect()
    }

    #[test]
    fn the_quickest_way_comes_first_and_a_copy_only_where_it_is_allowed() {
        let alter = "ALTER TABLE t ADD c INT";
        let instant = format!("{alter}\n, ALGORITHM=INSTANT");
        let inplace = format!("{alter}\n, ALGORITHM=INPLACE, LOCK=NONE");
        assert_eq!(tried(alter), [instant.clone(), inplace.clone()]);
        let allowed = format!("-- migrate: allow=copy reason=\"small\"\n{alter}");
        assert_eq!(tried(&allowed), [instant, inplace, alter.to_owned()]);
        let index = "CREATE INDEX i ON t (x)";
        assert_eq!(tried(index), [format!("{index}\n ALGORITHM=INPLACE LOCK=NONE")]);
    }

    #[test]
    fn a_statement_that_knows_its_way_or_needs_none_runs_as_it_stands() {
        for text in [
            "ALTER TABLE t ADD c INT, ALGORITHM=COPY",
            "ALTER TABLE t REMOVE PARTITIONING",
            "CREATE TABLE t (x INT)",
            "DROP TABLE t",
            "DROP INDEX i ON t",
        ] {
            assert_eq!(tried(text), [text]);
        }
    }
}
