//! AT04: rows are changed without a limit.

use super::prelude::*;

pub(super) const RULE: Rule = Rule {
    id: "AT04",
    severity: Severity::Error,
    title: "rows are changed without a limit",
    why: "All rows of the table are locked until the statement is over, replicas are behind by as \
        long, and undoing it after a failure takes longer still. Also a WHERE that only asks for \
        NULL is true for every old row right after the column was added.",
    bad: "UPDATE users SET age = 0;",
    safe: "Change rows in batches, by ranges of the key or with LIMIT until nothing is left to \
        change; for a large table do so in the program, outside of migrations.",
    good: "UPDATE users SET age = 0 WHERE id BETWEEN 1 AND 5000;",
    on: On::Both,
    ways: Ways::Up,
    check: Check::Statement(check),
};

fn check(look: &Look<'_>) -> Vec<Hit> {
    let statement = look.statement;
    let Some(table) = changed_table(statement).filter(|table| look.in_use(table)) else {
        return vec![];
    };
    let says = |word: &str| statement.tokens.iter().any(|token| token == word);
    if says("limit") {
        return vec![];
    }
    let inserts = statement.begins("insert") || statement.begins("replace");
    if inserts {
        let copies = says("select") && says("from") && !says("where");
        return if copies {
            vec![
                Hit::new(format!("rows are put into {table} from a SELECT without WHERE or LIMIT"))
                    .ranked(Severity::Warning),
            ]
        } else {
            vec![]
        };
    }
    let condition: Vec<&str> = statement
        .tokens
        .iter()
        .map(String::as_str)
        .skip_while(|token| *token != "where")
        .skip(1)
        .collect();
    if condition.is_empty() {
        return vec![Hit::new(format!("every row of {table} is changed in one statement"))];
    }
    let narrows =
        condition.iter().any(|token| matches!(*token, "=" | "in" | "between" | "exists" | "like"))
            || (condition.contains(&"<") ^ condition.contains(&">"));
    if narrows {
        vec![]
    } else {
        vec![
            Hit::new(format!(
                "the WHERE may be true for every row of {table}: change them in batches"
            ))
            .ranked(Severity::Warning),
        ]
    }
}
