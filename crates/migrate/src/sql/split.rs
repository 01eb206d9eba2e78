//! A text as statements, told apart as the servers' own clients do it.
//!
//! The bodies of procedures, triggers and events contain the delimiter. With `DELIMITER` (a word of
//! MySQL's client, not of its server) that is no matter; without it their blocks are followed.

use super::lexer::{Kind, Lexer, Token};
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

/// Something begins in a text and does not end.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a {what} begins here and does not end")]
pub(crate) struct SplitError {
    /// Where it begins, from 1.
    pub(crate) line: usize,
    what: &'static str,
}

/// The statements of a text, in order.
pub(crate) fn split(dialect: Dialect, text: &str) -> Result<Vec<Statement<'_>>, SplitError> {
    let mut statements: Vec<Statement<'_>> = Vec::new();
    let mut lexer = Lexer::new(dialect, text);
    let mut lines = Lines::new(text);
    let mut current: Option<Open<'_>> = None;
    let mut comments = Vec::new();
    loop {
        let ends = current.as_ref().is_none_or(|open| open.blocks.is_over())
            && !lexer.rest().is_empty()
            && lexer.executable().is_none()
            && lexer.rest().starts_with(lexer.delimiter());
        if ends {
            if let Some(open) = current.take() {
                statements.push(open.close(text, statements.len() + 1, &mut comments));
            }
            lexer.advance(lexer.delimiter().len());
            continue;
        }
        let Some(token) = lexer.next() else { break };
        match token.kind {
            Kind::Unterminated(what) => {
                return Err(SplitError { line: lines.line_of(token.start), what });
            }
            Kind::Comment if current.is_none() => comments.push(token.text),
            kind if !kind.is_significant() => {}
            _ => {
                if current.is_none() && dialect == Dialect::MySql && is(token, "delimiter") {
                    change_delimiter(&mut lexer);
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
        return Err(SplitError { line, what: "comment" });
    }
    if let Some(open) = current {
        statements.push(open.close(text, statements.len() + 1, &mut comments));
    }
    Ok(statements)
}

/// Takes the rest of the line for the new delimiter.
fn change_delimiter(lexer: &mut Lexer<'_>) {
    let rest = lexer.rest();
    let line = rest.lines().next().unwrap_or_default();
    lexer.advance(line.len());
    if let Some(delimiter) = line.split_whitespace().next() {
        // As the client has it: in quotes or not.
        lexer.set_delimiter(delimiter.trim_matches(['\'', '"', '`']));
    }
}

fn is(token: Token<'_>, word: &str) -> bool {
    token.kind == Kind::Word && token.text.eq_ignore_ascii_case(word)
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

/// Follows the blocks of a body.
#[derive(Default)]
struct Blocks<'a> {
    open: Vec<Block>,
    /// Whether this statement has a body at all.
    compound: Compound,
    previous: Option<Token<'a>>,
    /// Whether the last token was an END, which may be followed by the name of what ends.
    ended: bool,
    /// Whether the condition of an UNTIL is being read, which an END follows.
    until: bool,
    /// Whether the last token was an IF that may turn out to be an `IF EXISTS`.
    pending_if: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Block {
    /// Ended by an END in the place of a statement.
    Statements,
    /// `CASE` as a value, ended by the next END.
    Value,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Compound {
    /// Nothing seen yet.
    #[default]
    Unknown,
    /// It began with CREATE: what it creates is still to come, within so many tokens.
    Create(u8),
    /// Statements in it may contain the delimiter.
    Yes,
    No,
}

/// Tokens among which `CREATE … DEFINER = name@host … PROCEDURE` tells what is created.
const HEAD: u8 = 24;

impl<'a> Blocks<'a> {
    /// Whether the delimiter would end the statement.
    fn is_over(&self) -> bool {
        self.open.is_empty()
    }

    fn see(&mut self, token: Token<'a>) {
        if matches!(token.kind, Kind::ExecutableOpen | Kind::ExecutableClose) {
            return;
        }
        self.compound = match self.compound {
            Compound::Unknown if is(token, "create") => Compound::Create(HEAD),
            // MariaDB's block outside of a routine: BEGIN NOT ATOMIC.
            Compound::Unknown if is(token, "begin") => Compound::Create(1),
            Compound::Create(1) if is(token, "not") => {
                self.open.push(Block::Statements);
                Compound::Yes
            }
            Compound::Unknown | Compound::Create(0 | 1) => Compound::No,
            Compound::Create(_)
                if ["procedure", "function", "trigger", "event", "package"]
                    .iter()
                    .any(|word| is(token, word)) =>
            {
                Compound::Yes
            }
            Compound::Create(_)
                if ["table", "index", "view", "database", "user"]
                    .iter()
                    .any(|word| is(token, word)) =>
            {
                Compound::No
            }
            Compound::Create(left) => Compound::Create(left - 1),
            known => known,
        };
        if self.compound == Compound::Yes {
            self.follow(token);
        }
        self.previous = Some(token);
    }

    fn follow(&mut self, token: Token<'a>) {
        let ended = std::mem::take(&mut self.ended);
        if std::mem::take(&mut self.pending_if) && !is(token, "exists") && !is(token, "not") {
            self.open.push(Block::Statements);
        }
        if token.kind != Kind::Word || self.previous.is_some_and(|previous| previous.text == ".") {
            return;
        }
        let word = token.text.to_ascii_lowercase();
        let first = self.begins_statement();
        match word.as_str() {
            // The IF of END IF and its like.
            "if" | "case" | "loop" | "repeat" | "while" | "for" if ended => {}
            "begin" | "case" | "loop" | "while" | "repeat" if first => {
                self.open.push(Block::Statements);
            }
            "case" => self.open.push(Block::Value),
            "if" if first => self.pending_if = true,
            "until" if first => self.until = true,
            "end" => match self.open.last() {
                Some(Block::Value) => {
                    self.open.pop();
                }
                Some(Block::Statements) if first || self.until => {
                    self.until = false;
                    self.open.pop();
                    self.ended = true;
                }
                _ => {}
            },
            _ => {}
        }
    }

    /// Whether a statement of the body may begin here.
    fn begins_statement(&self) -> bool {
        let Some(previous) = self.previous else { return true };
        if self.open.is_empty() {
            // The body of a routine follows its head without a word between them.
            return true;
        }
        match previous.kind {
            Kind::Symbol => matches!(previous.text, ";" | ":"),
            Kind::Word => ["begin", "then", "else", "do", "loop", "repeat", "atomic"]
                .iter()
                .any(|word| previous.text.eq_ignore_ascii_case(word)),
            _ => false,
        }
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
        for (delimiter, word) in
            [("//", "DELIMITER"), ("$$", "delimiter"), (";;", "Delimiter"), ("'//'", "DELIMITER")]
        {
            let set = delimiter;
            let delimiter = delimiter.trim_matches('\'');
            let text = format!(
                "SELECT 1;\n{word} {set}\nCREATE PROCEDURE p() BEGIN SELECT 1; SELECT 2; \
                 END{delimiter}\nSELECT 3{delimiter}\n{word} ;\nSELECT 4;"
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
    fn bodies_need_no_delimiter() {
        let bodies = [
            "CREATE PROCEDURE p() BEGIN SELECT 1; SELECT 2; END",
            "CREATE DEFINER=`root`@`localhost` PROCEDURE p() BEGIN END",
            "CREATE TRIGGER t BEFORE INSERT ON a FOR EACH ROW SET NEW.x = 1",
            "CREATE TRIGGER t BEFORE INSERT ON a FOR EACH ROW IF NEW.x > 1 THEN SET NEW.x = 1; END IF",
            "CREATE TRIGGER IF NOT EXISTS t BEFORE INSERT ON a FOR EACH ROW BEGIN SET @a = 1; END",
            "CREATE PROCEDURE p() a: BEGIN l: LOOP LEAVE l; END LOOP l; END a",
            "CREATE PROCEDURE p() BEGIN IF x THEN SELECT 1; ELSEIF y THEN SELECT IF(a, 1, 2); ELSE \
             SELECT 3; END IF; WHILE x DO SET x = 0; END WHILE; REPEAT SET x = REPEAT('a', 3); UNTIL \
             x END REPEAT; END",
            "CREATE PROCEDURE p() BEGIN CASE x WHEN 1 THEN SELECT 1; ELSE BEGIN END; END CASE; END",
            "CREATE FUNCTION f() RETURNS INT DETERMINISTIC BEGIN RETURN CASE WHEN 1 THEN 2 ELSE 3 \
             END; END",
            "CREATE EVENT e ON SCHEDULE EVERY 1 DAY DO BEGIN DELETE FROM a; DELETE FROM b; END",
            "CREATE PROCEDURE p() BEGIN SELECT t.end, t.begin FROM t; END",
            "CREATE PROCEDURE p() BEGIN DROP TABLE IF EXISTS t; SELECT 1; END",
        ];
        for body in bodies {
            let text = format!("{body};\nSELECT 'after';\n");
            assert_eq!(texts(Dialect::MySql, &text), [body, "SELECT 'after'"]);
        }
        let trigger = "CREATE TEMP TRIGGER t AFTER INSERT ON a BEGIN UPDATE a SET x = CASE WHEN x > \
                       1 THEN 1 ELSE 2 END; DELETE FROM b; END";
        let text = format!("{trigger}; SELECT 1;");
        assert_eq!(texts(Dialect::Sqlite, &text), [trigger, "SELECT 1"]);
    }

    #[test]
    fn blocks_of_other_statements_hold_nothing_together() {
        for text in [
            "BEGIN; INSERT INTO a VALUES (1); COMMIT",
            "XA BEGIN 'x'; SELECT 1; XA END 'x'",
            "SELECT CASE WHEN 1 THEN 2 END; SELECT 2; SELECT 3",
            "CREATE TABLE begin (event INT); SELECT 1; SELECT 2",
        ] {
            assert_eq!(texts(Dialect::MySql, text).len(), 3, "{text}");
        }
        let block = "BEGIN NOT ATOMIC SELECT 1; SELECT 2; END";
        assert_eq!(texts(Dialect::MySql, &format!("{block}; SELECT 3")), [block, "SELECT 3"]);
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
