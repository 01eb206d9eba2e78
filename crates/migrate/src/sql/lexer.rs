//! SQL text as tokens, without losing a byte: put together again they are the text.
//!
//! (MySQL manual, "Lexical Structure"; <https://www.sqlite.org/lang_expr.html> and the syntax of
//! its literals and comments.)

use crate::Dialect;

/// A piece of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Token<'a> {
    pub(crate) kind: Kind,
    pub(crate) text: &'a str,
    /// Where it begins, in bytes.
    pub(crate) start: usize,
}

/// What a piece is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Space,
    Comment,
    /// `/*!80000` or `/*M!`: what follows is read by MySQL (or MariaDB only) like any other text.
    ExecutableOpen,
    /// The `*/` of such a comment.
    ExecutableClose,
    /// A keyword, a name without quotes, a variable.
    Word,
    /// A name in quotes.
    QuotedName,
    /// A literal in quotes.
    Text,
    Number,
    /// One other character.
    Symbol,
    /// Something that begins and does not end.
    Unterminated(&'static str),
}

impl Kind {
    /// Whether the server reads it.
    pub(crate) fn is_significant(self) -> bool {
        !matches!(self, Self::Space | Self::Comment)
    }
}

impl Token<'_> {
    /// Whether it is this keyword, or a name without quotes, in capitals or not.
    pub(crate) fn is_word(self, word: &str) -> bool {
        self.kind == Kind::Word && self.text.eq_ignore_ascii_case(word)
    }

    pub(crate) fn is_any_word(self, words: &[&str]) -> bool {
        words.iter().any(|word| self.is_word(word))
    }

    pub(crate) fn is_symbol(self, symbol: &str) -> bool {
        self.kind == Kind::Symbol && self.text == symbol
    }

    pub(crate) fn is_any_symbol(self, symbols: &[&str]) -> bool {
        symbols.iter().any(|symbol| self.is_symbol(symbol))
    }

    /// Whether it says something itself: neither white space nor a comment nor the mark of one whose
    /// contents count.
    pub(crate) fn says_something(self) -> bool {
        self.kind.is_significant()
            && !matches!(self.kind, Kind::ExecutableOpen | Kind::ExecutableClose)
    }
}

/// All tokens of a text.
pub(crate) fn tokens(dialect: Dialect, text: &str) -> Vec<Token<'_>> {
    Lexer::new(dialect, text).collect()
}

/// Tokens put together again.
pub(crate) fn join(tokens: &[Token<'_>]) -> String {
    tokens.iter().map(|token| token.text).collect()
}

/// Takes a text apart, token by token.
pub(crate) struct Lexer<'a> {
    dialect: Dialect,
    text: &'a str,
    at: usize,
    /// Where the executable comment begins that is open.
    executable: Option<usize>,
    /// What ends a statement: a word ends before it, whatever it is made of (`END$$`).
    delimiter: &'a str,
    /// Whether the last word was AS, behind which a body in dollar quotes may stand.
    after_as: bool,
}

impl<'a> Lexer<'a> {
    pub(crate) fn new(dialect: Dialect, text: &'a str) -> Self {
        Self { dialect, text, at: 0, executable: None, delimiter: ";", after_as: false }
    }

    /// What is left.
    pub(crate) fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or_default()
    }

    /// Where that begins, in bytes.
    pub(crate) fn position(&self) -> usize {
        self.at
    }

    /// Where the executable comment begins that is open, in bytes.
    pub(crate) fn executable(&self) -> Option<usize> {
        self.executable
    }

    pub(crate) fn delimiter(&self) -> &'a str {
        self.delimiter
    }

    pub(crate) fn set_delimiter(&mut self, delimiter: &'a str) {
        self.delimiter = delimiter;
    }

    /// Goes on behind so many bytes, which must end at a character's end.
    pub(crate) fn advance(&mut self, bytes: usize) -> &'a str {
        let rest = self.rest();
        let (skipped, _) = rest.split_at_checked(bytes).unwrap_or((rest, ""));
        self.at += skipped.len();
        self.after_as = false;
        skipped
    }

    /// The kind and the length of the token that a text, which is not empty, begins with.
    fn measure(&self, rest: &str, first: char) -> (Kind, usize) {
        let mysql = self.dialect == Dialect::MySql;
        // A byte order mark in the middle comes from files that were put together.
        let is_space = |char: char| char.is_whitespace() || char == '\u{feff}';
        if is_space(first) {
            return (Kind::Space, length_while(rest, is_space));
        }
        if is_line_comment(rest, mysql) {
            return (Kind::Comment, rest.find('\n').map_or(rest.len(), |end| end + 1));
        }
        if mysql && self.executable.is_some() && rest.starts_with("*/") {
            return (Kind::ExecutableClose, 2);
        }
        if mysql && let Some(length) = executable_open(rest) {
            return (Kind::ExecutableOpen, length);
        }
        if let Some(body) = rest.strip_prefix("/*") {
            return match body.find("*/") {
                Some(end) => (Kind::Comment, end + 4),
                None => (Kind::Unterminated("comment"), rest.len()),
            };
        }
        if mysql
            && self.after_as
            && let Some(found) = dollar_quoted(rest)
        {
            return found;
        }
        match first {
            '\'' => quoted(rest, '\'', mysql, Kind::Text, "string"),
            '"' if mysql => quoted(rest, '"', true, Kind::Text, "string"),
            '"' => quoted(rest, '"', false, Kind::QuotedName, "name"),
            '`' => quoted(rest, '`', false, Kind::QuotedName, "name"),
            '[' if !mysql => match rest.find(']') {
                Some(end) => (Kind::QuotedName, end + 1),
                None => (Kind::Unterminated("name"), rest.len()),
            },
            '0'..='9' => (Kind::Number, self.word_length(rest, true)),
            first if is_word(first) => (Kind::Word, self.word_length(rest, false)),
            first => (Kind::Symbol, first.len_utf8()),
        }
    }

    fn word_length(&self, rest: &str, number: bool) -> usize {
        let end = rest
            .char_indices()
            .find(|(at, char)| {
                let belongs = is_word(*char) || (number && *char == '.');
                let delimiter = self.delimiter != ";"
                    && *at > 0
                    && rest.get(*at..).is_some_and(|rest| rest.starts_with(self.delimiter));
                !belongs || delimiter
            })
            .map_or(rest.len(), |(at, _)| at);
        end.max(1)
    }
}

impl<'a> Iterator for Lexer<'a> {
    type Item = Token<'a>;

    fn next(&mut self) -> Option<Token<'a>> {
        let rest = self.rest();
        let first = rest.chars().next()?;
        let (kind, length) = self.measure(rest, first);
        match kind {
            Kind::ExecutableOpen => self.executable = Some(self.at),
            Kind::ExecutableClose => self.executable = None,
            _ => {}
        }
        let (start, after_as) = (self.at, self.after_as);
        let text = self.advance(length);
        self.after_as = if kind.is_significant() {
            Token { kind, text, start }.is_word("as")
        } else {
            after_as
        };
        Some(Token { kind, text, start })
    }
}

/// `-- ` (on SQLite also without the space), and MySQL's `#`.
fn is_line_comment(rest: &str, mysql: bool) -> bool {
    match rest.strip_prefix("--") {
        Some(after) if mysql => {
            after.chars().next().is_none_or(|char| char.is_whitespace() || char.is_control())
        }
        Some(_) => true,
        None => mysql && rest.starts_with('#'),
    }
}

/// The length of `/*!`, `/*!80000`, `/*M!` or `/*M!100100`.
fn executable_open(rest: &str) -> Option<usize> {
    let after = rest.strip_prefix("/*!").or_else(|| rest.strip_prefix("/*M!"))?;
    let digits = length_while(after, |char| char.is_ascii_digit());
    let version = if matches!(digits, 5 | 6) { digits } else { 0 };
    Some(rest.len() - after.len() + version)
}

/// A quoted piece, in which the quote is written twice, or behind a backslash.
fn quoted(
    rest: &str,
    quote: char,
    backslashes: bool,
    kind: Kind,
    what: &'static str,
) -> (Kind, usize) {
    let mut chars = rest.char_indices().skip(1).peekable();
    while let Some((at, char)) = chars.next() {
        if char == '\\' && backslashes {
            chars.next();
        } else if char == quote && chars.next_if(|(_, next)| *next == quote).is_none() {
            return (kind, at + 1);
        }
    }
    (Kind::Unterminated(what), rest.len())
}

/// `$$ … $$` or `$tag$ … $tag$`, in which MySQL 9 takes the body of a routine in another language.
/// Nothing in it means anything but the same tag. (Elsewhere `$$` and `$tag$` are names for `MariaDB`,
/// and an error for MySQL.)
fn dollar_quoted(rest: &str) -> Option<(Kind, usize)> {
    let tag = rest.strip_prefix('$')?;
    let tag = length_while(tag, |char| is_word(char) && !matches!(char, '$' | '@'));
    let (quote, body) = rest.split_at_checked(tag + 2)?;
    if !quote.ends_with('$') {
        return None;
    }
    Some(match body.find(quote) {
        Some(end) => (Kind::Text, end + 2 * quote.len()),
        None => (Kind::Unterminated("body in dollar quotes"), rest.len()),
    })
}

fn length_while(text: &str, belongs: impl Fn(char) -> bool) -> usize {
    text.find(|char| !belongs(char)).unwrap_or(text.len())
}

/// Whether a character can be part of a word: a letter of any script, a digit, `_`, `$`, `@`.
fn is_word(char: char) -> bool {
    char.is_alphanumeric() || matches!(char, '_' | '$' | '@') || (char as u32) >= 0x80
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kinds(dialect: Dialect, text: &str) -> Vec<(Kind, &str)> {
        let tokens = Lexer::new(dialect, text).filter(|token| token.kind != Kind::Space);
        tokens.map(|token| (token.kind, token.text)).collect()
    }

    #[test]
    fn quotes_and_escapes_end_where_the_server_ends_them() {
        for (dialect, text, kind) in [
            (Dialect::MySql, r"'it''s'", Kind::Text),
            (Dialect::MySql, r"'a\'b'", Kind::Text),
            (Dialect::MySql, r#""a;\"b""#, Kind::Text),
            (Dialect::MySql, "`a``;b`", Kind::QuotedName),
            (Dialect::Sqlite, r"'a\'", Kind::Text),
            (Dialect::Sqlite, r#""a;""b""#, Kind::QuotedName),
            (Dialect::Sqlite, "[a;b]", Kind::QuotedName),
            (Dialect::MySql, "'never", Kind::Unterminated("string")),
            (Dialect::MySql, r"'a\'", Kind::Unterminated("string")),
            (Dialect::Sqlite, "/* never", Kind::Unterminated("comment")),
        ] {
            assert_eq!(kinds(dialect, text), [(kind, text)]);
        }
    }

    #[test]
    fn comments_are_those_of_the_dialect() {
        let first = |dialect, text| kinds(dialect, text)[0].0;
        for text in ["-- a", "--", "--\ta", "/* ' */", "# a"] {
            assert_eq!(first(Dialect::MySql, text), Kind::Comment, "{text}");
        }
        assert_eq!(first(Dialect::MySql, "--1"), Kind::Symbol);
        assert_eq!(first(Dialect::Sqlite, "--1"), Kind::Comment);
        assert_eq!(first(Dialect::Sqlite, "# a"), Kind::Symbol);
    }

    #[test]
    fn executable_comments_are_text_for_mysql_only() {
        let text = "/*!80023 a /* b */ */";
        assert_eq!(
            kinds(Dialect::MySql, text),
            [
                (Kind::ExecutableOpen, "/*!80023"),
                (Kind::Word, "a"),
                (Kind::Comment, "/* b */"),
                (Kind::ExecutableClose, "*/")
            ]
        );
        assert_eq!(kinds(Dialect::MySql, "/*M! x */")[0], (Kind::ExecutableOpen, "/*M!"));
        assert_eq!(kinds(Dialect::Sqlite, "/*! x */"), [(Kind::Comment, "/*! x */")]);
    }
}
