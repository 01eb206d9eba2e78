//! What a file says to the runner, in comments: `-- migrate: …`.

use super::split::Statement;

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
    /// The line of the statement below it, from 1.
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

/// Reads what stands in the comments between the statements of a file.
pub(crate) fn directives(statements: &[Statement<'_>]) -> Result<Directives, DirectiveError> {
    let mut directives = Directives::default();
    for statement in statements {
        for line in statement.comments.iter().flat_map(|comment| comment.lines()) {
            let Some(text) = addressed(line) else { continue };
            read(&mut directives, statement, text)
                .map_err(|message| DirectiveError { line: statement.line, message })?;
        }
    }
    Ok(directives)
}

/// What follows `-- migrate:` on a line. The marks of a file for both ways are not for us.
fn addressed(line: &str) -> Option<&str> {
    let text = line.trim_start().strip_prefix("--")?.trim_start().strip_prefix("migrate:")?.trim();
    let mark = text.split_whitespace().next().is_some_and(|word| matches!(word, "up" | "down"));
    (!mark).then_some(text)
}

fn read(directives: &mut Directives, statement: &Statement<'_>, text: &str) -> Result<(), String> {
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
    use crate::Dialect;
    use crate::sql::split::split;

    fn read(text: &str) -> Result<Directives, DirectiveError> {
        directives(&split(Dialect::MySql, text).unwrap())
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
            assert_eq!(error.line, 3);
        }
        assert_eq!(read("-- migrate:up\nSELECT 1;"), Ok(Directives::default()));
        assert_eq!(read("-- we migrate: soon\nSELECT 1;"), Ok(Directives::default()));
    }
}
