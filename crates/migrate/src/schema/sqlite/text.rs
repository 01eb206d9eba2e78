//! A statement of `sqlite_schema`, normalised.
//!
//! Tables and indexes lose comments and get a layout of their own, because SQLite edits their text
//! when a column is added, renamed or dropped. Views and triggers stay as they were written. In all
//! of them the names of tables are quoted, because SQLite quotes them when it renames one.

use crate::Dialect;
use crate::schema::Kind as Object;
use crate::sql::lexer::{Kind, Token, tokens};
use crate::sql::name::{doublequoted, unquoted};

/// `relations` are the names of all tables and views.
pub(super) fn normalise(object: Object, name: &str, sql: &str, relations: &[&str]) -> String {
    let tokens = tokens(Dialect::Sqlite, sql);
    let names = Names { name, relations };
    match object {
        // What a virtual table's module is told is a text that only the module understands.
        Object::Table if tokens.iter().take(4).any(|token| token.is_word("VIRTUAL")) => {
            names.replaced(&tokens, true)
        }
        Object::Table | Object::Index => laid_out(object, &names.replaced_tokens(&tokens)),
        _ => names.replaced(&tokens, false),
    }
}

struct Names<'a> {
    /// Of the object itself.
    name: &'a str,
    relations: &'a [&'a str],
}

/// A token as it is printed.
struct Printed<'a> {
    token: Token<'a>,
    /// Instead of the token's own text.
    name: Option<String>,
    /// Whether white space or a comment stands before it.
    is_apart: bool,
}

impl Printed<'_> {
    fn text(&self) -> &str {
        self.name.as_deref().unwrap_or(self.token.text)
    }
}

impl Names<'_> {
    /// The text with names quoted and line endings of one kind, and otherwise as it was written.
    fn replaced(&self, tokens: &[Token<'_>], only_own: bool) -> String {
        let printed = self.replaced_tokens(tokens);
        let mut names = printed.iter().map(|printed| printed.name.as_deref());
        let mut text = String::new();
        let mut has_own = false;
        for token in tokens {
            if !token.says_something() {
                text.push_str(&token.text.replace("\r\n", "\n"));
                continue;
            }
            let name = names.next().flatten().filter(|_| !(only_own && has_own));
            has_own |= name.is_some();
            text.push_str(name.unwrap_or(token.text));
        }
        text.trim().to_owned()
    }

    /// All but white space and comments.
    fn replaced_tokens<'t>(&self, tokens: &[Token<'t>]) -> Vec<Printed<'t>> {
        let mut printed: Vec<Printed<'t>> = Vec::with_capacity(tokens.len());
        let mut is_apart = false;
        for token in tokens {
            if !token.says_something() {
                is_apart = true;
                continue;
            }
            printed.push(Printed { token: *token, name: None, is_apart });
            is_apart = false;
        }
        let named: Vec<Option<String>> =
            (0..printed.len()).map(|at| self.name(&printed, at)).collect();
        for (printed, name) in printed.iter_mut().zip(named) {
            printed.name = name;
        }
        printed
    }

    /// The quoted name, where a token is the object's own name or that of a table.
    fn name(&self, printed: &[Printed<'_>], at: usize) -> Option<String> {
        let token = &printed.get(at)?.token;
        if !matches!(token.kind, Kind::Word | Kind::QuotedName) {
            return None;
        }
        let before = at.checked_sub(1).and_then(|before| printed.get(before))?;
        let is_header = at < 5 && before.token.is_any_word(&["TABLE", "INDEX", "VIEW", "TRIGGER"]);
        if is_header {
            return Some(doublequoted(self.name));
        }
        let is_place =
            before.token.is_any_word(&["REFERENCES", "ON", "FROM", "JOIN", "INTO", "UPDATE"])
                || printed.get(at + 1).is_some_and(|after| after.token.is_symbol("."));
        // As in ON DELETE, ON CONFLICT, UPDATE OF.
        let is_keyword =
            token.is_any_word(&["DELETE", "UPDATE", "INSERT", "CONFLICT", "OF", "SELECT"]);
        if !is_place || is_keyword {
            return None;
        }
        let name = unquoted(token.text);
        self.relations
            .iter()
            .find(|relation| relation.eq_ignore_ascii_case(&name))
            .map(|it| doublequoted(it))
    }
}

fn laid_out(object: Object, tokens: &[Printed<'_>]) -> String {
    let mut text = String::new();
    let mut depth = 0_usize;
    let mut before: [Option<&Printed<'_>>; 2] = [None, None];
    for printed in tokens {
        let token = &printed.token;
        if token.is_symbol(")") {
            depth = depth.saturating_sub(1);
        }
        let [second, first] = before;
        // The parentheses of a table, not those of an expression in it.
        let is_line = object == Object::Table
            && ((depth == 0 && token.is_symbol(")"))
                || (depth == 1
                    && first.is_some_and(|first| first.token.is_any_symbol(&["(", ","]))));
        if is_line {
            text.push_str(if depth == 0 { "\n" } else { "\n  " });
        } else if first.is_some_and(|first| is_spaced(second, first, printed, depth)) {
            text.push(' ');
        }
        text.push_str(printed.text());
        if token.is_symbol("(") {
            depth += 1;
        }
        before = [first, Some(printed)];
    }
    text
}

fn is_spaced(
    second: Option<&Printed<'_>>,
    first: &Printed<'_>,
    printed: &Printed<'_>,
    depth: usize,
) -> bool {
    let is_number = |printed: &Printed<'_>| printed.token.kind == Kind::Number;
    if first.token.is_any_symbol(&["(", "."]) || printed.token.is_any_symbol(&[")", ",", ".", ";"])
    {
        return false;
    }
    if first.token.is_symbol(",") {
        // The type DECIMAL(10,2) is a text that programs read.
        return !(second.is_some_and(is_number) && is_number(printed));
    }
    if printed.token.is_symbol("(") && (depth == 0 || first.name.is_some()) {
        return true;
    }
    let is_word =
        |printed: &Printed<'_>| matches!(printed.token.kind, Kind::Word | Kind::QuotedName);
    printed.is_apart || (is_word(first) && is_word(printed))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn assert_normal(object: Object, name: &str, sql: &str, expected: &str) {
        let relations = ["parent", "Child", "delete"];
        assert_eq!(normalise(object, name, sql, &relations), expected);
        assert_eq!(normalise(object, name, expected, &relations), expected, "again");
    }

    #[test]
    fn a_table_gets_a_line_for_each_column_and_constraint() {
        assert_normal(
            Object::Table,
            "Child",
            "CREATE TABLE child(id INTEGER  PRIMARY KEY, -- the id\n\tp INT REFERENCES PARENT(id)ON \
             DELETE CASCADE ,amount DECIMAL( 10, 2 ) DEFAULT (abs( -1 )), [odd \"name\"]TEXT, \
             CHECK (p IN (1,'a, (b')) ) STRICT",
            "CREATE TABLE \"Child\" (\n  id INTEGER PRIMARY KEY,\n  p INT REFERENCES \"parent\" \
             (id)ON DELETE CASCADE,\n  amount DECIMAL(10,2) DEFAULT (abs(-1)),\n  [odd \"name\"] \
             TEXT,\n  CHECK (p IN (1, 'a, (b'))\n) STRICT",
        );
    }

    #[test]
    fn a_renamed_table_looks_like_one_that_was_always_called_so() {
        let written = "CREATE TABLE parent (id INT, x INT REFERENCES Child)";
        let renamed = "CREATE TABLE \"parent\" (id INT, x INT REFERENCES \"Child\")";
        let normal = |sql| normalise(Object::Table, "parent", sql, &["parent", "Child"]);
        assert_eq!(normal(written), normal(renamed));
        let index = |sql| normalise(Object::Index, "i", sql, &["parent"]);
        assert_eq!(
            index("CREATE INDEX i ON parent(a, b DESC)"),
            index("CREATE INDEX i ON \"parent\" (a,b DESC)")
        );
        assert_eq!(index("CREATE INDEX i ON parent(a)"), "CREATE INDEX \"i\" ON \"parent\" (a)");
    }

    #[test]
    fn keywords_are_not_taken_for_tables_that_are_called_so() {
        assert_normal(
            Object::Table,
            "t",
            "CREATE TABLE \"t\" (a INT REFERENCES \"delete\" ON DELETE CASCADE)",
            "CREATE TABLE \"t\" (\n  a INT REFERENCES \"delete\" ON DELETE CASCADE\n)",
        );
    }

    #[test]
    fn triggers_and_views_stay_as_they_were_written() {
        assert_normal(
            Object::Trigger,
            "tr",
            "CREATE TRIGGER tr AFTER INSERT ON child\r\nBEGIN -- why\r\n  UPDATE parent SET x = \
             'child\r\n' WHERE parent.id = NEW.p; END ",
            "CREATE TRIGGER \"tr\" AFTER INSERT ON \"Child\"\nBEGIN -- why\n  UPDATE \"parent\" SET \
             x = 'child\r\n' WHERE \"parent\".id = NEW.p; END",
        );
        assert_normal(
            Object::View,
            "v",
            "CREATE VIEW v AS\n  SELECT  id FROM child",
            "CREATE VIEW \"v\" AS\n  SELECT  id FROM \"Child\"",
        );
        assert_normal(
            Object::Table,
            "f",
            "CREATE VIRTUAL TABLE f USING fts5(a,  content='child', b)",
            "CREATE VIRTUAL TABLE \"f\" USING fts5(a,  content='child', b)",
        );
    }
}
