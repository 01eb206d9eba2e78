//! Where the body of a procedure, trigger or event ends, so that the delimiters in it end nothing.
//!
//! Words such as IF, CASE and REPEAT are statements, functions or values, depending on where they
//! stand. So the head is read up to its body, and in the body it is known whether a statement may
//! begin. (MySQL manual, "Compound Statement Syntax"; `MariaDB`, "Programmatic & Compound
//! Statements"; <https://www.sqlite.org/lang_createtrigger.html>.)

use super::lexer::{Kind, Token};

/// Follows one statement, token by token.
#[derive(Default)]
pub(super) struct Blocks<'a> {
    part: Part,
    open: Vec<Block>,
    previous: Option<Token<'a>>,
    /// Parentheses that are open in a head.
    depth: usize,
    /// Whether a statement of a body may begin with the next token.
    at_start: bool,
    /// Whether the last token was an END, which may be followed by the word for what ends.
    ended: bool,
    /// Whether the conditions of a handler are being read, which its statement follows.
    handler: bool,
}

/// Which part of a statement is being read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Part {
    /// Nothing seen yet.
    #[default]
    Start,
    /// It began with BEGIN: alone it begins a transaction, and BEGIN NOT ATOMIC a block.
    Begin,
    /// It began with CREATE: what it creates is still to come, within so many tokens.
    Create(u8),
    Head(Head),
    /// Of one block.
    Body,
    /// What follows holds no block.
    Plain,
}

/// What stands in front of a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Head {
    /// Name and parameters come first.
    Routine {
        parameters: bool,
    },
    Trigger,
    /// Behind `FOR EACH ROW`.
    Row,
    Event,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Block {
    /// BEGIN or LOOP, ended by an END in the place of a statement.
    Statements,
    /// IF or CASE, whose statements begin behind THEN and ELSE.
    Branches,
    /// WHILE or FOR, whose statements begin behind DO.
    UntilDo,
    /// REPEAT, behind whose UNTIL there is a condition and then END.
    Repeat,
    /// Behind that UNTIL.
    Condition,
    /// `CASE` as a value, ended by the next END.
    Value,
}

/// Tokens among which `CREATE … DEFINER = name@host … PROCEDURE` tells what is created.
const HEAD: u8 = 24;

/// Words with which a statement without blocks begins. Only those matter in which a word that also
/// begins a block may follow.
const PLAIN: [&str; 34] = [
    "alter", "analyze", "call", "change", "create", "delete", "do", "drop", "execute", "explain",
    "flush", "get", "grant", "insert", "kill", "load", "lock", "optimize", "rename", "replace",
    "reset", "resignal", "return", "revoke", "select", "set", "show", "signal", "start", "table",
    "truncate", "update", "values", "with",
];

impl<'a> Blocks<'a> {
    /// Whether the delimiter would end the statement.
    pub(super) fn is_over(&self) -> bool {
        self.open.is_empty()
    }

    pub(super) fn see(&mut self, token: Token<'a>) {
        if !token.says_something() {
            return;
        }
        match self.part {
            Part::Start if token.is_word("create") => self.part = Part::Create(HEAD),
            Part::Start if token.is_word("begin") => self.part = Part::Begin,
            Part::Begin if token.is_word("not") => self.enter(Block::Statements),
            Part::Create(left) => self.part = created(token, left),
            Part::Head(head) => self.head(head, token),
            Part::Body => self.body(token),
            Part::Start | Part::Begin | Part::Plain => self.part = Part::Plain,
        }
        self.previous = Some(token);
    }

    /// Goes on to where the body begins.
    fn head(&mut self, head: Head, token: Token<'a>) {
        match token.text {
            "(" => self.depth += 1,
            ")" => self.depth = self.depth.saturating_sub(1),
            _ => {}
        }
        if self.depth > 0 {
            return;
        }
        match head {
            Head::Routine { parameters: false } if token.text == ")" => {
                self.part = Part::Head(Head::Routine { parameters: true });
            }
            // MariaDB's other dialect has no parentheses where there are no parameters.
            Head::Routine { parameters: false } if self.follows(&["as", "is"]) => {
                self.body_begins(token);
            }
            Head::Routine { parameters: true } => self.routine(token),
            Head::Trigger if token.is_word("row") && self.follows(&["each"]) => {
                self.part = Part::Head(Head::Row);
            }
            // SQLite needs no FOR EACH ROW. What is called BEGIN itself comes after these.
            Head::Trigger if token.is_word("begin") && !self.is_name() => self.body_begins(token),
            Head::Row if token.is_word("when") => self.part = Part::Head(Head::Trigger),
            Head::Row
                if token.is_any_word(&["follows", "precedes"])
                    || self.follows(&["follows", "precedes"]) => {}
            Head::Row => self.body_begins(token),
            Head::Event if token.is_word("do") && !self.is_name() => {
                self.at_start = true;
                self.part = Part::Body;
            }
            _ => {}
        }
    }

    /// Past what is said of a routine and of its type to its body.
    fn routine(&mut self, token: Token<'a>) {
        // A type or a character set; the type SET has parentheses.
        let of_type = token.is_word("set") && self.follows(&["returns", "character", "char"]);
        if !of_type && (block(token).is_some() || token.is_any_word(&PLAIN)) {
            self.body_begins(token);
        }
    }

    fn body_begins(&mut self, token: Token<'a>) {
        self.at_start = true;
        self.part = Part::Body;
        self.body(token);
    }

    fn body(&mut self, token: Token<'a>) {
        let at_start = std::mem::take(&mut self.at_start);
        let ended = std::mem::take(&mut self.ended);
        if token.kind == Kind::Symbol {
            let is_value = self.open.last() == Some(&Block::Value);
            // Behind a label, too; the = of := comes in between elsewhere.
            self.at_start = !is_value && matches!(token.text, ";" | ":");
            self.handler &= token.text != ";";
            return;
        }
        if token.kind != Kind::Word || self.previous.is_some_and(|previous| previous.text == ".") {
            return;
        }
        let of_handler = self.handler && !self.follows(&["handler"]);
        match (block(token), self.open.last()) {
            // The IF of END IF and its like.
            (Some(_), _) if ended => {}
            (Some(block), _) if at_start || of_handler => self.enter(block),
            _ if token.is_word("case") => self.open.push(Block::Value),
            _ if token.is_word("handler") => self.handler = true,
            _ if of_handler && token.is_any_word(&PLAIN) => self.handler = false,
            // The only statement of the body.
            (_, None) if at_start && token.is_any_word(&PLAIN) => self.part = Part::Plain,
            (_, Some(Block::UntilDo)) if token.is_word("do") => {
                self.replace(Block::Statements);
                self.at_start = true;
            }
            (_, Some(Block::Repeat)) if at_start && token.is_word("until") => {
                self.replace(Block::Condition);
            }
            (_, Some(Block::Branches)) if token.is_any_word(&["then", "else"]) => {
                self.at_start = true;
            }
            (_, Some(Block::Statements)) if token.is_word("atomic") && self.follows(&["not"]) => {
                self.at_start = true;
            }
            (_, Some(Block::Value | Block::Condition)) if token.is_word("end") => self.leave(),
            (_, Some(_)) if at_start && token.is_word("end") => self.leave(),
            _ => {}
        }
    }

    fn enter(&mut self, block: Block) {
        self.part = Part::Body;
        self.handler = false;
        // The others have a condition first.
        self.at_start = matches!(block, Block::Statements | Block::Repeat);
        self.open.push(block);
    }

    fn replace(&mut self, block: Block) {
        self.open.pop();
        self.open.push(block);
    }

    fn leave(&mut self) {
        self.ended = self.open.pop() != Some(Block::Value);
    }

    fn follows(&self, words: &[&str]) -> bool {
        self.previous.is_some_and(|previous| previous.is_any_word(words))
    }

    /// Whether what follows is the name of what is created, or of its table.
    fn is_name(&self) -> bool {
        self.follows(&["trigger", "event", "exists", "on"])
            || self.previous.is_some_and(|previous| previous.text == ".")
    }
}

/// What a token tells that stands so many tokens in front of the end of the search.
fn created(token: Token<'_>, left: u8) -> Part {
    let head = match token.text.to_ascii_lowercase().as_str() {
        _ if token.kind != Kind::Word => None,
        "procedure" | "function" => Some(Head::Routine { parameters: false }),
        "trigger" => Some(Head::Trigger),
        "event" => Some(Head::Event),
        "table" | "index" | "view" | "database" | "user" => return Part::Plain,
        _ => None,
    };
    match (head, left) {
        (Some(head), _) => Part::Head(head),
        (None, 0) => Part::Plain,
        (None, left) => Part::Create(left - 1),
    }
}

/// The block that a word begins in the place of a statement.
fn block(token: Token<'_>) -> Option<Block> {
    if token.kind != Kind::Word {
        return None;
    }
    Some(match token.text.to_ascii_lowercase().as_str() {
        "begin" | "loop" => Block::Statements,
        "if" | "case" => Block::Branches,
        "while" | "for" => Block::UntilDo,
        "repeat" => Block::Repeat,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use crate::Dialect;
    use crate::sql::split::split;

    fn texts(dialect: Dialect, text: &str) -> Vec<String> {
        split(dialect, text).unwrap().iter().map(|found| found.text.to_owned()).collect()
    }

    /// Another statement behind it is one of its own.
    fn is_one(dialect: Dialect, statement: &str) {
        let text = format!("{statement};\nSELECT 'after';\n");
        assert_eq!(texts(dialect, &text), [statement, "SELECT 'after'"]);
    }

    #[test]
    fn bodies_need_no_delimiter() {
        for body in [
            "CREATE PROCEDURE p() BEGIN SELECT 1; SELECT 2; END",
            "CREATE DEFINER=`root`@`localhost` PROCEDURE p() BEGIN END",
            "CREATE PROCEDURE IF NOT EXISTS p() BEGIN SELECT 1; END",
            "CREATE PROCEDURE begin() BEGIN SELECT t.end, t.begin FROM t; END",
            "CREATE PROCEDURE p AS BEGIN SELECT 1; END",
            "CREATE FUNCTION f(a ENUM('if')) RETURNS SET('a') CHARACTER SET utf8mb4 NOT DETERMINISTIC \
             READS SQL DATA COMMENT 'x' BEGIN RETURN CASE WHEN 1 THEN 2 ELSE 3 END; END",
            "CREATE TRIGGER IF NOT EXISTS t BEFORE INSERT ON a FOR EACH ROW BEGIN SET @a = 1; END",
            "CREATE TRIGGER t BEFORE INSERT ON a FOR EACH ROW FOLLOWS u IF NEW.x > 1 THEN SET NEW.x = 1; \
             END IF",
            "CREATE TRIGGER begin AFTER UPDATE ON begin FOR EACH ROW BEGIN SET @a = 1; END",
            "CREATE EVENT e ON SCHEDULE EVERY 1 DAY DO BEGIN DELETE FROM a; DELETE FROM b; END",
            "BEGIN NOT ATOMIC SELECT 1; SELECT 2; END",
        ] {
            is_one(Dialect::MySql, body);
        }
    }

    #[test]
    fn a_body_of_one_statement_ends_with_it() {
        for body in [
            "CREATE PROCEDURE p() SELECT IF(a, 1, 2), begin FROM t",
            "CREATE FUNCTION f() RETURNS INT RETURN CASE WHEN 1 THEN 2 END",
            "CREATE FUNCTION f() RETURNS TEXT RETURN REPEAT('a', 3)",
            "CREATE TRIGGER t BEFORE INSERT ON a FOR EACH ROW SET NEW.x = 1",
            "CREATE TRIGGER t BEFORE INSERT ON a FOR EACH ROW SET NEW.x = CASE WHEN NEW.x > 1 THEN 1 \
             ELSE 2 END",
            "CREATE TRIGGER t BEFORE INSERT ON a FOR EACH ROW INSERT INTO b SELECT IF(1, 2, 3)",
            "CREATE EVENT e ON SCHEDULE EVERY 1 DAY DO INSERT INTO a SELECT CASE x WHEN 1 THEN 2 END \
             FROM b",
            "CREATE PROCEDURE p() DROP TABLE IF EXISTS t",
            "CREATE PROCEDURE p() IF NOT EXISTS (SELECT 1) THEN SELECT 1; END IF",
            "CREATE PROCEDURE p() l: WHILE x DO SELECT 1; END WHILE l",
            "CREATE PROCEDURE p() CASE x WHEN 1 THEN SELECT 1; END CASE",
            "CREATE PROCEDURE p() REPEAT SELECT 1; UNTIL x END REPEAT",
            "CREATE PROCEDURE p() FOR i IN 1..3 DO INSERT INTO a VALUES (i); END FOR",
            "CREATE FUNCTION f RETURNS STRING SONAME 'f.so'",
        ] {
            is_one(Dialect::MySql, body);
        }
    }

    #[test]
    fn blocks_end_where_they_end() {
        for inside in [
            "l: LOOP LEAVE l; END LOOP l",
            "IF x THEN SELECT 1; ELSEIF y THEN SELECT IF(a, 1, 2); ELSE SELECT 3; END IF",
            "IF NOT x THEN SELECT 1; END IF; IF EXISTS (SELECT 1) THEN SELECT 2; END IF",
            "IF (x) THEN BEGIN END; END IF",
            "IF CASE x WHEN 1 THEN 2 END THEN SELECT 1; END IF",
            "WHILE x DO SET x = 0; DO REPEAT('a', 3); END WHILE",
            "REPEAT SET x = REPEAT('a', 3); UNTIL CASE x WHEN 1 THEN 2 END END REPEAT",
            "CASE x WHEN 1 THEN SELECT 1; ELSE BEGIN END; END CASE",
            "CASE CASE x WHEN 1 THEN 2 END WHEN 2 THEN SELECT CASE WHEN 1 THEN CASE 1 WHEN 1 THEN 2 \
             END END; END CASE",
            "FOR i IN (SELECT 1) DO INSERT INTO a VALUES (i.x); END FOR",
            "DROP TABLE IF EXISTS t; CREATE TABLE IF NOT EXISTS t (x INT)",
            "DECLARE EXIT HANDLER FOR SQLEXCEPTION BEGIN ROLLBACK; RESIGNAL; END",
            "DECLARE CONTINUE HANDLER FOR SQLSTATE '23000', 1062, NOT FOUND IF x THEN SET y = 1; END IF",
            "DECLARE CONTINUE HANDLER FOR NOT FOUND SET x = IF(y, 1, 2)",
            "DECLARE c CURSOR FOR SELECT CASE a WHEN 1 THEN 2 END FROM t FOR UPDATE",
            "DECLARE x INT DEFAULT CASE WHEN 1 THEN 2 END",
            "SET x := CASE WHEN 1 THEN 2 END; SELECT t.end, t.begin FROM t",
        ] {
            let body = format!("CREATE PROCEDURE p() a: BEGIN {inside}; SELECT 'last'; END a");
            is_one(Dialect::MySql, &body);
        }
    }

    #[test]
    fn sqlite_s_triggers_are_followed() {
        for trigger in [
            "CREATE TEMP TRIGGER t AFTER INSERT ON a BEGIN UPDATE a SET x = CASE WHEN x > 1 THEN 1 ELSE 2 \
             END; DELETE FROM b; END",
            "CREATE TRIGGER t INSERT ON a BEGIN SELECT 1; SELECT 2; END",
            "CREATE TRIGGER t UPDATE OF x ON a WHEN CASE WHEN 1 THEN 2 END BEGIN SELECT 1; SELECT 2; END",
            "CREATE TEMPORARY TRIGGER IF NOT EXISTS main.t INSTEAD OF DELETE ON a FOR EACH ROW WHEN \
             old.x > (SELECT 1) BEGIN DELETE FROM b; INSERT INTO a VALUES (CASE 1 WHEN 2 THEN 3 END); END",
            "CREATE TRIGGER t AFTER DELETE ON a BEGIN SELECT RAISE(ABORT, 'x;') WHERE EXISTS (SELECT 1); \
             END",
        ] {
            is_one(Dialect::Sqlite, trigger);
        }
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
    }
}
