//! Where two dumps differ.

use std::fmt::Write as _;
use std::ops::Range;

use similar::{ChangeTag, DiffOp, TextDiff};

use super::print::heading;

/// Lines shown around a difference.
const AROUND: usize = 3;

/// A unified diff from `expected` to `actual`, or `None` if they say the same. Each part names the
/// object it is in, as in ``@@ -12,7 +12,8 @@ table `users` ``.
///
/// Line endings, a byte order mark and white space at the ends of lines don't count: a version
/// control system or an editor may have changed them in a dump that was kept.
pub fn diff(expected: &str, actual: &str) -> Option<String> {
    let (expected, actual) = (normalise(expected), normalise(actual));
    if expected == actual {
        return None;
    }
    let diff = TextDiff::from_lines(&expected, &actual);
    let (old, new): (Vec<&str>, Vec<&str>) = (expected.lines().collect(), actual.lines().collect());
    let mut text = "--- expected\n+++ actual\n".to_owned();
    for group in diff.grouped_ops(AROUND) {
        text.push_str(&header(&group, &old, &new));
        for change in group.iter().flat_map(|op| diff.iter_changes(op)) {
            text.push(match change.tag() {
                ChangeTag::Equal => ' ',
                ChangeTag::Delete => '-',
                ChangeTag::Insert => '+',
            });
            text.push_str(change.value());
        }
    }
    Some(text)
}

fn normalise(text: &str) -> String {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut normal = String::with_capacity(text.len() + 1);
    for line in text.trim_end().lines() {
        normal.push_str(line.trim_end());
        normal.push('\n');
    }
    normal
}

fn header(group: &[DiffOp], old: &[&str], new: &[&str]) -> String {
    let mut text = String::new();
    let (Some(first), Some(last)) = (group.first(), group.last()) else {
        return text;
    };
    let lines = |first: Range<usize>, last: Range<usize>| {
        let count = last.end - first.start;
        // As in POSIX diff: an empty range is named by the line before it.
        format!("{},{count}", if count == 0 { first.start } else { first.start + 1 })
    };
    let (before, after) =
        (lines(first.old_range(), last.old_range()), lines(first.new_range(), last.new_range()));
    let _ = write!(text, "@@ -{before} +{after} @@");
    let change = group.iter().find(|op| !matches!(op, DiffOp::Equal { .. }));
    let object = change.and_then(|op| match op {
        DiffOp::Insert { .. } => object(new, op.new_range()),
        _ => object(old, op.old_range()),
    });
    if let Some(object) = object {
        let _ = write!(text, " {object}");
    }
    text.push('\n');
    text
}

/// The object that the first line of a change belongs to: its heading is that line, or the nearest
/// one above it.
fn object<'a>(lines: &[&'a str], change: Range<usize>) -> Option<&'a str> {
    let is_blank = |at: &usize| lines.get(*at).is_none_or(|line| line.is_empty());
    let at = change.clone().find(|at| !is_blank(at)).unwrap_or(change.start);
    lines.get(..=at)?.iter().rev().find_map(|line| heading(line))
}

#[cfg(test)]
mod tests {
    use super::*;

    const EXPECTED: &str = "-- A schema.\n\n-- table `a`\nCREATE TABLE `a` (\n  `x` int\n);\n\n\
         -- table `b`\nCREATE TABLE `b` (\n  `k` int,\n  `l` int,\n  `m` int,\n  `n` int,\n  `x` int\n);\n";

    #[test]
    fn equal_texts_have_no_difference_whatever_their_line_endings_are() {
        assert_eq!(diff(EXPECTED, EXPECTED), None);
        let edited = format!("\u{feff}{}\r\n\r\n", EXPECTED.replace('\n', " \r\n"));
        assert_eq!(diff(&edited, EXPECTED), None);
        assert_eq!(diff("", "\n"), None);
    }

    #[test]
    fn a_difference_names_the_object_it_is_in() {
        let actual = EXPECTED.replace("  `x` int\n);\n\n", "  `x` bigint\n);\n\n");
        assert_eq!(
            diff(EXPECTED, &actual).unwrap(),
            "--- expected\n+++ actual\n@@ -2,7 +2,7 @@ table `a`\n \n -- table `a`\n CREATE TABLE \
             `a` (\n-  `x` int\n+  `x` bigint\n );\n \n -- table `b`\n"
        );
        let actual = EXPECTED.replace("  `n` int,\n  `x` int", "  `n` int,\n  `o` int,\n  `x` int");
        let text = diff(EXPECTED, &actual).unwrap();
        assert!(text.contains(" @@ table `b`\n"), "{text}");
        assert!(text.contains("\n+  `o` int,\n"), "{text}");
    }

    #[test]
    fn an_object_that_is_new_or_gone_names_itself() {
        let actual = format!("{EXPECTED}\n-- view `v`\nCREATE VIEW `v`;\n");
        let text = diff(EXPECTED, &actual).unwrap();
        assert!(text.contains(" @@ view `v`\n"), "{text}");
        assert!(text.ends_with("+\n+-- view `v`\n+CREATE VIEW `v`;\n"), "{text}");
        let text = diff(EXPECTED, "-- A schema.\n").unwrap();
        assert!(text.contains("@@ -1,15 +1,1 @@ table `a`\n"), "{text}");
        let text = diff("", "-- A schema.\n").unwrap();
        assert!(text.contains("@@ -0,0 +1,1 @@\n"), "{text}");
    }
}
