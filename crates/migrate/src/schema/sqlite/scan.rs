//! SQLite's tokens, as far as white space, comments, names and everything else are told apart
//! (SQLite, "SQL Comments" and "SQLite Keywords"). There are no backslash escapes. The tokens'
//! texts put together are the input.

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Space,
    Comment,
    Word,
    /// In `"`, `` ` `` or `[ ]`.
    Name,
    Number,
    /// A string, or one character of anything else.
    Other,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Token<'a> {
    pub(super) kind: Kind,
    pub(super) text: &'a str,
}

impl Token<'_> {
    pub(super) fn is(&self, text: &str) -> bool {
        matches!(self.kind, Kind::Word | Kind::Other) && self.text.eq_ignore_ascii_case(text)
    }

    pub(super) fn is_any(&self, texts: &[&str]) -> bool {
        texts.iter().any(|text| self.is(text))
    }

    /// The name that a quoted or bare word stands for.
    pub(super) fn name(&self) -> String {
        let text = self.text;
        if let Some(inner) = text.strip_prefix('[') {
            return inner.strip_suffix(']').unwrap_or(inner).to_owned();
        }
        for quote in ["\"", "`"] {
            if let Some(inner) = text.strip_prefix(quote) {
                let inner = inner.strip_suffix(quote).unwrap_or(inner);
                return inner.replace(&quote.repeat(2), quote);
            }
        }
        text.to_owned()
    }
}

pub(super) fn tokens(sql: &str) -> Vec<Token<'_>> {
    let mut tokens = Vec::new();
    let mut rest = sql;
    while let Some(first) = rest.chars().next() {
        let (kind, length) = token(rest, first);
        let (text, after) = rest.split_at(length);
        tokens.push(Token { kind, text });
        rest = after;
    }
    tokens
}

fn token(rest: &str, first: char) -> (Kind, usize) {
    let is_space = |char: char| char.is_ascii_whitespace();
    let is_word =
        |char: char| char.is_alphanumeric() || matches!(char, '_' | '$') || !char.is_ascii();
    let after = |end: &str| rest.find(end).map_or(rest.len(), |at| at + end.len());
    match first {
        _ if is_space(first) => (Kind::Space, rest.find(|c| !is_space(c)).unwrap_or(rest.len())),
        '-' if rest.starts_with("--") => {
            (Kind::Comment, rest.find(['\r', '\n']).unwrap_or(rest.len()))
        }
        '/' if rest.starts_with("/*") => (Kind::Comment, after("*/")),
        '\'' => (Kind::Other, quoted(rest, first)),
        '"' | '`' => (Kind::Name, quoted(rest, first)),
        '[' => (Kind::Name, after("]")),
        _ if is_word(first) => {
            let kind = if first.is_ascii_digit() { Kind::Number } else { Kind::Word };
            (kind, rest.find(|c| !is_word(c)).unwrap_or(rest.len()))
        }
        _ => (Kind::Other, first.len_utf8()),
    }
}

/// Length of what is in quotes, these included; all of it if they don't end.
fn quoted(rest: &str, quote: char) -> usize {
    let mut chars = rest.char_indices().skip(1).peekable();
    while let Some((at, char)) = chars.next() {
        if char == quote && chars.next_if(|(_, next)| *next == quote).is_none() {
            return at + 1;
        }
    }
    rest.len()
}

pub(super) fn quote(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_lost_and_quotes_hide_what_is_in_them() {
        let text = "a\r\n'it''s; --'\"b\"\"(\"[c,`]`d``` -- e\n/* f */1.5\u{e9}";
        let found = tokens(text);
        assert_eq!(found.iter().map(|token| token.text).collect::<String>(), text);
        let shown =
            |kind| found.iter().filter(|t| t.kind == kind).map(|t| t.text).collect::<Vec<_>>();
        assert_eq!(shown(Kind::Name), ["\"b\"\"(\"", "[c,`]", "`d```"]);
        assert_eq!(shown(Kind::Comment), ["-- e", "/* f */"]);
        assert_eq!(shown(Kind::Word), ["a"]);
        for text in ["'a", "\"a", "[a", "/* a", "--", "`"] {
            assert_eq!(tokens(text).len(), 1, "{text}");
        }
    }

    #[test]
    fn every_way_to_quote_a_name_is_understood() {
        for text in ["\"a\"\"b\"", "`a\"b`", "[a\"b]"] {
            assert_eq!(tokens(text)[0].name(), "a\"b");
        }
        assert_eq!(tokens("abc")[0].name(), "abc");
    }
}
