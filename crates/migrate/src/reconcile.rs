//! Whether a statement that was under way when its runner died took effect.
//!
//! A change of the schema happens as a whole or not at all (MySQL 8.0 and MariaDB 10.6 on: "atomic
//! DDL"), and nobody else runs migrations meanwhile. So it is enough to compare the tables that it
//! changes with what they looked like before, and to ask whether what it meant to do is so.

use crate::journal::Images;
use crate::sql::meaning::{Effect, Meaning};

/// The answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It took effect.
    Done,
    /// It did not, or doing it once more does no harm: run it.
    Run,
    /// That can't be told; says why.
    Person(String),
}

/// What is to be asked of the database before [`verdict`] can be given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Question<'a> {
    /// Nothing: the answer is known.
    Answered(Verdict),
    /// What the tables that it changes look like, and which of its effects are there.
    Look(&'a crate::sql::meaning::Ddl),
}

/// What to ask about a statement of this meaning.
pub(crate) fn question(meaning: &Meaning) -> Question<'_> {
    match meaning {
        Meaning::Ddl(ddl) if !ddl.repeatable => Question::Look(ddl),
        Meaning::Ddl(_) | Meaning::Repeatable | Meaning::Read | Meaning::Session { .. } => {
            Question::Answered(Verdict::Run)
        }
        // Rows and the record of them are one transaction: it was rolled back.
        Meaning::Dml => Question::Answered(Verdict::Run),
        Meaning::Opaque | Meaning::Transaction(_) => Question::Answered(Verdict::Person(
            "what it does can't be told from its text".to_owned(),
        )),
    }
}

/// The answer, from the tables before and now and the effects that are there. `unseen` says that
/// tables may look the same although it took effect.
pub(crate) fn verdict(
    before: &Images,
    now: &Images,
    effects: &[(Effect, bool)],
    unseen: bool,
) -> Verdict {
    let all = effects.iter().all(|(_, holds)| *holds);
    if before.is_empty() {
        // A trigger or a view changes no table: there the effects alone tell.
        return match effects {
            [] => partly(effects),
            // Again it would take what was written in between, unless it did not happen yet.
            [(Effect::TableEmpty { table }, false)] => Verdict::Person(format!(
                "there are rows in {table}: whether it emptied the table and they were written \
                 since can't be told"
            )),
            _ if all => Verdict::Done,
            _ if effects.iter().any(|(_, holds)| *holds) => partly(effects),
            _ => Verdict::Run,
        };
    }
    match (before == now, all) {
        (true, true) if unseen => Verdict::Person(
            "everything looks as it did before, and would do so too if it had taken effect"
                .to_owned(),
        ),
        (true, _) => Verdict::Run,
        (false, true) => Verdict::Done,
        (false, false) => partly(effects),
    }
}

fn partly(effects: &[(Effect, bool)]) -> Verdict {
    let missing: Vec<String> =
        effects.iter().filter(|(_, holds)| !holds).map(|(effect, _)| effect.to_string()).collect();
    let missing = missing.join(", ");
    Verdict::Person(if missing.is_empty() {
        "a table that it changes looks different than before, and its text does not tell what it \
         should look like"
            .to_owned()
    } else {
        format!(
            "what it changes looks different than before, but not as it should: {missing} is not so"
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Dialect;
    use crate::sql::classify::meaning;
    use crate::sql::meaning::Name;
    use crate::sql::split::split;

    fn image(table: &str, definition: Option<&str>) -> Images {
        Images::from([(table.to_owned(), definition.map(ToOwned::to_owned))])
    }

    fn effect(holds: bool) -> (Effect, bool) {
        (Effect::ColumnExists { table: Name::unqualified("t"), column: "c".to_owned() }, holds)
    }

    #[test]
    fn a_table_that_looks_as_before_was_not_changed() {
        let before = image("t", Some("1"));
        assert_eq!(verdict(&before, &before, &[effect(false)], false), Verdict::Run);
        // What it meant was so before as well: it says itself whether that is an error.
        assert_eq!(verdict(&before, &before, &[effect(true)], false), Verdict::Run);
    }

    #[test]
    fn a_table_that_changed_as_it_should_is_done_and_any_other_change_is_for_a_person() {
        let (before, now) = (image("t", Some("1")), image("t", Some("2")));
        assert_eq!(verdict(&before, &now, &[effect(true)], false), Verdict::Done);
        assert_eq!(verdict(&before, &now, &[], false), Verdict::Done);
        assert_eq!(verdict(&image("t", None), &now, &[effect(true)], false), Verdict::Done);
        let Verdict::Person(why) = verdict(&before, &now, &[effect(true), effect(false)], false)
        else {
            panic!("decided without knowing");
        };
        assert!(why.contains("column t.c is there is not so"), "{why}");
    }

    #[test]
    fn what_changes_no_table_is_told_by_its_effects() {
        let none = Images::new();
        assert_eq!(verdict(&none, &none, &[effect(true)], false), Verdict::Done);
        assert_eq!(verdict(&none, &none, &[effect(false)], false), Verdict::Run);
        for effects in [&[effect(true), effect(false)][..], &[]] {
            assert!(matches!(verdict(&none, &none, effects, false), Verdict::Person(_)));
        }
    }

    #[test]
    fn what_may_have_changed_without_a_trace_is_for_a_person() {
        let before = image("t", Some("1"));
        assert!(matches!(verdict(&before, &before, &[effect(true)], true), Verdict::Person(_)));
        assert!(matches!(verdict(&before, &before, &[], true), Verdict::Person(_)));
        // What it means is not so, or something is another: that is told.
        assert_eq!(verdict(&before, &before, &[effect(false)], true), Verdict::Run);
        assert_eq!(verdict(&image("t", None), &before, &[effect(true)], true), Verdict::Done);
        let empty = |holds| [(Effect::TableEmpty { table: Name::unqualified("t") }, holds)];
        let none = Images::new();
        assert_eq!(verdict(&none, &none, &empty(true), false), Verdict::Done);
        assert!(matches!(verdict(&none, &none, &empty(false), false), Verdict::Person(_)));
    }

    #[test]
    fn only_what_can_be_asked_is_asked() {
        let ask = |text: &str| {
            let statements = split(Dialect::MySql, text).unwrap();
            let meaning = meaning(Dialect::MySql, &statements[0]);
            match question(&meaning) {
                Question::Answered(Verdict::Run) => "run",
                Question::Answered(_) => "person",
                Question::Look(_) => "look",
            }
        };
        for (text, answer) in [
            ("ALTER TABLE t ADD c INT", "look"),
            ("CREATE TABLE IF NOT EXISTS t (x INT)", "run"),
            ("CREATE OR REPLACE VIEW v AS SELECT 1", "run"),
            ("TRUNCATE t", "look"),
            ("CREATE OR REPLACE TABLE t (x INT)", "look"),
            ("CREATE OR REPLACE SEQUENCE s", "person"),
            ("INSERT INTO t VALUES (1)", "run"),
            ("CALL p()", "person"),
        ] {
            assert_eq!(ask(text), answer, "{text}");
        }
    }
}
