//! What a new file says to its author.
//!
//! No line of it begins like a directive (`-- migrate: …`): it would be taken for one.

/// The way up.
pub(super) fn up(title: &str, stem: &str) -> String {
    format!(
        "-- {title}\n--\n{PORTABLE}\
         -- Where that is not enough, make two files of this one: {stem}.mysql.up.sql and\n\
         -- {stem}.sqlite.up.sql.\n--\n{HINTS}\n"
    )
}

/// The way back.
pub(super) fn down(title: &str) -> String {
    format!(
        "-- Takes back: {title}\n--\n\
         -- In the opposite order. Delete this file if there is no way back without losing data.\n\n"
    )
}

/// A single file for both ways.
pub(super) fn sections(title: &str, stem: &str) -> String {
    format!("{}-- migrate:up\n\n\n-- migrate:down\n\n", only_up(title, stem))
}

/// A single file for the way up.
pub(super) fn only_up(title: &str, stem: &str) -> String {
    format!(
        "-- {title}\n--\n{PORTABLE}\
         -- Where that is not enough, make two files of this one: {stem}.mysql.sql and\n\
         -- {stem}.sqlite.sql.\n--\n{HINTS}\n"
    )
}

const PORTABLE: &str = "\
-- The same text runs on MySQL, MariaDB and SQLite. What is not for SQLite stands in a comment that
-- only the others carry out:
--   id INTEGER NOT NULL PRIMARY KEY /*! AUTO_INCREMENT */
";

const HINTS: &str = "\
-- The old version of the program still runs while this is applied: add first, take away in a later
-- release. Keep changes of the schema and of rows in files of their own: only rows can be rolled
-- back on MySQL. Comments with a meaning, each on a line of its own before its statement:
--   \"migrate: allow=copy reason=...\"      the statement may copy its whole table
--   \"migrate: allow=BC01 reason=...\"      the lint rule does not apply to it
-- and anywhere in the file:
--   \"migrate: min-version 20260101000000\" programs that know no newer one must not start any more
";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_line_is_taken_for_a_directive_and_nothing_but_comments_is_there() {
        let texts = [up("a", "1_a"), down("a"), sections("a", "1_a"), only_up("a", "1_a")];
        for line in texts.iter().flat_map(|text| text.lines()) {
            let comment = line.strip_prefix("--").map(str::trim_start);
            assert!(comment.is_some() || line.is_empty(), "{line}");
            assert!(line.len() <= 100, "{line}");
            let is_mark = matches!(line, "-- migrate:up" | "-- migrate:down");
            assert!(is_mark || !comment.is_some_and(|text| text.starts_with("migrate")), "{line}");
        }
        assert!(texts.iter().all(|text| text.ends_with("\n\n") && !text.contains('\r')));
    }
}
