//! A schema as SQL.
//!
//! The text is for the database's own client as much as for this runner, hence `DELIMITER` around
//! what has semicolons inside. Each object stands alone under a heading, with its settings beside
//! it, so that a change of one changes nothing else in the text.

use std::fmt;

use super::object::{Kind, Object, Schema};
use super::settings::{PLAIN_MODE, Usual};
use crate::Dialect;

/// What may end a statement that has semicolons inside.
const DELIMITERS: [&str; 4] = [";;", "$$", "//", "~~~~"];

const KINDS: [Kind; 10] = [
    Kind::Sequence,
    Kind::Table,
    Kind::Index,
    Kind::Package,
    Kind::PackageBody,
    Kind::Function,
    Kind::Procedure,
    Kind::View,
    Kind::Trigger,
    Kind::Event,
];

/// The object that a line is the heading of, as in ``table `users` ``.
pub(super) fn heading(line: &str) -> Option<&str> {
    let object = line.strip_prefix("-- ")?;
    let is_name = |rest: &str| rest.starts_with(" `") || rest.starts_with(" \"");
    let is_heading = |kind: &Kind| object.strip_prefix(&kind.to_string()).is_some_and(is_name);
    KINDS.iter().any(is_heading).then_some(object)
}

impl fmt::Display for Schema {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.dialect {
            Dialect::MySql => print_mysql(self, f),
            Dialect::Sqlite => print_sqlite(self, f),
        }
    }
}

fn print_sqlite(schema: &Schema, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    f.write_str("-- The schema of a SQLite database, written by `migrate schema dump`.\n")?;
    for object in &schema.objects {
        print_heading(object, '"', f)?;
        writeln!(f, "{};", object.sql)?;
    }
    Ok(())
}

fn print_mysql(schema: &Schema, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    f.write_str(
        "-- The schema of a MySQL or MariaDB database, written by `migrate schema dump`.\n\n\
         SET NAMES utf8mb4;\n",
    )?;
    // Tables may refer to each other in circles.
    writeln!(f, "SET foreign_key_checks = 0, sql_mode = '{PLAIN_MODE}';")?;
    if let Some(defaults) = &schema.defaults {
        let (charset, collation) = (&defaults.name, &defaults.collation);
        writeln!(f, "\nALTER DATABASE CHARACTER SET {charset} COLLATE {collation};")?;
    }
    let mut usual = Usual::of(&schema.objects);
    for object in &schema.objects {
        if let Some(set) = usual.change_to(object.kind) {
            writeln!(f, "\n{set};")?;
        }
        print_heading(object, '`', f)?;
        let own = usual.deviation(object);
        if let Some((set, _)) = &own {
            writeln!(f, "{set};")?;
        }
        print_statement(object.kind, &object.sql, f)?;
        if let Some((_, back)) = &own {
            writeln!(f, "{back};")?;
        }
    }
    f.write_str(
        "\nSET foreign_key_checks = DEFAULT, sql_mode = DEFAULT, collation_connection = DEFAULT, \
         time_zone = DEFAULT;\n",
    )
}

fn print_heading(object: &Object, quote: char, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    // A name may contain what would end the line.
    let name = object.name.replace(char::is_control, " ");
    let name = name.replace(quote, &format!("{quote}{quote}"));
    writeln!(f, "\n-- {} {quote}{name}{quote}", object.kind)
}

fn print_statement(kind: Kind, sql: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    // After a comment in its last line a delimiter would be a part of that.
    let last = sql.lines().last().unwrap_or_default();
    let gap = if last.contains("--") || last.contains('#') { "\n" } else { "" };
    // Clients see by themselves when a semicolon stands in quotes.
    let has_body = !matches!(kind, Kind::Sequence | Kind::Table | Kind::Index | Kind::View);
    if !(has_body && sql.contains(';')) {
        return writeln!(f, "{sql}{gap};");
    }
    let is_free = |delimiter: &&&str| !sql.contains(**delimiter);
    let delimiter = DELIMITERS.iter().find(is_free).copied().unwrap_or("~~~~");
    writeln!(f, "DELIMITER {delimiter}\n{sql}{gap}{delimiter}\nDELIMITER ;")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::Settings;

    fn printed(sql: &str) -> String {
        struct Statement<'a>(&'a str);
        impl fmt::Display for Statement<'_> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                let kind = if self.0.contains("TABLE") { Kind::Table } else { Kind::Procedure };
                print_statement(kind, self.0, f)
            }
        }
        Statement(sql).to_string()
    }

    #[test]
    fn a_statement_ends_where_a_client_sees_it() {
        assert_eq!(printed("DO 1"), "DO 1;\n");
        assert_eq!(printed("DO 1 -- one"), "DO 1 -- one\n;\n");
        assert_eq!(printed("BEGIN a; END"), "DELIMITER ;;\nBEGIN a; END;;\nDELIMITER ;\n");
        assert_eq!(printed("TABLE (a COMMENT ';')"), "TABLE (a COMMENT ';');\n");
        assert!(printed("BEGIN a;; END").starts_with("DELIMITER $$\nBEGIN a;; END$$\n"));
    }

    #[test]
    fn headings_are_told_from_other_comments() {
        assert_eq!(heading("-- table `a b`"), Some("table `a b`"));
        assert_eq!(heading("-- package body `p`"), Some("package body `p`"));
        assert_eq!(heading("-- index \"i\""), Some("index \"i\""));
        assert_eq!(heading("-- table of contents"), None);
        assert_eq!(heading("  -- table `a`"), None);
        for kind in KINDS {
            assert!(heading(&format!("-- {kind} `x`")).is_some());
        }
    }

    #[test]
    fn settings_that_are_not_the_usual_ones_stand_beside_their_object() {
        let procedure = |name: &str, mode: &str| Object {
            kind: Kind::Procedure,
            name: name.to_owned(),
            sql: format!("CREATE PROCEDURE {name}() DO 1"),
            settings: Settings {
                sql_mode: Some(mode.to_owned()),
                collation: Some("utf8mb4_bin".to_owned()),
                time_zone: None,
            },
        };
        let objects = vec![procedure("a", "X"), procedure("b", "ANSI"), procedure("c\n", "X")];
        let text = Schema { dialect: Dialect::MySql, defaults: None, objects }.to_string();
        assert!(text.contains(
            "\nSET sql_mode = 'X', collation_connection = utf8mb4_bin;\n\
             \n-- procedure `a`\nCREATE PROCEDURE a() DO 1;\n\
             \n-- procedure `b`\nSET sql_mode = 'ANSI';\nCREATE PROCEDURE b() DO 1;\nSET sql_mode = 'X';\n\
             \n-- procedure `c `\nCREATE PROCEDURE c\n() DO 1;\n"
        ), "{text}");
    }
}
