//! Views, routines, triggers and events as `SHOW CREATE …` prints them, normalised: without their
//! definer, who is a user of one server, and without the database's own name.

use crate::Dialect;
use crate::sql::lexer::{Kind, Token, join, tokens};
use crate::sql::name::backquoted;

/// A routine, package, event or sequence: the text without its definer.
pub(super) fn routine(definition: &str) -> String {
    without_end(&without_definer(definition)).to_owned()
}

/// Without the delimiter: MySQL keeps it as a part of the body when a client sent several
/// statements at once, and drops it when it was sent one.
fn without_end(text: &str) -> &str {
    text.trim_end_matches(|char: char| char == ';' || char.is_whitespace())
}

fn without_definer(definition: &str) -> String {
    let tokens = tokens(Dialect::MySql, definition);
    match definer(&tokens) {
        Some((start, end)) => {
            let kept = [tokens.get(..start), tokens.get(end..)];
            kept.into_iter().flatten().map(join).collect()
        }
        None => definition.to_owned(),
    }
}

/// Where `DEFINER=user@host ` stands; only at the beginning, because a body may say the same.
fn definer(tokens: &[Token<'_>]) -> Option<(usize, usize)> {
    let start = tokens.iter().take(16).position(|token| token.is_word("DEFINER"))?;
    let mut end = start + 1;
    let name = |token: &Token<'_>| matches!(token.kind, Kind::QuotedName | Kind::Text | Kind::Word);
    let mut step = |test: &dyn Fn(&Token<'_>) -> bool| {
        while tokens.get(end).is_some_and(|token| token.kind == Kind::Space) {
            end += 1;
        }
        let found = tokens.get(end).filter(|token| test(token));
        end += usize::from(found.is_some());
        found
    };
    step(&|token| token.is_symbol("="))?;
    let user = step(&name)?;
    // Without quotes the @ belongs to a word. A role of MariaDB has no host.
    let ends = |token: &Token<'_>| token.kind == Kind::Word && token.text.ends_with('@');
    if ends(user)
        || step(&|token| token.kind == Kind::Word && token.text.starts_with('@')).is_some_and(ends)
    {
        step(&name);
    }
    step(&|_| false);
    Some((start, end))
}

/// An event; `STARTS` is left out where it is nothing but the moment at which the event was made.
pub(super) fn event(definition: &str, starts_when_made: bool) -> String {
    let definition = routine(definition);
    if !starts_when_made {
        return definition;
    }
    let tokens = tokens(Dialect::MySql, &definition);
    let Some(start) = tokens.iter().take(32).position(|token| token.is_word("STARTS")) else {
        return definition;
    };
    // STARTS, space, time, space.
    [tokens.get(..start), tokens.get(start + 4..)].into_iter().flatten().map(join).collect()
}

/// A trigger. Its header is as somebody wrote it (MariaDB) or the server's own (MySQL); the order
/// among several for one event is given by the order in which they are made.
pub(super) fn trigger(name: &str, table: &str, definition: &str) -> Option<String> {
    let tokens = tokens(Dialect::MySql, definition);
    let significant: Vec<usize> = tokens
        .iter()
        .enumerate()
        .filter(|(_, token)| token.says_something())
        .map(|(at, _)| at)
        .collect();
    let word = |nth: usize, word: &str| {
        significant.get(nth).and_then(|at| tokens.get(*at)).is_some_and(|t| t.is_word(word))
    };
    let find = |from: usize, words: &[&str]| {
        (from..significant.len())
            .find(|at| words.iter().enumerate().all(|(offset, w)| word(at + offset, w)))
    };
    // After the definer, which may be called anything, and before the body.
    let after_definer = definer(&tokens).map_or(0, |(_, end)| end);
    let after_definer = significant.partition_point(|at| *at < after_definer);
    let mut timing = find(after_definer, &["TRIGGER"])?;
    // The name, with or without a database, may itself be `before`; a dot follows or it is last.
    timing = (timing + 1..significant.len()).find(|at| {
        (word(*at, "BEFORE") || word(*at, "AFTER"))
            && !is_name_at(&tokens, &significant, *at, timing)
    })?;
    let on = find(timing, &["ON"])?;
    let body = find(on, &["FOR", "EACH", "ROW"])? + 3;
    let follows = word(body, "FOLLOWS") || word(body, "PRECEDES");
    let body = if follows { body + 2 } else { body };
    let events: Vec<String> = significant
        .get(timing..on)?
        .iter()
        .filter_map(|at| tokens.get(*at))
        .map(|token| match token.kind {
            Kind::Word => token.text.to_uppercase(),
            _ => token.text.to_owned(),
        })
        .collect();
    let body = tokens.get(*significant.get(body)?..)?;
    Some(format!(
        "CREATE TRIGGER {} {} ON {} FOR EACH ROW\n{}",
        backquoted(name),
        events.join(" "),
        backquoted(table),
        without_end(&join(body))
    ))
}

/// Whether a word is a part of the trigger's name: the first word after TRIGGER [IF NOT EXISTS],
/// or the one behind a dot.
fn is_name_at(tokens: &[Token<'_>], significant: &[usize], at: usize, trigger: usize) -> bool {
    let token = |nth: usize| significant.get(nth).and_then(|at| tokens.get(*at));
    let before = at.checked_sub(1).and_then(token);
    at == trigger + 1
        || before.is_some_and(|before| before.is_symbol(".") || before.is_word("EXISTS"))
        || token(at + 1).is_some_and(|after| after.is_symbol("."))
}

/// A view: one line for each column and clause, without what is meant anyway.
pub(super) fn view(database: &str, definition: &str) -> Option<String> {
    let definition = without_definer(definition);
    let tokens = tokens(Dialect::MySql, &definition);
    let start = tokens.iter().position(|token| token.is_word("VIEW"))?;
    let (header, view) = tokens.split_at(start);
    let header =
        join(header).replace("ALGORITHM=UNDEFINED ", "").replace("SQL SECURITY DEFINER ", "");
    let view = without_database(database, view);
    Some(format!("{header}{}", in_lines(&view)))
}

/// A table whose columns take their defaults from a sequence of the same database (MariaDB).
pub(super) fn without_database_in_calls(database: &str, table: &str) -> String {
    let database = backquoted(database);
    let mut text = String::with_capacity(table.len());
    let tokens = tokens(Dialect::MySql, table);
    let mut rest = tokens.as_slice();
    loop {
        rest = match rest {
            [call, open, name, dot, after @ ..]
                if ["nextval", "lastval", "setval"]
                    .iter()
                    .any(|function| call.is_word(function))
                    && open.is_symbol("(")
                    && name.text == database
                    && dot.is_symbol(".") =>
            {
                text.push_str(call.text);
                text.push_str(open.text);
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

/// Leaves the database's own name away: in front of functions the server always writes it, in
/// front of tables when the view also uses those of other databases.
fn without_database<'a>(database: &str, tokens: &[Token<'a>]) -> Vec<Token<'a>> {
    let database = backquoted(database);
    let mut kept: Vec<Token<'a>> = Vec::with_capacity(tokens.len());
    let mut rest = tokens;
    loop {
        rest = match rest {
            [name, dot, after @ ..]
                if name.text == database && dot.is_symbol(".") && is_qualifier(&kept, after) =>
            {
                after
            }
            [token, after @ ..] => {
                kept.push(*token);
                after
            }
            [] => return kept,
        };
    }
}

/// Whether a name before a dot is that of the database, and not that of a table with the same name
/// before a column.
fn is_qualifier(before: &[Token<'_>], after: &[Token<'_>]) -> bool {
    let is_call_or_longer = after.get(1).is_some_and(|t| t.is_symbol("(") || t.is_symbol("."));
    let mut before = before.iter().rev().filter(|token| token.says_something());
    let place = before.find(|token| !token.is_symbol("("));
    is_call_or_longer || place.is_some_and(|word| word.is_word("FROM") || word.is_word("JOIN"))
}

const CLAUSES: [&str; 11] = [
    "FROM",
    "WHERE",
    "GROUP",
    "HAVING",
    "ORDER",
    "LIMIT",
    "WINDOW",
    "UNION",
    "EXCEPT",
    "INTERSECT",
    "WITH",
];

fn in_lines(tokens: &[Token<'_>]) -> String {
    let mut text = String::new();
    let mut depth = 0_i32;
    for (at, token) in tokens.iter().enumerate() {
        if token.is_symbol("(") {
            depth += 1;
        } else if token.is_symbol(")") {
            depth -= 1;
        }
        let next_is_clause = || {
            let next = tokens.get(at + 1);
            next.is_some_and(|next| CLAUSES.iter().any(|clause| next.is_word(clause)))
        };
        if depth == 0 && token.kind == Kind::Space && next_is_clause() {
            text.push_str("\n  ");
        } else if depth == 0 && token.is_symbol(",") {
            text.push_str(",\n    ");
        } else {
            text.push_str(token.text);
        }
    }
    text
}

/// Which of `names` a view selects from, judging by its normalised text. A name that is only a
/// column, an alias or a common table expression may be among them.
pub(super) fn sources<'n>(view: &str, names: &[&'n str]) -> Vec<&'n str> {
    let tokens = tokens(Dialect::MySql, view);
    let significant: Vec<&Token<'_>> = tokens.iter().filter(|t| t.says_something()).collect();
    let mut found = Vec::new();
    for (at, token) in significant.iter().enumerate() {
        let before = at.checked_sub(1).and_then(|before| significant.get(before));
        let after = significant.get(at + 1);
        let is_source = token.kind == Kind::QuotedName
            && after.is_none_or(|after| !after.is_symbol(".") && !after.is_symbol("("))
            && before.is_some_and(|before| {
                ["FROM", "JOIN", "STRAIGHT_JOIN"].iter().any(|word| before.is_word(word))
                    || before.is_symbol("(")
                    || before.is_symbol(",")
            });
        if is_source {
            found.extend(names.iter().filter(|name| backquoted(name) == token.text));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_definer_goes_however_it_is_quoted() {
        for definer in [
            "`root`@`%`",
            "\"ro\"\"ot\"@\"h\"",
            "'a' @ 'b'",
            "root@localhost",
            "root@'h'",
            "'a'@h",
            "`role`",
        ] {
            let text = format!("CREATE DEFINER={definer} PROCEDURE `p`()\nSELECT DEFINER=1");
            assert_eq!(routine(&text), "CREATE PROCEDURE `p`()\nSELECT DEFINER=1");
        }
        assert_eq!(routine("CREATE SEQUENCE `s`"), "CREATE SEQUENCE `s`");
        assert_eq!(routine("CREATE PROCEDURE `p`() DO ';' ;\n"), "CREATE PROCEDURE `p`() DO ';'");
    }

    #[test]
    fn a_trigger_gets_the_header_of_its_own() {
        let expected =
            "CREATE TRIGGER `t``r` BEFORE INSERT ON `a` FOR EACH ROW\nSET NEW.x = 'for each row'";
        for header in [
            "CREATE DEFINER=`root`@`%` TRIGGER `t``r` BEFORE INSERT ON `a` FOR EACH ROW ",
            "create trigger /* on */ if not exists db.tr before\ninsert on db . a for each row\n",
            "CREATE TRIGGER before BEFORE INSERT ON x FOR EACH ROW FOLLOWS `other` ",
            "CREATE TRIGGER before.after BEFORE INSERT ON x FOR EACH ROW PRECEDES other ",
            "CREATE DEFINER=trigger@after TRIGGER x BEFORE INSERT ON x FOR EACH ROW ",
        ] {
            let text = format!("{header}SET NEW.x = 'for each row'");
            assert_eq!(trigger("t`r", "a", &text).as_deref(), Some(expected), "{header}");
        }
        assert_eq!(trigger("t", "a", "CREATE TRIGGER t"), None);
    }

    #[test]
    fn a_view_loses_what_is_meant_anyway() {
        let text = "CREATE ALGORITHM=UNDEFINED DEFINER=`root`@`%` SQL SECURITY DEFINER VIEW `v` AS \
             select `a`.`x` AS `from`,`app`.`f`(`a`.`x`,1) AS `y` from (`a` join `b`) where 1";
        assert_eq!(
            view("app", text).unwrap(),
            "CREATE VIEW `v` AS select `a`.`x` AS `from`,\n    `f`(`a`.`x`,1) AS `y`\n  from (`a` \
             join `b`)\n  where 1"
        );
        let text = "CREATE ALGORITHM=MERGE SQL SECURITY INVOKER VIEW `v` AS select 1 WITH CASCADED CHECK OPTION";
        let expected = text.replace(" WITH", "\n  WITH");
        assert_eq!(view("app", text).unwrap(), expected);
    }

    #[test]
    fn a_table_that_is_called_like_the_database_keeps_its_name() {
        let text = "CREATE VIEW `v` AS select `app`.`x` AS `x` from `app`";
        assert!(view("app", text).unwrap().contains("select `app`.`x` AS `x`\n  from `app`"));
        let text = "CREATE VIEW `v` AS select `app`.`a`.`x` AS `x` from (`app`.`a` join `o`.`b`)";
        assert!(
            view("app", text).unwrap().contains("select `a`.`x` AS `x`\n  from (`a` join `o`.`b`)")
        );
    }

    #[test]
    fn a_view_s_sources_are_found_and_its_aliases_are_not() {
        let names = ["v1", "v2", "v3", "v4"];
        let text = "CREATE VIEW `v4` AS select `v1`.`v2` AS `v2` from (`v1` join `t` `v3`)";
        assert_eq!(sources(text, &names), ["v1"]);
        let text = "CREATE VIEW `v4` AS select 1 from `t` join `v2` on(exists(select 1 from `v3`))";
        assert_eq!(sources(text, &names), ["v2", "v3"]);
    }

    #[test]
    fn an_event_that_starts_when_it_was_made_says_nothing_of_it() {
        let text = "CREATE DEFINER=`r`@`h` EVENT `e` ON SCHEDULE EVERY 2 HOUR STARTS '2026-11-25 \
             03:03:08' ON COMPLETION NOT PRESERVE ENABLE DO DELETE FROM b";
        let starts = "STARTS '2026-11-25 03:03:08' ";
        assert!(event(text, false).contains(starts));
        assert_eq!(
            event(text, true),
            "CREATE EVENT `e` ON SCHEDULE EVERY 2 HOUR ON COMPLETION NOT PRESERVE ENABLE DO DELETE FROM b"
        );
    }
}
