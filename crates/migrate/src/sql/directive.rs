//! What a file says to the runner, in comments: `-- migrate: …`.

use super::lexer::{Kind, Lexer, Token};
use super::split::{Lines, Statement};
use crate::Dialect;

/// What the comments of a file say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Directives {
    /// `min-version V`: only releases that carry V or a newer one may run on the schema after it.
    pub(crate) min_version: Option<i64>,
    allowed: Vec<Allowed>,
}

/// `allow=WHAT reason="…"` above a statement, or `allow-file=WHAT reason="…"` above any.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Allowed {
    /// The statement below it, from 1.
    pub(crate) statement: usize,
    /// The line of that statement, from 1.
    pub(crate) line: usize,
    pub(crate) what: String,
    pub(crate) reason: String,
    /// Whether it holds for the whole file.
    pub(crate) in_file: bool,
}

/// A comment that is meant for the runner and can't be understood. Ignoring it could do harm.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub(crate) struct DirectiveError {
    /// The line of the comment, from 1.
    pub(crate) line: usize,
    message: String,
}

impl Directives {
    /// Why something is allowed for a statement, if it is.
    pub(crate) fn reason(&self, statement: usize, what: &str) -> Option<&str> {
        self.allowed
            .iter()
            .find(|allowed| {
                (allowed.in_file || allowed.statement == statement) && allowed.what == what
            })
            .map(|allowed| allowed.reason.as_str())
    }

    /// All that is allowed, in order.
    pub(crate) fn allowed(&self) -> &[Allowed] {
        &self.allowed
    }
}

/// Reads what the comments of a file say. `statements` are those of the text.
pub(crate) fn directives(
    dialect: Dialect,
    text: &str,
    statements: &[Statement<'_>],
) -> Result<Directives, DirectiveError> {
    let mut directives = Directives::default();
    let mut lines = Lines::new(text);
    for comment in Lexer::new(dialect, text).filter(|token| token.kind == Kind::Comment) {
        let Some(said) = addressed(comment.text) else { continue };
        let line = lines.line_of(comment.start);
        let place = Place::of(text, comment, statements);
        read(&mut directives, &place, said).map_err(|message| DirectiveError { line, message })?;
    }
    Ok(directives)
}

/// Where a comment stands.
struct Place<'s> {
    /// The statement below it.
    below: Option<&'s Statement<'s>>,
    /// Whether something else stands on its line before it, or a statement around it.
    shared: bool,
}

impl<'s> Place<'s> {
    fn of(text: &str, comment: Token<'_>, statements: &'s [Statement<'s>]) -> Self {
        let end = |statement: &Statement<'_>| statement.start + statement.text.len();
        let inside = statements
            .iter()
            .any(|statement| statement.start < comment.start && comment.start < end(statement));
        let before = text.get(..comment.start).unwrap_or_default();
        let line = before.rsplit('\n').next().unwrap_or_default();
        Self {
            below: statements.iter().find(|statement| statement.start > comment.start),
            shared: inside || !line.trim_start_matches('\u{feff}').trim().is_empty(),
        }
    }
}

/// What a comment says that is meant for the runner, or looks as if it were: `-- migrate: …` in
/// any spelling. The marks of a file for both ways are read elsewhere.
fn addressed(comment: &str) -> Option<&str> {
    let text = comment.trim_start_matches(['-', '#', '/', '*']).trim_end_matches(['*', '/']).trim();
    let (word, said) = text.split_at_checked("migrate".len())?;
    if !word.eq_ignore_ascii_case("migrate") {
        return None;
    }
    let (colon, said) = match said.trim_start().strip_prefix(':') {
        Some(said) => (true, said.trim()),
        None => (false, said.trim()),
    };
    let first = said.split(|char: char| !char.is_ascii_alphanumeric() && char != '-').next()?;
    let known =
        ["allow", "allow-file", "min-version"].iter().any(|k| first.eq_ignore_ascii_case(k));
    let mark = matches!(first, "up" | "down");
    ((colon && !mark) || known).then_some(text)
}

fn read(directives: &mut Directives, place: &Place<'_>, comment: &str) -> Result<(), String> {
    if place.shared {
        return Err(format!("{comment:?} must stand on a line of its own, above its statement"));
    }
    let text = comment.strip_prefix("migrate:").unwrap_or(comment).trim();
    if let Some(version) = text.strip_prefix("min-version ") {
        let version = version.trim().parse().map_err(|_| {
            format!("{version:?} is no version: write -- migrate: min-version 20260101000000")
        })?;
        directives.min_version = Some(version);
        return Ok(());
    }
    let in_file = text.strip_prefix("allow-file=");
    let Some(rest) = in_file.or_else(|| text.strip_prefix("allow=")) else {
        return Err(format!(
            "{text:?} is not understood after `-- migrate:` (known: allow=… reason=\"…\", \
             allow-file=… reason=\"…\", min-version …)"
        ));
    };
    let in_file = in_file.is_some();
    let (what, rest) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
    let reason = rest.trim().strip_prefix("reason=\"").and_then(|rest| rest.strip_suffix('"'));
    let Some(statement) = place.below else {
        return Err(format!("allow={what} stands above no statement"));
    };
    match reason.map(str::trim).filter(|reason| !reason.is_empty()) {
        Some(reason) => {
            directives.allowed.extend(what.split(',').map(|what| Allowed {
                statement: statement.number,
                line: statement.line,
                what: what.to_owned(),
                reason: reason.to_owned(),
                in_file,
            }));
            Ok(())
        }
        None => Err(format!("allow={what} needs its reason: allow={what} reason=\"…\"")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sql::split::split;

    fn read(text: &str) -> Result<Directives, DirectiveError> {
        directives(Dialect::MySql, text, &split(Dialect::MySql, text).unwrap())
    }

    #[test]
    fn what_is_allowed_holds_for_the_next_statement() {
        let found = read(
            "-- migrate: min-version 7\nSELECT 1;\n-- Rows are few.\n\
             -- migrate: allow=copy reason=\"a few rows\"\nALTER TABLE a ADD x INT;\nSELECT 3;",
        )
        .unwrap();
        assert_eq!(found.min_version, Some(7));
        let reasons = [1, 2, 3].map(|statement| found.reason(statement, "copy"));
        assert_eq!(reasons, [None, Some("a few rows"), None]);
        assert_eq!(found.reason(2, "other"), None);
    }

    #[test]
    fn several_things_can_be_allowed_at_once_and_for_a_whole_file() {
        let found = read(
            "-- migrate: allow=copy,BC05 reason=\"few\"\nSELECT 1;\n\
             -- migrate: allow-file=AT02 reason=\"x\"\nSELECT 2;",
        )
        .unwrap();
        assert_eq!((found.reason(1, "copy"), found.reason(1, "BC05")), (Some("few"), Some("few")));
        assert_eq!((found.reason(1, "AT02"), found.reason(2, "BC05")), (Some("x"), None));
        assert_eq!(found.allowed().len(), 3);
    }

    #[test]
    fn what_is_not_understood_is_refused_with_its_line() {
        for (directive, part) in [
            ("allow=copy", "needs its reason"),
            ("allow=copy reason=\" \"", "needs its reason"),
            ("alow=copy reason=\"x\"", "not understood"),
            ("min-version soon", "no version"),
        ] {
            let error =
                read(&format!("SELECT 1;\n-- migrate: {directive}\nSELECT 2;")).unwrap_err();
            assert!(error.message.contains(part), "{directive}: {error}");
            assert_eq!(error.line, 2);
        }
        assert_eq!(read("-- migrate:up\nSELECT 1;"), Ok(Directives::default()));
        assert_eq!(read("-- we migrate: soon\nSELECT 1;"), Ok(Directives::default()));
    }
    #[test]
    fn a_directive_is_never_passed_over_for_where_it_stands_or_how_it_is_written() {
        assert_eq!(read("SELECT 1;\n-- migrate: min-version 5\n").unwrap().min_version, Some(5));
        assert_eq!(read("/* migrate: min-version 5 */\nSELECT 1").unwrap().min_version, Some(5));
        assert_eq!(read("# migrate: min-version 5\nSELECT 1").unwrap().min_version, Some(5));
        for (text, part) in [
            ("SELECT 1; -- migrate: allow=BC02 reason=\"x\"\nSELECT 2", "line of its own"),
            ("SELECT\n-- migrate: min-version 5\n1;", "line of its own"),
            ("SELECT 1;\n-- migrate: allow=BC02 reason=\"x\"\n", "above no statement"),
            ("-- MIGRATE: min-version 5\nSELECT 1", "not understood"),
            ("-- migrate min-version 5\nSELECT 1", "not understood"),
            ("-- migrate allow=BC02 reason=\"x\"\nSELECT 1", "not understood"),
        ] {
            let error = read(text).unwrap_err();
            assert!(error.message.contains(part), "{text}: {error}");
        }
        assert_eq!(read("-- migrate the rest later\nSELECT 1;"), Ok(Directives::default()));
    }
}
