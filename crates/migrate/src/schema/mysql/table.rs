//! A table as `SHOW CREATE TABLE` prints it, normalised.
//!
//! That text is the only complete description that a server gives: `information_schema` lacks the
//! parts of functional indexes, prints expressions with quotes escaped once too often, and so on.
//! What differs in it between servers, or says nothing, goes: counters, display widths, version
//! comments, character sets that are the table's anyway, and the order of indexes and constraints.

use std::collections::HashMap;

use crate::Dialect;
use crate::schema::object::Charset;
use crate::sql::lexer::{Kind, Token, join, tokens};
use crate::sql::name::{backquoted, unquoted};

/// Character sets of a table's columns, by the columns' names.
pub(super) type Charsets = HashMap<String, Charset>;

const INTEGERS: [&str; 6] = ["tinyint", "smallint", "mediumint", "int", "bigint", "year"];

/// The normalised statement; `None` if the text is no `CREATE TABLE`.
pub(super) fn normalise(
    name: &str,
    definition: &str,
    table: Option<&Charset>,
    columns: &Charsets,
) -> Option<String> {
    let tokens = plain(&tokens(Dialect::MySql, definition));
    let open = tokens.iter().position(|token| token.is_symbol("("))?;
    let close = open + closing(tokens.get(open..)?)?;
    let mut parts = Parts::default();
    for item in items(tokens.get(open + 1..close)?) {
        parts.add(item, table, columns)?;
    }
    parts.indexes.sort();
    parts.constraints.sort();

    let lines: Vec<String> = parts
        .columns
        .into_iter()
        .chain(parts.indexes.into_iter().map(|(_, text)| text))
        .chain(parts.constraints.into_iter().map(|(_, text)| text))
        .map(|line| format!("  {line}"))
        .collect();
    let options = options(tokens.get(close + 1..)?, table);
    Some(format!("CREATE TABLE {} (\n{}\n) {options}", backquoted(name), lines.join(",\n")))
}

/// What stands in the parentheses, sorted where order has no meaning.
#[derive(Default)]
struct Parts {
    /// And periods of MariaDB's temporal tables.
    columns: Vec<String>,
    /// The primary key first, then by name.
    indexes: Vec<(Option<String>, String)>,
    /// Foreign keys, then checks, by name.
    constraints: Vec<((bool, String), String)>,
}

impl Parts {
    fn add(
        &mut self,
        item: &[Token<'_>],
        table: Option<&Charset>,
        columns: &Charsets,
    ) -> Option<()> {
        let first = item.first()?;
        let name = item.iter().find(|token| token.kind == Kind::QuotedName);
        let name = name.map(|token| unquoted(token.text)).unwrap_or_default();
        let is = |word: &str| item.iter().any(|token| token.is_word(word));
        match first.text {
            _ if first.kind == Kind::QuotedName => {
                self.columns.push(column(item, table, columns.get(&name)));
            }
            "PERIOD" => self.columns.push(join(item)),
            "PRIMARY" => self.indexes.push((None, join(item))),
            "UNIQUE" | "KEY" | "INDEX" | "FULLTEXT" | "SPATIAL" | "VECTOR" => {
                self.indexes.push((Some(name), join(item)));
            }
            "CONSTRAINT" if is("FOREIGN") => {
                self.constraints.push(((false, name), foreign_key(item)));
            }
            "CONSTRAINT" | "CHECK" => self.constraints.push(((true, name), join(item))),
            _ => return None,
        }
        Some(())
    }
}

/// Without the marks of executable comments: what is in them was understood by this server.
fn plain<'a>(tokens: &[Token<'a>]) -> Vec<Token<'a>> {
    let mut plain: Vec<Token<'a>> = Vec::with_capacity(tokens.len());
    let mut after_open = false;
    for token in tokens {
        match token.kind {
            Kind::ExecutableOpen => after_open = true,
            Kind::ExecutableClose => {
                plain.pop_if(|last| last.kind == Kind::Space);
            }
            Kind::Space if after_open => after_open = false,
            _ => {
                after_open = false;
                plain.push(*token);
            }
        }
    }
    plain
}

/// Where the parenthesis that begins the tokens is closed.
fn closing(tokens: &[Token<'_>]) -> Option<usize> {
    let mut depth = 0_usize;
    for (at, token) in tokens.iter().enumerate() {
        if token.is_symbol("(") {
            depth += 1;
        } else if token.is_symbol(")") {
            depth = depth.saturating_sub(1);
            if depth == 0 {
                return Some(at);
            }
        }
    }
    None
}

/// What stands between commas, these inside parentheses apart, without white space around it.
fn items<'a, 'b>(tokens: &'b [Token<'a>]) -> Vec<&'b [Token<'a>]> {
    let mut depth = 0_i32;
    let is_comma = |token: &Token<'a>| {
        if token.is_symbol("(") {
            depth += 1;
        } else if token.is_symbol(")") {
            depth -= 1;
        }
        depth == 0 && token.is_symbol(",")
    };
    tokens.split(is_comma).map(trim).collect()
}

fn trim<'a, 'b>(mut tokens: &'b [Token<'a>]) -> &'b [Token<'a>] {
    while let [first, rest @ ..] = tokens
        && first.kind == Kind::Space
    {
        tokens = rest;
    }
    while let [rest @ .., last] = tokens
        && last.kind == Kind::Space
    {
        tokens = rest;
    }
    tokens
}

/// `` `name` type [width] [attributes] [charset] … ``
fn column(item: &[Token<'_>], table: Option<&Charset>, own: Option<&Charset>) -> String {
    let (head, rest) = item.split_at(item.len().min(3)); // name, space, type
    let mut text = join(head);
    let (width, rest) = match rest {
        [open, ..] if open.is_symbol("(") => {
            rest.split_at(closing(rest).map_or(rest.len(), |at| at + 1))
        }
        _ => (&[] as &[Token<'_>], rest),
    };
    let (attributes, rest) = attributes(rest);
    let is_integer = head.last().is_some_and(|word| INTEGERS.iter().any(|int| word.is_word(int)));
    // The display width of an integer says nothing, and MySQL 8 has forgotten it; but clients take
    // tinyint(1) for a Boolean, and ZEROFILL pads to it.
    let is_boolean = text.ends_with(" tinyint") && join(width) == "(1)";
    if !is_integer || is_boolean || attributes.contains("zerofill") {
        text.push_str(&join(width));
    }
    text.push_str(&attributes);
    if let Some(own) = own
        && table.is_none_or(|table| table.collation != own.collation)
    {
        if table.is_none_or(|table| table.name != own.name) {
            text.push_str(" CHARACTER SET ");
            text.push_str(&own.name);
        }
        text.push_str(" COLLATE ");
        text.push_str(&own.collation);
    }
    text.push_str(&join(rest));
    text
}

/// The words after a type that belong to it, without its character set, and what follows them.
fn attributes<'a, 'b>(mut rest: &'b [Token<'a>]) -> (String, &'b [Token<'a>]) {
    let mut text = String::new();
    loop {
        match rest {
            [space, word, after @ ..]
                if space.kind == Kind::Space
                    && ["unsigned", "zerofill", "COMPRESSED"].iter().any(|a| word.is_word(a)) =>
            {
                text.push(' ');
                text.push_str(word.text);
                rest = after;
            }
            [_, character, _, set, _, _, after @ ..]
                if character.is_word("CHARACTER") && set.is_word("SET") =>
            {
                rest = after;
            }
            [_, collate, _, _, after @ ..] if collate.is_word("COLLATE") => rest = after,
            _ => return (text, rest),
        }
    }
}

/// Without `RESTRICT` and `NO ACTION`, which are the same and what is meant without them (MySQL,
/// "FOREIGN KEY Constraints"); which of them is printed depends on the server.
fn foreign_key(item: &[Token<'_>]) -> String {
    let mut text = String::new();
    let mut rest = item;
    loop {
        rest = match rest {
            [space, on, _, event, _, rule, after @ ..]
                if space.kind == Kind::Space
                    && on.is_word("ON")
                    && (event.is_word("DELETE") || event.is_word("UPDATE"))
                    && rule.is_word("RESTRICT") =>
            {
                after
            }
            [space, on, _, event, _, no, _, action, after @ ..]
                if space.kind == Kind::Space
                    && on.is_word("ON")
                    && (event.is_word("DELETE") || event.is_word("UPDATE"))
                    && no.is_word("NO")
                    && action.is_word("ACTION") =>
            {
                after
            }
            [token, after @ ..] => {
                text.push_str(token.text);
                after
            }
            [] => return text,
        };
    }
}

/// Engine, character set and what else stands behind the parentheses, without the counter.
fn options(tokens: &[Token<'_>], table: Option<&Charset>) -> String {
    let mut text = String::new();
    let mut has_charset = false;
    let mut rest = trim(tokens);
    loop {
        rest = match rest {
            [space, word, equals, _, after @ ..]
                if space.kind == Kind::Space
                    && word.is_word("AUTO_INCREMENT")
                    && equals.is_symbol("=") =>
            {
                after
            }
            [space, word, equals, _, after @ ..]
                if space.kind == Kind::Space
                    && table.is_some()
                    && word.is_word("COLLATE")
                    && equals.is_symbol("=") =>
            {
                after
            }
            [default, _, charset, equals, value, after @ ..]
                if default.is_word("DEFAULT")
                    && charset.is_word("CHARSET")
                    && equals.is_symbol("=")
                    && !has_charset =>
            {
                has_charset = true;
                text.push_str("DEFAULT CHARSET=");
                text.push_str(table.map_or(value.text, |table| &table.name));
                if let Some(table) = table {
                    text.push_str(" COLLATE=");
                    text.push_str(&table.collation);
                }
                after
            }
            [token, after @ ..] => {
                text.push_str(token.text);
                after
            }
            [] => return text,
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn charset(collation: &str) -> Charset {
        let name = collation.split('_').next().unwrap().to_owned();
        Charset { name, collation: collation.to_owned() }
    }

    fn normal(definition: &str, columns: &[(&str, &str)]) -> String {
        let columns = columns.iter().map(|(name, of)| ((*name).to_owned(), charset(of))).collect();
        normalise("t", definition, Some(&charset("utf8mb4_bin")), &columns).unwrap()
    }

    #[track_caller]
    fn assert_line(line: &str, charset: Option<&str>, expected: &str) {
        let definition = format!("CREATE TABLE `t` (\n  {line}\n) ENGINE=InnoDB");
        let columns: Vec<_> = charset.map(|charset| ("c", charset)).into_iter().collect();
        assert_eq!(
            normal(&definition, &columns),
            format!("CREATE TABLE `t` (\n  {expected}\n) ENGINE=InnoDB")
        );
    }

    #[test]
    fn display_widths_go_unless_they_mean_something() {
        assert_line("`c` int(11) NOT NULL", None, "`c` int NOT NULL");
        assert_line("`c` bigint(20) unsigned", None, "`c` bigint unsigned");
        assert_line("`c` int(5) unsigned zerofill", None, "`c` int(5) unsigned zerofill");
        assert_line("`c` tinyint(1) DEFAULT 0", None, "`c` tinyint(1) DEFAULT 0");
        assert_line("`c` tinyint(4)", None, "`c` tinyint");
        assert_line("`c` year(4)", None, "`c` year");
        assert_line("`c` decimal(10,2) DEFAULT 1", None, "`c` decimal(10,2) DEFAULT 1");
        assert_line("`c` enum('a)','b,')", None, "`c` enum('a)','b,')");
        assert_line("`int(11)` point", None, "`int(11)` point");
    }

    #[test]
    fn a_character_set_is_named_where_it_is_not_the_table_s() {
        let line = "`c` varchar(9) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL";
        assert_line(line, Some("utf8mb4_bin"), "`c` varchar(9) NOT NULL");
        assert_line(
            line,
            Some("utf8mb4_general_ci"),
            "`c` varchar(9) COLLATE utf8mb4_general_ci NOT NULL",
        );
        assert_line(
            "`c` text",
            Some("latin1_bin"),
            "`c` text CHARACTER SET latin1 COLLATE latin1_bin",
        );
        assert_line(
            "`c` varchar(9) GENERATED ALWAYS AS (`d` collate latin1_bin) VIRTUAL",
            Some("utf8mb4_bin"),
            "`c` varchar(9) GENERATED ALWAYS AS (`d` collate latin1_bin) VIRTUAL",
        );
    }

    #[test]
    fn executable_comments_become_plain_and_strings_stay() {
        assert_line(
            "`c` int DEFAULT '1' /*!80023 INVISIBLE */ COMMENT 'a /*!1 b */'",
            None,
            "`c` int DEFAULT '1' INVISIBLE COMMENT 'a /*!1 b */'",
        );
        assert_line(
            "`c` text /*M!100301 COMPRESSED*/ DEFAULT NULL",
            Some("utf8mb4_general_ci"),
            "`c` text COMPRESSED COLLATE utf8mb4_general_ci DEFAULT NULL",
        );
    }

    #[test]
    fn indexes_and_constraints_are_sorted_and_columns_are_not() {
        let definition = "CREATE TABLE `t` (\n  `z` int,\n  `a` int,\n  UNIQUE KEY `z` (`z`),\n  \
             KEY `a` (`a`),\n  PRIMARY KEY (`z`),\n  CONSTRAINT `c` CHECK (`z` > 1),\n  \
             CONSTRAINT `f` FOREIGN KEY (`a`) REFERENCES `FOREIGN` (`z`) ON DELETE NO ACTION ON \
             UPDATE RESTRICT,\n  CONSTRAINT `e` FOREIGN KEY (`a`) REFERENCES `t` (`z`) ON DELETE \
             SET NULL ON UPDATE NO ACTION\n) ENGINE=InnoDB";
        assert_eq!(
            normal(definition, &[]),
            "CREATE TABLE `t` (\n  `z` int,\n  `a` int,\n  PRIMARY KEY (`z`),\n  KEY `a` (`a`),\n  \
             UNIQUE KEY `z` (`z`),\n  CONSTRAINT `e` FOREIGN KEY (`a`) REFERENCES `t` (`z`) ON \
             DELETE SET NULL,\n  CONSTRAINT `f` FOREIGN KEY (`a`) REFERENCES `FOREIGN` (`z`),\n  \
             CONSTRAINT `c` CHECK (`z` > 1)\n) ENGINE=InnoDB"
        );
    }

    #[test]
    fn the_counter_goes_and_the_collation_is_always_named() {
        let definition = "CREATE TABLE `t` (\n  `c` int\n) ENGINE=InnoDB AUTO_INCREMENT=42 DEFAULT \
             CHARSET=utf8mb4 COMMENT=' AUTO_INCREMENT=3'\n/*!50100 PARTITION BY HASH (`c`)\n\
             PARTITIONS 4 */";
        assert_eq!(
            normal(definition, &[]),
            "CREATE TABLE `t` (\n  `c` int\n) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 \
             COLLATE=utf8mb4_bin COMMENT=' AUTO_INCREMENT=3'\nPARTITION BY HASH (`c`)\nPARTITIONS 4"
        );
        let collation = "CREATE TABLE `t` (\n  `c` int\n) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 \
             COLLATE=utf8mb4_general_ci";
        assert!(normal(collation, &[]).ends_with("DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin"));
    }

    #[test]
    fn what_is_no_table_is_not_understood() {
        for text in ["", "CREATE TABLE `t`", "CREATE TABLE `t` (", "CREATE TABLE `t` (x)"] {
            assert_eq!(normalise("t", text, None, &Charsets::new()), None, "{text}");
        }
    }
}
