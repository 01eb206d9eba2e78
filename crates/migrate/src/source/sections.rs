//! Both ways in one file, between comments, as dbmate has them.

/// The text of the way up and, if there is one, of the way back. What stands before the first mark
/// belongs to neither; a file without marks is the way up. Lines keep their numbers.
pub(super) fn sections(text: &str) -> (String, Option<String>) {
    let mut up: Option<Vec<&str>> = None;
    let mut down: Option<Vec<&str>> = None;
    let mut in_down = false;
    for (number, line) in text.lines().enumerate() {
        match mark(line) {
            Some(direction) => {
                in_down = direction == "down";
                let section = if in_down { &mut down } else { &mut up };
                let section = section.get_or_insert_default();
                section.resize(number + 1, "");
            }
            None if in_down => down.iter_mut().for_each(|section| section.push(line)),
            None => up.iter_mut().for_each(|section| section.push(line)),
        }
    }
    let joined = |lines: Vec<&str>| lines.join("\n").trim_end().to_owned();
    match up {
        None if down.is_none() => (text.to_owned(), None),
        up => (joined(up.unwrap_or_default()), down.map(joined).filter(|down| !down.is_empty())),
    }
}

/// Whether a text holds both ways.
pub(crate) fn has_sections(text: &str) -> bool {
    text.lines().any(|line| mark(line).is_some())
}

/// `up` or `down` of a line such as `-- migrate:up transaction:false`.
fn mark(line: &str) -> Option<&'static str> {
    let rest = line.trim_start().strip_prefix("--")?.trim_start().strip_prefix("migrate:")?;
    let word = rest.split_whitespace().next()?;
    ["up", "down"].into_iter().find(|direction| *direction == word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ways_are_told_apart_and_keep_their_lines() {
        let text = "-- A table.\n-- migrate:up\nCREATE TABLE a (x INT);\n\n\
                    -- migrate:down transaction:false\nDROP TABLE a;\n";
        let (up, down) = sections(text);
        assert_eq!(up, "\n\nCREATE TABLE a (x INT);");
        assert_eq!(down.as_deref(), Some("\n\n\n\n\nDROP TABLE a;"));
    }

    #[test]
    fn a_file_without_marks_is_the_way_up() {
        let text = "CREATE TABLE a (x INT);\n-- migrate: allow=copy reason=\"small\"";
        assert_eq!(sections(text), (text.to_owned(), None));
        assert_eq!(sections("-- migrate:up\nSELECT 1;\n-- migrate:down\n").1, None);
        assert_eq!(sections("--migrate:up\nSELECT 1;"), ("\nSELECT 1;".to_owned(), None));
    }
}
