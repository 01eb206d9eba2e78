//! Takes apart what the server prints when it is asked `SHOW CREATE …`.
//!
//! The server's own text is regular: names stand in backquotes, strings in single quotes with
//! backslashes. Only headers of triggers are kept as somebody wrote them. The tokens' texts put
//! together are the input.

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Space,
    Comment,
    /// A word or number.
    Word,
    /// A name in backquotes.
    Name,
    /// Between `'` or `"`.
    Text,
    /// One character of anything else.
    Symbol,
    /// `/*!80023` or `/*M!100301`, whose contents are tokens like others.
    Open,
    /// Its `*/`.
    Close,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Token<'a> {
    pub(super) kind: Kind,
    pub(super) text: &'a str,
}

impl Token<'_> {
    pub(super) fn is_word(&self, word: &str) -> bool {
        self.kind == Kind::Word && self.text.eq_ignore_ascii_case(word)
    }

    pub(super) fn is_symbol(&self, symbol: &str) -> bool {
        self.kind == Kind::Symbol && self.text == symbol
    }

    /// Neither white space nor a comment.
    pub(super) fn is_significant(&self) -> bool {
        !matches!(self.kind, Kind::Space | Kind::Comment | Kind::Open | Kind::Close)
    }
}

pub(super) fn tokens(text: &str) -> Vec<Token<'_>> {
    let mut tokens = Vec::new();
    let mut rest = text;
    let mut is_open = false;
    while let Some(first) = rest.chars().next() {
        let (kind, length) = token(rest, first, is_open);
        let (text, after) = rest.split_at(length);
        match kind {
            Kind::Open => is_open = true,
            Kind::Close => is_open = false,
            _ => {}
        }
        tokens.push(Token { kind, text });
        rest = after;
    }
    tokens
}

/// Kind and length of the first token.
fn token(rest: &str, first: char, is_open: bool) -> (Kind, usize) {
    let is_word =
        |char: char| char.is_alphanumeric() || matches!(char, '_' | '$') || !char.is_ascii();
    let while_true =
        |test: &dyn Fn(char) -> bool| rest.find(|char: char| !test(char)).unwrap_or(rest.len());
    match first {
        _ if first.is_ascii_whitespace() => {
            (Kind::Space, while_true(&|char| char.is_ascii_whitespace()))
        }
        '`' => (Kind::Name, quoted(rest, '`', false)),
        '\'' | '"' => (Kind::Text, quoted(rest, first, true)),
        '#' => (Kind::Comment, line(rest)),
        // MySQL, "Comments": two dashes need white space after them.
        '-' if rest.starts_with("--")
            && rest.chars().nth(2).is_none_or(|char| char.is_whitespace() || char.is_control()) =>
        {
            (Kind::Comment, line(rest))
        }
        '*' if is_open && rest.starts_with("*/") => (Kind::Close, 2),
        '/' if rest.starts_with("/*!") || rest.starts_with("/*M!") => {
            let start = rest.find('!').map_or(0, |at| at + 1);
            let digits = rest.get(start..).unwrap_or_default();
            let digits = digits.find(|char: char| !char.is_ascii_digit()).unwrap_or(digits.len());
            (Kind::Open, start + digits)
        }
        '/' if rest.starts_with("/*") => {
            (Kind::Comment, rest.find("*/").map_or(rest.len(), |at| at + 2))
        }
        _ if is_word(first) => (Kind::Word, while_true(&is_word)),
        _ => (Kind::Symbol, first.len_utf8()),
    }
}

/// Length of what is in quotes, these included; all of it if they don't end.
fn quoted(rest: &str, quote: char, backslashes: bool) -> usize {
    let mut chars = rest.char_indices().skip(1).peekable();
    while let Some((at, char)) = chars.next() {
        if backslashes && char == '\\' {
            chars.next();
        } else if char == quote {
            if chars.peek().is_some_and(|(_, next)| *next == quote) {
                chars.next();
            } else {
                return at + char.len_utf8();
            }
        }
    }
    rest.len()
}

fn line(rest: &str) -> usize {
    rest.find('\n').unwrap_or(rest.len())
}

/// The tokens' texts put together.
pub(super) fn join(tokens: &[Token<'_>]) -> String {
    tokens.iter().map(|token| token.text).collect()
}

/// The name in a token of backquotes.
pub(super) fn unquoted(name: &str) -> String {
    let name = name.strip_prefix('`').unwrap_or(name);
    name.strip_suffix('`').unwrap_or(name).replace("``", "`")
}

pub(super) fn quote(name: &str) -> String {
    format!("`{}`", name.replace('`', "``"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kinds(text: &str) -> Vec<(Kind, &str)> {
        let found = tokens(text);
        assert_eq!(join(&found), text, "nothing is lost");
        found.iter().filter(|token| token.kind != Kind::Space).map(|t| (t.kind, t.text)).collect()
    }

    #[test]
    fn names_strings_and_comments_hide_what_is_in_them() {
        use Kind::{Comment, Name, Symbol, Text, Word};
        assert_eq!(
            kinds(r#"`a``;` 'it''s \' ,' "b"";" /* ) */ x -- ;"#),
            [
                (Name, "`a``;`"),
                (Text, r"'it''s \' ,'"),
                (Text, r#""b"";""#),
                (Comment, "/* ) */"),
                (Word, "x"),
                (Comment, "-- ;"),
            ]
        );
        assert_eq!(kinds("1--1"), [(Word, "1"), (Symbol, "-"), (Symbol, "-"), (Word, "1"),]);
        assert_eq!(kinds("\u{e9}t\u{e9}"), [(Word, "\u{e9}t\u{e9}")]);
    }

    #[test]
    fn executable_comments_are_taken_apart() {
        use Kind::{Close, Open, Symbol, Word};
        assert_eq!(
            kinds("/*!80023 INVISIBLE */ /*M!100301 COMPRESSED*/ 2 */ 1"),
            [
                (Open, "/*!80023"),
                (Word, "INVISIBLE"),
                (Close, "*/"),
                (Open, "/*M!100301"),
                (Word, "COMPRESSED"),
                (Close, "*/"),
                (Word, "2"),
                (Symbol, "*"),
                (Symbol, "/"),
                (Word, "1"),
            ]
        );
    }

    #[test]
    fn what_does_not_end_is_taken_to_the_end() {
        for text in ["'abc", "`abc", "/* abc", "'abc\\", "/*!80000 x", "--"] {
            kinds(text);
        }
    }

    #[test]
    fn names_survive_their_quotes() {
        for name in ["a", "a`b", "``", "a b;", "\u{e9}"] {
            assert_eq!(unquoted(&quote(name)), name);
        }
    }
}
