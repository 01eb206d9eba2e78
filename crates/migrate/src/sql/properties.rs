//! What holds for every text, whatever is in it. Checked on made-up texts by a test, and for longer
//! by `fuzz/`.

use super::classify::meaning;
use super::directive::directives;
use super::lexer::Lexer;
use super::split::split;
use crate::Dialect;

/// Panics where one of the properties does not hold.
///
/// - The tokens put together are the text.
/// - Statements stand in the text where they say, in order, and do not overlap.
/// - What is between them holds no statement, and each of them alone is one statement (unless the
///   text changes the delimiter).
/// - Nothing panics on the way to a meaning.
///
/// # Panics
/// That is how it tells.
pub fn hold(text: &str) {
    for dialect in [Dialect::MySql, Dialect::Sqlite] {
        let tokens: String = Lexer::new(dialect, text).map(|token| token.text).collect();
        assert_eq!(tokens, text, "{dialect:?}");
        let Ok(statements) = split(dialect, text) else { continue };
        let own_delimiter =
            dialect == Dialect::MySql && text.to_ascii_lowercase().contains("delimiter");
        let mut end = 0;
        for (index, statement) in statements.iter().enumerate() {
            assert_eq!(statement.number, index + 1);
            assert!(statement.start >= end && !statement.text.is_empty(), "{dialect:?}");
            let gap = text.get(end..statement.start).unwrap_or("?");
            end = statement.start + statement.text.len();
            assert_eq!(text.get(statement.start..end), Some(statement.text), "{dialect:?}");
            let _ = meaning(dialect, statement);
            if own_delimiter {
                continue;
            }
            assert_eq!(split(dialect, gap).map(|found| found.len()), Ok(0), "{gap:?}");
            // Two minuses in front of a comment are one themselves where they are the end.
            if statement.text.ends_with("--") {
                continue;
            }
            let again = split(dialect, statement.text);
            let again =
                again.as_ref().map(|found| found.iter().map(|s| s.text).collect::<Vec<_>>());
            assert_eq!(again, Ok(vec![statement.text]), "{dialect:?}");
        }
        let _ = directives(dialect, text, &statements);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    /// Pieces that mean something next to each other, and a few arbitrary characters.
    fn piece() -> impl Strategy<Value = String> {
        let known = prop::sample::select(vec![
            ";",
            ";",
            "'",
            "\"",
            "`",
            "[",
            "]",
            "\\",
            "--",
            "-- ",
            "#",
            "/*",
            "*/",
            "/*!",
            "/*!80000 ",
            "/*M!",
            "\n",
            "\r\n",
            " ",
            "\t",
            "(",
            ")",
            ",",
            ".",
            ":",
            "=",
            "@",
            "@@",
            "$$",
            "//",
            "1",
            "'a;b'",
            "`a;b`",
            "BEGIN",
            "END",
            "END IF",
            "IF",
            "IF EXISTS",
            "CASE",
            "WHEN",
            "THEN",
            "ELSE",
            "LOOP",
            "REPEAT",
            "UNTIL",
            "WHILE",
            "DO",
            "CREATE",
            "ALTER",
            "TABLE",
            "PROCEDURE",
            "TRIGGER",
            "EVENT",
            "FUNCTION",
            "p()",
            "ADD",
            "COLUMN",
            "DROP",
            "RENAME",
            "TO",
            "SET",
            "SELECT",
            "INSERT",
            "WITH",
            "INTO",
            "NOT",
            "ATOMIC",
            "XA",
            "DEFINER",
            "\nDELIMITER //\n",
            "\nDELIMITER go\n",
            "\nDELIMITER ''\n",
            "\nDELIMITER\n",
            "go",
            "AS",
            "$a$",
            "HANDLER",
            "FOR",
            "EACH ROW",
            "\nDELIMITER ;\n",
            "-- migrate: allow=copy reason=\"x\"\n",
            "-- migrate: min-version 1\n",
            "ä",
            "😀",
            "\u{feff}",
            "x'00'",
            "_utf8mb4'x'",
        ]);
        let separated = known.prop_flat_map(|text| {
            prop::bool::weighted(0.7)
                .prop_map(move |space| if space { format!("{text} ") } else { text.to_owned() })
        });
        prop_oneof![20 => separated, 1 => "\\PC{0,3}"]
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 4_000, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn the_properties_hold_for_whatever_text(pieces in prop::collection::vec(piece(), 0..60)) {
            super::hold(&pieces.concat());
        }
    }
}
