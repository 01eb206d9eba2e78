//! Characters beyond U+FFFF the way JSON and JavaScript escape them, in two halves: `\uD83D\uDE00`.
//! GraphQL allows that in strings (specification, section 2.9.4), async-graphql's parser does not:
//! so the halves are joined before it parses.

use std::borrow::Cow;

/// Characters of two halves.
const PAIR: usize = r"\uD83D\uDE00".len();
/// Begins and ends a string that has no escapes.
const BLOCK: &str = r#"""""#;

/// The document with such characters written as themselves. Blanks after their string keep what
/// follows in its place, which errors tell.
pub(super) fn join(document: &str) -> Cow<'_, str> {
    if !document.contains(r"\u") {
        return document.into();
    }
    let mut joined = String::with_capacity(document.len());
    let mut rest = document;
    while !rest.is_empty() {
        let (part, after) = rest.split_at(part(rest));
        if part.starts_with('"') && !part.starts_with(BLOCK) {
            join_in(part, &mut joined);
        } else {
            joined.push_str(part);
        }
        rest = after;
    }
    joined.into()
}

/// The length of what comes first: a string, a comment, or what is neither.
fn part(rest: &str) -> usize {
    let end = if rest.starts_with(BLOCK) {
        let mut marks = rest.match_indices(BLOCK).map(|(at, _)| rest.split_at(at).0).skip(1);
        marks.find(|before| !before.ends_with('\\')).map(|before| before.len() + BLOCK.len())
    } else if rest.starts_with('"') {
        let mut escaped = false;
        rest.char_indices().skip(1).find_map(|(at, char)| {
            let ends = !escaped && char == '"';
            escaped = !escaped && char == '\\';
            ends.then_some(at + 1)
        })
    } else if rest.starts_with('#') {
        rest.find(['\n', '\r'])
    } else {
        rest.find(['"', '#'])
    };
    end.unwrap_or(rest.len())
}

fn join_in(mut string: &str, joined: &mut String) {
    let mut saved = 0;
    while let Some(at) = string.find('\\') {
        let (before, escape) = string.split_at(at);
        joined.push_str(before);
        let length = if let Some(char) = pair(escape) {
            joined.push(char);
            saved += PAIR - 1;
            PAIR
        } else {
            // With the character after it, which may be another backslash.
            let length = escape.chars().take(2).map(char::len_utf8).sum();
            joined.push_str(escape.split_at(length).0);
            length
        };
        string = escape.split_at(length).1;
    }
    joined.push_str(string);
    joined.extend(std::iter::repeat_n(' ', saved));
}

/// The character whose two halves come first.
fn pair(escape: &str) -> Option<char> {
    let half = |at| {
        let digits = escape.get(at..at + PAIR / 2)?.strip_prefix(r"\u")?;
        u16::from_str_radix(digits, 16).ok().filter(|_| !digits.starts_with('+'))
    };
    let char = char::decode_utf16([half(0)?, half(PAIR / 2)?]).next()?.ok()?;
    (char.len_utf16() == 2).then_some(char)
}

#[cfg(test)]
mod tests {
    use super::join;

    #[test]
    fn halves_are_joined_in_strings_and_nowhere_else() {
        for (document, joined) in [
            (r#"{a(b:"\uD83D\uDE00")}"#, r#"{a(b:"😀"           )}"#),
            (r#"{a(b:"x\ud83d\ude00é\u0041") c}"#, r#"{a(b:"x😀é\u0041"           ) c}"#),
            (r#""\\\uD83D\uDE00""#, r#""\\😀"           "#),
            (r##""\"#\uD83D\uDE00""##, r##""\"#😀"           "##),
        ] {
            assert_eq!(join(document), joined);
        }
        for document in [
            r#"{a(b:"\\uD83D\\uDE00")}"#,
            r#"{a(b:"\uD83D")}"#,
            r#"{a(b:"\uDE00\uD83D")}"#,
            r#"{a(b:"\uD83D\u0041\uD8+D\uDE00")}"#,
            "{a # \"\\uD83D\\uDE00\"\n}",
            r#"{a(b:"""\uD83D\uDE00 \""" \uD83D\uDE00""")}"#,
            r#"{a(b:"" c:"\u0041\u0042"#,
            r#""\u"#,
            r#"""""\u\uD83D\uDE00"#,
            "\\u\u{e9}\"\\",
        ] {
            assert_eq!(join(document), document);
        }
    }

    #[test]
    fn errors_after_such_a_string_tell_the_place_in_the_document() {
        let document = "{a(b:\"\\uD83D\\uDE00\\uD83D\\uDE00\") ?}";
        let parse = |document: &str| async_graphql::parser::parse_query(document);
        let error = async_graphql::ServerError::from(parse(&join(document)).unwrap_err());
        let column = document.find('?').unwrap() + 1;
        assert_eq!((error.locations[0].line, error.locations[0].column), (1, column));
    }
}
