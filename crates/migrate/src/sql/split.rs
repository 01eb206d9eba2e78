//! A text as statements, told apart as the servers' own clients do it.
//!
//! The bodies of procedures, triggers and events contain the delimiter. With `DELIMITER` (a word of
//! MySQL's client, not of its server) that is no matter; without it their blocks are followed.

use super::blocks::Blocks;
use super::lexer::{Kind, Lexer};
use crate::Dialect;

/// One statement of a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Statement<'a> {
    /// Its place in the text, from 1.
    pub(crate) number: usize,
    /// The line on which it begins, from 1.
    pub(crate) line: usize,
    /// Where it begins, in bytes.
    pub(crate) start: usize,
    /// What is sent to the server: without the delimiter and what surrounds it.
    pub(crate) text: &'a str,
    /// The comments in front of it, in order.
    pub(crate) comments: Vec<&'a str>,
}

/// Why a text can't be taken apart.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{problem}")]
pub(crate) struct SplitError {
    /// Where it begins, from 1.
    pub(crate) line: usize,
    problem: Problem,
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
enum Problem {
    #[error("a {0} begins here and does not end")]
    Unterminated(&'static str),
    #[error(
        "DELIMITER needs to be told what ends a statement from here on, on the same line: write \
         DELIMITER // in front of statements with semicolons in them, and DELIMITER ; behind them"
    )]
    NoDelimiter,
    #[error(
        "a delimiter can't contain a backslash, as in MySQL's client. Take another one, such as //"
    )]
    Backslash,
    #[error(
        "the delimiter {0} stands in the middle of a word here, and MySQL's client would end the \
         statement there. Put white space in front of it if it is to end the statement; else take \
         another delimiter, such as //"
    )]
    WithinWord(String),
}

/// The statements of a text, in order.
pub(crate) fn split(dialect: Dialect, text: &str) -> Result<Vec<Statement<'_>>, SplitError> {
    let mut statements: Vec<Statement<'_>> = Vec::new();
    let mut lexer = Lexer::new(dialect, text);
    let mut lines = Lines::new(text);
    let mut current: Option<Open<'_>> = None;
    let mut comments = Vec::new();
    loop {
        // The client knows nothing of blocks, and with a delimiter of its own nor need we.
        let ends = (lexer.delimiter() != ";"
            || current.as_ref().is_none_or(|open| open.blocks.is_over()))
            && lexer.executable().is_none()
            && lexer.rest().starts_with(lexer.delimiter());
        if ends {
            if is_within_word(text, lexer.position(), lexer.delimiter()) {
                let problem = Problem::WithinWord(lexer.delimiter().to_owned());
                return Err(SplitError { line: lines.line_of(lexer.position()), problem });
            }
            if let Some(open) = current.take() {
                statements.push(open.close(text, statements.len() + 1, &mut comments));
            }
            lexer.advance(lexer.delimiter().len());
            continue;
        }
        let Some(token) = lexer.next() else { break };
        match token.kind {
            Kind::Unterminated(what) => {
                let problem = Problem::Unterminated(what);
                return Err(SplitError { line: lines.line_of(token.start), problem });
            }
            Kind::Comment if current.is_none() => comments.push(token.text),
            kind if !kind.is_significant() => {}
            _ => {
                if current.is_none() && dialect == Dialect::MySql && token.is_word("delimiter") {
                    change_delimiter(&mut lexer).map_err(|problem| SplitError {
                        line: lines.line_of(token.start),
                        problem,
                    })?;
                    continue;
                }
                let open = current.get_or_insert_with(|| Open {
                    start: token.start,
                    line: lines.line_of(token.start),
                    end: token.start,
                    blocks: Blocks::default(),
                });
                open.end = token.start + token.text.len();
                open.blocks.see(token);
            }
        }
    }
    if let Some(start) = lexer.executable() {
        // It may have begun before the last statement whose line was asked for.
        let line = Lines::new(text).line_of(start);
        return Err(SplitError { line, problem: Problem::Unterminated("comment") });
    }
    if let Some(open) = current {
        statements.push(open.close(text, statements.len() + 1, &mut comments));
    }
    Ok(statements)
}

/// Takes the rest of the line for the new delimiter.
fn change_delimiter(lexer: &mut Lexer<'_>) -> Result<(), Problem> {
    let line = lexer.rest().lines().next().unwrap_or_default();
    lexer.advance(line.len());
    let line = line.trim();
    // As the client has it: in quotes, and then also with white space, or not.
    let quoted = line
        .chars()
        .next()
        .filter(|first| matches!(first, '\'' | '"' | '`'))
        .and_then(|quote| line.get(1..)?.split_once(quote));
    let delimiter = match quoted {
        Some((inside, _)) => inside,
        None => line.split_whitespace().next().unwrap_or_default(),
    };
    if delimiter.is_empty() {
        return Err(Problem::NoDelimiter);
    }
    if delimiter.contains('\\') {
        return Err(Problem::Backslash);
    }
    lexer.set_delimiter(delimiter);
    Ok(())
}

/// Whether a delimiter that is a word (`go`) is a part of a longer one (`category`).
fn is_within_word(text: &str, at: usize, delimiter: &str) -> bool {
    let belongs =
        |char: Option<char>| char.is_some_and(|char| char.is_alphanumeric() || char == '_');
    let (before, after) = text.split_at_checked(at).unwrap_or_default();
    let after = after.strip_prefix(delimiter).unwrap_or_default();
    (belongs(before.chars().next_back()) && belongs(delimiter.chars().next()))
        || (belongs(delimiter.chars().next_back()) && belongs(after.chars().next()))
}

/// A statement that has begun.
struct Open<'a> {
    start: usize,
    line: usize,
    end: usize,
    blocks: Blocks<'a>,
}

impl Open<'_> {
    fn close<'t>(self, text: &'t str, number: usize, comments: &mut Vec<&'t str>) -> Statement<'t> {
        Statement {
            number,
            line: self.line,
            start: self.start,
            text: text.get(self.start..self.end).unwrap_or_default(),
            comments: std::mem::take(comments),
        }
    }
}

/// Counts lines as it goes, so that a long text is read once.
pub(crate) struct Lines<'a> {
    text: &'a str,
    at: usize,
    line: usize,
}

impl<'a> Lines<'a> {
    pub(crate) fn new(text: &'a str) -> Self {
        Self { text, at: 0, line: 1 }
    }

    /// The line, from 1, of a place that is not before the last one that was asked for.
    pub(crate) fn line_of(&mut self, position: usize) -> usize {
        let passed = self.text.get(self.at..position).unwrap_or_default();
        self.line += passed.matches('\n').count();
        self.at = position;
        self.line
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(dialect: Dialect, text: &str) -> Vec<String> {
        split(dialect, text).unwrap().iter().map(|found| found.text.to_owned()).collect()
    }

    #[test]
    fn the_delimiter_in_quotes_and_comments_ends_nothing() {
        let text = "SELECT ';', \"a;b\", `a;b`; -- x;\n/* ; */ SELECT 2 # ;\n;; ;\nSELECT 3";
        assert_eq!(
            texts(Dialect::MySql, text),
            ["SELECT ';', \"a;b\", `a;b`", "SELECT 2", "SELECT 3"]
        );
        assert_eq!(texts(Dialect::Sqlite, "SELECT [a;b]; SELECT 2;"), ["SELECT [a;b]", "SELECT 2"]);
        for empty in ["", " \n", ";", "-- only a comment", "/* x */;"] {
            assert!(texts(Dialect::MySql, empty).is_empty(), "{empty}");
        }
    }

    #[test]
    fn numbers_lines_and_comments_are_those_of_the_statement() {
        let text = "-- one\nSELECT\n 1;\r\n\n# two\n/* b */ SELECT 2;\n";
        let found = split(Dialect::MySql, text).unwrap();
        let seen: Vec<_> =
            found.iter().map(|found| (found.number, found.line, found.comments.clone())).collect();
        assert_eq!(seen, [(1, 2, vec!["-- one\n"]), (2, 6, vec!["# two\n", "/* b */"])]);
    }

    #[test]
    fn the_client_s_delimiter_is_understood() {
        for (set, delimiter) in [
            ("DELIMITER //", "//"),
            ("delimiter $$", "$$"),
            ("Delimiter ;;\r", ";;"),
            ("DELIMITER '//' -- as said", "//"),
            ("DELIMITER 'a b'", " a b"),
            ("DELIMITER\t/", "/"),
            ("DELIMITER END_OF", " END_OF"),
            ("DELIMITER go", "\ngo"),
            ("DELIMITER #", "#"),
        ] {
            let text = format!(
                "SELECT 1;\n{set}\nCREATE PROCEDURE p() BEGIN SELECT 1; SELECT 2; \
                 END{delimiter}\nSELECT 3{delimiter}\nDELIMITER ;\nSELECT 4;"
            );
            assert_eq!(
                texts(Dialect::MySql, &text),
                [
                    "SELECT 1",
                    "CREATE PROCEDURE p() BEGIN SELECT 1; SELECT 2; END",
                    "SELECT 3",
                    "SELECT 4"
                ],
                "{text}"
            );
        }
    }

    #[test]
    fn a_delimiter_ends_a_statement_wherever_it_stands() {
        // All of it as MySQL's client does it, odd as it is.
        for (text, expected) in [
            ("DELIMITER /\nSELECT 6/2/", &["SELECT 6", "2"][..]),
            ("DELIMITER /\n/* c */ SELECT 3/", &["* c *", "SELECT 3"]),
            ("DELIMITER --\nSELECT 1 --\nSELECT 2--\n", &["SELECT 1", "SELECT 2"]),
            ("DELIMITER //;\nSELECT 1// SELECT 2//;", &["SELECT 1// SELECT 2"]),
            ("DELIMITER go\nSELECT 2 as a GO\nSELECT 3 go", &["SELECT 2 as a GO\nSELECT 3"]),
            (
                "DELIMITER //\nBEGIN a; CASE b; //\nSELECT 'a//b'//",
                &["BEGIN a; CASE b;", "SELECT 'a//b'"],
            ),
            ("DELIMITER $$\nCREATE FUNCTION f() AS $$ a $$", &["CREATE FUNCTION f() AS", "a"]),
        ] {
            assert_eq!(texts(Dialect::MySql, text), expected, "{text}");
        }
    }

    #[test]
    fn a_delimiter_that_can_be_none_is_refused() {
        for (text, line, part) in [
            ("SELECT 1;\nDELIMITER\nSELECT 2;", 2, "write DELIMITER //"),
            ("\n\nDELIMITER  \r\n//\n", 3, "write DELIMITER //"),
            ("DELIMITER ''", 1, "write DELIMITER //"),
            ("DELIMITER", 1, "write DELIMITER //"),
            ("DELIMITER \\", 1, "backslash"),
            ("DELIMITER go\nDELETE FROM a go\nDELETE FROM cargo\ngo", 3, "middle of a word"),
            ("DELIMITER go\nDELETE FROM a WHERE\n category = 1 go", 3, "middle of a word"),
            ("DELIMITER go\nDELETE FROM goats go", 2, "middle of a word"),
        ] {
            let error = split(Dialect::MySql, text).unwrap_err();
            assert_eq!(error.line, line, "{text}");
            assert!(error.to_string().contains(part), "{text}: {error}");
        }
        assert_eq!(texts(Dialect::Sqlite, "DELIMITER").len(), 1);
    }

    #[test]
    fn a_body_in_dollar_quotes_is_one_text() {
        for body in [
            "CREATE FUNCTION f(a INT) RETURNS INT LANGUAGE JAVASCRIPT AS $$ let x = 'it; // -- # \n \
             if (x) { return `a` } $$",
            "CREATE FUNCTION f(a INT) RETURNS INT LANGUAGE JAVASCRIPT AS $js$ $$ $JS$ '; $js$",
            "CREATE PROCEDURE p() LANGUAGE JAVASCRIPT AS /* ; */ $a$$ return; $$$a$",
            "CREATE LIBRARY l LANGUAGE JAVASCRIPT AS $\u{e4}$ export function f(n) { ; } $\u{e4}$",
            // Names, also where MySQL 9 would see a text.
            "SELECT $a$, $$, a$b$ FROM t",
            "SELECT 1 AS $a",
        ] {
            let text = format!("{body};\nSELECT 'after';\n");
            assert_eq!(texts(Dialect::MySql, &text), [body, "SELECT 'after'"]);
        }
        let error =
            split(Dialect::MySql, "SELECT 1;\nCREATE FUNCTION f() AS $a$;\n$A$").unwrap_err();
        assert_eq!(
            (error.line, error.to_string().as_str()),
            (2, "a body in dollar quotes begins here and does not end")
        );
        assert_eq!(texts(Dialect::Sqlite, "SELECT 1 AS $$; SELECT 2").len(), 2);
        assert_eq!(texts(Dialect::MySql, "SELECT 1 AS; $$; SELECT $$").len(), 3);
    }

    #[test]
    fn executable_comments_belong_to_their_statement() {
        let text = "CREATE TABLE a (x INT /*! AUTO_INCREMENT */) /*! ENGINE=InnoDB */; SELECT 1;";
        assert_eq!(
            texts(Dialect::MySql, text)[0],
            "CREATE TABLE a (x INT /*! AUTO_INCREMENT */) /*! ENGINE=InnoDB */"
        );
        assert_eq!(texts(Dialect::Sqlite, text)[0], "CREATE TABLE a (x INT /*! AUTO_INCREMENT */)");
        let inside = "/*!50003 SELECT 1; SELECT 2 */";
        assert_eq!(texts(Dialect::MySql, &format!("{inside}; SELECT 3")), [inside, "SELECT 3"]);
        let open = split(Dialect::MySql, "SELECT 1;\nSELECT 2 /*! ; SELECT 3;\n").unwrap_err();
        assert_eq!(open.line, 2);
        assert_eq!(texts(Dialect::MySql, "/*!50003 SELECT 1 */;").len(), 1);
        assert_eq!(texts(Dialect::Sqlite, "/*!50003 SELECT 1 */;").len(), 0);
    }

    #[test]
    fn what_does_not_end_is_told_with_its_line() {
        let error = split(Dialect::MySql, "SELECT 1;\nSELECT 'a;\n").unwrap_err();
        assert_eq!(
            (error.line, error.to_string().as_str()),
            (2, "a string begins here and does not end")
        );
    }

    #[test]
    fn a_long_text_takes_no_long_time() {
        let row = "('aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa;'), ";
        let text = format!("INSERT INTO a VALUES {};", row.repeat(2 * 1024 * 1024 / row.len()));
        let many = "SELECT 1;\n".repeat(100_000);
        let begun = std::time::Instant::now();
        assert_eq!(split(Dialect::MySql, &text).unwrap().len(), 1);
        assert_eq!(split(Dialect::MySql, &many).unwrap().len(), 100_000);
        // Quadratic would be minutes.
        assert!(begun.elapsed() < std::time::Duration::from_secs(20), "{:?}", begun.elapsed());
    }
}
